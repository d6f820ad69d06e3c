//! Pages for people: the wizard's domain step and the admin's view. Rendered here, whole without scripts; a small script
//! makes them livelier. Handlers ask the engine as the signed-in caller, so a page shows and offers no more than the API.

mod admin;
mod assets;
pub(crate) mod enter;
mod form;
pub(crate) mod frame;
pub(crate) mod issuer;
mod once;
pub(crate) mod session;
mod sign_in;
mod spoken;
mod strip;
mod viewer;
mod wizard;
mod words;

use askama::Template;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use pdm_model::Refusal;

use crate::problem::Failure;
use crate::routes::Route;
pub use once::sign_in_link;
pub(crate) use viewer::{Chrome, Viewer};

/// Every page.
#[rustfmt::skip]
pub(crate) fn table() -> Vec<Route> {
    let row = |method, path, handler| Route { method, path, handler };
    vec![
        row("GET", "/", get(sign_in::home)),
        row("GET", "/login", get(sign_in::form)),
        row("POST", "/login", post(sign_in::submit)),
        row("GET", "/login/issuer", get(issuer::start)),
        row("GET", "/login/returned", get(issuer::returned)),
        row("POST", "/logout", post(sign_in::leave)),
        row("GET", "/language", get(sign_in::language)),
        row("GET", "/assets/{file}", get(assets::handler)),
        row("GET", "/admin", get(admin::list::handler)),
        row("GET", "/admin/sovereigns/{fqdn}", get(admin::sovereign::handler)),
        row("GET", "/admin/sovereigns/{fqdn}/confirm/{act}", get(admin::act::confirm)),
        row("POST", "/admin/sovereigns/{fqdn}/{act}", post(admin::act::handler)),
        row("GET", "/admin/sovereigns/{fqdn}/evidence", get(admin::files::evidence)),
        row("GET", "/admin/sovereigns/{fqdn}/reports/{id}", get(admin::files::report)),
        row("GET", "/admin/pools", get(admin::pools::handler)),
        row("GET", "/admin/operations", get(admin::operations::handler)),
        row("GET", "/admin/audit-log", get(admin::log::handler)),
        row("POST", "/admin/audit-log/verify", post(admin::log::verify)),
        row("GET", "/frame", get(frame::page)),
        row("POST", "/frame/session", post(frame::open)),
        row("GET", "/wizard", get(wizard::start::handler)),
        row("GET", "/wizard/check", get(wizard::start::check)),
        row("GET", "/wizard/passport", get(wizard::passport::handler)),
        row("POST", "/wizard/reserve", post(wizard::start::reserve)),
        row("POST", "/wizard/claim", post(wizard::start::claim)),
        row("GET", "/wizard/names/{fqdn}", get(wizard::name::handler)),
        row("GET", "/wizard/names/{fqdn}/strip", get(wizard::name::strip)),
        row("GET", "/wizard/names/{fqdn}/events", get(wizard::name::events)),
        row("POST", "/wizard/names/{fqdn}/{act}", post(wizard::name::act)),
        row("GET", "/s/{link}", get(wizard::link::handler)),
    ]
}

/// Whether a path is a page: answered in HTML, known by a cookie.
pub(crate) fn is_page(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    matches!(first, "" | "login" | "logout" | "language" | "assets" | "admin" | "wizard" | "frame" | "s")
}

/// A rendered template.
pub(crate) fn html(template: &impl Template) -> Result<Response, Failure> {
    html_with(StatusCode::OK, template)
}

fn html_with(status: StatusCode, template: &impl Template) -> Result<Response, Failure> {
    let text = template.render().map_err(|error| Failure::internal(format!("a page: {error}")))?;
    let mut response = (status, text).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}

/// Go there (RFC 9110 15.4.4): a form that was sent is never sent again by a reload.
pub(crate) fn see_other(place: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let place = HeaderValue::try_from(place).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, place);
    response
}

pub(crate) fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

/// A refusal as pages show it.
pub(crate) struct Problem {
    pub code: &'static str,
    pub title: &'static str,
    pub detail: String,
    /// Key of who must act.
    pub who: &'static str,
    pub next: &'static str,
    /// Seconds after which the same may be tried again.
    pub again: Option<u32>,
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let row = pdm_model::problem::problem(refusal.code);
        Self {
            code: refusal.code,
            title: row.title,
            detail: refusal.detail.clone(),
            who: match row.who {
                "caller" => "who-you",
                "operator" => "who-operator",
                _ => "who-nobody",
            },
            next: row.next,
            again: refusal.retry_after,
        }
    }
}

/// A failure as a page.
#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    c: Chrome,
    why: Problem,
}

/// Write a failure for people; who is not signed in is led to the sign-in.
pub(crate) fn render_failure(failure: &Failure, path: &str, headers: &http::HeaderMap) -> Response {
    if failure.refusal.code == "unauthenticated" {
        let query: String = form::encode(path);
        return see_other(&format!("/login?next={query}"));
    }
    let page = FailurePage { c: Chrome::for_nobody(headers, path), why: Problem::from(&failure.refusal) };
    html_with(failure.status(), &page).unwrap_or_else(|_| failure.status().into_response())
}

/// Headers of pages: nothing from elsewhere runs, nothing is kept, nobody frames them but who was configured.
pub(crate) fn put_headers(response: &mut Response, path: &str, frame_ancestors: &[String]) {
    let framed = !frame_ancestors.is_empty() && path.split(['?', '/']).nth(1) == Some("frame");
    let frames = if framed { frame_ancestors.join(" ") } else { "'none'".to_owned() };
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors {frames}"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(http::header::CONTENT_SECURITY_POLICY, policy);
    }
    if path.starts_with("/assets/") {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    }
}
