//! `GET /v1/operations/{id}`: state and steps.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::{OperationView, ProblemBody};

use crate::app::S;
use crate::extract::{Asking, At, Wait};
use crate::problem::{Failure, json};

/// How an operation stands.
#[utoipa::path(
    get, path = "/v1/operations/{id}", operation_id = "getOperation", tag = "operations",
    params(
        ("id" = String, Path, description = "The operation"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: seconds to wait for the end, at most 60")
    ),
    responses((status = 200, body = OperationView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(id): At<String>,
    Wait(wait): Wait,
) -> Result<Response, Failure> {
    let mut operation = state.engine().operation(&caller, &id).await?;
    if let Some(at_most) = wait {
        let later = tokio::select! {
            later = state.engine().wait(&id, at_most) => later?,
            () = state.stopped() => None,
        };
        operation = later.unwrap_or(operation);
    }
    Ok(json(StatusCode::OK, &OperationView::from(&operation)))
}
