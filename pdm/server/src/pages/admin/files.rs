//! What an admin takes away: the signed evidence about a name, and a report as the API gives it.

use axum::extract::State;
use axum::response::Response;
use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, StatusCode};
use pdm_api::audit::AuditView;

use super::super::Viewer;
use crate::app::S;
use crate::extract::At;
use crate::problem::{Failure, json};
use crate::routes::evidence;

/// Everything about one name in one signed bundle.
pub(crate) async fn evidence(
    State(state): State<S>,
    viewer: Viewer,
    At(fqdn): At<String>,
) -> Result<Response, Failure> {
    let view = evidence::view(state.engine().evidence(&viewer.caller, &fqdn).await?);
    Ok(attached(json(StatusCode::OK, &view), &format!("evidence-{fqdn}")))
}

/// One report.
pub(crate) async fn report(
    State(state): State<S>,
    viewer: Viewer,
    At((_, id)): At<(String, String)>,
) -> Result<Response, Failure> {
    let report = state.engine().report(&viewer.caller, &id).await?;
    let name = format!("audit-{}-{}", report.fqdn, report.id);
    Ok(attached(json(StatusCode::OK, &AuditView { report, transitions: Vec::new() }), &name))
}

/// A file to keep instead of a page to read. The name keeps what file systems and headers bear.
fn attached(mut response: Response, name: &str) -> Response {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).take(200).collect();
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}.json\"")) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}
