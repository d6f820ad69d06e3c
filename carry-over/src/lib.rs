//! A domain that moves to us takes its records with it. This crate knows which, reads them, joins them with the six
//! that PDM writes, and says what is still different from what the old servers answer. No clock, no randomness, no I/O.
//!
//! ```text
//! types      the record types that are carried, by number, with the layout of their RDATA
//! codec      RDATA as octets and as text        text       words of a line
//! zone_file  an uploaded zone file              collect    records as they come, to a zone that can be served
//! survey     names to ask for when there is no other way (names.txt)
//! merge      with the six names; conflicts      compare    with the old servers, name by name; what stays locked
//! ```

mod carried;
mod codec;
mod collect;
mod compare;
mod merge;
mod survey;
mod text;
mod types;
mod zone_file;

pub use carried::{CarriedZone, Choice, LeftOut, Source, Waiver};
pub use codec::{presented, rdata_of};
pub use collect::{Collector, MAX_OCTETS, MAX_RECORDS, MAX_TIME, TooLarge};
pub use compare::{Asked, MAX_QUESTIONS, Question, Said, Verdict, judge, locked, next_questions};
pub use merge::{Conflict, Merged, merge};
pub use survey::{ANY_NAME, Hint, hints, mentioned};
pub use types::{CARRIED, CarriedType, carried_type};
pub use zone_file::{Malformed, read};
