//! DNSSEC as values: names and replies in canonical form, key tags and DS records, and the chain from a trust anchor to
//! an answer with a typed explanation of the first thing that is wrong; key rolls as tables. No clock, no randomness,
//! no I/O.

mod answer;
mod chain;
mod denial;
mod ds;
pub mod dsync;
mod name;
mod nsec3;
pub mod roll;
mod verify;

pub use answer::{Answer, EdnsSeen, Malformed, PlainRecord, Signature, SignedSet, plain_records, rtype};
pub use chain::{Chain, NXDOMAIN, TrustedKeys};
pub use denial::Denial;
pub use ds::{Dnskey, DsDigest, ENTRY_POINT, REVOKED, ZONE_KEY, ds_from_rdata, hex, key_tag};
pub use name::Name;
pub use verify::{Broken, KeySet, Origin, Verified, signed_data, supported, verify};
