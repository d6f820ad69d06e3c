//! All processes that serve one database: the first takes every write, because PowerDNS does not serialise changes
//! that reach one zone through two processes; caches live in each.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use pdm_model::ZoneName;
use pdm_ports::{Class, Fault};
use reqwest::Method;
use serde::Deserialize;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::answer::{ApiError, garbage};
use crate::client::{Client, Request, admit};
use crate::config::{InstanceConfig, Options};

/// The server's settings, by name.
pub(crate) type Settings = BTreeMap<String, String>;

/// The processes and what was learned about the first.
pub(crate) struct Instances {
    clients: Vec<Client>,
    gate: OnceCell<Semaphore>,
    timeout: Duration,
    width: usize,
}

impl Instances {
    pub(crate) fn new(configs: &[InstanceConfig], options: &Options) -> Result<Self, Fault> {
        if configs.is_empty() {
            return Err(Fault::new(Class::Rejected, "powerdns-url", "no PowerDNS instance is configured"));
        }
        let http = http(configs, options)?;
        let clients = configs
            .iter()
            .map(|config| {
                let http = match &config.tls {
                    Some(tls) => built(client(options).tls_backend_preconfigured(tls.clone()))?,
                    None => http.clone(),
                };
                Client::new(http, config, options)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let width = options.calls_in_flight.max(1);
        Ok(Self { clients, gate: OnceCell::new(), timeout: options.timeout, width })
    }

    /// The one that takes all writes and answers all reads.
    pub(crate) fn primary(&self) -> &Client {
        // `new` refused an empty list.
        &self.clients[0]
    }

    /// All of them, the primary first.
    pub(crate) fn all(&self) -> &[Client] {
        &self.clients
    }

    /// The longest one call may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Wait for the right to write. With SQLite one write at a time: it locks the whole database, and PowerDNS
    /// answers 500 instead of waiting.
    pub(crate) async fn write_permit(&self) -> Result<SemaphorePermit<'_>, Fault> {
        let gate = self
            .gate
            .get_or_try_init(|| async {
                let settings = settings(self.primary()).await?;
                let sqlite = settings.get("launch").is_some_and(|launch| launch.contains("gsqlite3"));
                Ok::<_, Fault>(Semaphore::new(if sqlite { 1 } else { self.width }))
            })
            .await?;
        admit(gate, self.timeout).await
    }

    /// Drop what the processes remember of a name and of everything below it. `others` leaves out the primary, whose
    /// PATCH and DELETE do that themselves (its POST does not).
    pub(crate) async fn flush(&self, name: &ZoneName, others: bool) -> Result<(), Fault> {
        let clients = self.clients.iter().skip(usize::from(others));
        let path = format!("/cache/flush?domain={}", name.dotted());
        let calls = clients.map(|client| {
            let request = Request::write("flush", Method::PUT, path.clone(), Some(b"{}".to_vec()));
            client.call(request)
        });
        for outcome in join_all(calls).await {
            outcome.map_err(ApiError::into_fault)?;
        }
        Ok(())
    }

    /// The same where the write itself was done: an answer that stays old a little longer is no reason to say that
    /// the write failed; whoever proves it asks every instance.
    pub(crate) async fn flush_others(&self, name: &ZoneName) {
        if self.clients.len() > 1
            && let Err(fault) = self.flush(name, true).await
        {
            tracing::warn!(zone = %name, code = fault.code, "an instance keeps its old answers until they expire");
        }
    }
}

#[derive(Deserialize)]
struct Setting {
    name: String,
    // Some versions tell numbers as numbers.
    value: serde_json::Value,
}

/// The settings of one process.
pub(crate) async fn settings(client: &Client) -> Result<Settings, Fault> {
    let reply = client.call(Request::get("config", "/config")).await.map_err(|error| match error {
        // Nothing else is missing on a server that answers at all.
        ApiError::Missing => Fault::new(
            Class::Rejected,
            "powerdns-server-id",
            format!("there is no server at {}", client.address()),
        ),
        other => other.into_fault(),
    })?;
    let settings: Vec<Setting> =
        serde_json::from_slice(&reply.body).map_err(|error| garbage("settings", &error))?;
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(settings.into_iter().map(|setting| (setting.name, text(setting.value))).collect())
}

fn http(configs: &[InstanceConfig], options: &Options) -> Result<reqwest::Client, Fault> {
    install_crypto();
    let mut builder = client(options);
    if configs.iter().all(|config| config.url.starts_with("http://")) {
        // Loading the system's certificates costs time and memory that plain HTTP does not need.
        builder = builder.tls_certs_only(std::iter::empty());
    }
    built(builder)
}

fn client(options: &Options) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        // PowerDNS closes every connection; a pool would only find dead ones.
        .pool_max_idle_per_host(0)
        .connect_timeout(options.connect_timeout)
        // The key goes to the configured server and nowhere else.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Fault> {
    builder.build().map_err(|error| Fault::new(Class::Bug, "powerdns-client", error.to_string()))
}

/// One crypto library in the process; whoever comes first installs it.
fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race means that it is installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
