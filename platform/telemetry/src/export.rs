//! Sends what has ended, in batches. What cannot be sent is counted and dropped.

use std::time::Duration;

use pdm_ports::{Class, Fault};
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use crate::layer::{Span, Tracer};
use crate::wire;

/// Spans that may wait; a request has about ten.
const QUEUE: usize = 4096;
/// Spans in one request.
const BATCH: usize = 256;
/// How long a span waits for company.
const LINGER: Duration = Duration::from_millis(500);
const TRIES: u32 = 3;

/// What is configured.
pub struct Settings {
    /// The collector: `http://127.0.0.1:4318`; `/v1/traces` is added.
    pub endpoint: String,
    /// Of a hundred traces that begin here, so many are collected.
    pub percent: u32,
    /// Sent as `Authorization`.
    pub authorization: Option<Zeroizing<String>>,
    /// `service.name`, `deployment.environment.name`, ...
    pub resource: Vec<(String, String)>,
    /// Nanoseconds since the epoch.
    pub clock: fn() -> u64,
}

/// The sending half.
pub struct Exporter {
    settings: Settings,
    http: reqwest::Client,
    ended: mpsc::Receiver<Span>,
}

impl Exporter {
    /// Both halves.
    ///
    /// # Errors
    /// No client can be made.
    pub fn new(settings: Settings) -> Result<(Tracer, Self), Fault> {
        let mut builder = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .connect_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if settings.endpoint.starts_with("http://") {
            // Loading the system's certificates costs time and memory that plain HTTP does not need.
            builder = builder.tls_certs_only(std::iter::empty());
        }
        let failed =
            |error: reqwest::Error| Fault::new(Class::Rejected, "telemetry-client", error.to_string());
        let http = builder.build().map_err(failed)?;
        let (sender, ended) = mpsc::channel(QUEUE);
        let tracer = Tracer::new(sender, settings.percent, settings.clock);
        Ok((tracer, Self { settings, http, ended }))
    }

    /// Send until `stop`, then what is left.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut batch = Vec::new();
        while !*stop.borrow() {
            tokio::select! {
                // Nobody will ever end a span again.
                count = self.ended.recv_many(&mut batch, BATCH) => if count == 0 { break },
                _ = stop.changed() => {}
            }
            if batch.len() < BATCH && !*stop.borrow() {
                tokio::select! {
                    () = tokio::time::sleep(LINGER) => {}
                    _ = stop.changed() => {}
                }
                while batch.len() < BATCH
                    && let Ok(span) = self.ended.try_recv()
                {
                    batch.push(span);
                }
            }
            self.send(&mut batch).await;
        }
        while let Ok(span) = self.ended.try_recv() {
            batch.push(span);
        }
        self.send(&mut batch).await;
    }

    async fn send(&self, batch: &mut Vec<Span>) {
        if batch.is_empty() {
            return;
        }
        let body = wire::body(&self.settings.resource, batch).to_string();
        for attempt in 1..=TRIES {
            match self.post(body.clone()).await {
                Ok(()) => {
                    metrics::counter!("pdm_spans_sent_total").increment(batch.len() as u64);
                    batch.clear();
                    return;
                }
                Err(why) if attempt == TRIES => {
                    tracing::debug!(why, spans = batch.len(), "spans could not be sent");
                }
                Err(_) => tokio::time::sleep(LINGER * attempt).await,
            }
        }
        metrics::counter!("pdm_spans_dropped_total").increment(batch.len() as u64);
        batch.clear();
    }

    async fn post(&self, body: String) -> Result<(), String> {
        let address = format!("{}/v1/traces", self.settings.endpoint.trim_end_matches('/'));
        let mut request = self.http.post(address).header("content-type", "application/json").body(body);
        if let Some(value) = &self.settings.authorization {
            request = request.header("authorization", value.as_str());
        }
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
    }
}
