//! `GET /admin/operations`: what is under way, what it waits for, and for whom.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_model::{Operation, Step, Wait};

use super::super::{Chrome, Viewer, html};
use super::sovereign::who_word;
use crate::app::S;
use crate::problem::Failure;

/// Rows at most: the oldest, which are those that somebody should look at.
const ROWS: u32 = 200;

#[derive(Template)]
#[template(path = "operations.html")]
struct Page {
    c: Chrome,
    operations: Vec<Operation>,
}

pub(crate) async fn handler(State(state): State<S>, viewer: Viewer) -> Result<Response, Failure> {
    let operations = state.engine().open_operations(&viewer.caller, ROWS).await?;
    html(&Page { c: viewer.c, operations })
}

impl Page {
    fn step<'a>(&self, operation: &'a Operation) -> Option<&'a Step> {
        operation.current().and_then(|at| operation.steps.get(at))
    }

    fn who(&self, wait: &Wait) -> &'static str {
        who_word(wait.who)
    }
}
