//! One issuer: its keys in memory, and when to ask for them again.
//!
//! Requests are answered from memory. A loop beside them fetches the keys before they are old; while the issuer does
//! not answer the known ones stay in use, up to a bound, so that an outage of the issuer is none of ours. A key that the
//! issuer took back is gone with the next good answer. A token that names an unknown key makes one fetch at once, which
//! is how a rotation is noticed without a refused request; who floods with invented keys is held by a pause.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use pdm_ports::Fault;
use tokio::sync::{Mutex, watch};

use crate::claims::{ClaimNames, Identity};
use crate::discovery::{Document, Endpoints, address};
use crate::fetch;
use crate::jwk::{Key, Set};
use crate::sign_in::Client;
use crate::token::{Algorithm, Kind, Parts, Refused, Rules, verify};

/// Between two fetches that unknown keys cause.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause while the issuer does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is configured.
pub struct Settings {
    /// The issuer, exactly as its tokens name it.
    pub issuer: String,
    /// The audience that tokens for PDM must name.
    pub audience: String,
    /// Accepted algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Where the claims stand.
    pub claims: ClaimNames,
    /// How far the clocks may be apart.
    pub skew: Duration,
    /// The oldest that known keys may become before they are fetched again.
    pub refresh: Duration,
    /// How long known keys are used while the issuer does not answer.
    pub stale: Duration,
    /// Certificate authorities of the issuer, PEM; the system's when left out.
    pub authorities: Option<Vec<u8>>,
    /// Who PDM is at the issuer, for pages.
    pub client: Option<Client>,
    /// Seconds since the epoch.
    pub clock: fn() -> i64,
}

/// What the issuer told, and when.
pub(crate) struct Known {
    keys: Vec<Key>,
    pub endpoints: Endpoints,
    at: Instant,
}

/// One issuer.
pub struct Provider {
    pub(crate) settings: Settings,
    pub(crate) http: reqwest::Client,
    known: RwLock<Option<Arc<Known>>>,
    /// Held over a fetch; when the last one that a token caused began.
    fetching: Mutex<Option<Instant>>,
}

impl Provider {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// The issuer is no address that keys may come from, or the certificates make no sense.
    pub fn new(settings: Settings) -> Result<Self, Fault> {
        address(&settings.issuer)?;
        let http = fetch::client(&settings.issuer, settings.authorities.as_deref())?;
        Ok(Self { settings, http, known: RwLock::default(), fetching: Mutex::default() })
    }

    /// Who an access token speaks for, from memory.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn identify(&self, token: &str) -> Result<Identity, Refused> {
        let outcome = self.check(token, &self.settings.audience, Kind::Access);
        if let Err(refused) = &outcome {
            metrics::counter!("pdm_oidc_refused_total", "reason" => refused.as_str()).increment(1);
        }
        outcome
    }

    pub(crate) fn check(&self, token: &str, audience: &str, kind: Kind<'_>) -> Result<Identity, Refused> {
        let settings = &self.settings;
        let parts = Parts::of(token)?;
        let known =
            self.known().filter(|known| known.at.elapsed() < settings.stale).ok_or(Refused::NoKeys)?;
        let rules = Rules {
            issuer: &settings.issuer,
            audience,
            algorithms: &settings.algorithms,
            skew: i64::try_from(settings.skew.as_secs()).unwrap_or(0),
            kind,
        };
        let (subject, claims) = verify(&parts, &known.keys, &rules, (settings.clock)())?;
        Ok(Identity::of(&subject, &claims, &settings.claims))
    }

    /// Whether a refused token deserves a second look: it names a key that was unknown and is known now.
    pub async fn learn(&self, token: &str) -> bool {
        let Ok(parts) = Parts::of(token) else { return false };
        let Some(kid) = parts.key_wanted(&self.settings.algorithms) else { return false };
        if self.knows(kid) {
            return false;
        }
        let mut last = self.fetching.lock().await;
        // Whoever waited for the lock finds what its holder fetched.
        if self.knows(kid) {
            return true;
        }
        if last.is_some_and(|at| at.elapsed() < PAUSE) {
            return false;
        }
        *last = Some(Instant::now());
        if let Err(fault) = self.fetch().await {
            tracing::warn!(%fault, issuer = self.settings.issuer, "the issuer's keys could not be fetched");
        }
        self.knows(kid)
    }

    /// Keep the keys fresh until `stop`.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut pause = Duration::from_millis(500);
        loop {
            let fetched = {
                let _turn = self.fetching.lock().await;
                self.fetch().await
            };
            let wait = match fetched {
                Ok(fresh_for) => {
                    pause = Duration::from_millis(500);
                    fresh_for
                }
                Err(fault) => {
                    tracing::warn!(%fault, issuer = self.settings.issuer, "the issuer's keys could not be fetched");
                    pause =
                        (pause * 2).min(LONGEST_PAUSE).min(self.settings.refresh.max(Duration::from_secs(1)));
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                stopped = stop.wait_for(|stop| *stop) => {
                    drop(stopped);
                    return;
                }
            }
        }
    }

    /// What is known of the issuer; asked now when nothing is.
    pub(crate) async fn endpoints(&self) -> Result<Endpoints, Fault> {
        if let Some(known) = self.known() {
            return Ok(known.endpoints.clone());
        }
        let _turn = self.fetching.lock().await;
        if self.known().is_none() {
            self.fetch().await?;
        }
        let missing = || Fault::transient("oidc-unreachable", "nothing is known of the issuer yet");
        self.known().map(|known| known.endpoints.clone()).ok_or_else(missing)
    }

    /// The document, then the keys; both replace what was known, or neither.
    async fn fetch(&self) -> Result<Duration, Fault> {
        let document = self.http.get(address(&self.settings.issuer)?);
        let document = fetch::json::<Document>("the issuer's document", document).await?;
        let endpoints = document.body.endpoints(&self.settings.issuer)?;
        let set = fetch::json::<Set>("the issuer's keys", self.http.get(endpoints.jwks.clone())).await?;
        let keys = set.body.usable();
        let least = Duration::from_secs(10);
        let fresh_for =
            self.settings.refresh.min(set.max_age.map_or(self.settings.refresh, |age| age.max(least)));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let changed = known.as_ref().is_none_or(|known| known.keys != keys);
        if changed {
            tracing::info!(issuer = self.settings.issuer, keys = keys.len(), "the issuer's keys are known");
        }
        *known = Some(Arc::new(Known { keys, endpoints, at: Instant::now() }));
        drop(known);
        Ok(fresh_for)
    }

    fn known(&self) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn knows(&self, kid: &str) -> bool {
        self.known().is_some_and(|known| known.keys.iter().any(|key| key.kid == kid))
    }

    #[cfg(test)]
    pub(crate) fn teach(&self, keys: Vec<Key>, endpoints: Endpoints) {
        let known = Known { keys, endpoints, at: Instant::now() };
        *self.known.write().unwrap() = Some(Arc::new(known));
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}
