//! PowerDNS Authoritative Server as PDM's back end, over its REST API.
//!
//! [`PowerDns`] is the port to the zones ([`pdm_ports::ZoneBackend`]); [`PoolParent`] is the parent's side of the
//! operator's own pools ([`pdm_ports::ParentSide`]). What PowerDNS really does, measured, decides the shapes here:
//!
//! * it never keeps a connection open and has a listen backlog of 10, so at most 8 calls are in flight;
//! * concurrent changes of one zone lose serials, fail or leave duplicate records, so a pool has one writer, which
//!   puts everything that waits into one PATCH;
//! * SQLite locks the whole database, so there all writes pass one gate;
//! * creating a zone is not atomic, so "409" is a question and never an answer;
//! * nothing in the API reports who wrote a record, so every zone carries a mark.

mod answer;
mod backend;
mod client;
mod config;
mod create;
mod escapes;
mod head;
mod instances;
mod keys;
mod ownership;
mod parent;
mod pool_zone;
mod preflight;
mod retry;
mod signals;
mod signing;
mod view;
mod wire;
mod writer;

pub use backend::PowerDns;
pub use config::{ApiKey, InstanceConfig, Options};
pub use parent::{PoolConfig, PoolNameserver, PoolParent};
pub use pool_zone::{PoolPlan, Prepared, Step};
pub use preflight::{Finding, Report, Severity};
