//! `POST /api/v1/registrar/{registrar}/validate` and `.../set-ns`: no registrar is served in this version.

use axum::response::Response;
use http::StatusCode;
use pdm_api::older::OlderProblem;
use pdm_engine::caller::Right;

use crate::extract::{Asking, At};
use crate::problem::{Failure, json};

/// Whether a token reaches a domain.
#[utoipa::path(
    post, path = "/api/v1/registrar/{registrar}/validate", operation_id = "olderRegistrarValidate", tag = "older",
    params(("registrar" = String, Path, description = "The registrar")),
    responses((status = "default", body = OlderProblem))
)]
pub(crate) async fn validate(Asking(caller): Asking, At(registrar): At<String>) -> Result<Response, Failure> {
    caller.must(Right::Check)?;
    Ok(unsupported(&registrar))
}

/// Point a domain at our nameservers.
#[utoipa::path(
    post, path = "/api/v1/registrar/{registrar}/set-ns", operation_id = "olderRegistrarSetNs", tag = "older",
    params(("registrar" = String, Path, description = "The registrar")),
    responses((status = "default", body = OlderProblem))
)]
pub(crate) async fn set_ns(Asking(caller): Asking, At(registrar): At<String>) -> Result<Response, Failure> {
    caller.must(Right::Commit)?;
    Ok(unsupported(&registrar))
}

fn unsupported(registrar: &str) -> Response {
    let shown: String = registrar.chars().filter(|c| !c.is_control()).take(64).collect();
    let detail = format!("the registrar {shown} is not served in this version");
    json(
        StatusCode::UNPROCESSABLE_ENTITY,
        &OlderProblem { error: "unsupported-registrar".to_owned(), detail },
    )
}
