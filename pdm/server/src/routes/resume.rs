//! `POST /v1/allocations/{fqdn}/resume`: answer again.

use axum::extract::State;
use pdm_api::requests::ResumeBody;
use pdm_api::{AcceptedView, ProblemBody};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::{At, Change};
use crate::idempotency::once;
use crate::problem::Failure;
use crate::settle::settle;

/// Answer again (admin).
#[utoipa::path(
    post, path = "/v1/allocations/{fqdn}/resume", operation_id = "resume", tag = "names", request_body = ResumeBody,
    params(
        ("fqdn" = String, Path, description = "The name"),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: seconds to wait for the end, at most 60")
    ),
    responses(
        (status = 200, body = AcceptedView, description = "Nothing is left to do"),
        (status = 202, body = AcceptedView, description = "Under way; Location names the operation"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn handler(
    State(state): State<S>,
    At(fqdn): At<String>,
    change: Change<ResumeBody>,
) -> Result<Answer, Failure> {
    let Change { caller, body: _, key, wait } = change;
    let shared = state.clone();
    once(&state, key, async move {
        let accepted = shared.engine().resume(&caller, &fqdn).await?;
        Answer::of(&settle(&shared, accepted, wait).await?)
    })
    .await
}
