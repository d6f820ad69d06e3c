//! The reconciler: lease, drive, back off. It takes no input; desired and observed are the truth.

pub(crate) mod backoff;
pub(crate) mod drive;
mod worker;
