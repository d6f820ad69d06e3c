//! `GET /v1/audit-log`: who asked for what, newest first.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::requests::AuditLogQuery;
use pdm_api::{AuditLogEntry, AuditLogPage, ProblemBody};

use crate::app::S;
use crate::extract::{Asking, Params};
use crate::problem::{Failure, json};
use crate::routes::allocations::limit;

/// A page of the audit log.
#[utoipa::path(
    get, path = "/v1/audit-log", operation_id = "auditLog", tag = "operator", params(AuditLogQuery),
    responses((status = 200, body = AuditLogPage), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    Params(query): Params<AuditLogQuery>,
) -> Result<Response, Failure> {
    let limit = limit(query.limit)?;
    let (fqdn, actor) = (query.fqdn.as_deref(), query.actor.as_deref());
    let mut rows = state.engine().audit_log(&caller, fqdn, actor, query.cursor, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|entry| entry.seq);
    let items = rows.into_iter().map(AuditLogEntry::from).collect();
    Ok(json(StatusCode::OK, &AuditLogPage { items, next_cursor }))
}
