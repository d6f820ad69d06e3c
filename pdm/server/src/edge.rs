//! What every request passes through once: request id, who asks, rate limit, headers, metrics and one log line.
//!
//! It is one function and not a stack of layers, because `check` has to be fast.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pdm_ports::trace::TARGET;
use tracing::Instrument as _;
use tracing::field::Empty;
use uuid::Uuid;

use crate::app::{S, Shared};
use crate::auth::{Presented, bearer, unauthenticated};
use crate::extract::Asking;
use crate::pages;
use crate::pages::enter::{Entered, enter};
use crate::problem::{Failure, Style};
use crate::telemetry;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The other end of the TCP connection; put into every request by [`crate::serve`].
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The workload at the other end, by its certificate; put into requests by [`crate::serve`].
#[derive(Debug, Clone)]
pub(crate) struct Workload(pub Arc<str>);

/// Which rules hold for a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    /// `/v1`: a token.
    Contract,
    /// `/api/v1`: a token or a trusted network.
    Older,
    /// Pages: a session, or a way to get one.
    Page,
    /// `/api/v1/servers`: a token as PowerDNS's clients send it.
    Door,
    /// Health, metrics, the document.
    Open,
}

impl Area {
    fn of(path: &str) -> Self {
        if path.starts_with("/v1/") {
            Self::Contract
        } else if path == "/api/v1/servers" || path.starts_with("/api/v1/servers/") {
            Self::Door
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
            Self::Door => Style::Door,
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
    let name = route.as_ref().map_or("none", MatchedPath::as_str);
    let span = span(&method, name, request.headers(), &id);
    let from = peer(&request);
    let admitted = match area {
        Area::Page => enter(&state, &mut request, from).await,
        Area::Contract | Area::Older | Area::Door | Area::Open => {
            admit(&state, area, &mut request, from).await
        }
    };
    let (entered, response) = match admitted {
        Ok(entered) => (entered, next.run(request).instrument(span.clone()).await),
        Err(failure) => (Entered::default(), failure.into_response()),
    };
    let mut response = finish(response, area, place.as_ref(), &id);
    span.record("status", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("error", response.status().as_str());
    }
    let route = name;
    log(&method, route, &response, started, &id, entered.asking.as_ref());
    span.in_scope(|| telemetry::request(&method, route, response.status(), started.elapsed()));
    put_headers(response.headers_mut(), id);
    if let Some(place) = &place {
        pages::put_headers(&mut response, &place.path, &state.app.pages.frame_ancestors);
    }
    entered.cookies.iter().fold(response, |response, cookie| pages::with_cookie(response, cookie))
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

/// The part of a trace that a request is, below the client's own if it told one.
fn span(method: &Method, route: &str, headers: &HeaderMap, id: &HeaderValue) -> tracing::Span {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok());
    tracing::trace_span!(
        target: TARGET, "request", traceparent = given, span_kind = "server", http.request.method = %method,
        http.route = route, request_id = id.to_str().unwrap_or_default(), status = Empty, error = Empty,
    )
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.0.ip())
}

/// Who asks, and whether the client may ask now. A wrong token costs its address, not the token's owner.
async fn admit(
    state: &Shared,
    area: Area,
    request: &mut Request,
    peer: Option<IpAddr>,
) -> Result<Entered, Failure> {
    if area == Area::Open {
        state.rates.admit_peer(peer)?;
        return Ok(Entered::default());
    }
    let workload = request.extensions().get::<Workload>().cloned();
    // A browser shows its certificate to every page that makes it ask, so pages do not count it.
    let workload = workload.as_ref().filter(|_| matches!(area, Area::Contract | Area::Older));
    let workload = workload.map(|workload| &*workload.0);
    let headers = request.headers();
    let token = match area {
        Area::Door => headers.get(X_API_KEY).and_then(|value| value.to_str().ok()),
        Area::Contract | Area::Older | Area::Open | Area::Page => bearer(headers),
    };
    let presented = Presented { bearer: token, peer, workload };
    let asking = recognise(state, &presented, || identify(state, area, headers, &presented)).await?;
    let Some(asking) = asking else { return Err(unauthenticated(headers, workload).into()) };
    state.rates.admit_caller(&asking.0.actor)?;
    request.extensions_mut().insert(asking.clone());
    Ok(Entered { asking: Some(asking), cookies: Vec::new() })
}

/// Identify, and once more when the authenticator learnt something meanwhile.
pub(crate) async fn recognise(
    state: &Shared,
    presented: &Presented<'_>,
    identify: impl Fn() -> Option<Asking>,
) -> Result<Option<Asking>, Failure> {
    if let Some(asking) = identify() {
        return Ok(Some(asking));
    }
    state.rates.admit_peer(presented.peer)?;
    Ok(if state.app.authenticator.learn(presented).await { identify() } else { None })
}

fn identify(state: &Shared, area: Area, headers: &HeaderMap, presented: &Presented<'_>) -> Option<Asking> {
    let caller = state.app.authenticator.authenticate(presented);
    let caller = match area {
        Area::Older => caller.or_else(|| state.app.trusted.caller(presented.peer, headers)),
        Area::Contract | Area::Page | Area::Door | Area::Open => caller,
    };
    caller.map(Asking)
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
        assert_eq!(Area::of("/api/v1/servers/localhost/zones"), Area::Door);
        assert_eq!(Area::of("/api/v1/serversx"), Area::Older);
        assert_eq!(Area::of("/healthz"), Area::Open);
    }
}
