//! The one way out to vendors: bounded in time and size, paced per credential, redacted, logged without bodies.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;
use pdm_model::Timestamp;
use pdm_ports::registrar::Credential;
use pdm_ports::{Class, Fault};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::flow::About;
use crate::gate::Gate;
use crate::kind::{Kind, by_status_alone, excerpt};
use crate::redact::redact;

/// The longest answer that is read: ten times the largest zone a vendor lists.
const MAX_ANSWER: usize = 4 << 20;
/// Lanes that are kept; idle ones beyond it are forgotten.
const MAX_LANES: usize = 10_000;
/// A vendor that asks for a longer pause than this is asked again after it.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// How to reach one vendor. The defaults are right for production.
#[derive(Debug, Clone)]
pub struct Options {
    /// Another base URL: a sandbox or a simulator. Without the trailing slash.
    pub base: Option<String>,
    /// The longest one call may take.
    pub timeout: Duration,
    /// The longest to wait for a turn before saying "rate limited".
    pub patience: Duration,
    /// Other limits than the vendor's.
    pub calls_per_minute: Option<u32>,
    /// Special addresses that a server named in a credential may have. Public addresses need no leave.
    pub allowed: Vec<IpNet>,
    /// The clock that signs where the protocol wants the time of this machine.
    pub now: fn() -> Timestamp,
}

/// Signatures with a time in them are made for servers that look at their own clock, so it is the machine's.
#[expect(clippy::disallowed_methods, reason = "no store's time is near enough for a signature")]
fn wall_clock() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

impl Default for Options {
    fn default() -> Self {
        Self {
            base: None,
            timeout: Duration::from_secs(20),
            patience: Duration::from_secs(10),
            calls_per_minute: None,
            allowed: Vec::new(),
            now: wall_clock,
        }
    }
}

/// What all adapters share: connections, and what is known of each credential's limits.
pub struct Http {
    client: reqwest::Client,
    salt: hmac::Key,
    lanes: Mutex<HashMap<[u8; 32], Arc<Lane>>>,
    zones: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// One credential's way to one vendor.
struct Lane {
    calls: Semaphore,
    pace: DefaultDirectRateLimiter,
    closed_until: Mutex<Option<Instant>>,
}

impl Http {
    /// The shared client. Redirects are not followed: they would carry secrets elsewhere.
    ///
    /// # Errors
    /// When no client can be made, which is a fault of the build or of the machine.
    pub fn new() -> Result<Arc<Self>, Fault> {
        Self::build(|client| client)
    }

    /// A client for servers that users name: what a name resolves to is judged when it is connected to.
    pub(crate) fn guarded(gate: Gate) -> Result<Arc<Self>, Fault> {
        Self::build(|client| client.dns_resolver(Arc::new(gate)).no_proxy())
    }

    fn build(
        more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Arc<Self>, Fault> {
        // A second call finds the provider in place, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // Some vendors compare names of headers with their case.
            .http1_title_case_headers()
            .connect_timeout(Duration::from_secs(5))
            .user_agent(concat!("pool-domain-manager/", env!("CARGO_PKG_VERSION")));
        let client = more(client)
            .build()
            .map_err(|error| Fault::new(Class::Bug, "registrar-client", error.without_url().to_string()))?;
        let mut salt = [0; 32];
        SystemRandom::new()
            .fill(&mut salt)
            .map_err(|_| Fault::new(Class::Bug, "registrar-client", "the system gives no random numbers"))?;
        Ok(Arc::new(Self {
            client,
            salt: hmac::Key::new(hmac::HMAC_SHA256, &salt),
            lanes: Mutex::default(),
            zones: Mutex::default(),
        }))
    }

    /// Become the only writer of a zone at a vendor in this process.
    pub(crate) async fn hold(&self, vendor: &str, zone: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut zones = open(&self.zones);
            zones.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(zones.entry(format!("{vendor}/{zone}")).or_default())
        };
        lock.lock_owned().await
    }

    fn lane(&self, wire: &Wire, credential: &Credential) -> Arc<Lane> {
        let mut context = hmac::Context::with_key(&self.salt);
        for part in [wire.vendor, &wire.base] {
            context.update(digest::digest(&digest::SHA256, part.as_bytes()).as_ref());
        }
        for (name, value) in credential.fields() {
            context.update(digest::digest(&digest::SHA256, name.as_bytes()).as_ref());
            context.update(digest::digest(&digest::SHA256, value.as_bytes()).as_ref());
        }
        let mut id = [0; 32];
        id.copy_from_slice(context.sign().as_ref());
        let mut lanes = open(&self.lanes);
        if lanes.len() >= MAX_LANES {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1 || lane.closed_for().is_some());
        }
        Arc::clone(lanes.entry(id).or_insert_with(|| Arc::new(Lane::new(wire))))
    }
}

impl Lane {
    fn new(wire: &Wire) -> Self {
        let quota = if wire.parallel <= 1 {
            // One at a time, evenly spaced.
            Quota::per_minute(wire.calls_per_minute).allow_burst(NonZeroU32::MIN)
        } else {
            // A burst of half and a refill of half keep every minute within the whole.
            let half = NonZeroU32::new(wire.calls_per_minute.get() / 2).unwrap_or(NonZeroU32::MIN);
            Quota::per_minute(half)
        };
        Self {
            calls: Semaphore::new(wire.parallel.max(1)),
            pace: RateLimiter::direct(quota),
            closed_until: Mutex::new(None),
        }
    }

    fn closed_for(&self) -> Option<Duration> {
        let until = (*open(&self.closed_until))?;
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    fn close_for(&self, pause: Duration) {
        let until = Instant::now() + pause.min(MAX_PAUSE);
        let mut closed = open(&self.closed_until);
        *closed = Some(closed.map_or(until, |known| known.max(until)));
    }
}

/// One vendor's end of the client.
pub(crate) struct Wire {
    pub(crate) http: Arc<Http>,
    pub(crate) vendor: &'static str,
    /// Where it is; empty when the credential says so.
    pub(crate) base: String,
    /// What an answer means.
    pub(crate) judge: fn(&Answer, &Credential) -> Result<(), Fault>,
    /// How long to stop when the vendor says "too many" without saying for how long.
    pub(crate) pause: Duration,
    timeout: Duration,
    patience: Duration,
    calls_per_minute: NonZeroU32,
    parallel: usize,
}

/// One call. The URL carries no secret.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, Zeroizing<String>)>,
    pub(crate) body: Option<(&'static str, Zeroizing<Vec<u8>>)>,
}

const JSON: &str = "application/json";

impl Call {
    /// A call that speaks JSON, with a body or without.
    pub(crate) fn json(method: Method, url: String, body: Option<&Value>) -> Self {
        let body = body.map(|body| (JSON, Zeroizing::new(body.to_string().into_bytes())));
        Self { method, url, headers: Vec::new(), body }.with("accept", JSON)
    }

    /// The same with one header more, which may be a secret.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Zeroizing::new(value.into())));
        self
    }
}

/// One answer, whatever its status, without secrets.
pub(crate) struct Answer {
    pub(crate) vendor: &'static str,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(
        about: &About,
        base: &str,
        http: &Arc<Http>,
        options: &Options,
        judge: fn(&Answer, &Credential) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let About { id: vendor, capability, .. } = *about;
        let base = options.base.as_deref().unwrap_or(base).trim_end_matches('/');
        let parsed = reqwest::Url::parse(base).ok();
        let plain = parsed.is_some_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
        });
        if !base.is_empty() && !plain {
            let detail =
                format!("the base URL of {vendor} must be http(s):// and a host, without user or query");
            return Err(Fault::new(Class::Rejected, "registrar-url", detail));
        }
        let calls = options.calls_per_minute.unwrap_or(capability.calls_per_minute);
        Ok(Self {
            http: Arc::clone(http),
            vendor,
            base: base.to_owned(),
            judge,
            pause: Duration::from_secs(60),
            timeout: options.timeout,
            patience: options.patience,
            calls_per_minute: NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN),
            parallel: capability.parallel,
        })
    }

    /// Make one call and judge its answer.
    pub(crate) async fn call(&self, credential: &Credential, call: Call) -> Result<Answer, Fault> {
        let lane = self.http.lane(self, credential);
        let _turn = tokio::time::timeout(self.patience, self.turn(&lane)).await.unwrap_or_else(|_| {
            Err(self.limited(Duration::from_secs(60).div_f64(f64::from(self.calls_per_minute.get()))))
        })?;
        let (method, path) = (call.method.clone(), path_of(&call.url).to_owned());
        let started = Instant::now();
        let sent = self.send(credential, call).await;
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = sent.as_ref().map_or(0, |(answer, _)| answer.status);
        tracing::debug!(registrar = self.vendor, %method, path, status, millis, "registrar call");
        metrics::counter!("pdm_registrar_calls_total", "registrar" => self.vendor, "status" => status.to_string())
            .increment(1);
        let (answer, named_pause) = sent?;
        match (self.judge)(&answer, credential) {
            Ok(()) => Ok(answer),
            Err(mut fault) => {
                if fault.class == Class::RateLimited {
                    let pause = fault.retry_after.or(named_pause).unwrap_or(self.pause).min(MAX_PAUSE);
                    lane.close_for(pause);
                    fault.retry_after = Some(pause);
                } else if fault.class == Class::Transient && fault.retry_after.is_none() {
                    fault.retry_after = named_pause;
                }
                Err(fault)
            }
        }
    }

    async fn turn<'a>(&self, lane: &'a Lane) -> Result<tokio::sync::SemaphorePermit<'a>, Fault> {
        let permit = lane
            .calls
            .acquire()
            .await
            .map_err(|_| Fault::new(Class::Bug, "registrar-client", "the lane was closed"))?;
        loop {
            if let Some(left) = lane.closed_for() {
                return Err(self.limited(left));
            }
            let wait = match lane.pace.check() {
                Ok(()) => return Ok(permit),
                Err(not_until) => not_until.wait_time_from(DefaultClock::default().now()),
            };
            if wait > self.patience {
                return Err(self.limited(wait));
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn limited(&self, wait: Duration) -> Fault {
        let detail =
            format!("{} allows no more calls with this credential for now; nothing was sent", self.vendor);
        Fault { retry_after: Some(wait), ..Kind::RateLimited.fault(detail) }
    }

    async fn send(&self, credential: &Credential, call: Call) -> Result<(Answer, Option<Duration>), Fault> {
        let mut builder = self.http.client.request(call.method, &call.url).timeout(self.timeout);
        for (name, value) in &call.headers {
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                Fault::new(Class::Credential, "credential-malformed", "a field cannot stand in a header")
            })?;
            value.set_sensitive(true);
            builder = builder.header(HeaderName::from_static(name), value);
        }
        if let Some((kind, body)) = call.body {
            builder = builder.header(CONTENT_TYPE, kind).body(body.to_vec());
        }
        let mut response = builder.send().await.map_err(|error| self.transport(&error))?;
        let status = response.status().as_u16();
        let pause = retry_after(response.headers());
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER => body.extend_from_slice(&chunk),
                Ok(Some(_)) => {
                    let detail = format!("{}'s answer is longer than {MAX_ANSWER} octets", self.vendor);
                    return Err(Kind::Garbage.fault(detail));
                }
                Ok(None) => break,
                Err(error) => return Err(self.transport(&error)),
            }
        }
        Ok((Answer { vendor: self.vendor, status, body: redact(body, credential) }, pause))
    }

    /// The error's own text is not used: it may hold the URL.
    fn transport(&self, error: &reqwest::Error) -> Fault {
        let (code, what) = if error.is_builder() {
            return Fault::new(Class::Bug, "registrar-request", "the request could not be built");
        } else if error.is_connect() {
            ("registrar-unreachable", "cannot be reached")
        } else if error.is_timeout() {
            ("registrar-no-answer", "did not answer in time")
        } else {
            ("registrar-no-answer", "broke the connection")
        };
        Fault::transient(code, format!("{} {what}", self.vendor))
    }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // Only the place is told: the text around it could be anything.
            let place = format!("line {} column {}", error.line(), error.column());
            self.garbage(&format!("no JSON of the expected shape ({place})"))
        })
    }

    /// Success is told without a body or with JSON; a page for people is no success.
    pub(crate) fn nothing_or_json(&self) -> Result<(), Fault> {
        if self.body.is_empty() { Ok(()) } else { self.json::<serde::de::IgnoredAny>().map(|_| ()) }
    }

    /// Something between us and the vendor spoke.
    pub(crate) fn foreign(&self) -> Fault {
        self.fault(by_status_alone(self.status), "what is not of the vendor's form")
    }

    /// It made no sense.
    pub(crate) fn garbage(&self, what: &str) -> Fault {
        Kind::Garbage.fault(format!("{}'s answer ({}) is {what}", self.vendor, self.status))
    }

    /// A fault of a kind with the vendor's words.
    pub(crate) fn fault(&self, kind: Kind, words: &str) -> Fault {
        kind.fault(format!("{} answered {}: {}", self.vendor, self.status, excerpt(words)))
    }
}

/// `Retry-After`: seconds, or a date that is compared with the answer's own `Date`, so that no clock of ours counts.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(MAX_PAUSE));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp());
    let now = date(headers.get(DATE)?.to_str().ok()?)?;
    let wait = date(text)?.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or_default().min(MAX_PAUSE))
}

fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.split('?').next().unwrap_or(path)
}

/// A poisoned lock guards plain values that are never left half-written.
pub(crate) fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("30"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(30)));
        headers.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Sun, 06 Nov 1994 08:50:37 GMT"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(60)));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Sun, 06 Nov 1994 08:00:00 GMT"));
        assert_eq!(retry_after(&headers), Some(Duration::ZERO));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
        assert_eq!(retry_after(&headers), None);
    }

    #[test]
    fn a_path_has_no_host_and_no_query() {
        assert_eq!(path_of("https://h/a/b?c=d"), "/a/b");
        assert_eq!(path_of("https://h"), "/");
    }
}
