//! One PowerDNS process: one call at a time goes out, measured, bounded and judged.

use std::time::{Duration, Instant};

use bytes::Bytes;
use pdm_ports::trace::{self, TARGET};
use pdm_ports::{Class, Fault};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::answer::{ApiError, judge, transport};
use crate::config::{ApiKey, InstanceConfig, Options};

/// The longest answer we read. 50,000 zones in a list are 14 MB.
const MAX_ANSWER: usize = 128 << 20;

/// One call.
pub(crate) struct Request {
    /// Its name in metrics.
    pub(crate) call: &'static str,
    /// Method.
    pub(crate) method: Method,
    /// Path and query after `/api/v1/servers/<id>`, with the leading slash; empty for the server itself.
    pub(crate) path: String,
    /// JSON.
    pub(crate) body: Option<Bytes>,
    /// Not sent after this time.
    pub(crate) send_by: Option<Instant>,
    /// Whether the answer's body is wanted. A body that is not wanted cannot be lost, and is never held: the answer
    /// to `POST cryptokeys` carries a private key.
    pub(crate) wants_body: bool,
    /// How many times the usual timeout it may take.
    pub(crate) patience: u32,
    /// The trace it belongs to, when it is made for a task that waits elsewhere.
    pub(crate) trace: Option<String>,
}

impl Request {
    /// A read.
    pub(crate) fn get(call: &'static str, path: impl Into<String>) -> Self {
        Self {
            call,
            method: Method::GET,
            path: path.into(),
            body: None,
            send_by: None,
            wants_body: true,
            patience: 1,
            trace: None,
        }
    }

    /// A write whose answer's body does not matter.
    pub(crate) fn write(
        call: &'static str,
        method: Method,
        path: impl Into<String>,
        body: Option<Vec<u8>>,
    ) -> Self {
        Self {
            call,
            method,
            path: path.into(),
            body: body.map(Bytes::from),
            send_by: None,
            wants_body: false,
            patience: 1,
            trace: None,
        }
    }

    /// The same with more time to answer.
    pub(crate) fn patient(mut self) -> Self {
        self.patience = 4;
        self
    }

    /// The same, as part of another task's trace.
    pub(crate) fn traced(mut self, context: Option<String>) -> Self {
        self.trace = context;
        self
    }

    /// The same, never sent after a deadline.
    pub(crate) fn before(mut self, deadline: Option<Instant>) -> Self {
        self.send_by = deadline;
        self
    }
}

/// A good answer.
pub(crate) struct Reply {
    /// The body, if it was wanted.
    pub(crate) body: Vec<u8>,
    /// The zone's stored serial after a PATCH, if the server told it.
    pub(crate) serial: Option<u32>,
}

/// One PowerDNS process.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    key: ApiKey,
    timeout: Duration,
    calls: Semaphore,
}

impl Client {
    /// A client of one instance. `http` may be shared: nothing of an instance lives in it.
    pub(crate) fn new(
        http: reqwest::Client,
        config: &InstanceConfig,
        options: &Options,
    ) -> Result<Self, Fault> {
        let wrong = |why: &str| Fault::new(Class::Rejected, "powerdns-url", why);
        let url =
            reqwest::Url::parse(&config.url).map_err(|_| wrong("the PowerDNS URL cannot be understood"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("the PowerDNS URL must start with http:// or https:// and name a host"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(wrong(
                "the PowerDNS URL must not carry credentials or a query; give the key by itself",
            ));
        }
        if config.server_id.is_empty()
            || !config.server_id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        {
            return Err(wrong("the PowerDNS server id has characters that cannot stand in a path"));
        }
        let root = url.as_str().trim_end_matches('/');
        let root = root.strip_suffix("/api/v1").unwrap_or(root);
        Ok(Self {
            http,
            base: format!("{root}/api/v1/servers/{}", config.server_id),
            key: config.api_key.clone(),
            timeout: options.timeout,
            calls: Semaphore::new(options.calls_in_flight.max(1)),
        })
    }

    /// Where it is, for messages.
    pub(crate) fn address(&self) -> &str {
        &self.base
    }

    /// Make one call.
    pub(crate) async fn call(&self, request: Request) -> Result<Reply, ApiError> {
        let _permit = admit(&self.calls, self.timeout).await.map_err(ApiError::Other)?;
        // The wait above may have been long; what must not go out late is stopped here, at the last moment.
        if request.send_by.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(ApiError::TooLate);
        }
        let call = request.call;
        let started = Instant::now();
        let span = tracing::trace_span!(
            target: TARGET, "powerdns", traceparent = request.trace.as_deref(), span_kind = "client", call,
            server.address = self.base, status = Empty, error = Empty,
        );
        let (status, outcome) = self.send_with_key(&request).instrument(span.clone()).await;
        span.record("status", status.as_str());
        if outcome.is_err() {
            span.record("error", status.as_str());
        }
        drop(span);
        metrics::counter!("pdm_powerdns_calls_total", "call" => call, "status" => status).increment(1);
        metrics::histogram!("pdm_powerdns_call_seconds", "call" => call)
            .record(started.elapsed().as_secs_f64());
        outcome
    }

    /// Send it with the key as it is known. A server that refuses the key has done nothing, so when there is another
    /// one by now, it goes out once more.
    async fn send_with_key(&self, request: &Request) -> (String, Result<Reply, ApiError>) {
        let key = self.key.0.current();
        let first = self.send(request, &key).await;
        let refused = matches!(&first.1, Err(ApiError::Other(fault)) if fault.class == Class::Credential);
        if !refused || !self.key.0.renewed(&key).await {
            return first;
        }
        if request.send_by.is_some_and(|deadline| Instant::now() >= deadline) {
            return (first.0, Err(ApiError::TooLate));
        }
        self.send(request, &self.key.0.current()).await
    }

    async fn send(&self, request: &Request, key: &str) -> (String, Result<Reply, ApiError>) {
        let Ok(mut key) = HeaderValue::from_str(key) else {
            let fault = Fault::new(
                Class::Credential,
                "powerdns-unauthorized",
                "the API key has characters that cannot stand in a header",
            );
            return ("unsent".into(), Err(ApiError::Other(fault)));
        };
        key.set_sensitive(true);
        let mut builder = self
            .http
            .request(request.method.clone(), format!("{}{}", self.base, request.path))
            .timeout(self.timeout * request.patience)
            // Without it, errors come as plain text.
            .header(ACCEPT, "application/json")
            .header("x-api-key", key);
        if let Some(context) = trace::traceparent() {
            builder = builder.header("traceparent", context);
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut response = match builder.send().await {
            Ok(response) => response,
            Err(error) => {
                let label = if error.is_timeout() { "timeout" } else { "unreachable" };
                return (label.into(), Err(transport(&self.base, error)));
            }
        };
        let status = response.status();
        let label = status.as_u16().to_string();
        let serial = response
            .headers()
            .get("x-pdns-new-serial")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse().ok());
        let good = status.is_success();
        if good && !request.wants_body {
            return (label, Ok(Reply { body: Vec::new(), serial }));
        }
        let body = match read(&mut response, if good { MAX_ANSWER } else { 64 << 10 }).await {
            Ok(body) => body,
            // The status alone says enough about a refusal.
            Err(_) if !good => Vec::new(),
            Err(ReadError::TooLong) => {
                let fault = Fault::new(Class::Protocol, "powerdns-garbage", "PowerDNS's answer never ends");
                return (label, Err(ApiError::Other(fault)));
            }
            Err(ReadError::Broken(error)) => return ("broken".into(), Err(transport(&self.base, error))),
        };
        (label, judge(status.as_u16(), &body).map(|()| Reply { body, serial }))
    }
}

enum ReadError {
    TooLong,
    Broken(reqwest::Error),
}

async fn read(response: &mut reqwest::Response, limit: usize) -> Result<Vec<u8>, ReadError> {
    let expected =
        response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0).min(limit);
    let mut body = Vec::with_capacity(expected);
    while let Some(chunk) = response.chunk().await.map_err(ReadError::Broken)? {
        if body.len() + chunk.len() > limit {
            return Err(ReadError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Wait for a place in a fair queue, but not for ever: who waits that long should rather ask again later.
pub(crate) async fn admit(gate: &Semaphore, patience: Duration) -> Result<SemaphorePermit<'_>, Fault> {
    match tokio::time::timeout(patience, gate.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) => Err(Fault::new(Class::Bug, "powerdns-gate", "the gate was closed")),
        Err(_) => Err(Fault::transient("powerdns-busy", "too many calls to PowerDNS are waiting already")),
    }
}
