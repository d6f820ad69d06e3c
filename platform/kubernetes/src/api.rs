//! The four things that are asked of Kubernetes' API: list, watch, patch, create.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client, Method, RequestBuilder, Response, Url};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::place::Place;

/// An API server that says nothing for so long is away.
const PATIENCE: Duration = Duration::from_secs(15);
/// Objects on one page of a list.
const PAGE: &str = "500";

/// Why a call ended badly.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The address or what is needed to reach it.
    #[error("{0}")]
    Place(String),
    /// What was known is too old: list again (410).
    #[error("the resource version is too old")]
    Gone,
    /// Somebody else wrote in between (409).
    #[error("the object was changed in between")]
    Conflict,
    /// There is no such object, or no such kind (404).
    #[error("not found: {0}")]
    NotFound(String),
    /// It may pass.
    #[error("{0}")]
    Away(String),
    /// Anything else that was answered.
    #[error("Kubernetes answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// In its words.
        message: String,
    },
}

/// Kubernetes' API.
#[derive(Clone)]
pub struct Api {
    http: Client,
    base: Url,
    token: Option<PathBuf>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// A list, and the version from which to watch.
pub(crate) struct List {
    pub items: Vec<Value>,
    pub version: String,
}

impl Api {
    /// A client of it.
    ///
    /// # Errors
    /// The address, or the file of authorities.
    pub fn new(place: &Place) -> Result<Self, Problem> {
        let base = place.base()?;
        // Whoever comes second finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No time-out of the whole: a watch lasts for minutes. A token is shown to nobody else.
        let mut builder = Client::builder()
            .connect_timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(file) = &place.authorities {
            let wrong = |why: String| Problem::Place(format!("{}: {why}", file.display()));
            let pem = std::fs::read(file).map_err(|e| wrong(e.to_string()))?;
            let all = Certificate::from_pem_bundle(&pem).map_err(|e| wrong(e.to_string()))?;
            builder = builder.tls_certs_only(all);
        }
        let http = builder.build().map_err(|e| Problem::Place(e.to_string()))?;
        Ok(Self { http, base, token: place.token.clone() })
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<RequestBuilder, Problem> {
        self.request(Method::GET, self.url(path, query))
    }

    fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Problem> {
        let request = self.http.request(method, url);
        let Some(file) = &self.token else { return Ok(request) };
        let missing = |e: std::io::Error| Problem::Away(format!("{}: {e}", file.display()));
        let token = std::fs::read_to_string(file).map(Zeroizing::new).map_err(missing)?;
        Ok(request.bearer_auth(token.trim()))
    }

    /// Everything below a path, page by page.
    pub(crate) async fn list(&self, path: &str) -> Result<List, Problem> {
        let (mut items, mut next) = (Vec::new(), String::new());
        loop {
            let query = [("limit", PAGE), ("continue", next.as_str())];
            let query = if next.is_empty() { &query[..1] } else { &query[..] };
            let mut page = json(send(self.get(path, query)?).await?).await?;
            items.append(page["items"].as_array_mut().unwrap_or(&mut Vec::new()));
            let meta = |name: &str| page["metadata"][name].as_str().unwrap_or_default().to_owned();
            next = meta("continue");
            if next.is_empty() {
                return Ok(List { items, version: meta("resourceVersion") });
            }
        }
    }

    /// What changes below a path from a version on; ended by the server after `seconds`.
    pub(crate) async fn watch(&self, path: &str, version: &str, seconds: u64) -> Result<Response, Problem> {
        let query = [
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", &seconds.to_string()),
        ];
        send(self.get(path, &query)?).await
    }

    /// Merge this into an object (RFC 7386). A `resourceVersion` in it makes it conditional.
    pub(crate) async fn merge(&self, path: &str, patch: &Value) -> Result<(), Problem> {
        let request = self.request(Method::PATCH, self.url(path, &[]))?;
        let request = request.header("Content-Type", "application/merge-patch+json").body(patch.to_string());
        send(request).await.map(drop)
    }

    /// Make an object.
    pub(crate) async fn create(&self, path: &str, object: &Value) -> Result<(), Problem> {
        send(self.request(Method::POST, self.url(path, &[]))?.json(object)).await.map(drop)
    }
}

async fn send(request: RequestBuilder) -> Result<Response, Problem> {
    let answer = tokio::time::timeout(PATIENCE, request.send()).await;
    let answer = answer.map_err(|_| Problem::Away("Kubernetes does not answer".into()))?;
    let answer = answer.map_err(|e| Problem::Away(because(&e)))?;
    let status = answer.status().as_u16();
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let said = json(answer).await.unwrap_or_default();
    let message = said["message"].as_str().unwrap_or("something else than a Status").to_owned();
    Err(match status {
        404 => Problem::NotFound(message),
        409 => Problem::Conflict,
        410 => Problem::Gone,
        429 | 500.. => Problem::Away(format!("Kubernetes answered {status}: {message}")),
        _ => Problem::Refused { status, message },
    })
}

async fn json(answer: Response) -> Result<Value, Problem> {
    let octets = tokio::time::timeout(PATIENCE, answer.bytes()).await;
    let octets = octets.map_err(|_| Problem::Away("an answer does not end".into()))?;
    let octets = octets.map_err(|e| Problem::Away(because(&e)))?;
    serde_json::from_slice(&octets).map_err(|e| Problem::Away(format!("an answer is no JSON: {e}")))
}

/// The last cause: the first only says that a request failed.
pub(crate) fn because(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
