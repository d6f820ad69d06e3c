//! The ports of pool-domain-manager: traits only, no technology. The engine runs whole on any implementation.

pub mod announce;
pub mod audit;
pub mod audit_chain;
pub mod audit_store;
pub mod fault;
pub mod gather;
pub mod outbox;
pub mod parent;
pub mod probe;
pub mod registrar;
pub mod secret;
pub mod sign_in;
pub mod store;
pub mod trace;
pub mod walk;
pub mod zone;

pub use announce::{Announcement, Announcer};
pub use audit::{AuditRequest, Audited, Auditor};
pub use fault::{Class, Fault};
pub use gather::ZoneGather;
pub use parent::{DelegationChange, ParentSide};
pub use probe::{AddressesSeen, Asking, DnsProbe, Heeded, KeyView, KeysSeen, ProofRequest, Server};
pub use secret::{SecretSource, Shelf};
pub use sign_in::SignIn;
pub use store::Store;
pub use zone::{
    CdsTold, KeyChange, LuaServer, ObservedZone, Signing, Stamp, Whose, ZoneBackend, ZoneKey, ZoneSpec,
    ZoneSummary,
};
