//! Workload identity with X.509 SVIDs (SPIFFE).
//!
//! A [`Source`] holds what PDM shows (a certificate chain with its key) and whom it trusts (the authorities of each trust
//! domain). It is fed by [`files`] that somebody else writes and replaces, or by an agent over the Workload API
//! ([`workload_api`]). [`Tls`] makes rustls configurations of it: they look at the source at every handshake, so that a
//! rotation needs no restart and closes no connection.
//!
//! Certificates are verified by webpki against the authorities of the trust domain that they name, and no other. The
//! host's name does not matter; the SPIFFE id does.

mod der;
pub mod files;
mod grpc;
mod id;
mod material;
mod proto;
mod source;
mod tls;
mod verify;
pub mod workload_api;

pub use id::{SpiffeId, TrustDomain};
pub use material::{Bundles, Svid};
pub use source::{Source, State};
pub use tls::{Clients, Tls};
pub use verify::Refused;
