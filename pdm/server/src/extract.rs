//! What handlers take from a request. Everything that does not fit is refused here with its code and its place.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use pdm_engine::caller::Caller;
use pdm_model::Refusal;
use ring::digest::{Context, SHA256, digest};
use serde::de::DeserializeOwned;

use crate::app::{Limits, S};
use crate::problem::Failure;
use crate::token_file::hex;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The longest wait that a client may ask for.
const LONGEST_WAIT: u64 = 60;

/// Who asks; the edge found out before.
#[derive(Clone)]
pub(crate) struct Asking(pub Arc<Caller>);

impl<T: Sync> FromRequestParts<T> for Asking {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &T) -> Result<Self, Failure> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Failure::internal("a route without authentication"))
    }
}

/// The query, without fields that nobody knows.
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, U: Sync> FromRequestParts<U> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &U) -> Result<Self, Failure> {
        let Query(value) = Query::try_from_uri(&parts.uri)
            .map_err(|rejection| Refusal::new("invalid-parameter", rejection.body_text()))?;
        Ok(Self(value))
    }
}

/// The variable parts of the path.
pub(crate) struct At<T>(pub T);

impl<T: DeserializeOwned + Send, U: Send + Sync> FromRequestParts<U> for At<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &U) -> Result<Self, Failure> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(PathRejection::MissingPathParams(missing)) => Err(Failure::internal(missing.to_string())),
            Err(rejection) => Err(Refusal::new("invalid-parameter", rejection.body_text()).into()),
        }
    }
}

/// `Prefer: wait=N` (RFC 7240). What cannot be understood is ignored, as the RFC wants.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wait(pub Option<Duration>);

impl Wait {
    fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(PREFER).into_iter().filter_map(|value| value.to_str().ok());
        let mut preferences =
            values.flat_map(|value| value.split(',')).map(|p| p.split(';').next().unwrap_or_default());
        let seconds = preferences.find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            let is_wait = name.trim().eq_ignore_ascii_case("wait");
            is_wait.then(|| value.trim().trim_matches('"').parse::<u64>().ok()).flatten()
        });
        Self(seconds.filter(|s| *s > 0).map(|s| Duration::from_secs(s.min(LONGEST_WAIT))))
    }
}

impl<T: Sync> FromRequestParts<T> for Wait {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &T) -> Result<Self, Failure> {
        Ok(Self::of(&parts.headers))
    }
}

/// A JSON body.
pub(crate) struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        must_be_json(request.headers())?;
        Ok(Self(parse(&read(request, &state.app.limits).await?)?))
    }
}

/// A JSON body whatever its type is called: `curl -d` and some clients of PowerDNS call it a form.
pub(crate) struct JsonOfAnyType<T>(pub T);

impl<T: DeserializeOwned> FromRequest<S> for JsonOfAnyType<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        Ok(Self(parse(&read(request, &state.app.limits).await?)?))
    }
}

/// Identity of a request that may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestKey {
    /// Digest of principal, route and `Idempotency-Key`.
    pub key: String,
    /// Digest of the body.
    pub body: String,
}

/// A request that changes something.
pub(crate) struct Change<T> {
    pub caller: Arc<Caller>,
    pub body: T,
    pub key: Option<RequestKey>,
    pub wait: Option<Duration>,
}

impl<T: DeserializeOwned> FromRequest<S> for Change<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let caller = request.extensions().get::<Asking>().map(|asking| asking.0.clone());
        let caller = caller.ok_or_else(|| Failure::internal("a route without authentication"))?;
        let wait = Wait::of(request.headers()).0;
        let key = match request.headers().get(IDEMPOTENCY_KEY) {
            Some(value) => Some(request_key(&caller.actor, request.uri().path(), value.as_bytes())?),
            None => None,
        };
        let method_has_body = request.headers().contains_key(CONTENT_TYPE) || !is_empty(request.headers());
        if method_has_body {
            must_be_json(request.headers())?;
        }
        // One call takes a whole zone; JSON writes every line end with two octets.
        let mut limits = state.app.limits.clone();
        if request.uri().path().ends_with("/carry-over") {
            limits.body = pdm_carry_over::MAX_OCTETS + pdm_carry_over::MAX_OCTETS / 8;
        }
        let bytes = read(request, &limits).await?;
        // A call whose fields are all optional may be sent without a body.
        let body = if bytes.is_empty() && !method_has_body { parse(b"{}")? } else { parse(&bytes)? };
        let key = key.map(|key| RequestKey { key, body: hex(digest(&SHA256, &bytes).as_ref()) });
        Ok(Self { caller, body, key, wait })
    }
}

fn request_key(principal: &str, route: &str, key: &[u8]) -> Result<String, Refusal> {
    if key.is_empty() || key.len() > 255 || !key.iter().all(u8::is_ascii_graphic) {
        let refusal =
            Refusal::new("invalid-parameter", "an Idempotency-Key is 1 to 255 visible ASCII characters");
        return Err(refusal.field("Idempotency-Key"));
    }
    let mut context = Context::new(&SHA256);
    for part in [principal.as_bytes(), route.as_bytes(), key] {
        // Lengths keep neighbours apart.
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    Ok(hex(context.finish().as_ref()))
}

/// No body is announced (RFC 9112 6.3).
fn is_empty(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    !headers.contains_key(http::header::TRANSFER_ENCODING) && length.is_none_or(|length| length == "0")
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let typed = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = typed.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refusal::new("unsupported-media-type", "send Content-Type: application/json").field("Content-Type"))
}

/// Collect a body of bounded size within a bounded time.
pub(crate) async fn read(request: Request, limits: &Limits) -> Result<Bytes, Failure> {
    let too_large = || Refusal::new("body-too-large", format!("a body has at most {} octets", limits.body));
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    if announced.and_then(|v| v.parse::<u64>().ok()).is_some_and(|n| n > limits.body as u64) {
        return Err(too_large().into());
    }
    let mut stream = request.into_body().into_data_stream();
    let collect = async {
        let mut all = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| Refusal::new("invalid-body", "the body ended early"))?;
            if all.len() + chunk.len() > limits.body {
                return Err(too_large());
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    };
    match tokio::time::timeout(limits.body_time, collect).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Refusal::new("invalid-body", "the body did not arrive in time").into()),
    }
}

/// Strict: one JSON object and nothing after it. The message names the field, the line and the column.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // Serde would take an array for an object, field by field; `[]` would then stop every pool.
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(Refusal::new("invalid-body", "expected a JSON object at line 1"));
    }
    serde_json::from_slice(bytes).map_err(|error| Refusal::new("invalid-body", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_wait_is_found_and_bounded() {
        let wait = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(PREFER, HeaderValue::from_static(value));
            Wait::of(&headers).0.map(|d| d.as_secs())
        };
        assert_eq!(wait("wait=5"), Some(5));
        assert_eq!(wait("respond-async, Wait = \"7\""), Some(7));
        assert_eq!(wait("wait=100000"), Some(60));
        for ignored in ["wait=0", "wait=-1", "wait", "return=minimal", "wait=x"] {
            assert_eq!(wait(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn only_json_is_json() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            must_be_json(&headers).is_ok()
        };
        assert!(with("application/json") && with("Application/JSON; charset=utf-8"));
        assert!(
            !with("text/plain") && !with("application/x-www-form-urlencoded") && !with("application/jsonp")
        );
        assert_eq!(must_be_json(&HeaderMap::new()).unwrap_err().code, "unsupported-media-type");
    }

    #[test]
    fn keys_are_apart_by_principal_route_and_key() {
        let key = |p, r, k: &str| request_key(p, r, k.as_bytes()).unwrap();
        let base = key("token:a", "/v1/reserve", "k");
        assert_eq!(base, key("token:a", "/v1/reserve", "k"));
        for other in [
            key("token:b", "/v1/reserve", "k"),
            key("token:a", "/v1/commit", "k"),
            key("token:a/", "v1/reserve", "k"),
        ] {
            assert_ne!(base, other);
        }
        for bad in ["", "a b", "\u{e9}", &"x".repeat(256)] {
            assert_eq!(request_key("p", "r", bad.as_bytes()).unwrap_err().code, "invalid-parameter");
        }
    }

    #[test]
    fn garbage_is_refused_with_its_place() {
        for bad in ["", "{", "[]", "{} x", "{\"poolDomain\": 1}", "{\"x\": 1}", "\u{0}"] {
            let refusal = parse::<pdm_api::requests::FreezeBody>(bad.as_bytes()).err().unwrap();
            assert_eq!(refusal.code, "invalid-body", "{bad}");
            assert!(refusal.detail.contains("line"), "{}", refusal.detail);
        }
    }
}
