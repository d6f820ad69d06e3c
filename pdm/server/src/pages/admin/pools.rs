//! `GET /admin/pools`: counts, quotas, whether the pool stands in the public suffix list, and the DS for its registrar.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use pdm_api::PoolView;

use super::super::{Chrome, Viewer, html};
use crate::app::S;
use crate::problem::Failure;
use crate::routes::pools;

#[derive(Template)]
#[template(path = "pools.html")]
struct Page {
    c: Chrome,
    pools: Vec<PoolView>,
}

pub(crate) async fn handler(State(state): State<S>, viewer: Viewer) -> Result<Response, Failure> {
    let pools = pools::views(&state, &viewer.caller).await?;
    html(&Page { c: viewer.c, pools })
}

impl Page {
    fn ds(&self, pool: &PoolView) -> Vec<String> {
        pool.ds.clone().unwrap_or_default()
    }

    fn counts(&self, pool: &PoolView) -> Vec<(String, u64)> {
        pool.counts.clone().unwrap_or_default().into_iter().collect()
    }
}
