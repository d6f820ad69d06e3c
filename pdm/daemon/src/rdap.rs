//! Registration data by RDAP (RFC 9083) for audits: when the domain ends and how it is locked. Whoever is asked stands in
//! the configuration; without it the checks that need it are skipped and say so.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pdm_model::Timestamp;
use pdm_model::audit::Report;
use pdm_ports::Fault;
use pdm_ports::audit::{AuditRequest, Audited, Auditor, Glance, GlanceRequest, Registration};
use serde_json::Value;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer is used again this long: registries limit who asks often.
const KEPT: Duration = Duration::from_secs(3600);
/// Answers kept; past it all are asked for again.
const MAX_KEPT: usize = 4096;

/// An auditor that knows registrations.
pub struct WithRegistrations {
    inner: Arc<dyn Auditor>,
    base: String,
    http: reqwest::Client,
    kept: Mutex<HashMap<String, (Instant, Registration)>>,
}

impl WithRegistrations {
    /// Ask at `base`, as in `https://rdap.example`.
    pub fn new(inner: Arc<dyn Auditor>, base: &str) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap_or_default();
        Self { inner, base: base.trim_end_matches('/').to_owned(), http, kept: Mutex::default() }
    }

    async fn registration(&self, fqdn: &str) -> Registration {
        let Some(domain) = psl::domain_str(fqdn).map(str::to_owned) else {
            return Registration::Unknown(format!("{fqdn} is not below a registered domain"));
        };
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, known)) = kept.get(&domain).filter(|(since, _)| since.elapsed() < KEPT) {
                return known.clone();
            }
        }
        let known = match self.ask(&domain).await {
            Ok(known) => known,
            // Not kept: the next audit asks again.
            Err(why) => {
                return Registration::Unknown(format!("{} says nothing about {domain}: {why}", self.base));
            }
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(domain, (Instant::now(), known.clone()));
        known
    }

    async fn ask(&self, domain: &str) -> Result<Registration, String> {
        let request = self.http.get(format!("{}/domain/{domain}", self.base));
        let answer = request.header("accept", "application/rdap+json").send().await;
        let answer =
            answer.and_then(reqwest::Response::error_for_status).map_err(|e| e.without_url().to_string())?;
        let octets = answer.bytes().await.map_err(|e| e.without_url().to_string())?;
        serde_json::from_slice(&octets).map(|body| read(&body)).map_err(|e| e.to_string())
    }
}

/// What a domain object says; members that are missing or odd are not known.
fn read(body: &Value) -> Registration {
    let list = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let expires = list("events").into_iter().find_map(|event| {
        let ends = event.get("eventAction").and_then(Value::as_str) == Some("expiration");
        let at: Option<Timestamp> = serde_json::from_value(event.get("eventDate")?.clone()).ok();
        at.filter(|_| ends).map(|at| at.0)
    });
    let status: BTreeSet<String> =
        list("status").iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect();
    Registration::Known { expires, status }
}

#[async_trait]
impl Auditor for WithRegistrations {
    async fn audit(&self, mut request: AuditRequest) -> Result<Audited, Fault> {
        request.registration = self.registration(request.fqdn.as_str()).await;
        self.inner.audit(request).await
    }

    fn replay(&self, recording: &[u8]) -> Result<Report, Fault> {
        self.inner.replay(recording)
    }

    async fn glance(&self, request: &GlanceRequest) -> Glance {
        self.inner.glance(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_domain_object_tells_its_end_and_its_locks() {
        let body = json!({
            "objectClassName": "domain",
            "status": ["active", "Client Transfer Prohibited", 7],
            "events": [
                { "eventAction": "registration", "eventDate": "2020-01-01T00:00:00Z" },
                { "eventAction": "expiration", "eventDate": "2027-01-15T08:00:00Z" }
            ]
        });
        let status = BTreeSet::from(["active".to_owned(), "client transfer prohibited".to_owned()]);
        assert_eq!(read(&body), Registration::Known { expires: Some(1_800_000_000_000), status });
        for odd in [json!([]), json!({ "events": [{ "eventAction": "expiration", "eventDate": 7 }] })] {
            assert_eq!(read(&odd), Registration::Known { expires: None, status: BTreeSet::new() });
        }
    }

    #[tokio::test]
    async fn a_registry_that_cannot_be_reached_makes_a_reason() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        struct Nobody;
        #[async_trait]
        impl Auditor for Nobody {
            async fn audit(&self, _: AuditRequest) -> Result<Audited, Fault> {
                Err(Fault::transient("down", ""))
            }
            fn replay(&self, _: &[u8]) -> Result<Report, Fault> {
                Err(Fault::transient("down", ""))
            }
            async fn glance(&self, request: &GlanceRequest) -> Glance {
                Glance { fqdn: request.fqdn.clone(), wrong: None, unasked: true, millis: 0 }
            }
        }
        let auditor = WithRegistrations::new(Arc::new(Nobody), "http://127.0.0.1:1/");
        let Registration::Unknown(why) = auditor.registration("a.omani.works").await else { panic!() };
        assert!(why.contains("says nothing about omani.works"), "{why}");
        assert!(matches!(auditor.registration("works").await, Registration::Unknown(_)));
    }
}
