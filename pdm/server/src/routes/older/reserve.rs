//! `POST /api/v1/pool/{domain}/reserve`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::older::{OlderProblem, OlderReservation, OlderReserveBody};
use pdm_engine::intents::ReserveRequest;

use crate::app::S;
use crate::extract::{Asking, At, Json};
use crate::idempotency::detached;
use crate::problem::{Failure, json};

/// Hold a name.
#[utoipa::path(
    post, path = "/api/v1/pool/{domain}/reserve", operation_id = "olderReserve", tag = "older", request_body = OlderReserveBody,
    params(("domain" = String, Path, description = "The pool")),
    responses((status = 201, body = OlderReservation), (status = "default", body = OlderProblem))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(domain): At<String>,
    Json(body): Json<OlderReserveBody>,
) -> Result<Response, Failure> {
    let request = ReserveRequest {
        pool: domain.trim().to_owned(),
        subdomain: body.subdomain.trim().to_owned(),
        owner: None,
        created_by: body.created_by.filter(|label| !label.is_empty()),
        legacy: true,
        request_key: None,
    };
    let engine = state.engine().clone();
    let reserved = detached(async move { Ok(engine.reserve(&caller, request).await?) }).await?;
    Ok(json(StatusCode::CREATED, &OlderReservation::new(&reserved.allocation, reserved.token)))
}
