//! The wizard inside a page of the platform's console, where cookies do not reach.
//!
//! The console's server asks for a ticket with its own token (`POST /v1/frames`). The ticket comes into the frame in the
//! fragment of its address, which no server and no log sees, and is turned once into a bearer that lives in the memory
//! of the frame's script and nowhere else. That bearer opens `/wizard` and nothing besides: no other page, no API. What
//! it may do is what a wizard may, for one owner, and nothing that is taken from a domain's present users.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use pdm_engine::caller::{Caller, Right, Role};
use pdm_model::{Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::session::{Purpose, Seal, first_use};
use super::words::Lang;
use super::{Chrome, html};
use crate::app::S;
use crate::auth::bearer;
use crate::extract::{Json, Params};
use crate::problem::{Failure, json};
use crate::tokens::wall_clock;

/// From the console's server to the frame.
pub(crate) const TICKET_LASTS_MS: i64 = 60_000;
/// How long a frame works with one ticket.
const FRAME_LASTS_MS: i64 = 3600 * 1000;

/// What a frame may act with. Sealed, it is the frame's bearer.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// The token that asked for the ticket; it ends every frame when it ends.
    pub token: String,
    /// The page that shows the frame, and the only one that is told anything.
    pub origin: String,
    /// For whom.
    pub owner: Option<String>,
}

/// Opens one frame.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ticket {
    id: String,
    frame: Frame,
    name: Option<String>,
}

impl Ticket {
    pub(crate) fn new(frame: Frame, name: Option<String>) -> Self {
        Self { id: Uuid::new_v4().simple().to_string(), frame, name }
    }

    pub(crate) fn seal(self, seal: &Seal, until: Timestamp) -> Option<String> {
        seal.seal(Purpose::Ticket, self, until)
    }
}

impl Frame {
    /// The frame whose bearer a request of a page shows.
    pub(crate) fn of(seal: &Seal, headers: &HeaderMap) -> Option<Self> {
        Some(seal.open::<Self>(Purpose::Frame, bearer(headers)?, wall_clock())?.0)
    }

    /// The caller that the token stands for, as far as it reaches into a frame.
    pub(crate) fn narrow(&self, caller: &Caller) -> Option<Arc<Caller>> {
        let reaches = caller.owner.is_none() || caller.owner == self.owner;
        (caller.role.may(Right::Reserve) && reaches).then(|| {
            Arc::new(Caller {
                actor: format!("{} in a frame of {}", caller.actor, self.origin),
                role: Role::Wizard,
                owner: self.owner.clone(),
                pool: caller.pool.clone(),
                door: None,
            })
        })
    }
}

#[derive(Template)]
#[template(path = "frame.html")]
struct Page {
    c: Chrome,
}

#[derive(Deserialize)]
pub(crate) struct Query {
    #[serde(default)]
    lang: String,
}

/// The empty frame; its script does the rest.
pub(crate) async fn page(headers: HeaderMap, Params(query): Params<Query>) -> Result<Response, Failure> {
    let mut c = Chrome::for_nobody(&headers, "/frame");
    c.lang = Lang::from_tag(&query.lang).unwrap_or(c.lang);
    html(&Page { c })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Show {
    ticket: String,
}

/// What the frame's script is given.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Opened {
    bearer: String,
    origin: String,
    start: String,
    expires_at: Timestamp,
}

/// A ticket becomes a bearer, once.
pub(crate) async fn open(
    State(state): State<S>,
    headers: HeaderMap,
    Json(body): Json<Show>,
) -> Result<Response, Failure> {
    let over = || Refusal::new("frame-refused", "this ticket was used, or its time is over; ask for another");
    let site = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok()).unwrap_or("same-origin");
    if site != "same-origin" {
        return Err(over().into());
    }
    let (ticket, _) =
        state.seal.open::<Ticket>(Purpose::Ticket, &body.ticket, wall_clock()).ok_or_else(over)?;
    // An origin that left the configuration gets no more frames.
    if !state.app.pages.frame_ancestors.contains(&ticket.frame.origin) {
        return Err(over().into());
    }
    if !first_use(&state, "frame ticket", &ticket.id).await? {
        return Err(over().into());
    }
    let until = Timestamp(wall_clock().0 + FRAME_LASTS_MS);
    let origin = ticket.frame.origin.clone();
    let sealed = state.seal.seal(Purpose::Frame, ticket.frame, until);
    let bearer = sealed.ok_or_else(|| Failure::internal("a frame's bearer could not be sealed"))?;
    let start = ticket.name.map_or_else(|| "/wizard".to_owned(), |name| format!("/wizard/names/{name}"));
    Ok(json(StatusCode::OK, &Opened { bearer, origin, start, expires_at: until }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role, owner: Option<&str>) -> Caller {
        Caller { actor: "token:t".into(), role, owner: owner.map(str::to_owned), pool: None, door: None }
    }

    #[test]
    fn a_frame_is_a_wizard_for_its_owner_whatever_asked_for_it() {
        let frame = |owner: Option<&str>| Frame {
            token: "t".into(),
            origin: "https://console.example".into(),
            owner: owner.map(str::to_owned),
        };
        let narrowed = frame(Some("acme")).narrow(&caller(Role::Admin, None)).unwrap();
        assert_eq!((narrowed.role, narrowed.owner.as_deref()), (Role::Wizard, Some("acme")));
        assert!(!narrowed.role.may(Right::Release) && !narrowed.role.may(Right::Administer));
        assert!(narrowed.actor.starts_with("token:t "));
        assert!(frame(Some("acme")).narrow(&caller(Role::Provisioner, Some("acme"))).is_some());
        assert!(frame(Some("acme")).narrow(&caller(Role::Provisioner, Some("other"))).is_none());
        assert!(frame(None).narrow(&caller(Role::Provisioner, Some("acme"))).is_none());
        assert!(frame(None).narrow(&caller(Role::Auditor, None)).is_none());
    }
}
