//! `GET /v1/allocations/{fqdn}`: everything about one name. What the caller may not know is 404.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::reservation::OwnershipView;
use pdm_api::{AllocationDetail, ProblemBody};

use crate::app::S;
use crate::extract::{Asking, At};
use crate::problem::{Failure, json};

/// Everything about one name.
#[utoipa::path(
    get, path = "/v1/allocations/{fqdn}", operation_id = "getAllocation", tag = "names",
    params(("fqdn" = String, Path, description = "The name")),
    responses((status = 200, body = AllocationDetail), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(fqdn): At<String>,
) -> Result<Response, Failure> {
    let engine = state.engine();
    let found = engine.get(&caller, &fqdn).await?;
    // Until PowerDNS has told what it can compute, what a policy renders to is not known; the rest is shown all the same.
    let desired = engine.desired(&found.allocation).await.unwrap_or_default();
    let nameservers = &engine.settings().nameservers;
    let mut detail =
        AllocationDetail::new(&found.allocation, &desired, nameservers, found.operation.as_ref());
    let challenge = engine.pending_challenge(&found.allocation);
    let until = found.allocation.expires_at;
    detail.ownership = challenge.map(|c| OwnershipView::new(c.name, c.value, c.nameservers, until));
    Ok(json(StatusCode::OK, &detail))
}
