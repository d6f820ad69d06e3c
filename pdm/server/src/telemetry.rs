//! Figures about requests, and those that are read from the store when Prometheus asks.

use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use pdm_model::{OperationKind, Phase, Who};
use pdm_ports::{Fault, trace};

use crate::app::Shared;

/// Seconds; commit waits up to a minute.
const BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Install the process's recorder. Call it once, before anything is counted.
///
/// # Errors
/// When there is a recorder already.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)?
        .install_recorder()
}

/// One request was answered.
pub(crate) fn request(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let method = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    };
    let route = route.to_owned();
    let class = match status.as_u16() {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    trace::measured("pdm_http_request_seconds", &[("route", &route), ("class", class)], took.as_secs_f64());
    histogram!("pdm_http_request_seconds", "route" => route.clone(), "class" => class).record(took);
    let status = status.as_u16().to_string();
    counter!("pdm_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
}

/// Set the gauges that are read from the store.
pub(crate) async fn refresh(state: &Shared) {
    gauge!("pdm_read_only").set(f64::from(u8::from(state.engine().read_only())));
    let up = match from_store(state).await {
        Ok(()) => 1.0,
        Err(fault) => {
            tracing::warn!(%fault, "figures could not be read from the store");
            0.0
        }
    };
    gauge!("pdm_store_up").set(up);
}

async fn from_store(state: &Shared) -> Result<(), Fault> {
    let store = state.engine().store();
    let (queue, counts, freezes, now) =
        tokio::try_join!(store.queue(), store.counts(), store.freezes(), store.now())?;
    for kind in OperationKind::ALL {
        let open = queue.open.iter().find(|(k, _)| *k == kind).map_or(0, |(_, n)| *n);
        gauge!("pdm_operations_open", "kind" => kind.as_str()).set(number(open));
    }
    gauge!("pdm_operations_waiting").set(number(queue.waiting));
    for kind in OperationKind::ALL {
        for who in Who::ALL {
            let oldest = queue.oldest.iter().find(|(k, w, _)| (*k, *w) == (kind, who));
            let age = oldest.map_or(0.0, |(_, _, since)| now.since(*since).as_secs_f64());
            gauge!("pdm_operations_oldest_age_seconds", "kind" => kind.as_str(), "who" => who.as_str())
                .set(age);
        }
    }
    gauge!("pdm_freezes").set(number(freezes.len() as u64));
    for pool in state.engine().settings().pools.keys() {
        for phase in Phase::ALL {
            let of = counts.iter().find(|c| c.pool == *pool && c.phase == phase).map_or(0, |c| c.count);
            gauge!("pdm_allocations", "pool" => pool.to_string(), "phase" => phase.as_str()).set(number(of));
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}
