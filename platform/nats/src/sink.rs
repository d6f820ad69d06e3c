//! Telling one change: publish, wait until it is stored, bring the bucket up to date.
//!
//! If the process dies in between, the change is told again: the stream knows the event by its id, and the bucket gets the
//! same value. A stream that is full refuses what is new (it never drops what is old), so everything waits in the
//! store until there is room.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, kv, stream};
use async_nats::{Client, HeaderMap};
use async_trait::async_trait;
use pdm_ports::outbox::{EventSink, Happened};
use pdm_ports::{Class, Fault};
use tokio::sync::Mutex;

use crate::connect::{Settings, connect};
use crate::event::{id, is_kept, moves, state};

/// How long the stream knows an id. A restart that takes longer may tell an event twice, with the same id.
const KNOWN: Duration = Duration::from_secs(15 * 60);

/// JetStream as a sink.
pub struct Nats {
    settings: Settings,
    client: Client,
    context: jetstream::Context,
    /// Stream and bucket were looked at; forgotten after a fault, because somebody may have removed them.
    place: Mutex<Option<Arc<kv::Store>>>,
}

impl Nats {
    /// Connect in the background; nothing is waited for.
    ///
    /// # Errors
    /// What cannot become right by waiting: an address, a certificate.
    pub async fn new(settings: Settings) -> Result<Self, Fault> {
        let client = connect(&settings).await?;
        let context = jetstream::new(client.clone());
        Ok(Self { settings, client, context, place: Mutex::default() })
    }

    async fn place(&self) -> Result<Arc<kv::Store>, Fault> {
        let mut place = self.place.lock().await;
        if let Some(known) = place.as_ref() {
            return Ok(known.clone());
        }
        // Without a connection every question would wait for its time to be up.
        if self.client.connection_state() != async_nats::connection::State::Connected {
            return Err(Fault::transient("nats-unreachable", "there is no connection to NATS"));
        }
        self.ensure_stream().await?;
        let bucket = Arc::new(self.ensure_bucket().await?);
        *place = Some(bucket.clone());
        Ok(bucket)
    }

    /// Make the stream, or make sure that it takes our subjects. Its bounds are the operator's to change.
    async fn ensure_stream(&self) -> Result<(), Fault> {
        let settings = &self.settings;
        let config = stream::Config {
            name: settings.stream.clone(),
            description: Some("what happens to the DNS names of Sovereigns".into()),
            subjects: self.subjects(),
            max_age: settings.max_age,
            max_bytes: if settings.max_bytes == 0 { -1 } else { i64::from(settings.max_bytes) },
            discard: stream::DiscardPolicy::New,
            duplicate_window: KNOWN.min(settings.max_age),
            num_replicas: settings.replicas,
            ..stream::Config::default()
        };
        let broken = |what: String| Fault::transient("nats-stream", what);
        let found = self.context.get_or_create_stream(config).await.map_err(|e| broken(e.to_string()))?;
        let found = &found.cached_info().config;
        let mut wrong = Vec::new();
        for needed in self.subjects().iter().filter(|needed| !found.subjects.contains(needed)) {
            wrong.push(format!("it takes {:?} and not {needed}", found.subjects));
        }
        if found.no_ack {
            wrong.push("it does not acknowledge".to_owned());
        }
        if found.duplicate_window.is_zero() {
            wrong.push("it does not know duplicates".to_owned());
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let detail = format!("the stream {} is not as needed: {}", settings.stream, wrong.join("; "));
        Err(Fault::new(Class::Rejected, "nats-stream", detail))
    }

    fn subjects(&self) -> Vec<String> {
        let words = &self.settings.words;
        let of_organizations = self.settings.organizations.then(|| words.all_of_organizations());
        std::iter::once(words.all()).chain(of_organizations).collect()
    }

    /// A bucket is a stream by another name. It is made as one, because servers before 2.10 do not answer what the
    /// client asks before it makes a bucket.
    async fn ensure_bucket(&self) -> Result<kv::Store, Fault> {
        let bucket = &self.settings.bucket;
        let broken = |what: String| Fault::transient("nats-bucket", what);
        let config = stream::Config {
            name: format!("KV_{bucket}"),
            description: Some("how the DNS names of Sovereigns stand".into()),
            subjects: vec![format!("$KV.{bucket}.>")],
            max_messages_per_subject: 1,
            discard: stream::DiscardPolicy::New,
            allow_rollup: true,
            deny_delete: true,
            allow_direct: true,
            num_replicas: self.settings.replicas,
            ..stream::Config::default()
        };
        self.context.get_or_create_stream(config).await.map_err(|e| broken(e.to_string()))?;
        self.context.get_key_value(bucket).await.map_err(|e| broken(e.to_string()))
    }

    async fn publish(&self, happened: &Happened) -> Result<(), Fault> {
        let words = &self.settings.words;
        let body = words.event(happened).to_string();
        self.store(words.subject(happened), id(happened), body.clone()).await?;
        if self.settings.organizations {
            let known_as = format!("{}-org", id(happened));
            self.store(words.subject_of_owner(happened), known_as, body).await?;
        }
        Ok(())
    }

    async fn store(&self, subject: String, known_as: String, body: String) -> Result<(), Fault> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", known_as);
        headers.insert("Content-Type", "application/cloudevents+json");
        let failed =
            |error: jetstream::context::PublishError| Fault::transient("nats-publish", error.to_string());
        let sent = self.context.publish_with_headers(subject, headers, body.into());
        // The second half is the stream's word that it is stored.
        sent.await.map_err(failed)?.await.map_err(failed)?;
        Ok(())
    }

    async fn note(&self, bucket: &kv::Store, happened: &Happened) -> Result<(), Fault> {
        let key = happened.fqdn.as_str();
        let failed = |error: String| Fault::transient("nats-bucket", error);
        if is_kept(happened) {
            let value = state(happened).to_string();
            bucket.put(key, value.into()).await.map_err(|e| failed(e.to_string()))?;
        } else {
            bucket.purge(key).await.map_err(|e| failed(e.to_string()))?;
        }
        Ok(())
    }
}

#[async_trait]
impl EventSink for Nats {
    async fn tell(&self, happened: &Happened) -> Result<(), Fault> {
        let bucket = self.place().await?;
        let told = async {
            self.publish(happened).await?;
            if moves(happened) { self.note(&bucket, happened).await } else { Ok(()) }
        };
        let told = told.await;
        if told.is_err() {
            *self.place.lock().await = None;
        }
        told
    }
}

impl std::fmt::Debug for Nats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nats").field("stream", &self.settings.stream).finish_non_exhaustive()
    }
}
