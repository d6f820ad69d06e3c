//! Real processes for tests: PostgreSQL, PowerDNS, the `pdm` daemon and a proxy that breaks the PowerDNS API.
//!
//! Every process listens on its own address of 127.0.0.0/8 and dies with the test, however the test ends. Nothing here
//! imports PDM: the tests see what a client and a resolver see.
//!
//! ```text
//! net       a loopback address of one's own, and free ports on it
//! child     one process, killed when its owner goes
//! wait      wait for a condition, with a deadline
//! postgres  a scratch PostgreSQL                    powerdns  a pdns_server and its API
//! chaos     a proxy: down, slow, 500, lost replies  http      the client of /v1 and of the older paths
//! dns       dig and delv                            daemon    `pdm serve` and `pdm up`
//! story     one line per verb                       client    a client that repeats until it is answered
//! backends  HTTP servers that behave badly on demand
//! nats      a nats-server with JetStream
//! node      counterparts that only npm has        python    those that only PyPI has
//! browser   stories in Chromium
//! world     all of it, put together                 truth     is what is there what should be there?
//! primary   BIND and Knot that take dynamic updates   release   which version of PowerDNS
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a harness that cannot go on ends the test

pub mod backends;
pub mod browser;
pub mod chaos;
pub mod child;
pub mod client;
pub mod daemon;
pub mod dns;
pub mod http;
pub mod nats;
pub mod net;
pub mod node;
pub mod pgbouncer;
pub mod postgres;
pub mod powerdns;
pub mod primary;
pub mod python;
pub mod release;
pub mod story;
pub mod truth;
pub mod wait;
pub mod world;

pub use chaos::{Chaos, Fault};
pub use daemon::Daemon;
pub use http::{Answer, Api};
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use powerdns::{Backend, PowerDns};
pub use release::Release;
pub use wait::{DEADLINE, until, until_within};
pub use world::{NAMESERVERS, POOL, Plan, StoreKind, World};

/// True when the long versions of the tests are wanted (`make test-full`).
#[must_use]
pub fn full() -> bool {
    std::env::var_os("PDM_TEST_FULL").is_some_and(|v| v != "0")
}

/// `sample` in a bounded run, `full` in a full one.
#[must_use]
pub fn size(sample: usize, full_size: usize) -> usize {
    if full() { full_size } else { sample }
}
