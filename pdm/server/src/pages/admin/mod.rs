//! The admin's view. Reads as the caller may read; every act that cannot be taken back shows its plan and asks for the
//! name to be typed.

pub(crate) mod act;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod operations;
pub(crate) mod pools;
pub(crate) mod sovereign;
