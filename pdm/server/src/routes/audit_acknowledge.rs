//! `POST /v1/audits/acknowledge`: do not speak of a finding until then.

use axum::extract::State;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::audit::{AcknowledgeBody, AcknowledgedView};

use crate::answer::Answer;
use crate::app::S;
use crate::extract::Change;
use crate::idempotency::once;
use crate::problem::Failure;

/// Acknowledge a finding until a time, or take that back.
#[utoipa::path(
    post, path = "/v1/audits/acknowledge", operation_id = "acknowledgeFinding", tag = "audits",
    request_body = AcknowledgeBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer")),
    responses((status = 200, body = AcknowledgedView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    change: Change<AcknowledgeBody>,
) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait: _ } = change;
    let shared = state.clone();
    once(&state, key, async move {
        let known = body.until.map(|until| (body.reason.clone().unwrap_or_default(), until));
        shared.engine().acknowledge(&caller, &body.fqdn, &body.finding, known).await?;
        let view = AcknowledgedView { fqdn: body.fqdn, finding: body.finding, until: body.until };
        Answer::new(StatusCode::OK, &view)
    })
    .await
}
