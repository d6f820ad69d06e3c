//! `GET /api/v1/reserved`: the labels that are never lent.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::older::{OlderProblem, OlderReserved};
use pdm_engine::caller::Right;
use pdm_model::reserved::RESERVED_LABELS;

use crate::app::S;
use crate::extract::Asking;
use crate::problem::{Failure, json};

/// The labels that are never lent.
#[utoipa::path(
    get, path = "/api/v1/reserved", operation_id = "olderReserved", tag = "older",
    responses((status = 200, body = OlderReserved), (status = "default", body = OlderProblem))
)]
pub(crate) async fn handler(State(state): State<S>, Asking(caller): Asking) -> Result<Response, Failure> {
    caller.must(Right::Check)?;
    let operators =
        state.engine().settings().pools.values().flat_map(|pool| pool.reserved.iter().map(String::as_str));
    let all: BTreeSet<&str> = RESERVED_LABELS.iter().copied().chain(operators).collect();
    Ok(json(StatusCode::OK, &OlderReserved { reserved: all.into_iter().map(str::to_owned).collect() }))
}
