//! `PUT /v1/allocations/{fqdn}/credential`: a step that waits for a credential goes on.

use axum::extract::State;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::requests::{CredentialBody, RegistrarBody};
use pdm_engine::intents::RegistrarRequest;
use zeroize::Zeroizing;

use crate::app::S;
use crate::extract::{At, Change};
use crate::idempotency::detached;
use crate::problem::Failure;

/// Give the registrar's credential.
#[utoipa::path(
    put, path = "/v1/allocations/{fqdn}/credential", operation_id = "giveCredential", tag = "names",
    request_body = CredentialBody,
    params(("fqdn" = String, Path, description = "The name")),
    responses((status = 204, description = "Taken"), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    At(fqdn): At<String>,
    change: Change<CredentialBody>,
) -> Result<StatusCode, Failure> {
    let registrar = request(change.body.registrar);
    let (engine, caller) = (state.engine().clone(), change.caller);
    detached(async move { Ok(engine.give_credential(&caller, &fqdn, registrar).await?) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// From the body to the engine's words. The values are wiped when they are dropped from here on.
pub(crate) fn request(body: RegistrarBody) -> RegistrarRequest {
    let credential = body.credential.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect();
    RegistrarRequest { id: body.id, mode: body.mode, accepted: body.accept, credential }
}
