//! `POST /api/v1/pool/{domain}/commit`: 200 when the name is active within the client's patience, 202 otherwise.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::older::{OlderAllocation, OlderCommitBody, OlderPending, OlderProblem};
use pdm_model::{Phase, Refusal, ZoneName};

use crate::app::S;
use crate::extract::{Asking, At, Json};
use crate::idempotency::detached;
use crate::problem::{Failure, json};
use crate::routes::older;
use crate::settle::settle;

/// Give a reserved name its address. Repeating it is harmless.
#[utoipa::path(
    post, path = "/api/v1/pool/{domain}/commit", operation_id = "olderCommit", tag = "older", request_body = OlderCommitBody,
    params(("domain" = String, Path, description = "The pool")),
    responses(
        (status = 200, body = OlderAllocation, description = "Proved active"),
        (status = 202, body = OlderPending, description = "Committed; it becomes active by itself"),
        (status = "default", body = OlderProblem)
    )
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(domain): At<String>,
    Json(body): Json<OlderCommitBody>,
) -> Result<Response, Failure> {
    let name = older::name(&state, &domain, &body.subdomain)?;
    must_name_the_same(&name, &body.sovereign_fqdn)?;
    let target = body.target()?;
    let engine = state.engine().clone();
    let accepted = detached(async move {
        Ok(engine.commit(&caller, name.as_str(), &body.reservation_token, target, None).await?)
    })
    .await
    .map_err(in_older_words)?;
    let active = accepted.allocation.phase == Phase::Active;
    let wait = (!active).then_some(state.app.limits.older_wait);
    let accepted = settle(&state, accepted, wait).await?;
    let allocation = OlderAllocation::from(&accepted.allocation);
    if accepted.allocation.phase == Phase::Active {
        return Ok(json(StatusCode::OK, &allocation));
    }
    let warning = "committed; the DNS is being written and proved, which needs no further request".to_owned();
    Ok(json(StatusCode::ACCEPTED, &OlderPending { warning, allocation }))
}

/// The body names the address by another field than `/v1` does.
fn in_older_words(mut failure: Failure) -> Failure {
    if failure.refusal.field.as_deref().is_some_and(|field| field.starts_with("loadBalancers")) {
        failure.refusal.field = Some("loadBalancerIP".to_owned());
    }
    failure
}

/// A client that means another name than it commits has made a mistake that must not reach the DNS.
fn must_name_the_same(name: &ZoneName, typed: &str) -> Result<(), Refusal> {
    let typed = typed.trim();
    if typed.is_empty() || ZoneName::parse(typed).is_ok_and(|given| given == *name) {
        return Ok(());
    }
    Err(Refusal::new("invalid-name", format!("sovereignFQDN is not {name}")).field("sovereignFQDN"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_name_must_agree() {
        let name = ZoneName::parse("omantel.omani.works").unwrap();
        for good in ["", "omantel.omani.works", "Omantel.Omani.Works."] {
            assert!(must_name_the_same(&name, good).is_ok(), "{good}");
        }
        for bad in ["other.omani.works", "omantel", "a b"] {
            assert_eq!(must_name_the_same(&name, bad).unwrap_err().code, "invalid-name", "{bad}");
        }
    }
}
