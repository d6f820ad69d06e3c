//! Failover policies on their way into the DNS, and what nameservers make of them.
//!
//! ```text
//! policy   a target becomes a policy, a policy becomes LUA records for the servers that there are
//! opinion  one nameserver's answer judged by the policy; all of them together as a condition (pure)
//! watch    asks every nameserver at every look: that is also the question that begins its checks after a restart
//! ```

mod opinion;
mod policy;
mod watch;

pub(crate) use opinion::{opinion, overall};
pub(crate) use policy::{LuaKnown, policy_of};
pub(crate) use watch::opinions;
