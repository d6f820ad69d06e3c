//! `POST /v1/validate`: a name's passport. It reads the store and writes nothing.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::passport::ModeView;
use pdm_api::requests::{CheckQuery, ValidateBody};
use pdm_api::{CheckView, Passport, ProblemBody};
use pdm_model::ZoneName;

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
    let passport = Passport {
        name: check.fqdn.clone(),
        subdomain: check.fqdn.as_ref().filter(|_| pool.is_some()).map(|name| name.first_label().to_owned()),
        modes: modes(&check, pool.is_some()),
        pool,
        check,
    };
    Ok(json(StatusCode::OK, &passport))
}

/// Each mode, and why it cannot work. Pure.
fn modes(check: &CheckView, in_pool: bool) -> Vec<ModeView> {
    let pool = match (in_pool, check.available) {
        (true, true) => None,
        (true, false) => check.detail.clone().or_else(|| check.code.clone()),
        (false, _) => Some("the name is not directly under a pool".to_owned()),
    };
    let mode =
        |mode: &str, why: Option<String>| ModeView { mode: mode.to_owned(), works: why.is_none(), why };
    let not_served = || Some("this mode is not served in this version".to_owned());
    vec![mode("pool", pool), mode("byo-manual", not_served()), mode("byo-api", not_served())]
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
            for mode in modes(&check(available), in_pool) {
                assert_eq!(mode.works, mode.why.is_none());
                assert_eq!(mode.works, mode.mode == "pool" && available && in_pool);
            }
        }
    }
}
