//! `GET /v1/registrars`: none in this version.

use axum::response::Response;
use http::StatusCode;
use pdm_api::{ProblemBody, Registrars};
use pdm_engine::caller::Right;

use crate::extract::Asking;
use crate::problem::{Failure, json};

/// The registrars that are served.
#[utoipa::path(
    get, path = "/v1/registrars", operation_id = "listRegistrars", tag = "names",
    responses((status = 200, body = Registrars), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(Asking(caller): Asking) -> Result<Response, Failure> {
    caller.must(Right::Check)?;
    Ok(json(StatusCode::OK, &Registrars::default()))
}
