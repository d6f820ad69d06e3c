//! DNSSEC keys: how they stand, rolls, holds, policies, the inventory.

pub(crate) mod hold;
pub(crate) mod inventory;
pub(crate) mod policy;
pub(crate) mod roll;
pub(crate) mod show;
