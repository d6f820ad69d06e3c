//! `GET /admin/pools`: counts, quotas, whether the pool stands in the public suffix list, the DS for its registrar, and
//! which changes of its delegations are waiting.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_api::PoolView;
use pdm_model::registered::{Belongs, belongs};
use pdm_model::{Operation, Step, StepKind};

use super::super::{Chrome, Viewer, html};
use crate::app::S;
use crate::problem::Failure;
use crate::routes::pools;

/// Operations looked at, and those of a pool that are named.
const LOOKED: u32 = 500;
const NAMED: usize = 10;

/// Steps that write into a pool's zone.
const WRITES: &[StepKind] = &[
    StepKind::WithdrawStaleDs,
    StepKind::EnsureParentNs,
    StepKind::EnsureParentDs,
    StepKind::WithdrawParentDs,
    StepKind::RemoveDelegationAndZone,
];

/// One pool.
struct Row {
    pool: PoolView,
    suffix: bool,
    /// Operations that still write into it, the oldest first.
    queue: Vec<Operation>,
    more: usize,
}

#[derive(Template)]
#[template(path = "pools.html")]
struct Page {
    c: Chrome,
    rows: Vec<Row>,
}

pub(crate) async fn handler(State(state): State<S>, viewer: Viewer) -> Result<Response, Failure> {
    let open = async { Ok(state.engine().open_operations(&viewer.caller, LOOKED).await?) };
    let (views, open) = tokio::try_join!(pools::views(&state, &viewer.caller), open)?;
    let row = |pool: PoolView| {
        let mine = |o: &&Operation| o.fqdn.parent().as_ref() == Some(&pool.domain) && writes(o).is_some();
        let mut queue: Vec<Operation> = open.iter().filter(mine).cloned().collect();
        let more = queue.len().saturating_sub(NAMED);
        queue.truncate(NAMED);
        Row { suffix: belongs(&pool.domain) == Belongs::PublicSuffix, pool, queue, more }
    };
    html(&Page { rows: views.into_iter().map(row).collect(), c: viewer.c })
}

/// The next step of an operation that writes into the pool's zone.
fn writes(operation: &Operation) -> Option<&Step> {
    let left = operation.steps.iter().filter(|step| step.state != pdm_model::StepState::Done);
    left.into_iter().find(|step| WRITES.contains(&step.kind))
}

impl Page {
    fn ds(&self, pool: &PoolView) -> Vec<String> {
        pool.ds.clone().unwrap_or_default()
    }

    fn counts(&self, pool: &PoolView) -> Vec<(String, u64)> {
        pool.counts.clone().unwrap_or_default().into_iter().collect()
    }

    fn step(&self, operation: &Operation) -> &'static str {
        writes(operation).map_or("", |step| step.kind.as_str())
    }

    fn wait(&self, operation: &Operation) -> String {
        let current = operation.current().and_then(|at| operation.steps.get(at));
        current.and_then(|step| step.wait_reason.as_ref()).map(|wait| wait.detail.clone()).unwrap_or_default()
    }
}
