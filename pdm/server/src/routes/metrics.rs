//! `GET /metrics`: figures for Prometheus.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use crate::app::S;
use crate::telemetry;

/// Figures in the Prometheus text format.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operator", security(()),
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(crate) async fn handler(State(state): State<S>) -> Response {
    telemetry::refresh(&state).await;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.app.metrics.render()).into_response()
}
