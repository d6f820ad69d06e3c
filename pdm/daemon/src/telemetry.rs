//! Structured logs on standard error. Nothing here sees a secret: those who hold one never log it.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// Begin to log. The environment wins over the file: `PDM_LOG` for the filter, `PDM_LOG_FORMAT` for the form.
pub fn start(log: &Log) {
    let level = std::env::var("PDM_LOG").unwrap_or_else(|_| log.level.clone());
    let filter = EnvFilter::try_new(&level).unwrap_or_else(|_| EnvFilter::new("info"));
    let json = std::env::var("PDM_LOG_FORMAT").map_or(log.json, |form| form == "json");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first.
    let started = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
    };
    drop(started);
}
