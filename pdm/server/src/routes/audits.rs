//! `POST /v1/audits`: look now. `GET /v1/audits`: reports, newest first.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::audit::{AuditBody, AuditLine, AuditView, AuditsPage, AuditsQuery};
use pdm_engine::audits::Subject;
use pdm_model::Refusal;

use crate::answer::Answer;
use crate::app::S;
use crate::extract::{Asking, Change, Params};
use crate::idempotency::once;
use crate::problem::{Failure, json};
use crate::routes::allocations::limit;

/// Look at a name or a pool now.
#[utoipa::path(
    post, path = "/v1/audits", operation_id = "audit", tag = "audits", request_body = AuditBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat within 24 hours gets the same answer")),
    responses((status = 200, body = AuditView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(State(state): State<S>, change: Change<AuditBody>) -> Result<Answer, Failure> {
    let Change { caller, body, key, wait: _ } = change;
    let shared = state.clone();
    once(&state, key, async move {
        let report = shared.engine().audit(&caller, subject(body)?).await?;
        Answer::new(StatusCode::OK, &AuditView { report, transitions: Vec::new() })
    })
    .await
}

fn subject(body: AuditBody) -> Result<Subject, Refusal> {
    match (body.fqdn, body.pool_domain) {
        (Some(fqdn), None) => Ok(Subject::Name { fqdn, undelegated: body.undelegated }),
        (None, Some(pool)) if !body.undelegated => Ok(Subject::Pool(pool)),
        _ => Err(Refusal::new("invalid-body", "give either fqdn or poolDomain").field("fqdn")),
    }
}

/// Reports, newest first.
#[utoipa::path(
    get, path = "/v1/audits", operation_id = "listAudits", tag = "audits", params(AuditsQuery),
    responses((status = 200, body = AuditsPage), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn list(
    State(state): State<S>,
    Asking(caller): Asking,
    Params(query): Params<AuditsQuery>,
) -> Result<Response, Failure> {
    let limit = limit(query.limit)?;
    let mut rows = state.engine().reports(&caller, query.fqdn.as_deref(), query.cursor, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|line| line.seq);
    let items = rows.into_iter().map(|line| AuditLine {
        id: line.id,
        fqdn: line.fqdn,
        at: line.at,
        worst: line.worst.map(|severity| severity.as_str().to_owned()),
        verdict: line.verdict,
    });
    Ok(json(StatusCode::OK, &AuditsPage { items: items.collect(), next_cursor }))
}
