//! `POST /v1/allocations/{fqdn}/owner`: give a name to another owner.

use axum::extract::State;
use pdm_api::requests::OwnerBody;
use pdm_api::{AcceptedView, ProblemBody};
use pdm_engine::intents::Accepted;

use crate::answer::Answer;
use crate::app::S;
use crate::extract::{At, Change};
use crate::idempotency::once;
use crate::problem::Failure;
use crate::settle::settle;

/// Give a name to another owner (admin).
#[utoipa::path(
    post, path = "/v1/allocations/{fqdn}/owner", operation_id = "transfer", tag = "names", request_body = OwnerBody,
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
    change: Change<OwnerBody>,
) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait } = change;
    let shared = state.clone();
    once(&state, key, async move {
        let allocation = shared.engine().transfer(&caller, &fqdn, &body.owner).await?;
        // The stamp in the zone names the owner, so there may be an operation; transfer does not answer with it.
        let found = shared.engine().store().allocation(&allocation.fqdn).await?;
        let operation = found.and_then(|(_, operation)| operation);
        Answer::of(&settle(&shared, Accepted { allocation, operation }, wait).await?)
    })
    .await
}
