//! Traces: which spans they are made of, and the context that goes along with a call to the outside.
//!
//! Spans of a trace have the target [`TARGET`] and the level `TRACE`: logs leave them out, and while nobody collects
//! traces they cost nothing. A field `traceparent` makes a span the child of that context.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The target of every span that belongs into a trace.
pub const TARGET: &str = "pdm_trace";

static SOURCE: OnceLock<fn() -> Option<String>> = OnceLock::new();

/// Who knows the context of the running task. The first one stays.
pub fn set_source(source: fn() -> Option<String>) {
    let _ = SOURCE.set(source);
}

/// The W3C `traceparent` of the running task; none when nobody traces.
#[must_use]
pub fn traceparent() -> Option<String> {
    SOURCE.get().and_then(|source| source())
}

/// A measured time and the trace that it was measured in.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// The trace's id, 32 hexadecimal digits.
    pub trace: String,
    /// The value.
    pub value: f64,
}

/// The newest of each series, which is named as the first part of its buckets' lines: `name_bucket{label="value"`.
static EXEMPLARS: Mutex<BTreeMap<String, VecDeque<Exemplar>>> = Mutex::new(BTreeMap::new());
/// Kept of one series: a few for each bucket.
const KEPT: usize = 32;

/// A time was measured in the running task: remember its trace, if that is collected. `labels` are those of the metric, in
/// its order.
pub fn measured(metric: &str, labels: &[(&str, &str)], value: f64) {
    let Some(context) = traceparent() else { return };
    let mut parts = context.split('-').skip(1);
    let (Some(trace), Some(flags)) = (parts.next(), parts.nth(1)) else { return };
    if flags != "01" {
        return;
    }
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let series = format!("{metric}_bucket{{{}", labels.join(","));
    let mut all = EXEMPLARS.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = all.entry(series).or_default();
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(Exemplar { trace: trace.to_owned(), value });
}

/// Every series with its exemplars, the newest last.
#[must_use]
pub fn exemplars() -> Vec<(String, Vec<Exemplar>)> {
    let all = EXEMPLARS.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().map(|(series, kept)| (series.clone(), kept.iter().cloned().collect())).collect()
}
