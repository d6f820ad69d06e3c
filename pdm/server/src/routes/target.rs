//! `PUT /v1/allocations/{fqdn}/target`: point the six names elsewhere.

use axum::extract::State;
use pdm_api::target::TargetBody;
use pdm_api::{AcceptedView, ProblemBody};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::{At, Change};
use crate::idempotency::once;
use crate::problem::Failure;
use crate::settle::settle;

/// Point the six names elsewhere.
#[utoipa::path(
    put, path = "/v1/allocations/{fqdn}/target", operation_id = "setTarget", tag = "names", request_body = TargetBody,
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
    change: Change<TargetBody>,
) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait } = change;
    let target = body.parse()?;
    let shared = state.clone();
    once(&state, key, async move {
        // Whether it may be changed is decided below.
        let before = shared.engine().get(&caller, &fqdn).await.ok().and_then(|found| found.allocation.target);
        let accepted = shared.engine().retarget(&caller, &fqdn, target).await?;
        let warnings = shared.engine().warnings(before.as_ref(), accepted.allocation.target.as_ref());
        Ok(Answer::of(&settle(&shared, accepted, wait).await?)?.warnings(warnings))
    })
    .await
}
