//! The engine: intents become rows, and one reconciler with no input makes the world agree with them.
//!
//! Nothing here names a technology: the store, the nameservers, the parent and the probe are ports.

pub mod audits;
pub mod caller;
mod carry;
pub mod door;
mod editor;
pub mod engine;
mod failover;
pub mod intents;
pub mod keys;
pub mod outbox;
pub mod ownership;
pub mod passport;
mod reconcile;
mod recover;
pub mod settings;
mod steps;
mod sweep;
pub mod token;
pub mod vault;
mod waiters;

pub use engine::{Engine, Parts};
pub use recover::Recovered;
