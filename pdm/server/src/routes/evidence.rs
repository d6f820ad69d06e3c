//! `GET /v1/evidence/{fqdn}`: everything about one name in one signed bundle.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::audit::EvidenceView;
use pdm_engine::audits::Evidence;

use crate::app::S;
use crate::extract::{Asking, At};
use crate::problem::{Failure, json};

/// Log extract with proof, receipts, keys, reports and incidents, signed.
#[utoipa::path(
    get, path = "/v1/evidence/{fqdn}", operation_id = "evidence", tag = "operator",
    params(("fqdn" = String, Path, description = "The name")),
    responses((status = 200, body = EvidenceView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(fqdn): At<String>,
) -> Result<Response, Failure> {
    let evidence = state.engine().evidence(&caller, &fqdn).await?;
    Ok(json(StatusCode::OK, &view(evidence)))
}

/// The bundle as it is given away.
pub(crate) fn view(evidence: Evidence) -> EvidenceView {
    EvidenceView {
        bundle: evidence.bundle,
        digest: evidence.digest,
        key: evidence.key,
        signature: evidence.signature,
    }
}
