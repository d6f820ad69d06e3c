//! The wizard's domain step. Everything it knows lies in the store: a tab can be closed, and the address resumes it.

pub(crate) mod brought;
mod carried;
pub(crate) mod link;
pub(crate) mod name;
pub(crate) mod passport;
pub(crate) mod start;
