//! `GET /v1/audit-log/export`: the audit log as a chain with its checkpoints, oldest first.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::audit::{ExportPage, ExportQuery};
use serde::Serialize;
use serde_json::Value;

use crate::app::S;
use crate::extract::{Asking, Params};
use crate::problem::{Failure, json};

/// Entries of one page.
const PAGE: u32 = 1000;

/// Part of the audit log as a chain.
#[utoipa::path(
    get, path = "/v1/audit-log/export", operation_id = "exportAuditLog", tag = "operator", params(ExportQuery),
    responses((status = 200, body = ExportPage), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    Params(query): Params<ExportQuery>,
) -> Result<Response, Failure> {
    let (links, checkpoints, chain) = state.engine().export_log(&caller, query.after, PAGE).await?;
    // A checkpoint is given with the page that holds its place.
    let last = links.last().map_or(chain.place, |link| link.place);
    let checkpoints = checkpoints.iter().filter(|checkpoint| checkpoint.place <= last);
    let page = ExportPage {
        links: links.iter().map(value).collect(),
        checkpoints: checkpoints.map(value).collect(),
        end: chain.place,
        unsealed: chain.unsealed,
    };
    Ok(json(StatusCode::OK, &page))
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}
