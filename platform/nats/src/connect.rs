//! From settings to a connection that comes back by itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Auth, AuthError, Client, ConnectOptions, ServerAddr};
use pdm_ports::{Class, Fault, SecretSource};

use crate::event::Words;

/// Where NATS is, and what is kept there.
pub struct Settings {
    /// `nats://host:port` or `tls://host:port`, several by commas.
    pub url: String,
    /// Who PDM is there.
    pub login: Login,
    /// Certificate authorities of the server, PEM.
    pub authorities: Option<PathBuf>,
    /// Client certificate and key, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Words in subjects.
    pub words: Words,
    /// Whether each change is also published below a subject of its owner.
    pub organizations: bool,
    /// The stream.
    pub stream: String,
    /// The bucket.
    pub bucket: String,
    /// How long the stream keeps an event.
    pub max_age: Duration,
    /// The most octets the stream keeps; 0 is no bound but the account's.
    pub max_bytes: u32,
    /// Copies of stream and bucket in a cluster.
    pub replicas: usize,
    /// TLS as a workload of a mesh, in place of authorities and certificate.
    pub tls: Option<rustls::ClientConfig>,
}

/// How PDM logs in. A secret is looked at anew for every connection.
#[derive(Clone)]
pub enum Login {
    /// Not at all, or by its certificate.
    None,
    /// By a token.
    Token(Arc<dyn SecretSource>),
    /// By name and password.
    Password(String, Arc<dyn SecretSource>),
}

impl Login {
    fn options(&self) -> ConnectOptions {
        let (user, secret) = match self {
            Self::None => return ConnectOptions::new(),
            Self::Token(token) => (None, token.clone()),
            Self::Password(user, password) => (Some(user.clone()), password.clone()),
        };
        ConnectOptions::with_auth_callback(move |_| {
            let (user, secret) = (user.clone(), secret.clone());
            // A task of its own, because the client wants a future that may be shared.
            let newest = tokio::spawn(async move {
                let known = secret.current();
                secret.renewed(&known).await;
                secret.current().to_string()
            });
            async move {
                let secret = newest.await.map_err(AuthError::new)?;
                let mut auth = Auth::new();
                match user {
                    Some(user) => (auth.username, auth.password) = (Some(user), Some(secret)),
                    None => auth.token = Some(secret),
                }
                Ok(auth)
            }
        })
    }
}

/// Connect; when nobody answers, go on trying in the background.
pub(crate) async fn connect(settings: &Settings) -> Result<Client, Fault> {
    let mut options = settings
        .login
        .options()
        .name("pool-domain-manager")
        .connection_timeout(Duration::from_secs(3))
        .request_timeout(Some(Duration::from_secs(5)))
        .ping_interval(Duration::from_secs(15))
        .client_capacity(64)
        .retry_on_initial_connect()
        .event_callback(|event| async move { tracing::info!(%event, "NATS") });
    if let Some(file) = &settings.authorities {
        options = options.add_root_certificates(file.clone());
    }
    if let Some((certificate, key)) = &settings.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    if let Some(tls) = &settings.tls {
        options = options.tls_client_config(tls.clone()).require_tls(true);
    }
    let wrong = |error: std::io::Error| Fault::new(Class::Rejected, "nats-address", error.to_string());
    let servers = settings.url.split(',').map(|one| one.trim().parse::<ServerAddr>().map_err(wrong));
    let servers = servers.collect::<Result<Vec<_>, _>>()?;
    let failed =
        |error: async_nats::ConnectError| Fault::new(Class::Rejected, "nats-connect", error.to_string());
    options.connect(servers).await.map_err(failed)
}
