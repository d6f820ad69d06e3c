//! `POST /v1/freeze`: stop every write to PowerDNS and parents; reads go on.

use axum::extract::State;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::pool::FreezeView;
use pdm_api::requests::FreezeBody;

use crate::answer::Answer;
use crate::app::S;
use crate::extract::Change;
use crate::idempotency::once;
use crate::problem::Failure;

/// Stop every write to PowerDNS and parents (admin).
#[utoipa::path(
    post, path = "/v1/freeze", operation_id = "freeze", tag = "operator", request_body = FreezeBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer")),
    responses((status = 200, body = FreezeView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(State(state): State<S>, change: Change<FreezeBody>) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait: _ } = change;
    let engine = state.engine().clone();
    once(&state, key, async move {
        engine.set_freeze(&caller, body.pool_domain.as_deref(), true).await?;
        Answer::new(StatusCode::OK, &FreezeView { frozen: true, pool_domain: body.pool_domain })
    })
    .await
}
