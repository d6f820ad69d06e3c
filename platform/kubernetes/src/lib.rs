//! A controller of the documents that `pdm apply` takes, as Kubernetes resources.
//!
//! It is a client on both sides: it lists and watches resources at Kubernetes' API ([`Api`]), sets them beside what PDM's
//! API tells (`pdm_client::declared`, the same plan as `pdm apply`), does what differs, and writes status and Events back.
//! It keeps nothing: everything is read again after a restart, and doing anything twice is harmless, so that two of it
//! disturb nobody. Why it has no library of Kubernetes below it: `docs/adr/0017-the-controller.md`.

mod api;
mod cache;
mod controller;
mod object;
mod place;
mod reconcile;
mod status;
mod watch;

pub use api::{Api, Problem};
pub use controller::{Controller, Settings};
pub use place::Place;
