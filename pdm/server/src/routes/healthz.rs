//! `GET /healthz`: the process is alive. It asks nobody else.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::health::Health;

use crate::app::S;
use crate::problem::json;

/// Alive.
#[utoipa::path(get, path = "/healthz", operation_id = "health", tag = "operator", responses((status = 200, body = Health)), security(()))]
pub(crate) async fn handler(State(state): State<S>) -> Response {
    let managed_domains = state.engine().settings().pools.keys().map(ToString::to_string).collect();
    json(StatusCode::OK, &Health { status: "ok".to_owned(), managed_domains })
}
