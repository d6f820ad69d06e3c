//! `GET /v1/check`: a read of the store only, never of DNS or PowerDNS.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::requests::CheckQuery;
use pdm_api::{CheckView, ProblemBody};
use pdm_engine::caller::Caller;
use pdm_engine::intents::CheckAnswer;
use pdm_model::{Refusal, ZoneName};

use crate::app::{S, Shared};
use crate::extract::{Asking, Params};
use crate::problem::{Failure, json};

/// Whether a name can be had.
#[utoipa::path(
    get, path = "/v1/check", operation_id = "check", tag = "names", params(CheckQuery),
    responses((status = 200, body = CheckView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    Params(query): Params<CheckQuery>,
) -> Result<Response, Failure> {
    let view = check(&state, &caller, &query).await?;
    Ok(json(StatusCode::OK, &view))
}

/// The answer for either form of the question.
pub(crate) async fn check(state: &Shared, caller: &Caller, query: &CheckQuery) -> Result<CheckView, Failure> {
    let missing = |field: &str| Refusal::new("invalid-parameter", format!("{field} is missing")).field(field);
    match (&query.pool_domain, &query.subdomain, &query.domain) {
        (Some(pool), Some(label), None) => Ok(view(state.engine().check(caller, pool, label).await?)),
        (None, None, Some(domain)) => whole_name(state, caller, domain).await,
        (Some(_), None, None) => Err(missing("subdomain").into()),
        (None, Some(_), None) => Err(missing("poolDomain").into()),
        (None, None, None) => {
            Err(Refusal::new("invalid-parameter", "give poolDomain and subdomain, or domain")
                .field("poolDomain")
                .into())
        }
        (_, _, Some(_)) => {
            Err(Refusal::new("invalid-parameter", "domain stands alone, without poolDomain and subdomain")
                .field("domain")
                .into())
        }
    }
}

/// A whole name is lent from a pool, or it is the customer's own.
async fn whole_name(state: &Shared, caller: &Caller, domain: &str) -> Result<CheckView, Failure> {
    let name = match ZoneName::parse(domain) {
        Ok(name) => name,
        Err(error) => return Ok(unavailable("invalid-name", error.to_string(), None)),
    };
    let pool = name.parent().filter(|parent| state.engine().settings().pools.contains_key(parent));
    Ok(view(match pool {
        Some(pool) => state.engine().check(caller, pool.as_str(), name.first_label()).await?,
        None => state.engine().check_domain(caller, name.as_str()).await?,
    }))
}

fn unavailable(code: &str, detail: String, fqdn: Option<ZoneName>) -> CheckView {
    CheckView {
        available: false,
        code: Some(code.to_owned()),
        detail: Some(detail),
        fqdn,
        until: None,
        suggestions: Vec::new(),
    }
}

fn view(answer: CheckAnswer) -> CheckView {
    CheckView {
        available: answer.available,
        code: answer.code.map(str::to_owned),
        detail: answer.detail,
        fqdn: answer.fqdn,
        until: answer.until,
        suggestions: answer.suggestions,
    }
}
