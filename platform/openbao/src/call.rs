//! One call, bounded in time and size, and what its answer means. What comes is parsed as hostile.

use std::time::Duration;

use pdm_model::may_carry_secrets;
use pdm_ports::{Class, Fault};
use reqwest::header::HeaderValue;
use reqwest::{Certificate, Identity, Method, Url};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::settings::{Login, Settings};

/// A secret may have 1 MB; nobody's key does.
const LONGEST: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// A good answer; none when the server had nothing to say.
pub(crate) type Answer = Option<Zeroizing<Vec<u8>>>;

/// Where calls go, and by which way.
pub(crate) struct Caller {
    http: reqwest::Client,
    base: Url,
    namespace: Option<HeaderValue>,
}

impl Caller {
    /// Read the certificates and make a client of them.
    ///
    /// # Errors
    /// A file that is missing or makes no sense.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Fault> {
        let namespace = settings.namespace.as_deref().map(|text| {
            HeaderValue::from_str(text)
                .map_err(|_| refuse("openbao-address", "the namespace cannot stand in a header"))
        });
        Ok(Self { http: client(settings)?, base: base(&settings.url)?, namespace: namespace.transpose()? })
    }

    /// Make one call. `secrets` are what it carries, so that an answer cannot repeat them.
    ///
    /// # Errors
    /// What the answer means, in one place.
    pub(crate) async fn call(
        &self,
        what: &'static str,
        method: Method,
        path: &str,
        token: Option<&Zeroizing<String>>,
        body: Option<&Value>,
        secrets: &[&str],
    ) -> Result<Answer, Fault> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/v1/{path}", self.base.path().trim_end_matches('/')));
        let mut request = self.http.request(method, url).header("accept", "application/json");
        // Refused by a listener that wants it, and of no effect elsewhere.
        request = request.header("x-vault-request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace.clone());
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token).map_err(|_| {
                refuse("openbao-login", "the token has characters that cannot stand in a header")
            })?;
            value.set_sensitive(true);
            request = request.header("x-vault-token", value);
        }
        if let Some(body) = body {
            let text =
                serde_json::to_vec(body).map_err(|_| Fault::new(Class::Bug, "openbao-request", what))?;
            request = request.header("content-type", "application/json").body(text);
        }
        let broken = |error: reqwest::Error| {
            Fault::transient("openbao-unreachable", format!("{what}: {}", because(&error.without_url())))
        };
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status().as_u16();
        let mut read = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if read.len() + chunk.len() > LONGEST {
                return Err(garbage(what, "the answer never ends"));
            }
            read.extend_from_slice(&chunk);
        }
        metrics::counter!("pdm_openbao_calls_total", "call" => what, "status" => status.to_string())
            .increment(1);
        match status {
            204 => Ok(None),
            200..=299 => Ok(Some(read)),
            _ => Err(judge(what, status, &told(&read, token, secrets))),
        }
    }
}

/// What a status means.
fn judge(what: &'static str, status: u16, told: &str) -> Fault {
    let fault = |class, code| Fault::new(class, code, format!("{what}: {status}{told}"));
    match status {
        400 | 405 | 412 => fault(Class::Rejected, "openbao-refused"),
        401 | 403 => fault(Class::Credential, "openbao-forbidden"),
        404 => fault(Class::Rejected, "openbao-missing"),
        429 => fault(Class::RateLimited, "openbao-busy"),
        503 => {
            Fault::transient("openbao-sealed", format!("{what}: OpenBao is sealed or not active yet{told}"))
        }
        500..=599 | 472 | 473 => fault(Class::Transient, "openbao-unavailable"),
        _ => fault(Class::Protocol, "openbao-garbage"),
    }
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<String>,
}

/// The first sentence of a refusal, short, printable, and without what we sent.
fn told(body: &[u8], token: Option<&Zeroizing<String>>, secrets: &[&str]) -> String {
    let errors = serde_json::from_slice::<Errors>(body).map(|e| e.errors).unwrap_or_default();
    let Some(first) = errors.into_iter().find(|e| !e.trim().is_empty()) else { return String::new() };
    let mut text: String = first.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for secret in
        token.map(|t| t.as_str()).into_iter().chain(secrets.iter().copied()).filter(|s| !s.is_empty())
    {
        text = text.replace(secret, "<redacted>");
    }
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    format!(": {text}")
}

/// The innermost reason: the outer ones only say that a request failed.
fn because(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// An answer that was fine by its status and made no sense. Its text could be a secret, so it stays out.
pub(crate) fn garbage(what: &'static str, why: &str) -> Fault {
    Fault::new(Class::Protocol, "openbao-garbage", format!("{what}: {why}"))
}

/// What no waiting mends.
pub(crate) fn refuse(code: &'static str, why: impl Into<String>) -> Fault {
    Fault::new(Class::Rejected, code, why)
}

/// Read the JSON of a good answer.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(what: &'static str, answer: &Answer) -> Result<T, Fault> {
    let body = answer.as_ref().ok_or_else(|| garbage(what, "the answer is empty"))?;
    serde_json::from_slice(body).map_err(|e| {
        garbage(what, &format!("the answer is not as expected, line {} column {}", e.line(), e.column()))
    })
}

/// An address that secrets may travel to: TLS, or this machine.
fn base(text: &str) -> Result<Url, Fault> {
    let wrong = |why: &str| refuse("openbao-address", format!("openbao.url: {why}"));
    let url = Url::parse(text).map_err(|_| wrong("this is not an address"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(wrong("credentials and queries do not belong into an address"));
    }
    may_carry_secrets(url.scheme(), url.host_str()).map_err(wrong)?;
    Ok(url)
}

/// A client that follows no redirect and uses no proxy of the environment.
fn client(settings: &Settings) -> Result<reqwest::Client, Fault> {
    let wrong = |error: reqwest::Error| refuse("openbao-client", because(&error));
    // Whoever comes second finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(2))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if let Some(tls) = &settings.tls {
        return builder.tls_backend_preconfigured(tls.clone()).build().map_err(wrong);
    }
    if let Some(file) = &settings.authorities {
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&read(file)?).map_err(wrong)?);
    } else if settings.url.starts_with("http://") {
        // Loading the system's certificates costs time and memory that plain HTTP does not need.
        builder = builder.tls_certs_only(std::iter::empty());
    }
    if let Login::Certificate { files: Some((certificate, key)), .. } = &settings.login {
        let mut pem = Zeroizing::new(read(certificate)?.to_vec());
        pem.push(b'\n');
        pem.extend_from_slice(&read(key)?);
        builder = builder.identity(Identity::from_pem(&pem).map_err(wrong)?);
    }
    builder.build().map_err(wrong)
}

/// A file that a login needs. It may be about to be replaced, so its absence passes.
pub(crate) fn read(file: &std::path::Path) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let missing = |e| Fault::transient("openbao-login", format!("cannot read {}: {e}", file.display()));
    std::fs::read(file).map(Zeroizing::new).map_err(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine_and_an_address_holds_no_secret() {
        for good in [
            "https://bao.example:8200",
            "https://bao.example/prefix/",
            "http://127.0.0.1:8200",
            "http://[::1]",
        ] {
            assert!(base(good).is_ok(), "{good}");
        }
        for bad in [
            "http://bao.example",
            "http://10.0.0.1",
            "https://u:p@bao.example",
            "https://b/?token=x",
            "bao",
            "file:///a",
        ] {
            assert_eq!(base(bad).unwrap_err().code, "openbao-address", "{bad}");
        }
    }

    #[test]
    fn a_refusal_is_told_short_and_without_what_was_sent() {
        let token = Zeroizing::new("s.tokentoken".to_owned());
        let body = br#"{"errors":["1 error occurred:\n\t* permission denied for s.tokentoken with ey.jwt"]}"#;
        let text = told(body, Some(&token), &["ey.jwt"]);
        assert_eq!(text, ": 1 error occurred: * permission denied for <redacted> with <redacted>");
        assert_eq!(told(b"<html>", Some(&token), &[]), "");
        assert_eq!(told(br#"{"errors":[]}"#, None, &[]), "");
    }

    #[test]
    fn every_status_has_one_meaning() {
        for (status, class, code) in [
            (400, Class::Rejected, "openbao-refused"),
            (403, Class::Credential, "openbao-forbidden"),
            (404, Class::Rejected, "openbao-missing"),
            (429, Class::RateLimited, "openbao-busy"),
            (472, Class::Transient, "openbao-unavailable"),
            (502, Class::Transient, "openbao-unavailable"),
            (503, Class::Transient, "openbao-sealed"),
            (302, Class::Protocol, "openbao-garbage"),
        ] {
            let fault = judge("a read", status, "");
            assert_eq!((fault.class, fault.code), (class, code), "{status}");
        }
    }
}
