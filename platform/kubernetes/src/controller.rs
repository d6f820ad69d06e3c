//! Which object is looked at when, and writing down what was found.

use std::collections::BTreeMap;
use std::time::Duration;

use pdm_api::declared::{API_VERSION, DeclaredStatus, Document};
use pdm_client::Client;
use pdm_model::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::{Api, Problem};
use crate::cache::Cache;
use crate::object::{FINALIZER, Key, Kind, Object};
use crate::reconcile::{RELEASE, Reconcile};
use crate::status::{Again, READY, Verdict};
use crate::watch::follow;

/// Between two looks at what is under way.
const SOON: Duration = Duration::from_secs(2);
/// Between two looks at what waits for somebody.
const NOW_AND_THEN: Duration = Duration::from_secs(15);
/// The longest pause after failures.
const LONGEST: Duration = Duration::from_secs(300);
/// Octets of an Event's message.
const MESSAGE: usize = 1000;

/// How the controller behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Only resources of this namespace; all when left out.
    pub namespace: Option<String>,
    /// Whether names that others made are taken over once they are declared.
    pub adopt: bool,
    /// How often everything is looked at.
    pub round: Duration,
    /// Reads a time as in `90m`.
    pub seconds: fn(&str) -> Option<u64>,
    /// The host's clock, for times that people read.
    pub now: fn() -> Timestamp,
}

/// Kubernetes on one side, PDM on the other.
pub struct Controller {
    api: Api,
    pdm: Client,
    settings: Settings,
    cache: Cache,
    due: BTreeMap<Key, Turn>,
}

/// An object's place in the queue.
struct Turn {
    at: Instant,
    /// How often in a row it ended badly.
    failures: u32,
    /// What it was when it was looked at. What we write ourselves is no reason to look again.
    seen: Option<Seen>,
}

/// What makes an object another one: its generation, and whether it is being deleted or held.
type Seen = (i64, bool, bool);

fn seen(object: &Object) -> Seen {
    (object.meta.generation, object.meta.deletion_timestamp.is_some(), object.is_held())
}

impl Controller {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(api: Api, pdm: Client, settings: Settings) -> Self {
        Self { api, pdm, settings, cache: Cache::default(), due: BTreeMap::new() }
    }

    /// Until `stop`.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (tell, mut told) = mpsc::unbounded_channel();
        for kind in Kind::ALL {
            let (path, cache) = (self.path(kind, self.settings.namespace.as_deref()), self.cache.clone());
            tokio::spawn(follow(self.api.clone(), kind, path, cache, tell.clone()));
        }
        drop(tell);
        while !*stop.borrow() {
            let next = self.due.values().map(|turn| turn.at).min();
            let next = next.unwrap_or_else(|| Instant::now() + LONGEST);
            tokio::select! {
                biased;
                ended = stop.changed() => if ended.is_err() { return },
                key = told.recv() => match key {
                    Some(key) => self.changed(&key),
                    None => return,
                },
                () = tokio::time::sleep_until(next) => self.turn().await,
            }
        }
    }

    fn path(&self, kind: Kind, namespace: Option<&str>) -> String {
        let plural = kind.plural();
        match namespace {
            Some(namespace) => format!("/apis/{API_VERSION}/namespaces/{namespace}/{plural}"),
            None => format!("/apis/{API_VERSION}/{plural}"),
        }
    }

    fn path_of(&self, key: &Key) -> String {
        format!("{}/{}", self.path(key.kind, Some(&key.namespace)), key.name)
    }

    /// Look at an object now if it is another one, and at those that go by it.
    fn changed(&mut self, key: &Key) {
        let mut others = Vec::new();
        match self.cache.get(key) {
            Some(object) => {
                let turn = self.due.get(key);
                if turn.is_some_and(|turn| turn.seen == Some(seen(&object))) {
                    return;
                }
                self.now(key);
                match object.document {
                    Ok(Document::FailoverPolicy(name, _)) => others = self.cache.users(&key.namespace, &name),
                    Ok(Document::SovereignDomain(spec)) => {
                        let policy =
                            |name| Key { kind: Kind::Policy, namespace: key.namespace.clone(), name };
                        others.extend(spec.failover_policy.map(policy));
                    }
                    Ok(Document::PoolDomain(_)) | Err(_) => {}
                }
            }
            None => {
                self.due.remove(key);
                // What it said of others is not known any more.
                others.extend(self.due.keys().filter(|other| other.kind != Kind::Pool).cloned());
            }
        }
        others.retain(|other| self.cache.get(other).is_some());
        for other in &others {
            self.now(other);
        }
    }

    fn now(&mut self, key: &Key) {
        let now = Instant::now();
        let fresh = Turn { at: now, failures: 0, seen: None };
        self.due.entry(key.clone()).and_modify(|turn| turn.at = now).or_insert(fresh);
    }

    /// The object that waits longest.
    async fn turn(&mut self) {
        let first = self.due.iter().min_by_key(|(_, turn)| turn.at);
        let Some((key, failures)) = first.map(|(key, turn)| (key.clone(), turn.failures)) else { return };
        let Some(object) = self.cache.get(&key) else {
            self.due.remove(&key);
            return;
        };
        let later = SOON.saturating_mul(1 << failures.min(10)).min(LONGEST);
        let (pause, failures, seen) = match self.look(&key, &object).await {
            Ok(Again::InTime) => (self.settings.round, 0, Some(seen(&object))),
            Ok(Again::Soon) => (SOON, 0, Some(seen(&object))),
            Ok(Again::NowAndThen) => (NOW_AND_THEN, 0, Some(seen(&object))),
            Ok(Again::Later(least)) => {
                let least = Duration::from_secs(least.into());
                (later.max(least), failures + 1, Some(seen(&object)))
            }
            // The watch brings what is there now.
            Err(Problem::Conflict | Problem::NotFound(_)) => (SOON, failures, None),
            Err(problem) => {
                tracing::warn!(kind = key.kind.name(), namespace = %key.namespace, name = %key.name, %problem,
                    "nothing could be written about a resource");
                (later, failures + 1, None)
            }
        };
        self.due.insert(key, Turn { at: Instant::now() + pause, failures, seen });
    }

    async fn look(&self, key: &Key, object: &Object) -> Result<Again, Problem> {
        let reconcile = Reconcile {
            pdm: &self.pdm,
            cache: &self.cache,
            adopt: self.settings.adopt,
            seconds: self.settings.seconds,
        };
        if object.meta.deletion_timestamp.is_some() {
            if !object.is_held() {
                return Ok(Again::InTime);
            }
            return match reconcile.leaving(key, object).await {
                Some(verdict) => self.write(key, object, &verdict).await,
                None => self.hold(key, object, false).await,
            };
        }
        let wants = matches!(&object.document, Ok(Document::SovereignDomain(s)) if s.when_deleted.as_deref() == Some(RELEASE));
        // Before anything is made: a name of a resource that goes at once would stay.
        if object.document.is_ok() && wants != object.is_held() {
            return self.hold(key, object, wants).await;
        }
        let verdict = reconcile.present(key, object).await;
        self.write(key, object, &verdict).await
    }

    /// Put our finalizer on, or take it off.
    async fn hold(&self, key: &Key, object: &Object, hold: bool) -> Result<Again, Problem> {
        let mut finalizers: Vec<_> = object.meta.finalizers.iter().filter(|f| *f != FINALIZER).collect();
        let ours = FINALIZER.to_owned();
        if hold {
            finalizers.push(&ours);
        }
        let version = &object.meta.resource_version;
        let patch = json!({ "metadata": { "resourceVersion": version, "finalizers": finalizers } });
        self.api.merge(&self.path_of(key), &patch).await?;
        if object.meta.deletion_timestamp.is_some() {
            self.event(key, object, "Normal", "LetGo", "nothing of it is left that this resource made").await;
        }
        Ok(Again::InTime)
    }

    /// Write the status if it is another one, with an Event when readiness has another reason.
    async fn write(&self, key: &Key, object: &Object, verdict: &Verdict) -> Result<Again, Problem> {
        let status = verdict.status(&object.status, object.meta.generation, (self.settings.now)());
        if status != object.status {
            let version = &object.meta.resource_version;
            let patch = json!({ "metadata": { "resourceVersion": version }, "status": status });
            self.api.merge(&format!("{}/status", self.path_of(key)), &patch).await?;
            let reason = |status: &DeclaredStatus| {
                status.condition(READY).map(|c| (c.status.clone(), c.reason.clone()))
            };
            if reason(&status) != reason(&object.status) {
                tracing::info!(kind = key.kind.name(), namespace = %key.namespace, name = %key.name,
                    reason = verdict.reason, "{}", verdict.message);
                let kind = match (verdict.ready, verdict.again) {
                    (Some(true), _) | (_, Again::Soon | Again::NowAndThen) => "Normal",
                    (Some(false) | None, _) => "Warning",
                };
                self.event(key, object, kind, &verdict.reason, &verdict.message).await;
            }
        }
        Ok(verdict.again)
    }

    /// Events are for people: one that is lost is no reason to stop.
    async fn event(&self, key: &Key, object: &Object, kind: &str, reason: &str, message: &str) {
        let now = (self.settings.now)();
        let message: String = message.chars().take(MESSAGE).collect();
        let event: Value = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": { "generateName": format!("{}.", key.name), "namespace": key.namespace },
            "involvedObject": {
                "apiVersion": API_VERSION, "kind": key.kind.name(), "namespace": key.namespace, "name": key.name,
                "uid": object.meta.uid, "resourceVersion": object.meta.resource_version,
            },
            "type": kind, "reason": reason, "message": message, "count": 1,
            "firstTimestamp": seconds(now), "lastTimestamp": seconds(now),
            "source": { "component": "pool-domain-manager" },
        });
        if let Err(problem) =
            self.api.create(&format!("/api/v1/namespaces/{}/events", key.namespace), &event).await
        {
            tracing::warn!(namespace = %key.namespace, name = %key.name, reason, %problem, "an Event is lost");
        }
    }
}

/// Kubernetes' times have no fractions.
fn seconds(at: Timestamp) -> String {
    Timestamp(at.0 - at.0.rem_euclid(1000)).to_string().replace(".000Z", "Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_whole_seconds() {
        assert_eq!(seconds(Timestamp(1_700_000_000_987)), "2023-11-14T22:13:20Z");
    }
}
