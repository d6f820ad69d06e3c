//! One request and its repeats.

use std::fmt;
use std::time::{Duration, Instant};

use pdm_api::ProblemBody;
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::{Error, Lost};
use crate::files::{Files, Followed};
use crate::retry::{Outcome, Retry, pause};

/// Longer than the longest `Prefer: wait`.
const TIMEOUT: Duration = Duration::from_secs(75);

/// The daemon behind an address.
#[derive(Clone)]
pub struct Client {
    http: Http,
    base: Url,
    token: Option<Zeroizing<String>>,
    key: Option<String>,
    retry: Retry,
}

#[derive(Clone)]
enum Http {
    Fixed(reqwest::Client),
    Followed(Followed),
}

/// What the HTTP client of [`Client::new`] begins with, for [`Client::over`].
pub fn builder() -> reqwest::ClientBuilder {
    // A second provider cannot be there yet, or is the caller's choice.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(TIMEOUT)
}

/// Never the token.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_some() { "set" } else { "none" };
        f.debug_struct("Client").field("base", &self.base.as_str()).field("token", &token).finish()
    }
}

/// An answer that is not a problem.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The HTTP status: 202 for what goes on, 200 for what is done.
    pub status: u16,
    /// The body.
    pub body: T,
}

struct Call<'a> {
    method: Method,
    url: Url,
    key: Option<String>,
    body: Option<&'a Value>,
}

impl Client {
    /// A client of the daemon at `url`, with the system's certificate authorities.
    ///
    /// # Errors
    /// [`Error::Address`], or [`Error::Setup`].
    pub fn new(url: &str) -> Result<Self, Error> {
        Self::over(builder().build().map_err(Error::Setup)?, url)
    }

    /// The same with certificates of files, which may be replaced while the client lives.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::Setup`] or [`Error::File`].
    pub fn with_files(files: Files, url: &str) -> Result<Self, Error> {
        Self::made(Http::Followed(Followed::new(files)?), url)
    }

    /// The same over an HTTP client of the caller's, with its certificates, proxies and time-outs.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn over(http: reqwest::Client, url: &str) -> Result<Self, Error> {
        Self::made(Http::Fixed(http), url)
    }

    fn made(http: Http, url: &str) -> Result<Self, Error> {
        let usable = |u: &Url| matches!(u.scheme(), "http" | "https") && u.has_host();
        let base = Url::parse(url).ok().filter(usable).ok_or_else(|| Error::Address(url.to_owned()))?;
        Ok(Self { http, base, token: None, key: None, retry: Retry::default() })
    }

    /// Say who calls.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(Zeroizing::new(token.to_owned()));
        self
    }

    /// Use this `Idempotency-Key` in place of a fresh one for each call, so that a repeat by another process has one effect
    /// too. It holds for 24 hours, for one body on each path.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Repeat differently.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Whether a token goes along.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// GET below `/v1`: the segments of the path, and the query.
    ///
    /// # Errors
    /// What the call ended with.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer<T>, Error> {
        self.carry_out(Call { method: Method::GET, url: self.url(path, query), key: None, body: None }).await
    }

    /// A call with a body below `/v1`. Its repeats have one effect.
    ///
    /// # Errors
    /// What the call ended with.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Answer<T>, Error> {
        let not_json = |e: serde_json::Error| self.not_ours(0, format!("the request is no JSON: {e}"));
        let body = serde_json::to_value(body).map_err(not_json)?;
        let key = self.key.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let url = self.url(path, &[]);
        self.carry_out(Call { method, url, key: Some(key), body: Some(&body) }).await
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        // An http address always has a path. Segments are encoded one by one: a name with a slash in it stays one.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn carry_out<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<Answer<T>, Error> {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let failed = match self.once(&call).await {
                Ok(Answer { status, body }) => {
                    let body =
                        serde_json::from_value(body).map_err(|e| self.not_ours(status, e.to_string()))?;
                    return Ok(Answer { status, body });
                }
                Err(failed) => failed,
            };
            let again = outcome(&failed).and_then(|o| pause(&self.retry, tries, began.elapsed(), o));
            match again {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failed),
            }
        }
    }

    async fn once(&self, call: &Call<'_>) -> Result<Answer<Value>, Error> {
        let http = match &self.http {
            Http::Fixed(http) => http.clone(),
            Http::Followed(followed) => followed.http(),
        };
        let mut request = http.request(call.method.clone(), call.url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.as_str());
        }
        if let Some(key) = &call.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|e| self.no_answer(e))?;
        let status = answer.status().as_u16();
        let octets = answer.bytes().await.map_err(|e| self.no_answer(e))?;
        let body: Value = match serde_json::from_slice(&octets) {
            Ok(body) => body,
            Err(_) if octets.is_empty() => Value::Null,
            Err(_) => return Err(self.not_ours(status, "the body is not JSON".to_owned())),
        };
        if (200..300).contains(&status) {
            return Ok(Answer { status, body });
        }
        let problem: ProblemBody =
            serde_json::from_value(body).map_err(|e| self.not_ours(status, e.to_string()))?;
        Err(Error::Refused(Box::new(problem)))
    }

    fn not_ours(&self, status: u16, detail: String) -> Error {
        Error::NotOurs { base: self.base.to_string(), status, detail }
    }

    fn no_answer(&self, source: reqwest::Error) -> Error {
        let lost = if source.is_connect() {
            Lost::Unsent
        } else if source.is_timeout() {
            Lost::Late
        } else {
            Lost::Broken
        };
        // The address may hold a name that is nobody's business.
        Error::NoAnswer { base: self.base.to_string(), lost, source: source.without_url() }
    }
}

/// What a failure means for a repeat; none for one that no repeat can mend.
fn outcome(failed: &Error) -> Option<Outcome<'_>> {
    match failed {
        Error::Refused(problem) => {
            let after = problem.retry_after.map(|seconds| Duration::from_secs(seconds.into()));
            Some(Outcome::Refused { code: &problem.code, after })
        }
        Error::NoAnswer { lost: Lost::Unsent, .. } => Some(Outcome::Unsent),
        Error::NoAnswer { lost: Lost::Late | Lost::Broken, .. } => Some(Outcome::Lost),
        Error::NotOurs { status: 502..=504, .. } => Some(Outcome::Away),
        Error::NotOurs { .. }
        | Error::Address(_)
        | Error::Setup(_)
        | Error::File { .. }
        | Error::StillOpen(_)
        | Error::Superseded(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded_and_a_base_path_is_kept() {
        let client = Client::new("http://h:1/base/").unwrap();
        let url = client.url(&["allocations", "a/b"], &[("q", "x y")]);
        assert_eq!(url.as_str(), "http://h:1/base/v1/allocations/a%2Fb?q=x+y");
        for bad in ["", "h:1", "ftp://h", "file:///etc"] {
            assert!(matches!(Client::new(bad), Err(Error::Address(_))), "{bad}");
        }
    }

    #[test]
    fn the_token_is_never_shown() {
        let client = Client::new("http://h:1").unwrap().with_token("swordfish");
        assert!(!format!("{client:?}").contains("swordfish"));
    }
}
