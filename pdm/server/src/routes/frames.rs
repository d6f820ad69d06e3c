//! `POST /v1/frames`: a ticket with which one frame of a console's page opens the wizard.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use pdm_api::ProblemBody;
use pdm_api::frame::{FrameBody, FrameView};
use pdm_engine::caller::Right;
use pdm_model::{Refusal, Timestamp};

use crate::app::S;
use crate::auth::bearer;
use crate::extract::{Asking, Json};
use crate::pages::frame::{Frame, TICKET_LASTS_MS, Ticket};
use crate::problem::{Failure, json};
use crate::tokens::wall_clock;

/// A ticket for one frame. Nothing is changed by it; it is used once and soon, or not at all.
#[utoipa::path(
    post, path = "/v1/frames", operation_id = "openFrame", tag = "names", request_body = FrameBody,
    responses((status = 201, body = FrameView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    headers: HeaderMap,
    Json(body): Json<FrameBody>,
) -> Result<Response, Failure> {
    caller.must(Right::Reserve)?;
    if !state.app.pages.frame_ancestors.contains(&body.origin) {
        let detail = format!("{:?} is not among pages.frame_ancestors", body.origin);
        return Err(Refusal::new("frame-refused", detail).field("origin").into());
    }
    let token =
        bearer(&headers).ok_or_else(|| Refusal::new("unauthenticated", "no bearer token was sent"))?;
    let owner = match &body.owner {
        Some(asked) => Some(caller.owner_for(Some(asked))?),
        None => caller.owner.clone(),
    };
    // Only a name that this caller may see is shown.
    let name = match &body.fqdn {
        Some(fqdn) => Some(state.engine().get(&caller, fqdn).await?.allocation.fqdn.to_string()),
        None => None,
    };
    let until = Timestamp(wall_clock().0 + TICKET_LASTS_MS);
    let frame = Frame { token: token.to_owned(), origin: body.origin, owner };
    let ticket = Ticket::new(frame, name).seal(&state.seal, until);
    let ticket = ticket.ok_or_else(|| Failure::internal("a ticket could not be sealed"))?;
    let view = FrameView { address: format!("/frame#{ticket}"), ticket, expires_at: until };
    Ok(json(StatusCode::CREATED, &view))
}
