//! `DELETE /api/v1/pool/{domain}/release`: the label stands in the body or in `?sub=`.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use pdm_api::older::{OlderAllocation, OlderFreed, OlderProblem, OlderQuery, OlderReleaseBody};
use pdm_model::OperationState;

use crate::app::S;
use crate::extract::{Asking, At, Params, parse, read};
use crate::idempotency::detached;
use crate::problem::{Failure, json};
use crate::routes::older;
use crate::settle::settle;

/// Give a name back. Repeating it is harmless.
#[utoipa::path(
    delete, path = "/api/v1/pool/{domain}/release", operation_id = "olderRelease", tag = "older",
    request_body(content = Option<OlderReleaseBody>),
    params(("domain" = String, Path, description = "The pool"), OlderQuery),
    responses(
        (status = 200, body = OlderFreed, description = "Gone from the DNS"),
        (status = 202, body = OlderFreed, description = "Going by itself"),
        (status = "default", body = OlderProblem)
    )
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(domain): At<String>,
    Params(query): Params<OlderQuery>,
    request: Request,
) -> Result<Response, Failure> {
    // A browser asks before it sends a DELETE elsewhere, so the content type need not guard this one.
    let bytes = read(request, &state.app.limits).await?;
    let body: OlderReleaseBody = if bytes.is_empty() { OlderReleaseBody::default() } else { parse(&bytes)? };
    let label = body.subdomain.or(query.sub).unwrap_or_default();
    let name = older::name(&state, &domain, &label)?;
    let token = body.reservation_token.filter(|token| !token.is_empty());
    let engine = state.engine().clone();
    let accepted =
        detached(async move { Ok(engine.release(&caller, name.as_str(), token.as_deref()).await?) }).await?;
    let accepted = settle(&state, accepted, Some(state.app.limits.older_wait)).await?;
    let freed = OlderAllocation::from(&accepted.allocation);
    if accepted.operation.is_some_and(|o| o.state == OperationState::Open) {
        let warning =
            Some("the name leaves the DNS in safe steps, which needs no further request".to_owned());
        return Ok(json(StatusCode::ACCEPTED, &OlderFreed { warning, freed }));
    }
    Ok(json(StatusCode::OK, &OlderFreed { warning: None, freed }))
}
