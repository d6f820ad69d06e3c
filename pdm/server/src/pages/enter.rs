//! Who asks for a page: a session's cookie, or the bearer of a frame. A session whose token ended is renewed here, and
//! the answer carries the new cookies.

use std::net::IpAddr;

use axum::extract::Request;
use pdm_model::Refusal;

use super::frame::Frame;
use super::issuer::renew;
use super::session::{COOKIE_NAME, Purpose, Session, cookie};
use super::viewer::{Framed, SessionId};
use crate::app::S;
use crate::auth::{Presented, bearer};
use crate::edge::recognise;
use crate::extract::Asking;
use crate::problem::Failure;
use crate::tokens::wall_clock;

/// What the edge learns of a request of a page.
#[derive(Default)]
pub(crate) struct Entered {
    /// Who asks; nobody may ask for the sign-in.
    pub asking: Option<Asking>,
    /// Cookies that the answer sets.
    pub cookies: Vec<String>,
}

/// Find out who asks, and mark the request with it.
pub(crate) async fn enter(
    state: &S,
    request: &mut Request,
    peer: Option<IpAddr>,
) -> Result<Entered, Failure> {
    let known = async |token: Option<&str>| {
        let presented = Presented { bearer: token, peer, workload: None };
        recognise(state, &presented, || state.app.authenticator.authenticate(&presented).map(Asking)).await
    };
    let mut entered = Entered::default();
    if let Some(frame) = Frame::of(&state.seal, request.headers()) {
        if !request.uri().path().starts_with("/wizard") {
            return Err(Refusal::new("forbidden", "a frame shows the wizard and nothing else").into());
        }
        let asking = known(Some(&frame.token)).await?;
        // In a frame somebody is less than outside of it.
        entered.asking = asking.and_then(|asking| frame.narrow(&asking.0)).map(Asking);
        let id = bearer(request.headers()).unwrap_or_default().to_owned();
        request.extensions_mut().insert(Framed);
        request.extensions_mut().insert(SessionId(id));
    } else if let Some(session) = session(state, request) {
        entered.asking = known(Some(&session.token)).await?;
        if entered.asking.is_none()
            && let Some(renewed) = renew(state, request.headers(), &session.id).await
        {
            entered.asking = known(Some(&renewed.token)).await?;
            entered.cookies = renewed.cookies;
        }
        request.extensions_mut().insert(SessionId(session.id.clone()));
    } else {
        state.rates.admit_peer(peer)?;
    }
    if let Some(asking) = &entered.asking {
        state.rates.admit_caller(&asking.0.actor)?;
        request.extensions_mut().insert(asking.clone());
    }
    Ok(entered)
}

/// The session inside a cookie.
fn session(state: &S, request: &Request) -> Option<Session> {
    let sealed = cookie(request.headers(), COOKIE_NAME)?;
    Some(state.seal.open::<Session>(Purpose::Session, sealed, wall_clock())?.0)
}
