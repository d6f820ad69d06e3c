//! `POST /v1/audits/fix`: carry out the fix of a finding as an ordinary operation.

use axum::extract::State;
use pdm_api::audit::FixBody;
use pdm_api::{AcceptedView, ProblemBody};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::Change;
use crate::idempotency::once;
use crate::problem::Failure;
use crate::settle::settle;

/// Carry out the fix of a finding in the last report.
#[utoipa::path(
    post, path = "/v1/audits/fix", operation_id = "fixFinding", tag = "audits", request_body = FixBody,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: seconds to wait for the end, at most 60")
    ),
    responses(
        (status = 200, body = AcceptedView, description = "Done"),
        (status = 202, body = AcceptedView, description = "Under way; Location names the operation"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn handler(State(state): State<S>, change: Change<FixBody>) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait } = change;
    let shared = state.clone();
    once(&state, key, async move {
        let accepted = shared.engine().fix(&caller, &body.fqdn, &body.finding).await?;
        Answer::of(&settle(&shared, accepted, wait).await?)
    })
    .await
}
