//! Calls the daemon, and says in plain words what it answered.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url};
use serde_json::Value;
use zeroize::Zeroizing;

use super::output::Output;
use crate::failure::Failure;

/// The daemon behind an address.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Zeroizing<String>>,
    /// How answers are shown.
    pub output: Output,
}

/// An answer that is not a problem.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body; null when there is none.
    pub body: Value,
}

impl Client {
    /// A client with the token of `PDM_TOKEN`.
    ///
    /// # Errors
    /// The address is none.
    pub fn new(url: &str, output: Output) -> Result<Self, Failure> {
        let base = Url::parse(url).ok().filter(|u| matches!(u.scheme(), "http" | "https"));
        let base =
            base.ok_or_else(|| Failure::Usage(format!("PDM_URL={url:?} is not an http:// address")))?;
        // Longer than the longest `Prefer: wait`.
        let http =
            reqwest::Client::builder().timeout(Duration::from_secs(75)).build().map_err(Failure::refused)?;
        let token = std::env::var("PDM_TOKEN").ok().filter(|t| !t.is_empty());
        let token = token.map(|t| Zeroizing::new(t.trim().to_owned()));
        Ok(Self { http, base, token, output })
    }

    /// GET with query parameters.
    ///
    /// # Errors
    /// The problem that was answered, or why there was no answer.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.send(self.http.request(Method::GET, self.url(path, query)?)).await
    }

    /// A call with a JSON body; each has a key of its own, so that a repeat within it is harmless.
    ///
    /// # Errors
    /// The problem that was answered, or why there was no answer.
    pub async fn call(&self, method: Method, path: &[&str], body: &Value) -> Result<Answer, Failure> {
        let key = uuid::Uuid::new_v4().to_string();
        self.send(self.http.request(method, self.url(path, &[])?).header("Idempotency-Key", key).json(body))
            .await
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        // Segments are encoded one by one: a name with a slash in it stays one segment.
        url.path_segments_mut()
            .map_err(|()| Failure::Usage("PDM_URL cannot have paths".into()))?
            .pop_if_empty()
            .push("v1")
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<Answer, Failure> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.as_str());
        }
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = answer.status().as_u16();
        let octets = answer.bytes().await.map_err(|e| self.unreachable(&e))?;
        let body = match serde_json::from_slice(&octets) {
            Ok(body) => body,
            Err(_) if octets.is_empty() => Value::Null,
            Err(_) => {
                let text = format!(
                    "{} answered {status} with something that is not JSON; is it pool-domain-manager?",
                    self.base
                );
                return Err(Failure::Refused(text));
            }
        };
        if (200..300).contains(&status) {
            return Ok(Answer { status, body });
        }
        if self.output == Output::Json {
            super::output::json(&body);
        }
        Err(Failure::Refused(describe(status, &body, self.token.is_some())))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut text = format!("no answer from {}", self.base);
        if error.is_connect() {
            text.push_str(
                "\n  next step: start it with `pdm up` or `pdm serve`, or set PDM_URL to where it runs",
            );
        } else if error.is_timeout() {
            text.push_str(
                "\n  next step: look with `pdm get` or `pdm wait`; what was asked may have been accepted",
            );
        } else {
            let _ = write!(text, ": {error}");
        }
        Failure::Refused(text)
    }
}

/// A problem in words (RFC 9457 and our members).
fn describe(status: u16, body: &Value, has_token: bool) -> String {
    let member = |name: &str| body.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let mut text = match (member("title"), member("code")) {
        (Some(title), Some(code)) => format!("{title} ({code})"),
        (Some(title), None) => title.to_owned(),
        _ => format!("the daemon answered {status}"),
    };
    for (label, name) in [
        ("", "detail"),
        ("field:     ", "field"),
        ("until:     ", "until"),
        ("must act:  ", "whoMustAct"),
        ("next step: ", "nextStep"),
    ] {
        if let Some(value) = member(name) {
            let _ = write!(text, "\n  {label}{value}");
        }
    }
    if let Some(seconds) = body.get("retryAfter").and_then(Value::as_u64) {
        let _ = write!(text, "\n  again in:  {seconds} s");
    }
    if status == 401 && !has_token {
        text.push_str("\n  PDM_TOKEN is not set; after `pdm up`: export PDM_TOKEN=$(cat .pdm/admin.token)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_who_must_act_and_what_to_do() {
        let body = serde_json::json!({
            "code": "name-taken", "title": "The name is in use", "detail": "a.b.c is lent", "whoMustAct": "caller",
            "nextStep": "choose another name", "retryAfter": 3,
        });
        let text = describe(409, &body, true);
        assert_eq!(
            text,
            "The name is in use (name-taken)\n  a.b.c is lent\n  must act:  caller\n  next step: choose another name\n  again in:  3 s"
        );
        assert!(describe(401, &Value::Null, false).contains("PDM_TOKEN is not set"));
    }

    #[test]
    fn segments_are_encoded_and_a_base_path_is_kept() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client {
            http: reqwest::Client::new(),
            base: Url::parse("http://h:1/base/").unwrap(),
            token: None,
            output: Output::Table,
        };
        let url = client.url(&["allocations", "a/b"], &[("q", "x y")]).unwrap();
        assert_eq!(url.as_str(), "http://h:1/base/v1/allocations/a%2Fb?q=x+y");
    }
}
