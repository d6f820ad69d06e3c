//! Registrars and DNS hosts behind the `Registrar` port: one file each, one line each in [`REGISTRARS`].
//!
//! A file says what its vendor can do as data, what its answers mean as a table, and how its API reads and writes.
//! Everything else is shared: refusing (`admit`), the order of reading and writing (`flow`), and the way out
//! ([`http`]). Secrets travel in headers or POST bodies only.

mod admit;
mod cloudflare;
mod dynadot;
mod flow;
mod gandi;
mod gate;
mod godaddy;
pub mod http;
mod kind;
mod namecheap;
mod ovh;
mod porkbun;
mod powerdns;
mod redact;
mod rfc2136;

use std::sync::Arc;

use pdm_ports::Fault;
use pdm_ports::registrar::Registrar;

pub use http::{Http, Options};

/// What making an adapter comes to.
pub type Made = Result<Arc<dyn Registrar>, Fault>;

/// One vendor in the table.
pub struct Entry {
    /// Stable kebab-case id.
    pub id: &'static str,
    /// Makes its adapter.
    pub make: fn(&Arc<Http>, &Options) -> Made,
    /// What it was tried against.
    pub evidence: Evidence,
}

/// What an adapter was tried against, besides its vendor's documents.
pub struct Evidence {
    /// What plays the vendor in the conformance suite.
    pub suite: &'static str,
    /// An independent client that works against the same simulator; none when there is none.
    pub client: Option<&'static str>,
    /// A live account; none when nobody had one.
    pub live: Option<&'static str>,
    /// What only a live account can settle.
    pub open: &'static str,
}

/// All vendors, sorted by id.
pub const REGISTRARS: &[Entry] = &[
    Entry {
        id: "cloudflare",
        make: cloudflare::make,
        evidence: Evidence {
            suite: "simulator",
            client: Some("octodns-cloudflare"),
            live: None,
            open: "the codes for NS beside A or CNAME",
        },
    },
    Entry {
        id: "dynadot",
        make: dynadot::make,
        evidence: Evidence {
            suite: "simulator",
            client: Some("certbot-dns-dynadot"),
            live: None,
            open: "whether a zone takes NS below the apex; the words for a domain's DNS setting; how many DS it keeps",
        },
    },
    Entry {
        id: "gandi",
        make: gandi::make,
        evidence: Evidence {
            suite: "simulator",
            client: Some("octodns-gandi"),
            live: None,
            open: "how long reads lag behind a change; whether a second change is refused meanwhile",
        },
    },
    Entry {
        id: "godaddy",
        make: godaddy::make,
        evidence: Evidence {
            suite: "simulator",
            client: Some("GoDaddyPy"),
            live: None,
            open: "whether an ordinary account may use v2 for DS; whether v3 removes NS records of a delegation",
        },
    },
    Entry {
        id: "namecheap",
        make: namecheap::make,
        evidence: Evidence {
            suite: "simulator",
            client: Some("PyNamecheap"),
            live: None,
            open: "whether a new NS set always clears the DS at the registry",
        },
    },
    Entry {
        id: "ovh",
        make: ovh::make,
        evidence: Evidence {
            suite: "simulator",
            client: Some("ovh, the vendor's own"),
            live: None,
            open: "names of tasks that change DS; when exactly `isDeployed` turns",
        },
    },
    Entry {
        id: "porkbun",
        make: porkbun::make,
        evidence: Evidence {
            suite: "simulator",
            client: None,
            live: None,
            open: "the texts of errors; how many DS it keeps; how it says that there are too many calls",
        },
    },
    Entry {
        id: "powerdns",
        make: powerdns::make,
        evidence: Evidence { suite: "a real pdns_server", client: None, live: None, open: "nothing" },
    },
    Entry {
        id: "rfc2136",
        make: rfc2136::make,
        evidence: Evidence {
            suite: "real BIND, Knot and PowerDNS servers",
            client: Some("nsupdate"),
            live: None,
            open: "nothing",
        },
    },
];

/// The adapter of a vendor; none when there is no such vendor.
#[must_use]
pub fn registrar(id: &str, http: &Arc<Http>, options: &Options) -> Option<Made> {
    REGISTRARS.iter().find(|entry| entry.id == id).map(|entry| (entry.make)(http, options))
}
