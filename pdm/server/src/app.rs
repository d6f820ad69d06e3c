//! What the server is made of, and what every handler sees of it.

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use pdm_engine::Engine;
use pdm_engine::token::TokenKey;
use pdm_ports::SignIn;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use crate::auth::Authenticator;
use crate::limit::RateLimits;
use crate::pages::issuer::Renewals;
use crate::pages::session::Seal;
use crate::trusted::TrustedNetworks;

/// What the server is made of.
pub struct App {
    /// Intents and reads.
    pub engine: Arc<Engine>,
    /// Who may ask.
    pub authenticator: Arc<dyn Authenticator>,
    /// Networks whose clients may use the older paths without a token.
    pub trusted: TrustedNetworks,
    /// Bounds on requests.
    pub limits: Limits,
    /// Recomputes the token of a replayed reservation; from the same secret as the engine's.
    pub token_key: TokenKey,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// How pages are served.
    pub pages: Pages,
    /// Signs people in by an issuer's page; none when it is not set up.
    pub sign_in: Option<Arc<dyn SignIn>>,
    /// The listener's TLS; without it it speaks HTTP.
    pub tls: Option<Tls>,
}

/// TLS of the listener. What the configuration shows and trusts may change while it is in use.
#[derive(Clone)]
pub struct Tls {
    /// For every connection.
    pub config: Arc<rustls::ServerConfig>,
    /// The workload in a chain that was verified.
    pub workload: fn(&[CertificateDer<'_>]) -> Option<Arc<str>>,
}

/// How pages are served.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    /// Browsers reach them by HTTPS, so cookies may travel by nothing else.
    pub secure: bool,
    /// Addresses that calls to registrars come from, for whoever has to allow them.
    pub egress: Vec<String>,
    /// Whose pages may show the wizard in a frame: exact origins; none may when it is empty.
    pub frame_ancestors: Vec<String>,
    /// Where people reach them; an issuer sends people back there.
    pub address: Option<String>,
}

/// Bounds on requests.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests a second of one token, or of one address without a token. 0 is no limit.
    pub per_second: u32,
    /// Requests that may come at once on top.
    pub burst: u32,
    /// Octets of a body.
    pub body: usize,
    /// Time for a body to arrive.
    pub body_time: Duration,
    /// Time for the head of a request to arrive; also how long an idle connection is kept.
    pub head_time: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Time that requests under way have at a graceful stop.
    pub drain: Duration,
    /// How long commit and release of the older paths wait for the end. Their client gives up after 10 to 15 s.
    pub older_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_second: 20_000,
            burst: 20_000,
            body: 64 * 1024,
            body_time: Duration::from_secs(10),
            head_time: Duration::from_secs(30),
            connections: 4096,
            drain: Duration::from_secs(10),
            older_wait: Duration::from_secs(8),
        }
    }
}

/// What every handler sees.
pub(crate) struct Shared {
    pub app: App,
    pub rates: RateLimits,
    /// Sessions, links and forms of pages.
    pub seal: Seal,
    /// Sessions that were renewed lately.
    pub renewals: Renewals,
    /// True at a graceful stop: waits and streams end.
    pub stop: watch::Receiver<bool>,
}

/// The state of the router.
pub(crate) type S = Arc<Shared>;

impl Shared {
    pub fn new(app: App, stop: watch::Receiver<bool>) -> S {
        let rates = RateLimits::new(&app.limits);
        let seal = Seal::new(&app.token_key);
        Arc::new(Self { app, rates, seal, renewals: Renewals::default(), stop })
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.app.engine
    }

    /// Return once the server stops; never, when nobody can stop it.
    pub async fn stopped(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
