//! Signing in with a token, out, and choosing a language.

use std::net::IpAddr;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use pdm_model::Timestamp;
use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::form::{Form, body_of, encode, fields, own_place};
use super::session::{COOKIE_NAME, LASTS_MS, Purpose, Session};
use super::viewer::LANGUAGE;
use super::words::Lang;
use super::{Chrome, Viewer, html, html_with, see_other, with_cookie};
use super::{issuer, once};
use crate::app::S;
use crate::auth::Presented;
use crate::edge::Peer;
use crate::extract::Params;
use crate::problem::Failure;
use crate::tokens::wall_clock;

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct Page<'a> {
    pub c: Chrome,
    pub next: &'a str,
    /// Key of what went wrong.
    pub wrong: Option<&'static str>,
    /// Whether an issuer's page is offered.
    pub issuer: bool,
}

impl Page<'_> {
    fn next_encoded(&self) -> String {
        encode(self.next)
    }
}

#[derive(Deserialize)]
pub(crate) struct Query {
    #[serde(default)]
    next: String,
    #[serde(default)]
    lang: String,
}

/// The start: where a person's role has its work.
pub(crate) async fn home(viewer: Viewer) -> Response {
    see_other(if viewer.c.may_audit { "/admin" } else { "/wizard" })
}

/// The form.
pub(crate) async fn form(
    State(state): State<S>,
    headers: HeaderMap,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let c = Chrome::for_nobody(&headers, "/login");
    html(&Page { c, next: own_place(&query.next), wrong: None, issuer: issuer::issuer(&state) })
}

#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    token: String,
    /// Of a link that signs in once, in place of a token.
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    next: String,
}

/// The token that was pasted. A wrong one costs its address, as everywhere.
pub(crate) async fn submit(State(state): State<S>, request: Request) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    let peer: Option<IpAddr> = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let given: Fields = fields(&body_of(request, &state).await?)?;
    let next = own_place(&given.next);
    let (token, wrong) = if given.ticket.is_empty() {
        (Zeroizing::new(given.token.trim().to_owned()), "sign-in-wrong")
    } else {
        (once::redeem(&state, &given.ticket).await?.unwrap_or_default(), "sign-in-used")
    };
    if state
        .app
        .authenticator
        .authenticate(&Presented { bearer: Some(&token), peer, workload: None })
        .is_none()
    {
        let c = Chrome::for_nobody(&headers, "/login");
        let page = Page { c, next, wrong: Some(wrong), issuer: issuer::issuer(&state) };
        return html_with(StatusCode::UNAUTHORIZED, &page);
    }
    let until = Timestamp(wall_clock().0 + LASTS_MS);
    let sealed = state
        .seal
        .seal(
            Purpose::Session,
            Session { token: token.to_string(), id: Uuid::new_v4().simple().to_string() },
            until,
        )
        .ok_or_else(|| Failure::internal("a session could not be sealed"))?;
    Ok(with_cookie(see_other(next), &session_cookie(&state, &sealed, LASTS_MS / 1000)))
}

pub(super) fn session_cookie(state: &S, value: &str, seconds: i64) -> String {
    cookie_line(state, COOKIE_NAME, value, "/", "Strict", seconds)
}

/// A cookie that no script reads.
pub(super) fn cookie_line(
    state: &S,
    name: &str,
    value: &str,
    path: &str,
    site: &str,
    seconds: i64,
) -> String {
    let secure = if state.app.pages.secure { "; Secure" } else { "" };
    format!("{name}={value}; Path={path}; HttpOnly; SameSite={site}; Max-Age={seconds}{secure}")
}

#[derive(Deserialize)]
pub(crate) struct Nothing {}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct Gone {
    c: Chrome,
    /// Where to sign out at the issuer as well.
    issuer: String,
}

/// Out.
pub(crate) async fn leave(
    State(state): State<S>,
    headers: HeaderMap,
    form: Form<Nothing>,
) -> Result<Response, Failure> {
    let Form { fields: Nothing {}, .. } = form;
    // A form may not lead to another site, so the way to the issuer is a link.
    let response = match issuer::end(&state, &headers).await {
        Some(issuer) => html(&Gone { c: Chrome::for_nobody(&headers, "/login"), issuer })?,
        None => see_other("/login"),
    };
    let response = with_cookie(response, &cookie_line(&state, issuer::RENEWAL, "", "/", "Strict", 0));
    Ok(with_cookie(response, &session_cookie(&state, "", 0)))
}

/// Another language, and back to the page.
pub(crate) async fn language(Params(query): Params<Query>) -> Response {
    let lang = Lang::from_tag(&query.lang).unwrap_or(Lang::En);
    let cookie = format!("{LANGUAGE}={}; Path=/; SameSite=Lax; Max-Age=31536000", lang.tag());
    with_cookie(see_other(own_place(&query.next)), &cookie)
}
