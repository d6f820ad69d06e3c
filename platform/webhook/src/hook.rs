//! Sends notices. Signed as Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`), so that any of its
//! libraries verifies them.
//!
//! If the process dies after the hook took a notice and before it was crossed out, it is sent again with the same id.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use pdm_model::Timestamp;
use pdm_model::address::admit_address;
use pdm_ports::outbox::{EventSink, Happened};
use pdm_ports::{Class, Fault};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};
use ring::hmac;
use zeroize::Zeroizing;

use crate::notice::{Notice, notice};

/// The longest a hook may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Statuses by which a hook says that it will never take this one. Everything else is tried again.
const NEVER: [u16; 3] = [400, 413, 422];

/// Where notices go.
#[derive(Clone)]
pub struct Settings {
    /// The hook.
    pub url: String,
    /// The key of the signature; at least 32 octets.
    pub secret: Zeroizing<Vec<u8>>,
    /// Networks beyond public addresses in which the hook may be.
    pub allowed: Vec<IpNet>,
    /// Addresses for letters, by owner.
    pub letters: BTreeMap<String, String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path of a hook is a secret at many services.
        f.debug_struct("Settings").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// The operator's hook.
pub struct Hook {
    client: Client,
    url: Url,
    key: hmac::Key,
    letters: BTreeMap<String, String>,
    now: fn() -> Timestamp,
}

impl Hook {
    /// A client of the hook; nothing is called.
    ///
    /// # Errors
    /// An address or a key that cannot be used.
    pub fn new(settings: Settings, now: fn() -> Timestamp) -> Result<Self, Fault> {
        let refuse = |detail: &str| Err(Fault::new(Class::Rejected, "hook-refused", detail));
        let Ok(url) = Url::parse(&settings.url) else { return refuse("the hook's address is none") };
        // Without TLS anybody on the way reads it, so that is for the operator's own network.
        match url.scheme() {
            "https" => {}
            "http" if !settings.allowed.is_empty() => {}
            _ => return refuse("the hook must be https, or http in a network that is allowed for it"),
        }
        if settings.secret.len() < 32 {
            return refuse("the hook's secret must have at least 32 octets");
        }
        let gate = Gate { allowed: settings.allowed, only: url.scheme() == "http" };
        let literal = url.host_str().and_then(|h| h.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        if let Some(Err(why)) = literal.map(|ip| gate.admit(ip)) {
            return refuse(&why);
        }
        // A second call finds the provider in place, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(PATIENCE)
            .dns_resolver(std::sync::Arc::new(gate))
            .user_agent(concat!("pool-domain-manager/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Fault::new(Class::Bug, "hook-client", error.without_url().to_string()))?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &settings.secret);
        Ok(Self { client, url, key, letters: settings.letters, now })
    }

    async fn send(&self, notice: Notice) -> Result<(), Fault> {
        let at = (self.now)().0.div_euclid(1000);
        let signature = signature(&self.key, &notice.id, at, &notice.body);
        let sent = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/cloudevents+json")
            .header("webhook-id", &notice.id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", signature)
            .body(notice.body)
            .send()
            .await
            // The error's own text holds the address.
            .map_err(|error| {
                let what = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
                Fault::transient("hook-unreachable", format!("the hook {what}"))
            })?;
        let status = sent.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(());
        }
        if NEVER.contains(&status) {
            tracing::error!(
                id = notice.id,
                status,
                "the hook will not take this notice; it is not sent again"
            );
            return Ok(());
        }
        Err(Fault::transient("hook-refused", format!("the hook answered {status}")))
    }
}

/// `v1,` and the HMAC-SHA256 over id, time and body, in base64.
#[must_use]
pub fn signature(key: &hmac::Key, id: &str, seconds: i64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

#[async_trait]
impl EventSink for Hook {
    async fn tell(&self, happened: &Happened) -> Result<(), Fault> {
        match notice(happened, &self.letters) {
            Some(notice) => self.send(notice).await,
            None => Ok(()),
        }
    }
}

/// What the hook's name may resolve to, judged at the moment of connecting.
#[derive(Clone)]
struct Gate {
    allowed: Vec<IpNet>,
    /// Nowhere but in the allowed networks.
    only: bool,
}

impl Gate {
    fn admit(&self, ip: IpAddr) -> Result<(), String> {
        if self.only && !self.allowed.iter().any(|net| net.contains(&ip)) {
            return Err(format!("the hook's address {ip} is in no network that is allowed for http"));
        }
        admit_address(ip, &self.allowed)
            .map_err(|range| format!("the hook's address {ip} is {range}; allow its network first"))
    }
}

impl Resolve for Gate {
    fn resolve(&self, name: Name) -> Resolving {
        let gate = self.clone();
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let mut refused = None;
            let mut admitted = Vec::new();
            for address in found {
                match gate.admit(address.ip()) {
                    Ok(()) => admitted.push(address),
                    Err(why) => refused = Some(why),
                }
            }
            match refused {
                Some(why) if admitted.is_empty() => {
                    tracing::warn!(why, "the hook is not called");
                    Err(why.into())
                }
                _ => {
                    let addresses: Addrs = Box::new(admitted.into_iter());
                    Ok(addresses)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, allowed: &[&str]) -> Settings {
        Settings {
            url: url.to_owned(),
            secret: Zeroizing::new(vec![7; 32]),
            allowed: allowed.iter().map(|net| net.parse().unwrap()).collect(),
            letters: BTreeMap::new(),
        }
    }

    #[test]
    fn a_hook_is_public_or_in_an_allowed_network() {
        let made = |url, allowed: &[&str]| Hook::new(settings(url, allowed), || Timestamp(0)).is_ok();
        assert!(made("https://hooks.example/pdm", &[]) && made("https://9.9.9.9/x", &[]));
        for bad in [
            "http://hooks.example/pdm",
            "https://127.0.0.1/x",
            "https://[::1]/x",
            "https://169.254.169.254/latest/meta-data",
            "https://10.1.2.3/x",
            "ftp://hooks.example/",
            "nonsense",
        ] {
            assert!(!made(bad, &[]), "{bad}");
        }
        assert!(made("http://10.1.2.3/x", &["10.0.0.0/8"]) && made("https://10.1.2.3/x", &["10.0.0.0/8"]));
        assert!(!made("http://9.9.9.9/x", &["10.0.0.0/8"]), "plain text stays in the allowed network");
        let short =
            Settings { secret: Zeroizing::new(vec![7; 31]), ..settings("https://hooks.example/", &[]) };
        assert!(Hook::new(short, || Timestamp(0)).is_err());
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_a_special_address_is_not_called() {
        let gate = Gate { allowed: vec![], only: false };
        assert!(gate.resolve("localhost".parse().unwrap()).await.is_err());
        let open = Gate { allowed: vec!["127.0.0.0/8".parse().unwrap()], only: true };
        assert!(open.resolve("localhost".parse().unwrap()).await.is_ok());
    }

    /// The vector of the Standard Webhooks specification.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let made = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn settings_show_neither_secret_nor_path() {
        let shown = format!("{:?}", settings("https://hooks.example/T0/B1/xyz", &[]));
        assert!(!shown.contains("xyz") && !shown.contains("7, 7"), "{shown}");
    }
}
