//! `POST /v1/reserve/extend`: move a reservation's deadline.

use axum::extract::State;
use http::StatusCode;
use pdm_api::requests::ExtendBody;
use pdm_api::{ExtendedView, ProblemBody};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::Change;
use crate::idempotency::once;
use crate::problem::Failure;

/// Hold a name for another full period from now.
#[utoipa::path(
    post, path = "/v1/reserve/extend", operation_id = "extend", tag = "names", request_body = ExtendBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer")),
    responses((status = 200, body = ExtendedView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(State(state): State<S>, change: Change<ExtendBody>) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait: _ } = change;
    let engine = state.engine().clone();
    once(&state, key, async move {
        let allocation = engine.extend(&caller, &body.fqdn, &body.reservation_token).await?;
        Answer::new(StatusCode::OK, &ExtendedView::from(&allocation))
    })
    .await
}
