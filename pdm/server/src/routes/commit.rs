//! `POST /v1/commit`: from here on the name will be in the DNS.

use axum::extract::State;
use pdm_api::requests::CommitBody;
use pdm_api::{AcceptedView, ProblemBody};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::Change;
use crate::idempotency::once;
use crate::problem::Failure;
use crate::routes::credential;
use crate::settle::settle;

/// Give a reserved name its target.
#[utoipa::path(
    post, path = "/v1/commit", operation_id = "commit", tag = "names", request_body = CommitBody,
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
pub(crate) async fn handler(State(state): State<S>, change: Change<CommitBody>) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait } = change;
    let target = body.target()?;
    let registrar = body.registrar.map(credential::request);
    let (fqdn, token) = (body.fqdn, body.reservation_token);
    let shared = state.clone();
    once(&state, key, async move {
        let accepted = shared.engine().commit(&caller, &fqdn, &token, target, registrar).await?;
        let warnings = shared.engine().warnings(None, accepted.allocation.target.as_ref());
        Ok(Answer::of(&settle(&shared, accepted, wait).await?)?.warnings(warnings))
    })
    .await
}
