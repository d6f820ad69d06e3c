//! Traces, from a request to the steps of its operation to the calls of PowerDNS, sent as OTLP/HTTP in JSON to any
//! collector.
//!
//! Small on purpose: `tracing` is in the product anyway, and what is missing between it and a collector is a context
//! ([`context`]), a layer that takes the times, and a task that sends what has ended. While nothing is configured none of
//! it exists. Spans that cannot be sent are counted and dropped: a collector's outage is none of ours.

pub mod context;
mod export;
mod layer;
mod wire;

pub use export::{Exporter, Settings};
pub use layer::{Tracer, traceparent};
