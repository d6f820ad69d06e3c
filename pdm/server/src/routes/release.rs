//! `POST /v1/release`: give a name back.

use axum::extract::State;
use pdm_api::requests::ReleaseBody;
use pdm_api::{AcceptedView, ProblemBody};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::Change;
use crate::idempotency::once;
use crate::problem::Failure;
use crate::settle::settle;

/// Give a name back. Repeating it is harmless.
#[utoipa::path(
    post, path = "/v1/release", operation_id = "release", tag = "names", request_body = ReleaseBody,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: seconds to wait for the end, at most 60")
    ),
    responses(
        (status = 200, body = AcceptedView, description = "Nothing is left to do"),
        (status = 202, body = AcceptedView, description = "Under way; Location names the operation"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn handler(State(state): State<S>, change: Change<ReleaseBody>) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait } = change;
    body.admit()?;
    let shared = state.clone();
    once(&state, key, async move {
        let accepted =
            shared.engine().release(&caller, &body.fqdn, body.reservation_token.as_deref()).await?;
        Answer::of(&settle(&shared, accepted, wait).await?)
    })
    .await
}
