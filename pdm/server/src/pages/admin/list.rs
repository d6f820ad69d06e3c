//! `GET /admin`: the Sovereigns, filtered, a page at a time. The name is the cursor, so the last page costs no more than
//! the first.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_model::{Allocation, Phase, ZoneName};
use pdm_ports::store::Filter;
use serde::Deserialize;

use super::super::form::encode;
use super::super::strip::verdict;
use super::super::{Chrome, Viewer, html};
use crate::app::S;
use crate::extract::Params;
use crate::problem::Failure;

/// Rows of a page.
const ROWS: u32 = 50;

#[derive(Deserialize)]
pub(crate) struct Query {
    #[serde(default)]
    q: String,
    #[serde(default)]
    phase: String,
    #[serde(default)]
    pool: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    after: String,
}

struct Row {
    allocation: Allocation,
    verdict: &'static str,
}

impl Row {
    /// Key of the verdict in a word or two.
    fn brief(&self) -> String {
        self.verdict.replace("verdict-", "brief-")
    }
}

#[derive(Template)]
#[template(path = "list.html")]
struct Page {
    c: Chrome,
    query: Query,
    phases: Vec<&'static str>,
    pools: Vec<String>,
    rows: Vec<Row>,
    next: Option<String>,
}

pub(crate) async fn handler(
    State(state): State<S>,
    viewer: Viewer,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let filter = Filter {
        pool: given(&query.pool).and_then(|pool| ZoneName::parse(&pool).ok()),
        phase: Phase::from_word(&query.phase),
        owner: given(&query.owner),
        text: given(&query.q).map(|text| text.to_ascii_lowercase()),
        after: given(&query.after),
        limit: ROWS + 1,
        freed: false,
    };
    let mut found = state.engine().list(&viewer.caller, filter).await?;
    let more = found.len() > ROWS as usize;
    found.truncate(ROWS as usize);
    let next = found.last().filter(|_| more).map(|last| {
        let part = |name: &str, value: &str| format!("{name}={}", encode(value));
        format!(
            "/admin?{}&{}&{}&{}&{}",
            part("q", &query.q),
            part("phase", &query.phase),
            part("pool", &query.pool),
            part("owner", &query.owner),
            part("after", last.fqdn.as_str())
        )
    });
    let rows = found.into_iter().map(|a| Row { verdict: verdict(&a, None), allocation: a }).collect();
    html(&Page {
        c: viewer.c,
        query,
        phases: Phase::ALL.into_iter().map(Phase::as_str).collect(),
        pools: state.engine().settings().pools.keys().map(ToString::to_string).collect(),
        rows,
        next,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::words::WORDS;

    #[test]
    fn every_verdict_has_a_brief_word() {
        let known = |key: &str| WORDS.iter().any(|row| row.0 == key);
        for (key, _, _) in WORDS.iter().filter(|row| row.0.starts_with("verdict-")) {
            assert!(known(&key.replace("verdict-", "brief-")), "{key}");
        }
    }
}
