//! `POST /v1/allocations/{fqdn}/keys/roll`: replace keys.

use axum::extract::State;
use http::StatusCode;
use pdm_api::keys::RollBody;
use pdm_api::{AcceptedView, ProblemBody};
use pdm_engine::intents::keys::Rolling;
use pdm_model::{Refusal, RollKind};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::{At, Change};
use crate::idempotency::once;
use crate::problem::Failure;
use crate::settle::settle;

/// Replace keys (admin). It ends when every cache has forgotten the old ones. A pool's own roll has no operation: its keys
/// are answered, and say what it waits for.
#[utoipa::path(
    post, path = "/v1/allocations/{fqdn}/keys/roll", operation_id = "rollKeys", tag = "dnssec", request_body = RollBody,
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
    change: Change<RollBody>,
) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait } = change;
    let shared = state.clone();
    once(&state, key, async move {
        let known = RollKind::ALL.map(RollKind::as_str).join(", ");
        let unknown = || Refusal::new("invalid-parameter", format!("write one of {known}")).field("kind");
        let kind = RollKind::from_word(&body.kind).ok_or_else(unknown)?;
        let reason = body.reason.unwrap_or_default();
        match shared.engine().roll(&caller, &fqdn, kind, &reason).await? {
            Rolling::Name(accepted) => Answer::of(&settle(&shared, *accepted, wait).await?),
            Rolling::Pool(report) => Answer::new(StatusCode::ACCEPTED, &super::show::view(&report)),
        }
    })
    .await
}
