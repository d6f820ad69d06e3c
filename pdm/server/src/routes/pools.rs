//! `GET /v1/pools`: the pools that the token may use.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::keys::AtParentView;
use pdm_api::{PoolView, Pools, ProblemBody};
use pdm_engine::caller::{Caller, Right};
use pdm_model::Pool;
use pdm_ports::store::{Count, Freeze};

use crate::app::{S, Shared};
use crate::extract::Asking;
use crate::problem::{Failure, json};

/// The pool's DS is read from PowerDNS, whose silence must not stop this answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Pools, nameservers, counts and quotas.
#[utoipa::path(
    get, path = "/v1/pools", operation_id = "listPools", tag = "names",
    responses((status = 200, body = Pools), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(State(state): State<S>, Asking(caller): Asking) -> Result<Response, Failure> {
    let pools = views(&state, &caller).await?;
    Ok(json(StatusCode::OK, &Pools { pools }))
}

/// The pools that a caller may use.
pub(crate) async fn views(state: &S, caller: &Caller) -> Result<Vec<PoolView>, Failure> {
    caller.must(Right::Check)?;
    let (counts, freezes) =
        tokio::try_join!(state.engine().store().counts(), state.engine().store().freezes())?;
    let usable = |pool: &&Pool| caller.pool.as_ref().is_none_or(|only| *only == pool.domain);
    let pools = state.engine().settings().pools.values().filter(usable);
    let views = pools.map(async |pool| {
        let view = view(state, caller, pool, &counts, &freezes);
        let kept = state.engine().pool_keys(&pool.domain).await.ok().flatten();
        let rolls = kept.as_ref().filter(|kept| kept.state.roll.is_some());
        // While keys roll, the registrar is to have what the roll says, whatever keys are there.
        let ds = match rolls {
            Some(kept) => Some(kept.ds.iter().map(ToString::to_string).collect()),
            None => pool_ds(state, pool).await,
        };
        let at_parent = kept.and_then(|kept| kept.at_parent).map(|seen| AtParentView::from(&seen));
        PoolView { ds, at_parent, ..view }
    });
    Ok(futures_util::future::join_all(views).await)
}

/// One pool, without what PowerDNS would have to be asked for.
pub(crate) fn view(
    state: &Shared,
    caller: &Caller,
    pool: &Pool,
    counts: &[Count],
    freezes: &[Freeze],
) -> PoolView {
    let counted = || {
        let here = counts.iter().filter(|c| c.pool == pool.domain);
        here.map(|c| (c.phase.as_str().to_owned(), c.count)).collect::<BTreeMap<_, _>>()
    };
    PoolView {
        domain: pool.domain.clone(),
        nameservers: state.engine().settings().nameservers.clone(),
        reservation_ttl: pool.reservation_ttl.as_secs(),
        quarantine: pool.quarantine.as_secs(),
        quota: pool.quota,
        counts: caller.owner.is_none().then(counted),
        frozen: freezes.iter().any(|f| f.pool.as_ref().is_none_or(|p| *p == pool.domain)),
        ds: None,
        at_parent: None,
    }
}

async fn pool_ds(state: &Shared, pool: &Pool) -> Option<Vec<String>> {
    match tokio::time::timeout(PATIENCE, state.engine().parent().pool_ds(&pool.domain)).await {
        Ok(Ok(ds)) => Some(ds.iter().map(ToString::to_string).collect()),
        Ok(Err(fault)) => {
            tracing::debug!(%fault, pool = %pool.domain, "the pool's DS could not be read");
            None
        }
        Err(_) => None,
    }
}
