//! `GET /metrics`: figures for Prometheus.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use pdm_ports::trace;

use crate::app::S;
use crate::{openmetrics, telemetry};

/// Figures in the Prometheus text format; as OpenMetrics with exemplars for who asks for that.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operator", security(()),
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(crate) async fn handler(State(state): State<S>, headers: HeaderMap) -> Response {
    telemetry::refresh(&state).await;
    let figures = state.app.metrics.render();
    if openmetrics::is_wanted(headers.get(ACCEPT).and_then(|value| value.to_str().ok())) {
        let text = openmetrics::text(&figures, &trace::exemplars());
        return ([(CONTENT_TYPE, openmetrics::CONTENT_TYPE)], text).into_response();
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], figures).into_response()
}
