//! `GET /admin/audit-log`: who asked for what; and whether the chain of entries holds, told by what `pdm log verify` uses.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_engine::audits::Verified;
use pdm_model::AuditEntry;
use serde::Deserialize;

use super::super::form::{Form, encode};
use super::super::{Chrome, Viewer, html};
use crate::app::S;
use crate::extract::Params;
use crate::problem::Failure;

/// Rows of a page.
const ROWS: u32 = 100;
/// A person waits for the verification; a longer log is for the command line.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Deserialize, Default)]
pub(crate) struct Query {
    #[serde(default)]
    fqdn: String,
    #[serde(default)]
    actor: String,
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "log.html")]
struct Page {
    c: Chrome,
    query: Query,
    entries: Vec<AuditEntry>,
    next: Option<String>,
    verified: Option<Verified>,
}

pub(crate) async fn handler(
    State(state): State<S>,
    viewer: Viewer,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    page(&state, viewer, query, None).await
}

#[derive(Deserialize)]
pub(crate) struct Nothing {}

/// Verify the whole chain and show what came of it.
pub(crate) async fn verify(State(state): State<S>, form: Form<Nothing>) -> Result<Response, Failure> {
    let Form { viewer, fields: Nothing {} } = form;
    let verified = state.engine().verify_log(&viewer.caller, PATIENCE).await?;
    page(&state, viewer, Query::default(), Some(verified)).await
}

async fn page(
    state: &S,
    viewer: Viewer,
    query: Query,
    verified: Option<Verified>,
) -> Result<Response, Failure> {
    let given = |text: &'_ str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let (fqdn, actor) = (given(&query.fqdn), given(&query.actor));
    let entries = state
        .engine()
        .audit_log(&viewer.caller, fqdn.as_deref(), actor.as_deref(), query.before, ROWS)
        .await?;
    let next = entries.last().filter(|_| entries.len() == ROWS as usize).map(|last| {
        format!(
            "/admin/audit-log?fqdn={}&actor={}&before={}",
            encode(&query.fqdn),
            encode(&query.actor),
            last.seq
        )
    });
    html(&Page { c: viewer.c, query, entries, next, verified })
}
