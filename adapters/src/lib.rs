//! Registrars and DNS hosts behind the `Registrar` port: one file each, one line each in [`REGISTRARS`].
//!
//! A file says what its vendor can do as data, what its answers mean as a table, and how its API reads and writes.
//! Everything else is shared: refusing (`admit`), the order of reading and writing (`flow`), and the way out
//! ([`http`]). Secrets travel in headers or POST bodies only.

mod admit;
mod cloudflare;
mod dynadot;
mod flow;
mod godaddy;
pub mod http;
mod kind;
mod namecheap;
mod ovh;
mod redact;
mod xml;

use std::sync::Arc;

use pdm_ports::Fault;
use pdm_ports::registrar::Registrar;

pub use http::{Http, Options};

/// One vendor in the table.
pub struct Entry {
    /// Stable kebab-case id.
    pub id: &'static str,
    /// Makes its adapter.
    pub make: fn(&Arc<Http>, &Options) -> Result<Arc<dyn Registrar>, Fault>,
}

/// All vendors.
pub const REGISTRARS: &[Entry] = &[
    Entry { id: "cloudflare", make: cloudflare::make },
    Entry { id: "dynadot", make: dynadot::make },
    Entry { id: "godaddy", make: godaddy::make },
    Entry { id: "namecheap", make: namecheap::make },
    Entry { id: "ovh", make: ovh::make },
];

/// The adapter of a vendor; none when there is no such vendor.
#[must_use]
pub fn registrar(id: &str, http: &Arc<Http>, options: &Options) -> Option<Result<Arc<dyn Registrar>, Fault>> {
    REGISTRARS.iter().find(|entry| entry.id == id).map(|entry| (entry.make)(http, options))
}
