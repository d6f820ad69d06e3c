//! What every request passes through once: request id, who asks, rate limit, headers, metrics and one log line.
//!
//! It is one function and not a stack of layers, because `check` has to be fast.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use uuid::Uuid;

use crate::app::{S, Shared};
use crate::auth::{Presented, bearer, unauthenticated};
use crate::extract::Asking;
use crate::pages;
use crate::pages::session::{Purpose, Session};
use crate::problem::{Failure, Style};
use crate::telemetry;
use crate::tokens::wall_clock;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The other end of the TCP connection; put into every request by [`crate::serve`].
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Which rules hold for a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    /// `/v1`: a token.
    Contract,
    /// `/api/v1`: a token or a trusted network.
    Older,
    /// Pages: a session, or a way to get one.
    Page,
    /// Health, metrics, the document.
    Open,
}

impl Area {
    fn of(path: &str) -> Self {
        if path.starts_with("/v1/") {
            Self::Contract
        } else if path.starts_with("/api/v1/") {
            Self::Older
        } else if pages::is_page(path) {
            Self::Page
        } else {
            Self::Open
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Contract | Self::Open => Style::Problem,
            Self::Older => Style::Older,
            Self::Page => Style::Page,
        }
    }
}

/// The edge of every route.
pub(crate) async fn edge(State(state): State<S>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let area = Area::of(request.uri().path());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let place = (area == Area::Page).then(|| Place::of(&request));
    let (actor, response) = match admit(&state, area, &request) {
        Ok(asking) => {
            let actor = asking.clone();
            if let Some(asking) = asking {
                request.extensions_mut().insert(asking);
            }
            (actor, next.run(request).await)
        }
        Err(failure) => (None, failure.into_response()),
    };
    let mut response = finish(response, area, place.as_ref(), &id);
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    log(&method, route, &response, started, &id, actor.as_ref());
    telemetry::request(&method, route, response.status(), started.elapsed());
    put_headers(response.headers_mut(), id);
    if let Some(place) = &place {
        pages::put_headers(&mut response, &place.path, &state.app.pages.frame_ancestors);
    }
    response
}

/// What a page's failure is rendered with.
struct Place {
    path: String,
    headers: HeaderMap,
}

impl Place {
    fn of(request: &Request) -> Self {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Self { path: path.to_owned(), headers: request.headers().clone() }
    }
}

/// Who asks, and whether the client may ask now. A wrong token costs its address, not the token's owner.
fn admit(state: &Shared, area: Area, request: &Request) -> Result<Option<Asking>, Failure> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    if area == Area::Open {
        state.rates.admit_peer(peer)?;
        return Ok(None);
    }
    match identify(state, area, request.headers(), peer) {
        Some(asking) => {
            state.rates.admit_caller(&asking.0.actor)?;
            Ok(Some(asking))
        }
        None => {
            state.rates.admit_peer(peer)?;
            if area == Area::Page {
                // The sign-in needs nobody; every other page leads there.
                return Ok(None);
            }
            Err(unauthenticated(request.headers()).into())
        }
    }
}

fn identify(state: &Shared, area: Area, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<Asking> {
    let session = (area == Area::Page).then(|| session(state, headers)).flatten();
    let bearer = if area == Area::Page { session.as_deref() } else { bearer(headers) };
    let caller = state.app.authenticator.authenticate(&Presented { bearer, peer });
    let caller = match area {
        Area::Older => caller.or_else(|| state.app.trusted.caller(peer, headers)),
        Area::Contract | Area::Page | Area::Open => caller,
    };
    caller.map(Asking)
}

/// The token inside a session's cookie.
fn session(state: &Shared, headers: &HeaderMap) -> Option<String> {
    let sealed = pages::session::cookie(headers, pages::session::COOKIE_NAME)?;
    let opened = state.seal.open::<Session>(Purpose::Session, sealed, wall_clock())?;
    Some(opened.0.token)
}

/// A sane id of the client is kept, so that its log and ours can be read side by side.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(b);
        (1..=128).contains(&bytes.len()) && bytes.iter().all(plain)
    };
    if let Some(value) = headers.get(X_REQUEST_ID).filter(sane) {
        return value.clone();
    }
    let mut buffer = Uuid::encode_buffer();
    let text = Uuid::now_v7().simple().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none"))
}

/// A failure becomes its answer here, in the words of the path, and is logged where it is handled.
fn finish(mut response: Response, area: Area, place: Option<&Place>, id: &HeaderValue) -> Response {
    let Some(failure) = response.extensions_mut().remove::<Failure>() else { return response };
    if let Some(note) = &failure.note {
        let request_id = id.to_str().unwrap_or_default();
        match failure.refusal.code {
            "internal" => tracing::error!(request_id, note, "a request failed"),
            _ => tracing::warn!(request_id, note, "a request could not be carried out now"),
        }
    }
    match place {
        Some(place) => pages::render_failure(&failure, &place.path, &place.headers),
        None => failure.render(area.style()),
    }
}

fn log(
    method: &Method,
    route: &str,
    response: &Response,
    started: Instant,
    id: &HeaderValue,
    actor: Option<&Asking>,
) {
    let actor = actor.map_or("", |asking| asking.0.actor.as_str());
    let status = response.status().as_u16();
    if method == Method::GET {
        tracing::debug!(%method, route, status, actor, request_id = ?id, ms = started.elapsed().as_millis(), "answered");
    } else {
        tracing::info!(%method, route, status, actor, request_id = ?id, ms = started.elapsed().as_millis(), "answered");
    }
}

/// Answers are data for programs: nothing may be sniffed, cached, framed or run.
fn put_headers(headers: &mut HeaderMap, id: HeaderValue) {
    headers.insert(X_REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = HeaderValue::from_static(
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    headers.insert(CONTENT_SECURITY_POLICY, policy);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_request_id_is_kept_and_another_is_replaced() {
        let with = |value: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(value).unwrap());
            request_id(&headers)
        };
        assert_eq!(with(b"abc-123"), "abc-123");
        assert_ne!(with(b"a b"), "a b");
        assert_ne!(with(b"a\"b"), "a\"b");
        assert_eq!(request_id(&HeaderMap::new()).len(), 32);
    }

    #[test]
    fn areas_follow_the_path() {
        assert_eq!(Area::of("/v1/check"), Area::Contract);
        assert_eq!(Area::of("/api/v1/pool/a/check"), Area::Older);
        assert_eq!(Area::of("/healthz"), Area::Open);
    }
}
