//! Telling a parent that the child's CDS changed (RFC 9859).

use async_trait::async_trait;
use pdm_model::ZoneName;
use pdm_model::keys::Heard;

use crate::fault::Fault;

/// What came of a NOTIFY(CDS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// The parent names nobody who wants to be told.
    NotInvited,
    /// Each receiver (`host:port`) and what came back.
    Sent(Vec<(String, Heard)>),
}

/// Finds whom a parent wants to be told, and tells them. What a parent names may point anywhere: the address policy for
/// probes applies.
#[async_trait]
pub trait Announcer: Send + Sync {
    /// Tell whoever the parent of `child` names, once.
    async fn announce_cds(&self, child: &ZoneName) -> Result<Announcement, Fault>;
}
