//! JSON over HTTP, bounded in time and size. What comes is parsed as hostile.

use std::time::Duration;

use pdm_model::may_carry_secrets;
use pdm_ports::{Class, Fault};
use reqwest::{Certificate, RequestBuilder, Url};
use serde::de::DeserializeOwned;

/// The longest answer; a key set of 100 RSA keys has 60 kB.
const LONGEST: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// A client that follows no redirect and uses no proxy of the environment.
///
/// # Errors
/// The certificates make no sense.
pub(crate) fn client(issuer: &str, authorities: Option<&[u8]>) -> Result<reqwest::Client, Fault> {
    let wrong = |error: reqwest::Error| Fault::new(Class::Rejected, "oidc-client", error.to_string());
    // Whoever comes second finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(2))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if let Some(pem) = authorities {
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(pem).map_err(wrong)?);
    } else if issuer.starts_with("http://") {
        // Loading the system's certificates costs time and memory that plain HTTP does not need.
        builder = builder.tls_certs_only(std::iter::empty());
    }
    builder.build().map_err(wrong)
}

/// What was answered.
pub(crate) struct Fetched<T> {
    pub body: T,
    /// `max-age` of the answer.
    pub max_age: Option<Duration>,
}

/// Send a request and read the JSON of a good answer.
pub(crate) async fn json<T: DeserializeOwned>(
    what: &'static str,
    request: RequestBuilder,
) -> Result<Fetched<T>, Fault> {
    let broken = |error: reqwest::Error| {
        Fault::transient("oidc-unreachable", format!("{what}: {}", error.without_url()))
    };
    let mut response = request.header("accept", "application/json").send().await.map_err(broken)?;
    let status = response.status();
    let max_age = response.headers().get("cache-control").and_then(|v| v.to_str().ok()).and_then(max_age);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > LONGEST {
            return Err(Fault::new(
                Class::Protocol,
                "oidc-garbage",
                format!("{what}: the answer never ends"),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    if !status.is_success() {
        let class = if status.is_server_error() { Class::Transient } else { Class::Rejected };
        return Err(Fault::new(class, "oidc-refused", format!("{what}: {status}{}", told(&body))));
    }
    let body = serde_json::from_slice(&body)
        .map_err(|error| Fault::new(Class::Protocol, "oidc-garbage", format!("{what}: {error}")))?;
    Ok(Fetched { body, max_age })
}

/// The error word of RFC 6749; its description may repeat what was sent, so it stays out.
fn told(body: &[u8]) -> String {
    let word = serde_json::from_slice::<serde_json::Value>(body).ok();
    let word = word.as_ref().and_then(|v| v.get("error")).and_then(|v| v.as_str()).unwrap_or_default();
    let plain = word.len() <= 64 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain && !word.is_empty() { format!(" {word}") } else { String::new() }
}

fn max_age(value: &str) -> Option<Duration> {
    let mut parts = value.split(',').map(str::trim);
    parts.find_map(|part| part.strip_prefix("max-age=")?.parse().ok()).map(Duration::from_secs)
}

/// An address that a secret or a key may travel to: TLS, or this machine.
pub(crate) fn safe_url(text: &str) -> Result<Url, Fault> {
    let refuse = |why: &str| Fault::new(Class::Rejected, "oidc-address", format!("{text}: {why}"));
    let url = Url::parse(text).map_err(|_| refuse("this is not an address"))?;
    may_carry_secrets(url.scheme(), url.host_str()).map_err(refuse)?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for good in
            ["https://id.example/x", "http://127.0.0.1:8080/realms/a", "http://[::1]/", "http://localhost/"]
        {
            assert!(safe_url(good).is_ok(), "{good}");
        }
        for bad in
            ["http://id.example/", "http://10.0.0.1/", "file:///etc/passwd", "id.example", "ftp://[::1]/"]
        {
            assert_eq!(safe_url(bad).unwrap_err().code, "oidc-address", "{bad}");
        }
    }

    #[test]
    fn ages_and_error_words_are_found() {
        assert_eq!(max_age("public, max-age=60"), Some(Duration::from_secs(60)));
        assert_eq!(max_age("no-cache"), None);
        assert_eq!(told(br#"{"error":"invalid_grant","error_description":"secret"}"#), " invalid_grant");
        assert_eq!(told(b"<html>"), "");
    }
}
