//! `POST /v1/validate`: a name's passport. It reads the store and writes nothing.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::passport::{DomainView, ModeView, RefusedView};
use pdm_api::requests::{CheckQuery, ValidateBody};
use pdm_api::{CheckView, Passport, ProblemBody};
use pdm_engine::intents::IntentError;
use pdm_engine::passport::DomainPassport;
use pdm_model::ZoneName;
use pdm_ports::walk::Security;

use crate::app::S;
use crate::extract::{Asking, Json};
use crate::problem::{Failure, json};
use crate::routes::{check, pools};

/// What can be done with a name.
#[utoipa::path(
    post, path = "/v1/validate", operation_id = "validate", tag = "names", request_body = ValidateBody,
    responses((status = 200, body = Passport), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    Json(body): Json<ValidateBody>,
) -> Result<Response, Failure> {
    let query = CheckQuery { pool_domain: body.pool_domain, subdomain: body.subdomain, domain: body.domain };
    let check = check::check(&state, &caller, &query).await?;
    let asked = query.pool_domain.as_deref().and_then(|typed| ZoneName::parse(typed).ok());
    let parent = check.fqdn.as_ref().and_then(ZoneName::parent);
    let pool = asked.or(parent).and_then(|name| state.engine().settings().pools.get(&name));
    let pool = match pool {
        Some(pool) => {
            let store = state.engine().store();
            let (counts, freezes) = tokio::try_join!(store.counts(), store.freezes())?;
            Some(pools::view(&state, &caller, pool, &counts, &freezes))
        }
        None => None,
    };
    let domain = match (&pool, &check.fqdn) {
        (None, Some(name)) if check.code.as_deref() != Some("name-reserved") => {
            match state.engine().passport(&caller, name.as_str()).await {
                Ok(seen) => Some(view(seen)),
                Err(IntentError::Refused(_)) => None,
                Err(fault @ IntentError::Fault(_)) => return Err(fault.into()),
            }
        }
        _ => None,
    };
    let passport = Passport {
        name: check.fqdn.clone(),
        subdomain: check.fqdn.as_ref().filter(|_| pool.is_some()).map(|name| name.first_label().to_owned()),
        modes: modes(&check, pool.is_some(), domain.as_ref()),
        pool,
        check,
        domain,
    };
    Ok(json(StatusCode::OK, &passport))
}

fn view(seen: DomainPassport) -> DomainView {
    let dnssec = match &seen.security {
        Some(Security::Secure) if !seen.ds.is_empty() => "secure",
        Some(Security::Secure | Security::Insecure { .. }) => "insecure",
        Some(Security::Bogus { .. }) => "bogus",
        Some(Security::Unknown { .. }) | None => "unknown",
    };
    let (plan, refused) = match seen.plan {
        Some(Ok(plan)) => (Some(plan), None),
        Some(Err(r)) => (None, Some(RefusedView { code: r.code.to_owned(), detail: r.detail })),
        None => (None, None),
    };
    DomainView {
        registered_domain: seen.registered,
        parent_zone: seen.parent,
        ns: seen.ns.into_iter().collect(),
        ds: seen.ds.into_iter().collect(),
        hosted_at: seen.hosted_at.map(str::to_owned),
        dnssec: dnssec.to_owned(),
        mail: seen.mail.into_iter().collect(),
        plan,
        refused,
    }
}

/// Each mode, and why it cannot work. Pure.
fn modes(check: &CheckView, in_pool: bool, domain: Option<&DomainView>) -> Vec<ModeView> {
    let held =
        (!check.available).then(|| check.detail.clone().or_else(|| check.code.clone()).unwrap_or_default());
    let pool = if in_pool { held.clone() } else { Some("the name is not directly under a pool".to_owned()) };
    let refused = domain.and_then(|d| d.refused.as_ref()).map(|r| r.detail.clone());
    let brought = match domain {
        Some(_) => held.or(refused),
        None if in_pool => Some("the name lies in a pool".to_owned()),
        None => held.or_else(|| Some("nothing could be seen of this domain".to_owned())),
    };
    let mode =
        |mode: &str, why: Option<String>| ModeView { mode: mode.to_owned(), works: why.is_none(), why };
    vec![mode("pool", pool), mode("byo-manual", brought.clone()), mode("byo-api", brought)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_works_or_says_why_not() {
        let check = |available| CheckView {
            available,
            code: None,
            detail: (!available).then(|| "taken".to_owned()),
            fqdn: None,
            until: None,
            suggestions: vec![],
        };
        for (available, in_pool) in [(true, true), (true, false), (false, true), (false, false)] {
            for mode in modes(&check(available), in_pool, None) {
                assert_eq!(mode.works, mode.why.is_none());
                assert_eq!(mode.works, mode.mode == "pool" && available && in_pool);
            }
        }
    }
}
