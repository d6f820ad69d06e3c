//! Walking the real delegation tree: from the root (or the configured hints and anchor) down to a name. On the way to
//! the parent the first server of a zone that answers is believed as far as it validates; the parent and the child are
//! asked at every address. What a walk says is evidence; it decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use async_trait::async_trait;
use pdm_model::{DsRecord, RecordType, Timestamp, Ttl, ZoneName};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::probe::Server;

/// Whether an answer can be believed, seen from the trust anchor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Security {
    /// Every link from the anchor validates.
    Secure,
    /// A signed parent says that this zone (named here) has no DS, or there is no anchor above it.
    Insecure {
        /// The first zone without a chain.
        zone: ZoneName,
    },
    /// A link is broken: a validating resolver answers SERVFAIL.
    Bogus {
        /// The zone whose link is broken.
        zone: ZoneName,
        /// The first thing that is wrong, for people.
        why: String,
    },
    /// Nobody could be asked.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What one server of the parent says of the child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentAnswer {
    /// Who.
    pub server: Server,
    /// The NS set of the referral with its TTL; empty when the child is not delegated; `None` when there was no answer.
    /// A server that carries the child too answers with the child's own set: there only the editing side can tell.
    pub ns: Option<(BTreeSet<ZoneName>, Ttl)>,
    /// Addresses beside the referral.
    pub glue: BTreeMap<ZoneName, BTreeSet<IpAddr>>,
    /// The DS set with its TTL; empty when it says that there is none; `None` when there was no answer.
    pub ds: Option<(BTreeSet<DsRecord>, Ttl)>,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// The parent's side of a delegation, at every address of every parent server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentView {
    /// The zone that delegates the child, or would.
    pub parent: ZoneName,
    /// Every server of it.
    pub answers: Vec<ParentAnswer>,
    /// The chain from the anchor down to the child's DS set (or to the proof that there is none).
    pub security: Security,
    /// When the first question was sent.
    pub begun: Timestamp,
}

/// What one server says of a zone that it serves, or should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildAnswer {
    /// Who.
    pub server: Server,
    /// Answers with authority.
    pub authoritative: bool,
    /// NS at the apex with its TTL.
    pub ns: Option<(BTreeSet<ZoneName>, Ttl)>,
    /// DS (SHA-256) of every entry-point key in the DNSKEY RRset, and that RRset's TTL; empty when it is not signed.
    pub keys: Option<(BTreeSet<DsRecord>, Ttl)>,
    /// SOA serial.
    pub serial: Option<u32>,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// What one server says of one RRset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RRsetAnswer {
    /// Who.
    pub server: Server,
    /// Contents in presentation form with the TTL; empty when it says that there is nothing; `None` without an answer.
    pub contents: Option<(BTreeSet<String>, Ttl)>,
    /// The name does not exist at all.
    pub nxdomain: bool,
    /// Answers with authority.
    pub authoritative: bool,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// Walks the tree; answers are parsed as hostile, and the address policy for probes applies.
#[async_trait]
pub trait DelegationWalk: Send + Sync {
    /// The parent's side of `child`, at every parent server. The parent is the closest enclosing zone, found by asking.
    async fn parent(&self, child: &ZoneName) -> Result<ParentView, Fault>;
    /// The child's side, at these servers.
    async fn child(&self, child: &ZoneName, servers: &[Server]) -> Vec<ChildAnswer>;
    /// The addresses of nameserver names, by their authoritative servers; configured addresses come first. A name without
    /// addresses is in no server's list of names.
    async fn addresses(&self, names: &BTreeSet<ZoneName>) -> Result<Vec<Server>, Fault>;
    /// One RRset of one owner (dotted, may hold `_` and `*`), at these servers, without following aliases.
    async fn rrset(&self, owner: &str, rtype: &RecordType, servers: &[Server]) -> Vec<RRsetAnswer>;
}
