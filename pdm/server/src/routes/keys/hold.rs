//! `POST /v1/allocations/{fqdn}/keys/hold`: stop rolls where they are, or let them go on.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::keys::{HoldBody, KeysView};

use crate::app::S;
use crate::extract::{At, Change};
use crate::problem::{Failure, json};

/// Stop rolls of a name where they are, or let them go on (admin). Repeating it is harmless.
#[utoipa::path(
    post, path = "/v1/allocations/{fqdn}/keys/hold", operation_id = "holdKeys", tag = "dnssec", request_body = HoldBody,
    params(("fqdn" = String, Path, description = "The name")),
    responses((status = 200, body = KeysView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    At(fqdn): At<String>,
    change: Change<HoldBody>,
) -> Result<Response, Failure> {
    let Change { caller, body, .. } = change;
    let reason = body.reason.unwrap_or_default();
    let report = state.engine().hold_keys(&caller, &fqdn, body.hold, &reason).await?;
    Ok(json(StatusCode::OK, &super::show::view(&report)))
}
