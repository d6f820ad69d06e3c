//! Health failover in DNS: a typed policy, the PowerDNS LUA records that carry it out, and what clients get from it.
//!
//! ```text
//! JSON -> Spec -> Failover -> render -> LUA records -> read -> the same Failover
//!                    |
//!                    +-> truth_table, rehearse, probe_load
//! ```
//!
//! LUA content is unsandboxed code in the nameserver and PowerDNS never checks it. Three things keep it harmless here:
//! only [`PlainText`], numbers and addresses are ever written; the text for every combination of up and down is run in
//! an embedded Lua by the tests and compared with the truth table; and what a version lacks is refused, since
//! PowerDNS would ignore it in silence.
//!
//! Pure: no clock, no randomness, no I/O.

mod admit;
mod answer;
mod check;
mod cover;
mod force;
mod model;
mod parse;
mod possible;
mod read;
pub mod refusal;
mod regions;
mod rehearse;
mod render;
mod scan;
mod script;
mod sign;
pub mod spec;
pub mod split_brain;
mod terms;
mod text;
mod truth;
mod version;

pub use admit::Admission;
pub use answer::{Answer, Choice, Client, Rule, answer};
pub use check::{HealthCheck, HttpProbe, Probe};
pub use model::{
    AllDown, Failover, MAX_ADDRESSES, MAX_COUNTRIES, MAX_FALLBACK, MAX_REGIONS, Region, UntilChecked,
};
pub use possible::possible;
pub use read::{ReadError, read};
pub use refusal::{Refusal, Refusals};
pub use rehearse::{Bounds, Checking, ProbeLoad, Rehearsal, bounds, probe_load, rehearse};
pub use render::{Rendered, render};
pub use sign::Sign;
pub use spec::Spec;
pub use terms::{Continent, RecordType, Strategy};
pub use text::PlainText;
pub use truth::{ClientAnswer, Row, TruthTable, truth_table};
pub use version::{FEATURES, Feature, Lack, Server, Version, VersionError, lacks};
