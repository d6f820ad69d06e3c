//! A small HTTP client: it never raises an error for a status, and shows the whole answer in messages.

use std::fmt;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body when it is JSON, `null` otherwise.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// A header's text; empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }

    /// The problem's `code`; empty when there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    /// A text field of the body; empty when it is missing.
    #[must_use]
    pub fn text_at(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or("")
    }

    /// Panic with the whole answer unless the status is one of these.
    ///
    /// # Panics
    /// On another status.
    #[must_use]
    pub fn expect(self, statuses: &[u16]) -> Self {
        assert!(statuses.contains(&self.status), "expected {statuses:?}, got {self}");
        self
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text)
    }
}

/// A client of one base URL.
#[derive(Clone)]
pub struct Api {
    base: String,
    headers: Vec<(String, String)>,
    client: Client,
}

impl Api {
    /// A client without a token.
    ///
    /// # Panics
    /// When TLS cannot be set up.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(90))
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self { base: base.to_owned(), headers: Vec::new(), client }
    }

    /// Send this header with every request, in place of an earlier one of that name.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Send this bearer token with every request.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request with the usual headers.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request =
            self.client.request(method, format!("{}{path}", self.base)).header("accept", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request
    }

    /// Send a request; a broken connection is an error.
    ///
    /// # Errors
    /// The text of what went wrong on the way.
    pub async fn send(request: RequestBuilder) -> Result<Answer, String> {
        let response = request.send().await.map_err(|e| format!("{e:?}"))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.map_err(|e| format!("{e:?}"))?;
        Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text })
    }

    async fn must(request: RequestBuilder) -> Answer {
        Self::send(request).await.unwrap_or_else(|e| panic!("no answer: {e}"))
    }

    /// GET; a broken connection is an error.
    ///
    /// # Errors
    /// The text of what went wrong on the way, or an answer other than 200.
    pub async fn try_get(&self, path: &str) -> Result<Answer, String> {
        let answer = Self::send(self.request(Method::GET, path)).await?;
        if answer.status == 200 { Ok(answer) } else { Err(answer.to_string()) }
    }

    /// POST; a broken connection is an error, every status an answer.
    ///
    /// # Errors
    /// The text of what went wrong on the way.
    pub async fn try_post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        Self::send(self.request(Method::POST, path).json(body)).await
    }

    /// PUT; a broken connection is an error, every status an answer.
    ///
    /// # Errors
    /// The text of what went wrong on the way.
    pub async fn try_put(&self, path: &str, body: &Value) -> Result<Answer, String> {
        Self::send(self.request(Method::PUT, path).json(body)).await
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        Self::must(self.request(Method::GET, path)).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Self::must(self.request(Method::POST, path).json(body)).await
    }

    /// POST of any octets with any content type.
    pub async fn post_raw(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        Self::must(self.request(Method::POST, path).header("content-type", content_type).body(body)).await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Self::must(self.request(Method::PUT, path).json(body)).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        Self::must(self.request(Method::PATCH, path).json(body)).await
    }

    /// DELETE, with a body when there is one.
    pub async fn delete(&self, path: &str, body: Option<&Value>) -> Answer {
        let request = self.request(Method::DELETE, path);
        Self::must(if let Some(body) = body { request.json(body) } else { request }).await
    }
}
