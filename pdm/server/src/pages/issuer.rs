//! Signing in at an issuer's page: authorization code with PKCE, behind [`pdm_ports::SignIn`].
//!
//! What has to survive the way there and back is sealed into a cookie of this browser. The way back is a navigation from
//! another site, on which a strict cookie does not travel, so it ends on a page of ours that goes on by itself. Access
//! tokens are short: whoever comes with one that ended, and with what renews it, gets the next one with the answer.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use pdm_model::Timestamp;
use pdm_ports::sign_in::{Pending, Returned, Session as Signed};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::form::own_place;
use super::session::{LASTS_MS, Purpose, Renewal, Session, cookie};
use super::sign_in::{Page, cookie_line, session_cookie};
use super::{Chrome, html, html_with, see_other, with_cookie};
use crate::app::S;
use crate::auth::Presented;
use crate::extract::Params;
use crate::problem::Failure;
use crate::tokens::wall_clock;

/// The cookie of a sign-in under way.
const AWAY: &str = "pdm_sign_in";
/// The cookie of what renews.
pub(crate) const RENEWAL: &str = "pdm_renewal";
/// A person types a password and a second factor meanwhile.
const AWAY_LASTS_MS: i64 = 600_000;
/// Requests of one page that come with the same old token share one renewal.
const SHARED: Duration = Duration::from_secs(60);

/// What waits in the browser.
#[derive(Serialize, Deserialize)]
struct Away {
    pending: Pending,
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct Query {
    #[serde(default)]
    next: String,
}

/// To the issuer's page.
pub(crate) async fn start(
    State(state): State<S>,
    headers: HeaderMap,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let next = own_place(&query.next);
    let (Some(sign_in), Some(address)) = (&state.app.sign_in, &state.app.pages.address) else {
        return Ok(see_other("/login"));
    };
    let begun = sign_in.begin(&format!("{address}/login/returned")).await;
    let (place, pending) = match begun {
        Ok(begun) => begun,
        Err(fault) => {
            tracing::warn!(%fault, "a sign-in at the issuer could not begin");
            return refused(&state, &headers, next, "sign-in-issuer-away");
        }
    };
    let until = Timestamp(wall_clock().0 + AWAY_LASTS_MS);
    let away = Away { pending, next: next.to_owned() };
    let sealed = state.seal.seal(Purpose::SignIn, away, until);
    let sealed = sealed.ok_or_else(|| Failure::internal("a sign-in could not be sealed"))?;
    // Lax: it has to come along when the issuer sends the browser back.
    let line = cookie_line(&state, AWAY, &sealed, "/login", "Lax", AWAY_LASTS_MS / 1000);
    Ok(with_cookie(see_other(&place), &line))
}

#[derive(Template)]
#[template(path = "signed_in.html")]
struct Going {
    c: Chrome,
    next: String,
}

/// Back from there.
pub(crate) async fn returned(
    State(state): State<S>,
    headers: HeaderMap,
    Params(query): Params<Returned>,
) -> Result<Response, Failure> {
    let Some(sign_in) = &state.app.sign_in else { return Ok(see_other("/login")) };
    let away = cookie(&headers, AWAY).and_then(|text| state.seal.open(Purpose::SignIn, text, wall_clock()));
    let Some((Away { pending, next }, _)) = away else {
        return refused(&state, &headers, "/", "sign-in-over");
    };
    let signed = match sign_in.finish(&pending, &query).await {
        Ok(signed) => signed,
        Err(fault) => {
            tracing::info!(%fault, "a sign-in at the issuer came to nothing");
            return refused(&state, &headers, &next, "sign-in-over");
        }
    };
    let presented = Presented { bearer: Some(&signed.access_token), peer: None, workload: None };
    let known = state.app.authenticator.authenticate(&presented).is_some()
        || (state.app.authenticator.learn(&presented).await
            && state.app.authenticator.authenticate(&presented).is_some());
    if !known {
        return refused(&state, &headers, &next, "sign-in-no-role");
    }
    let id = Uuid::new_v4().simple().to_string();
    let cookies = cookies(&state, &signed, None, id)
        .ok_or_else(|| Failure::internal("a session could not be sealed"))?;
    let c = Chrome::for_nobody(&headers, "/login/returned");
    let mut response = html(&Going { c, next: own_place(&next).to_owned() })?;
    for line in cookies {
        response = with_cookie(response, &line);
    }
    Ok(with_cookie(response, &cookie_line(&state, AWAY, "", "/login", "Lax", 0)))
}

/// The sign-in again, with the reason.
fn refused(state: &S, headers: &HeaderMap, next: &str, why: &'static str) -> Result<Response, Failure> {
    let c = Chrome::for_nobody(headers, "/login");
    html_with(StatusCode::UNAUTHORIZED, &Page { c, next, wrong: Some(why), issuer: issuer(state) })
}

/// Whether the sign-in offers the issuer's page.
pub(super) fn issuer(state: &S) -> bool {
    state.app.sign_in.is_some() && state.app.pages.address.is_some()
}

/// The cookies of a session.
fn cookies(state: &S, signed: &Signed, before: Option<&Renewal>, id: String) -> Option<Vec<String>> {
    let until = Timestamp(wall_clock().0 + LASTS_MS);
    let text = |given: &Option<zeroize::Zeroizing<String>>| given.as_ref().map(|text| text.to_string());
    let session = Session { token: signed.access_token.to_string(), id };
    let renewal = Renewal {
        refresh: text(&signed.refresh_token).or_else(|| before?.refresh.clone()),
        id_token: text(&signed.id_token).or_else(|| before?.id_token.clone()),
    };
    let session = state.seal.seal(Purpose::Session, session, until)?;
    let renewal = state.seal.seal(Purpose::Renewal, renewal, until)?;
    Some(vec![
        session_cookie(state, &session, LASTS_MS / 1000),
        cookie_line(state, RENEWAL, &renewal, "/", "Strict", LASTS_MS / 1000),
    ])
}

/// A session after its renewal.
#[derive(Clone)]
pub(crate) struct Renewed {
    /// The next token.
    pub token: String,
    /// The cookies that the answer sets.
    pub cookies: Vec<String>,
}

/// Renewals of the last minute, by what they were made with: a refresh token is used once, whoever asks at the same
/// time.
#[derive(Default)]
pub(crate) struct Renewals(Mutex<HashMap<[u8; 32], (Instant, Renewed)>>);

/// The next token of a session whose token ended.
pub(crate) async fn renew(state: &S, headers: &HeaderMap, id: &str) -> Option<Renewed> {
    let sign_in = state.app.sign_in.as_ref()?;
    let sealed = cookie(headers, RENEWAL)?;
    let (before, _) = state.seal.open::<Renewal>(Purpose::Renewal, sealed, wall_clock())?;
    let refresh = before.refresh.as_ref()?;
    let key: [u8; 32] = digest(&SHA256, refresh.as_bytes()).as_ref().try_into().ok()?;
    let mut known = state.renewals.0.lock().await;
    known.retain(|_, (at, _)| at.elapsed() < SHARED);
    if let Some((_, renewed)) = known.get(&key) {
        return Some(renewed.clone());
    }
    let signed = match sign_in.renew(refresh).await {
        Ok(signed) => signed,
        Err(fault) => {
            tracing::info!(%fault, "a session could not be renewed");
            return None;
        }
    };
    let token = signed.access_token.to_string();
    let renewed = Renewed { token, cookies: cookies(state, &signed, Some(&before), id.to_owned())? };
    known.insert(key, (Instant::now(), renewed.clone()));
    Some(renewed)
}

/// Where a person who signs out here signs out at the issuer as well.
pub(super) async fn end(state: &S, headers: &HeaderMap) -> Option<String> {
    let (sign_in, address) = (state.app.sign_in.as_ref()?, state.app.pages.address.as_ref()?);
    let (renewal, _) =
        state.seal.open::<Renewal>(Purpose::Renewal, cookie(headers, RENEWAL)?, wall_clock())?;
    sign_in.end(renewal.id_token.as_deref(), &format!("{address}/login")).await.ok().flatten()
}
