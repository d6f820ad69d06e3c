//! Asking real nameservers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use pdm_model::{DsRecord, NotProved, Possible, Proof, RRset, RecordType, Timestamp, Ttl, ZoneName};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// One address to ask, and the nameserver names behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Server {
    /// Nameserver names, or the PowerDNS instance.
    pub names: Vec<String>,
    /// Where to ask.
    pub address: SocketAddr,
}

/// What has to hold, and where.
#[derive(Debug, Clone)]
pub struct ProofRequest {
    /// The Sovereign.
    pub zone: ZoneName,
    /// Its pool, which the same servers carry. None when the parent is somebody else's: then `anchor` is the DS set of
    /// the Sovereign itself, validated by a walk, and `ds` is not asked for.
    pub parent: Option<ZoneName>,
    /// The DS set from which the parent's keys, or without a parent the Sovereign's, are trusted.
    pub anchor: BTreeSet<DsRecord>,
    /// A word for the receipt.
    pub anchor_name: String,
    /// RRsets that must be answered exactly, apex NS included; LUA RRsets as `possible` says.
    pub desired: Vec<RRset>,
    /// What the LUA RRsets may answer, by the type that they make.
    pub possible: Vec<Possible>,
    /// The DS set that must be answered.
    pub ds: BTreeSet<DsRecord>,
    /// The MNAME and RNAME that the SOA must carry, dotted; none to accept any.
    pub soa: Option<(String, String)>,
    /// A label that does not exist, to see the wildcard at work.
    pub random_label: String,
    /// Whom to ask.
    pub servers: Vec<Server>,
    /// Left out for maintenance.
    pub skipped: Vec<String>,
    /// Goes into the receipt.
    pub generation: i64,
    /// Goes into the receipt.
    pub private_view: bool,
    /// The store's time.
    pub now: Timestamp,
}

/// How a server is asked for addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// So many times, as who we are.
    Times(usize),
    /// On behalf of so many clients at random, which a server may heed or not (RFC 7871).
    Clients(usize),
}

/// What one server answers for the addresses of one name, asked several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressesSeen {
    /// Who.
    pub server: Server,
    /// The addresses of each answer by type; none when some question had no authoritative answer. A denial is an
    /// empty set.
    pub answers: Option<BTreeMap<RecordType, Vec<BTreeSet<IpAddr>>>>,
    /// Whether they are answers to the clients on whose behalf they were asked.
    pub heeded: Heeded,
}

/// Whether a server answered the clients on whose behalf it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heeded {
    /// Every answer is for its client.
    All,
    /// Some are.
    Some,
    /// Every answer is for us.
    None,
}

/// What one server answers for a zone's keys and delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysSeen {
    /// Who.
    pub server: Server,
    /// DS (SHA-256) of every entry-point key in the DNSKEY RRset; none when there was no authoritative answer.
    pub ds_of_keys: Option<BTreeSet<DsRecord>>,
    /// The TTL of the DNSKEY RRset.
    pub ttl: Option<Ttl>,
}

/// What one server answers for the DS RRset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DsSeen {
    /// Who.
    pub server: Server,
    /// The DS set with its TTL; empty when it answers that there is none; `None` when it did not answer.
    pub ds: Option<(BTreeSet<DsRecord>, Option<Ttl>)>,
}

/// What one server answers of a zone's keys and of what they sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// Who.
    pub server: Server,
    /// DNSKEY RDATA in presentation form with the TTL; empty when the zone has none; none without an answer.
    pub keys: Option<(BTreeSet<String>, Ttl)>,
    /// Algorithm and key tag of each signature over the SOA RRset; none without an answer.
    pub signers: Option<BTreeSet<(u8, u16)>>,
    /// When the first of all signatures seen expires.
    pub expires: Option<Timestamp>,
}

/// Asks real nameservers; answers are parsed as hostile.
#[async_trait]
pub trait DnsProbe: Send + Sync {
    /// Ask every server for the DNSKEY RRset of `zone`.
    async fn keys(&self, zone: &ZoneName, servers: &[Server]) -> Vec<KeysSeen>;
    /// Ask every server for the DNSKEY and SOA RRsets of `zone` with their signatures; nothing is validated.
    async fn key_views(&self, zone: &ZoneName, servers: &[Server]) -> Vec<KeyView>;
    /// Ask every server for the DS RRset of `zone`.
    async fn ds(&self, zone: &ZoneName, servers: &[Server]) -> Vec<DsSeen>;
    /// Ask every server for the addresses of a name (dotted).
    async fn addresses(
        &self,
        name: &str,
        types: &[RecordType],
        asking: Asking,
        servers: &[Server],
    ) -> Vec<AddressesSeen>;
    /// Ask every server everything, over UDP and TCP, with DO, and validate.
    async fn prove(&self, request: &ProofRequest) -> Result<Result<Proof, NotProved>, Fault>;
}
