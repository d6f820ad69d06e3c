//! Who asks. A file of tokens and an OIDC issuer are each an [`Authenticator`]; several are asked in turn.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
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
    /// The workload whose certificate was verified for this connection.
    pub workload: Option<&'a str>,
}

/// Turns what a client showed into a caller. Called for every request, so it answers from memory.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The caller; none when nothing valid was shown.
    fn authenticate(&self, presented: &Presented<'_>) -> Option<Arc<Caller>>;

    /// Asked after a refusal. True when something was learnt meanwhile, a key that was rotated in say, and it is worth
    /// asking again.
    async fn learn(&self, _presented: &Presented<'_>) -> bool {
        false
    }
}

/// Several, asked in turn.
pub struct AnyOf(pub Vec<Arc<dyn Authenticator>>);

#[async_trait]
impl Authenticator for AnyOf {
    fn authenticate(&self, presented: &Presented<'_>) -> Option<Arc<Caller>> {
        self.0.iter().find_map(|one| one.authenticate(presented))
    }

    async fn learn(&self, presented: &Presented<'_>) -> bool {
        for one in &self.0 {
            if one.learn(presented).await {
                return true;
            }
        }
        false
    }
}

/// The bearer token of a request. The scheme's name is case-insensitive (RFC 9110 11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The one refusal for no token, a wrong one, an expired one and a revoked one. A workload that showed nothing but a good
/// certificate is told that nobody knows it here.
pub(crate) fn unauthenticated(headers: &HeaderMap, workload: Option<&str>) -> Refusal {
    if let Some(id) = workload.filter(|_| !headers.contains_key(AUTHORIZATION)) {
        return Refusal::new("workload-unknown", format!("no row of [[workloads]] names {id}"));
    }
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
