//! `GET /api/v1/pool/{domain}/check?sub=X`: always 200 for a question that could be answered.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::older::{OlderCheck, OlderProblem, OlderQuery};
use pdm_engine::intents::{CheckAnswer, IntentError};
use pdm_model::problem::problem;

use crate::app::S;
use crate::extract::{Asking, At, Params};
use crate::problem::{Failure, json};

/// Whether a name can be had.
#[utoipa::path(
    get, path = "/api/v1/pool/{domain}/check", operation_id = "olderCheck", tag = "older",
    params(("domain" = String, Path, description = "The pool"), OlderQuery),
    responses((status = 200, body = OlderCheck), (status = "default", body = OlderProblem))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(domain): At<String>,
    Params(query): Params<OlderQuery>,
) -> Result<Response, Failure> {
    let label = query.sub.as_deref().unwrap_or_default().trim();
    let answer = match state.engine().check(&caller, domain.trim(), label).await {
        Ok(answer) => view(answer),
        // An unknown pool has always been an answer here and not an error.
        Err(IntentError::Refused(refusal)) if refusal.code == "unsupported-pool" => OlderCheck {
            available: false,
            reason: Some(problem(refusal.code).legacy.to_owned()),
            detail: Some(refusal.detail),
            fqdn: None,
        },
        Err(error) => return Err(error.into()),
    };
    Ok(json(StatusCode::OK, &answer))
}

fn view(answer: CheckAnswer) -> OlderCheck {
    OlderCheck {
        available: answer.available,
        reason: answer.code.map(|code| problem(code).legacy.to_owned()),
        detail: answer.detail,
        fqdn: answer.fqdn.map(|name| name.to_string()),
    }
}
