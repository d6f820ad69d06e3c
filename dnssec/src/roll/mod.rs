//! Key rolls as tables, and the one function that moves them.

mod at_parent;
mod begin;
mod next;
mod table;
mod view;

pub use at_parent::standing;
pub use begin::{Parent, RollRefused, begin, ds_of_held, due, policy_error};
pub use next::{Action, Next, RollWait, needs_parent, next};
pub use table::{CdsAs, DsAs, KeyAs, Row, Until, purpose, table};
pub use view::{Cds, ChildSeen, Held, ParentSeen, Setting, View, digest_of, ds_in_roll, signers};
