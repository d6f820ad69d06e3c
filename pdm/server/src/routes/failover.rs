//! `/v1/allocations/{fqdn}/failover`: what nameservers answer now, what would happen, and forcing a region.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::failover::{
    BoundsView, ClientAnswerView, DrainBody, DrainView, FailoverBody, LoadView, NameserverView, RegionView,
    RehearsalQuery, ServersView,
};
use pdm_api::{AcceptedView, FailoverView, ProblemBody, RehearsalView};
use pdm_engine::Engine;
use pdm_engine::intents::failover::FailoverStatus;
use pdm_model::{Condition, ConditionKind, Force, Opinion, Refusal};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::{Asking, At, Change, Params};
use crate::idempotency::once;
use crate::problem::{Failure, json};
use crate::settle::settle;

/// What each nameserver answers for the failover policy of a name, asked now.
#[utoipa::path(
    get, path = "/v1/allocations/{fqdn}/failover", operation_id = "getFailover", tag = "names",
    params(("fqdn" = String, Path, description = "The name")),
    responses((status = 200, body = FailoverView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn status(
    State(state): State<S>,
    Asking(caller): Asking,
    At(fqdn): At<String>,
) -> Result<Response, Failure> {
    let engine = state.engine();
    let status = engine.failover_status(&caller, &fqdn).await?;
    Ok(json(StatusCode::OK, &view(engine, &status)))
}

/// What clients would get, and when, if regions went down. Touches nothing.
#[utoipa::path(
    get, path = "/v1/allocations/{fqdn}/failover/rehearsal", operation_id = "rehearseFailover", tag = "names",
    params(("fqdn" = String, Path, description = "The name"), RehearsalQuery),
    responses((status = 200, body = RehearsalView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn rehearsal(
    State(state): State<S>,
    Asking(caller): Asking,
    At(fqdn): At<String>,
    Params(query): Params<RehearsalQuery>,
) -> Result<Response, Failure> {
    let down: Vec<&str> = query.down.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let engine = state.engine();
    let rehearsal = engine.rehearse(&caller, &fqdn, &down).await?;
    let found = engine.get(&caller, &fqdn).await?;
    // Both situations are lists of the same shape.
    let [before, after] = [&rehearsal.before, &rehearsal.after].map(|answers| {
        let one = answers.iter().map(|given| ClientAnswerView {
            client: given.client.clone(),
            rtype: given.rtype.to_string(),
            answer: given.answer.to_string(),
        });
        one.collect::<Vec<_>>()
    });
    let bounds = BoundsView {
        detected: rehearsal.bounds.detected,
        clients: rehearsal.bounds.clients,
        clients_if_silent: rehearsal.bounds.clients_if_silent,
        recovery: rehearsal.bounds.recovery,
    };
    let view = RehearsalView { fqdn: found.allocation.fqdn, down: rehearsal.down, before, after, bounds };
    Ok(json(StatusCode::OK, &view))
}

/// Force a region up or down for a while, or let its checks decide again.
#[utoipa::path(
    post, path = "/v1/allocations/{fqdn}/failover/drain", operation_id = "drain", tag = "names", request_body = DrainBody,
    params(
        ("fqdn" = String, Path, description = "The name"),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: seconds to wait for the end, at most 60")
    ),
    responses(
        (status = 200, body = AcceptedView, description = "Nothing is left to do"),
        (status = 202, body = AcceptedView, description = "Under way; Location names the operation"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn drain(
    State(state): State<S>,
    At(fqdn): At<String>,
    change: Change<DrainBody>,
) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait } = change;
    let force = force(&body)?;
    let shared = state.clone();
    once(&state, key, async move {
        let accepted = shared.engine().drain(&caller, &fqdn, &body.region, force).await?;
        Answer::of(&settle(&shared, accepted, wait).await?)
    })
    .await
}

/// What is forced, and for how long; none for `auto`. Pure.
fn force(body: &DrainBody) -> Result<Option<(Force, Duration)>, Refusal> {
    let bad = |field: &str, detail: &str| Refusal::new("invalid-parameter", detail).field(field);
    let force = match body.force.as_str() {
        "down" => Force::Down,
        "up" => Force::Up,
        "auto" if body.seconds.is_none() => return Ok(None),
        "auto" => return Err(bad("seconds", "auto takes no time")),
        _ => return Err(bad("force", "one of up, down and auto")),
    };
    let seconds = body.seconds.as_ref().and_then(serde_json::Value::as_u64);
    let seconds = seconds.ok_or_else(|| bad("seconds", "a whole number of seconds, after which it ends"))?;
    Ok(Some((force, Duration::from_secs(seconds))))
}

fn view(engine: &Arc<Engine>, status: &FailoverStatus) -> FailoverView {
    let policy = &status.policy;
    let front = policy.front().len();
    let regions = policy.regions().iter().enumerate().map(|(at, region)| RegionView {
        region: region.name.to_string(),
        addresses: region
            .ipv4
            .iter()
            .map(ToString::to_string)
            .chain(region.ipv6.iter().map(ToString::to_string))
            .collect(),
        reserve: at >= front,
        forced_up: region.forced_up,
    });
    let nameserver = |opinion: &Opinion| NameserverView {
        names: opinion.names.clone(),
        server: opinion.server.clone(),
        verdict: opinion.verdict.as_str().to_owned(),
        addresses: opinion.addresses.iter().map(ToString::to_string).collect(),
        regions: policy.regions_of(&opinion.addresses).into_iter().map(str::to_owned).collect(),
        since: opinion.since,
        flips: opinion.flips,
    };
    let (state, reason, detail) = status.overall.clone();
    let kept = status.allocation.conditions.iter().find(|c| c.kind == ConditionKind::FailoverIdle);
    // What was not written down yet began with the last answer that changed.
    let latest = status.opinions.iter().map(|opinion| opinion.since).max();
    let since = kept.filter(|c| c.status == state).map(|c| c.since).or(latest);
    let since = since.unwrap_or(status.allocation.updated_at);
    let now = Condition {
        kind: ConditionKind::FailoverIdle,
        status: state,
        reason: reason.to_owned(),
        detail,
        since,
        who: None,
    };
    let failover = status.allocation.target.as_ref().and_then(|target| target.failover.as_ref());
    FailoverView {
        fqdn: status.allocation.fqdn.clone(),
        failover: failover.map(FailoverBody::from).unwrap_or_default(),
        regions: regions.collect(),
        state: (&now).into(),
        nameservers: status.opinions.iter().map(nameserver).collect(),
        drains: status.drains.iter().map(DrainView::from).collect(),
        load: LoadView {
            addresses: status.load.addresses,
            nameservers: engine.checking().nameservers,
            interval: status.load.interval,
            per_address_per_second: status.load.per_address_per_second,
            per_second: status.load.per_second,
        },
        bounds: BoundsView {
            detected: status.bounds.detected,
            clients: status.bounds.clients,
            clients_if_silent: status.bounds.clients_if_silent,
            recovery: status.bounds.recovery,
        },
        servers: status.servers.as_ref().map(|lua| ServersView {
            version: lua.version.clone(),
            enabled: lua.enabled && lua.writable,
            geoip: lua.geoip,
            interval: lua.interval,
            expire: lua.expire,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_region_is_forced_with_an_end_or_let_go() {
        let of = |value: serde_json::Value| force(&serde_json::from_value(value).unwrap());
        let two_hours = Some((Force::Down, Duration::from_secs(7200)));
        assert_eq!(of(json!({"region": "a", "force": "down", "seconds": 7200})).unwrap(), two_hours);
        assert_eq!(of(json!({"region": "a", "force": "auto"})).unwrap(), None);
        for (bad, field) in [
            (json!({"region": "a", "force": "down"}), "seconds"),
            (json!({"region": "a", "force": "up", "seconds": "1h"}), "seconds"),
            (json!({"region": "a", "force": "up", "seconds": -1}), "seconds"),
            (json!({"region": "a", "force": "auto", "seconds": 1}), "seconds"),
            (json!({"region": "a", "force": "DOWN", "seconds": 1}), "force"),
        ] {
            assert_eq!(of(bad.clone()).unwrap_err().field.as_deref(), Some(field), "{bad}");
        }
    }
}
