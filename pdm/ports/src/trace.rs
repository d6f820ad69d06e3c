//! Traces: which spans they are made of, and the context that goes along with a call to the outside.
//!
//! Spans of a trace have the target [`TARGET`] and the level `TRACE`: logs leave them out, and while nobody collects
//! traces they cost nothing. A field `traceparent` makes a span the child of that context.

use std::sync::OnceLock;

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
