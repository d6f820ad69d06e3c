//! The admin's view. Reads as the caller may read; every act that cannot be taken back shows its plan and asks for the
//! name to be typed.

pub(crate) mod act;
mod chain;
pub(crate) mod files;
mod findings;
pub(crate) mod list;
pub(crate) mod log;
mod matrix;
pub(crate) mod operations;
pub(crate) mod pools;
pub(crate) mod sovereign;
