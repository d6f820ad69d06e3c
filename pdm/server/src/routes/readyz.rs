//! `GET /readyz`: whether everything that is needed answers, each part by name.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::health::{PartView, Readiness};

use crate::app::S;
use crate::problem::json;

/// Ready.
#[utoipa::path(
    get, path = "/readyz", operation_id = "ready", tag = "operator", security(()),
    responses((status = 200, body = Readiness), (status = 503, body = Readiness, description = "A part does not answer"))
)]
pub(crate) async fn handler(State(state): State<S>) -> Response {
    let view = |(name, result): (&str, Result<String, String>)| PartView {
        name: name.to_owned(),
        ready: result.is_ok(),
        detail: match result {
            Ok(detail) | Err(detail) => detail,
        },
    };
    let parts: Vec<_> = state.engine().ready().await.into_iter().map(view).collect();
    let ready = parts.iter().all(|part| part.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &Readiness { ready, parts })
}
