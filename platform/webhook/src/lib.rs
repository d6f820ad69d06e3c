//! An owner learns what waits for them. Every time that a name begins to wait for its owner one signed POST goes to the
//! operator's hook, at least once, with an id that tells repeats apart and a letter that can be sent as it is.
//!
//! What is told is taken from the allocation's conditions, which hold instructions and never a secret.

mod hook;
mod notice;

pub use hook::{Hook, Settings, signature};
pub use notice::{Notice, notice};
