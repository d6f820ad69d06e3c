//! `GET /api/v1/pool/{domain}/list`: all allocations of a pool, for admins.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::older::{OlderAllocation, OlderList, OlderProblem};
use pdm_engine::caller::Right;
use pdm_model::{Phase, Refusal, ZoneName};
use pdm_ports::store::Filter;

use crate::app::S;
use crate::extract::{Asking, At};
use crate::problem::{Failure, json};

/// Rows read at once; the answer itself has no pages.
const PAGE: u32 = 500;

/// All allocations of a pool (admin).
#[utoipa::path(
    get, path = "/api/v1/pool/{domain}/list", operation_id = "olderList", tag = "older",
    params(("domain" = String, Path, description = "The pool")),
    responses((status = 200, body = OlderList), (status = "default", body = OlderProblem))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(domain): At<String>,
) -> Result<Response, Failure> {
    caller.must(Right::Administer)?;
    let unknown = |e: pdm_model::name::NameError| Refusal::new("unsupported-pool", e.to_string());
    let pool = ZoneName::parse(domain.trim()).map_err(unknown)?;
    let pool = state.engine().settings().pool(&pool)?.domain.clone();
    let mut filter = Filter { pool: Some(pool.clone()), limit: PAGE, ..Filter::default() };
    let mut allocations = Vec::new();
    loop {
        let rows = state.engine().list(&caller, filter.clone()).await?;
        allocations.extend(rows.iter().filter(|a| held(a.phase)).map(OlderAllocation::from));
        filter.after = rows.last().map(|a| a.fqdn.to_string());
        if rows.len() < PAGE as usize {
            return Ok(json(StatusCode::OK, &OlderList { pool_domain: pool.to_string(), allocations }));
        }
    }
}

/// A released name was never in this list.
fn held(phase: Phase) -> bool {
    match phase {
        Phase::Reserved | Phase::Provisioning | Phase::Delegating | Phase::Active => true,
        Phase::Releasing | Phase::Quarantined | Phase::Freed => false,
    }
}
