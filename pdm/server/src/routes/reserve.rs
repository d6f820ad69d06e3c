//! `POST /v1/reserve`: hold a name until a deadline.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use pdm_api::requests::ReserveBody;
use pdm_api::reservation::OwnershipView;
use pdm_api::{ProblemBody, ReservationView};
use pdm_engine::caller::Caller;
use pdm_engine::intents::ReserveRequest;
use pdm_engine::intents::claim::ClaimRequest;
use pdm_model::Mode;

use crate::answer::Answer;
use crate::app::S;
use crate::extract::{Change, RequestKey};
use crate::idempotency::once;
use crate::problem::Failure;

/// Hold a name.
#[utoipa::path(
    post, path = "/v1/reserve", operation_id = "reserve", tag = "names", request_body = ReserveBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer")),
    responses((status = 201, body = ReservationView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(State(state): State<S>, change: Change<ReserveBody>) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait: _ } = change;
    let mode = body.mode()?;
    if mode != Mode::Pool {
        return claim(&state, &caller, mode, body, key).await;
    }
    let (pool, label) = body.pool_and_label()?;
    let request = ReserveRequest {
        pool: pool.to_owned(),
        subdomain: label.to_owned(),
        owner: body.owner,
        created_by: body.created_by,
        legacy: false,
        request_key: key.as_ref().map(|k| k.key.clone()),
    };
    let engine = state.engine().clone();
    once(&state, key, async move {
        let reserved = engine.reserve(&caller, request).await?;
        let view = ReservationView::new(&reserved.allocation, reserved.token, &engine.settings().nameservers);
        Ok(Answer::new(StatusCode::CREATED, &view)?.with_token_of(&reserved.allocation.id))
    })
    .await
}

/// Claim a domain that its owner brings.
async fn claim(
    state: &S,
    caller: &Arc<Caller>,
    mode: Mode,
    body: ReserveBody,
    key: Option<RequestKey>,
) -> Result<Answer, Failure> {
    let request = ClaimRequest {
        mode,
        domain: body.brought()?.to_owned(),
        owner: body.owner,
        created_by: body.created_by,
        request_key: key.as_ref().map(|k| k.key.clone()),
    };
    let (engine, caller) = (state.engine().clone(), caller.clone());
    once(state, key, async move {
        let claimed = engine.claim(&caller, request).await?;
        let id = claimed.allocation.id.clone();
        let mut view =
            ReservationView::new(&claimed.allocation, claimed.token, &engine.settings().nameservers);
        let until = claimed.allocation.expires_at;
        view.ownership = claimed.challenge.map(|c| OwnershipView::new(c.name, c.value, c.nameservers, until));
        Ok(Answer::new(StatusCode::CREATED, &view)?.with_token_of(&id))
    })
    .await
}
