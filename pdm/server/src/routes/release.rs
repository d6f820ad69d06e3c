//! `POST /v1/release`: give a name back.

use axum::extract::State;
use pdm_api::requests::ReleaseBody;
use pdm_api::{AcceptedView, ProblemBody};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::Change;
use crate::idempotency::once;
use crate::problem::Failure;
use crate::routes::credential;
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
    let ReleaseBody { fqdn, reservation_token, registrar } = body;
    let shared = state.clone();
    once(&state, key, async move {
        if let Some(registrar) = registrar.map(credential::request) {
            shared.engine().give_credential(&caller, &fqdn, registrar).await?;
        }
        let accepted = shared.engine().release(&caller, &fqdn, reservation_token.as_deref()).await?;
        let warnings = shared.engine().warnings(accepted.allocation.target.as_ref(), None);
        Ok(Answer::of(&settle(&shared, accepted, wait).await?)?.warnings(warnings))
    })
    .await
}
