//! `PUT /v1/allocations/{fqdn}/keys/policy`: a key policy of its own, or the pool's again.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::keys::{KeysView, PolicyBody};

use crate::app::S;
use crate::extract::{At, Change};
use crate::problem::{Failure, json};

/// Give a name a key policy of its own, or its pool's again (admin). Its keys roll to it.
#[utoipa::path(
    put, path = "/v1/allocations/{fqdn}/keys/policy", operation_id = "putKeyPolicy", tag = "dnssec", request_body = PolicyBody,
    params(("fqdn" = String, Path, description = "The name")),
    responses((status = 200, body = KeysView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    At(fqdn): At<String>,
    change: Change<PolicyBody>,
) -> Result<Response, Failure> {
    let Change { caller, body, .. } = change;
    let report = state.engine().set_key_policy(&caller, &fqdn, body.policy).await?;
    Ok(json(StatusCode::OK, &super::show::view(&report)))
}
