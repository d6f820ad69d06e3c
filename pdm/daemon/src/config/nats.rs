//! `[nats]`: where events go, and what is made there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pdm_nats::{Login, Settings, Words};
use pdm_spiffe::SpiffeId;

use super::read::secret;
use super::secret::Outside;
use super::section::Reader;
use super::value;

/// Where events go.
pub struct NatsConfig {
    url: String,
    login: Login,
    authorities: Option<PathBuf>,
    certificate: Option<(PathBuf, PathBuf)>,
    words: Words,
    organizations: bool,
    stream: String,
    bucket: String,
    max_age: Duration,
    max_bytes: u32,
    replicas: usize,
    /// Which workload it is; without one, TLS is that of the web.
    pub spiffe_id: Option<SpiffeId>,
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig")
            .field("url", &self.url)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

impl NatsConfig {
    /// For one connection. `tls` is the mesh's.
    pub fn settings(&self, tls: Option<rustls::ClientConfig>) -> Settings {
        Settings {
            url: self.url.clone(),
            login: self.login.clone(),
            authorities: self.authorities.clone(),
            certificate: self.certificate.clone(),
            words: self.words.clone(),
            organizations: self.organizations,
            stream: self.stream.clone(),
            bucket: self.bucket.clone(),
            max_age: self.max_age,
            max_bytes: self.max_bytes,
            replicas: self.replicas,
            tls,
        }
    }
}

/// Read the section.
pub(super) fn read(mut r: Reader<'_>, base: &Path, env: &Outside) -> Option<NatsConfig> {
    let url = r.get("url", |v| address(&value::text(v)?));
    let (environment, prefix) = (r.get("environment", token), r.get("prefix", token));
    let (stream, bucket) = (r.get("stream", token), r.get("bucket", token));
    let (max_age, max_bytes) = (r.get("max_age", value::time), r.get("max_bytes", value::count));
    let replicas = r.get("replicas", value::count);
    let organizations = r.get("organizations", value::flag);
    let spiffe_id = r.get("spiffe_id", super::spiffe::id);
    let user = r.get("user", value::text);
    let password = r.get("password", |v| secret(base)(v)?.live("nats.password", env));
    let file = |v: &toml::Value| Ok(base.join(value::text(v)?));
    let (authorities, certificate, key) = (r.get("ca", file), r.get("certificate", file), r.get("key", file));
    let login = match (user, password) {
        (None, None) => Some(Login::None),
        (Some(user), Some(password)) => Some(Login::Password(user, password)),
        (None, Some(token)) => Some(Login::Token(token)),
        (Some(_), None) => {
            r.problem("password", "a user without a password");
            None
        }
    };
    if certificate.is_some() != key.is_some() {
        r.problem("certificate", "certificate and key go together");
    }
    Some(NatsConfig {
        url: url?,
        login: login?,
        authorities,
        certificate: certificate.zip(key),
        words: Words { prefix: prefix?, environment: environment? },
        organizations: organizations?,
        stream: stream?,
        bucket: bucket?,
        max_age: max_age?,
        max_bytes: max_bytes?,
        replicas: usize::try_from(replicas?).ok()?.max(1),
        spiffe_id,
    })
}

fn address(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Err("credentials do not belong into an address".into());
    }
    let known = |one: &str| ["nats://", "tls://"].iter().any(|scheme| one.trim().starts_with(scheme));
    if text.split(',').all(known) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is not nats://HOST:PORT or tls://HOST:PORT"))
}

/// A token of a subject.
fn token(v: &toml::Value) -> Result<String, String> {
    let text = value::text(v)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return Ok(text);
    }
    Err(format!("{text:?} has something else than letters, digits, hyphens and underscores"))
}
