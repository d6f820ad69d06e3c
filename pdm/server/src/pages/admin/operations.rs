//! `GET /admin/operations`: what is under way, what it waits for, until when, and for whom.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_model::{Operation, Step, Who};
use serde::Deserialize;

use super::super::{Chrome, Viewer, html};
use super::sovereign::who_word;
use crate::app::S;
use crate::extract::Params;
use crate::problem::Failure;

/// Rows at most: the oldest, which are those that somebody should look at.
const ROWS: u32 = 200;

#[derive(Deserialize)]
pub(crate) struct Query {
    /// `nobody`, `caller`, `operator` or `busy`; empty for all.
    #[serde(default)]
    who: String,
}

/// For whom operations wait, and how many do.
struct Group {
    word: &'static str,
    key: &'static str,
    count: usize,
    chosen: bool,
}

const GROUPS: [(&str, &str); 4] =
    [("operator", "who-operator"), ("caller", "who-caller"), ("nobody", "who-nobody"), ("busy", "busy")];

#[derive(Template)]
#[template(path = "operations.html")]
struct Page {
    c: Chrome,
    groups: Vec<Group>,
    all: usize,
    any: bool,
    operations: Vec<Operation>,
}

pub(crate) async fn handler(
    State(state): State<S>,
    viewer: Viewer,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let mut operations = state.engine().open_operations(&viewer.caller, ROWS).await?;
    let count = |word: &str| operations.iter().filter(|o| group_of(o) == word).count();
    let group = |(word, key): &(&'static str, &'static str)| Group {
        word,
        key,
        count: count(word),
        chosen: query.who == *word,
    };
    let groups: Vec<Group> = GROUPS.iter().map(group).collect();
    let (all, any) = (operations.len(), groups.iter().any(|group| group.chosen));
    operations.retain(|operation| !any || group_of(operation) == query.who);
    html(&Page { c: viewer.c, groups, all, any: !any, operations })
}

fn current(operation: &Operation) -> Option<&Step> {
    operation.current().and_then(|at| operation.steps.get(at))
}

fn group_of(operation: &Operation) -> &'static str {
    match current(operation).and_then(|step| step.wait_reason.as_ref()).map(|wait| wait.who) {
        Some(Who::Operator) => "operator",
        Some(Who::Caller) => "caller",
        Some(Who::Nobody) => "nobody",
        None => "busy",
    }
}

impl Page {
    fn step<'a>(&self, operation: &'a Operation) -> Option<&'a Step> {
        current(operation)
    }

    fn who(&self, who: Who) -> &'static str {
        who_word(who)
    }
}
