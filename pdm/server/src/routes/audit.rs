//! `GET /v1/audits/{id}`: one report, and what changed since another.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::audit::{AuditView, CompareQuery};

use crate::app::S;
use crate::extract::{Asking, At, Params};
use crate::problem::{Failure, json};

/// One report.
#[utoipa::path(
    get, path = "/v1/audits/{id}", operation_id = "getAudit", tag = "audits",
    params(("id" = String, Path, description = "The report"), CompareQuery),
    responses((status = 200, body = AuditView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(id): At<String>,
    Params(query): Params<CompareQuery>,
) -> Result<Response, Failure> {
    let report = state.engine().report(&caller, &id).await?;
    let transitions = match &query.compare {
        Some(before) => state.engine().compare_reports(&caller, before, &report).await?,
        None => Vec::new(),
    };
    Ok(json(StatusCode::OK, &AuditView { report, transitions }))
}
