//! Who asks. Bearer tokens today; a certificate or an OIDC token is another [`Authenticator`].

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use pdm_engine::caller::Caller;
use pdm_model::Refusal;

/// What a client showed.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The bearer token.
    pub bearer: Option<&'a str>,
    /// The TCP peer.
    pub peer: Option<IpAddr>,
}

/// Turns what a client showed into a caller. Called for every request, so it answers from memory.
pub trait Authenticator: Send + Sync {
    /// The caller; none when nothing valid was shown.
    fn authenticate(&self, presented: &Presented<'_>) -> Option<Arc<Caller>>;
}

/// The bearer token of a request. The scheme's name is case-insensitive (RFC 9110 11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The one refusal for no token, a wrong one, an expired one and a revoked one.
pub(crate) fn unauthenticated(headers: &HeaderMap) -> Refusal {
    let detail = if headers.contains_key(AUTHORIZATION) {
        "the bearer token is not known, or its time is over"
    } else {
        "no bearer token was sent"
    };
    Refusal::new("unauthenticated", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bearer_scheme_counts() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, http::HeaderValue::from_static(value));
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(with("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(with("bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(with("Basic abc"), None);
        assert_eq!(with("abc"), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
