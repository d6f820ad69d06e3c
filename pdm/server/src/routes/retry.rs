//! `POST /v1/operations/{id}/retry`: do not wait for the backoff.

use axum::extract::State;
use http::StatusCode;
use pdm_api::requests::EmptyBody;
use pdm_api::{OperationView, ProblemBody};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::{At, Change};
use crate::idempotency::once;
use crate::problem::Failure;

/// Do not wait for the backoff.
#[utoipa::path(
    post, path = "/v1/operations/{id}/retry", operation_id = "retryOperation", tag = "operations",
    params(
        ("id" = String, Path, description = "The operation"),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer")
    ),
    responses((status = 202, body = OperationView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    At(id): At<String>,
    change: Change<EmptyBody>,
) -> Result<Answer, Failure> {
    let Change { caller, body: EmptyBody {}, key, wait: _ } = change;
    let engine = state.engine().clone();
    once(&state, key, async move {
        let operation = engine.hurry(&caller, &id).await?;
        Answer::new(StatusCode::ACCEPTED, &OperationView::from(&operation))
    })
    .await
}
