//! Structured logs on standard error, and traces for a collector when one is configured. Nothing here sees a secret:
//! those who hold one never log it.

use std::io::IsTerminal as _;
use std::time::Duration;

use pdm_ports::trace;
use pdm_telemetry::{Exporter, Settings};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::clock;
use crate::config::{Log, Telemetry};
use crate::failure::Failure;

/// The time that spans which have ended have to go out at the end.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Sends traces until it is told to stop.
pub struct Traces(Option<JoinHandle<()>>);

impl Traces {
    /// Wait until the last ones are sent, within bounds.
    pub async fn end(self) {
        if let Some(task) = self.0 {
            let _ = tokio::time::timeout(LAST_WORDS, task).await;
        }
    }
}

/// Begin to log, and to trace if that is configured. The environment wins over the file: `PDM_LOG` for the filter,
/// `PDM_LOG_FORMAT` for the form.
///
/// # Errors
/// The collector's client cannot be made.
pub fn start(
    log: &Log,
    telemetry: Option<&Telemetry>,
    stop: &watch::Receiver<bool>,
) -> Result<Traces, Failure> {
    let level = std::env::var("PDM_LOG").unwrap_or_else(|_| log.level.clone());
    let filter = EnvFilter::try_new(&level).unwrap_or_else(|_| EnvFilter::new("info"));
    let json = std::env::var("PDM_LOG_FORMAT").map_or(log.json, |form| form == "json");
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed()
    };
    let logs = tracing_subscriber::registry().with(lines.with_filter(filter));
    // A second start in one process (tests) keeps the first.
    let Some(telemetry) = telemetry else {
        drop(logs.try_init());
        return Ok(Traces(None));
    };
    let mut resource = vec![
        ("service.name".to_owned(), telemetry.service.clone()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    resource
        .extend(telemetry.environment.iter().map(|e| ("deployment.environment.name".to_owned(), e.clone())));
    let (tracer, exporter) = Exporter::new(Settings {
        endpoint: telemetry.endpoint.clone(),
        percent: telemetry.percent,
        authorization: telemetry.authorization.clone(),
        resource,
        clock: clock::host_nanos,
    })?;
    let ours = filter_fn(|meta| meta.is_span() && meta.target() == trace::TARGET);
    drop(logs.with(tracer.with_filter(ours)).try_init());
    trace::set_source(pdm_telemetry::traceparent);
    Ok(Traces(Some(tokio::spawn(exporter.run(stop.clone())))))
}
