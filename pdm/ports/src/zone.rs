//! The servers that carry our zones.

use async_trait::async_trait;
use pdm_model::canonical::Change;
use pdm_model::keys::Denial;
use pdm_model::{DsRecord, RRset, Ttl, ZoneName};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// Whose a zone is. Carried by the zone itself, so that a lost or older store can be rebuilt from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stamp {
    /// The allocation.
    pub allocation: String,
    /// Its owner.
    pub owner: String,
    /// The generation of what was written.
    pub generation: i64,
}

/// A zone to create.
#[derive(Debug, Clone)]
pub struct ZoneSpec {
    /// Its apex.
    pub name: ZoneName,
    /// All RRsets besides SOA; the apex NS RRset is among them.
    pub rrsets: Vec<RRset>,
    /// TTL of negative answers, which is also the SOA MINIMUM.
    pub negative: Ttl,
    /// Whose it is.
    pub stamp: Stamp,
}

/// A zone as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedZone {
    /// All RRsets, SOA included.
    pub rrsets: Vec<RRset>,
    /// SOA serial.
    pub serial: u32,
    /// Whether it is signed.
    pub dnssec: bool,
    /// Whose it is; none when it is not PDM's.
    pub stamp: Option<Stamp>,
}

/// One DNSSEC key of a zone, without its private half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneKey {
    /// The server's number for it.
    pub id: u64,
    /// DNSKEY flags: 257 for an entry point, 256 otherwise.
    pub flags: u16,
    /// Algorithm number.
    pub algorithm: u8,
    /// Signs.
    pub active: bool,
    /// Stands in the DNSKEY RRset.
    pub published: bool,
    /// Its DS with SHA-256, for entry points.
    pub ds: Option<DsRecord>,
    /// The DNSKEY RDATA in presentation form.
    pub dnskey: String,
}

/// Whose a zone must be for its keys to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// It carries this allocation's stamp.
    Allocation(String),
    /// It is a pool: no allocation's.
    Pool,
}

/// What scanning parents are told by CDS and CDNSKEY (RFC 7344, RFC 8078).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CdsTold {
    /// Nothing.
    Off,
    /// The entry points in the DNSKEY RRset, with this digest type.
    Publish(u8),
    /// To withdraw the DS.
    Delete,
    /// Something else, or two different things.
    Mixed,
}

/// How a zone is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// Its keys.
    pub keys: Vec<ZoneKey>,
    /// What scanning parents are told.
    pub cds: CdsTold,
    /// How it proves that a name does not exist.
    pub denial: Denial,
}

/// One change of how a zone is signed. A key is named by its DNSKEY RDATA: a server's numbers change when its database
/// is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// Make a key that neither signs nor is published. Not idempotent: look before.
    Make {
        /// A KSK or CSK, else a ZSK.
        entry_point: bool,
        /// Algorithm number.
        algorithm: u8,
    },
    /// Let a key stand like this.
    Set {
        /// Which.
        dnskey: String,
        /// Signs.
        active: bool,
        /// In the DNSKEY RRset.
        published: bool,
    },
    /// Delete a key, or find that it is gone.
    Remove {
        /// Which.
        dnskey: String,
    },
    /// Tell scanning parents; never `Mixed`.
    Tell(CdsTold),
    /// Prove denials this way.
    Deny(Denial),
}

/// One line of the list of zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneSummary {
    /// Apex, without the trailing dot.
    pub name: String,
    /// SOA serial.
    pub serial: u32,
    /// The allocation in its mark; none when it is not PDM's.
    pub allocation: Option<String>,
}

/// What came of creating a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is there now, as specified, and was not before; with its serial, if the server told it.
    New(Option<u32>),
    /// Something of that name is there; it was not touched.
    Exists,
}

/// How the servers compute LUA records, over all instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LuaServer {
    /// The oldest version among them.
    pub version: String,
    /// Every instance computes LUA records.
    pub enabled: bool,
    /// Every instance takes LUA records in its API.
    pub writable: bool,
    /// Every instance launches the geoip backend with a database.
    pub geoip: bool,
    /// Seconds between two rounds of health checks; the longest among them.
    pub interval: u16,
    /// Seconds that checks go on after the last question; the longest among them.
    pub expire: u32,
    /// How many instances there are.
    pub instances: u32,
}

/// A zone held alone; dropping it lets the next one in.
#[derive(Default)]
pub struct Turn(Option<Box<dyn Send + Sync>>);

impl Turn {
    /// Ends when `held` is dropped.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Some(Box::new(held)))
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Turn").field(&self.0.is_some()).finish()
    }
}

/// The servers that carry our zones. Calls are idempotent where their names say `ensure` or `remove`.
#[async_trait]
pub trait ZoneBackend: Send + Sync {
    /// Create a signed zone in one call.
    async fn create_zone(&self, spec: &ZoneSpec) -> Result<Created, Fault>;
    /// Read a zone; none when it is missing.
    async fn read_zone(&self, name: &ZoneName) -> Result<Option<ObservedZone>, Fault>;
    /// The keys of a zone; none when it is missing.
    async fn read_keys(&self, name: &ZoneName) -> Result<Option<Vec<ZoneKey>>, Fault>;
    /// Change RRsets of a zone that carries `stamp.allocation`, atomically, and renew the stamp. `NotOurs` otherwise.
    async fn change_zone(&self, name: &ZoneName, changes: &[Change], stamp: &Stamp) -> Result<(), Fault>;
    /// Hold a zone alone, in every process, while it is read and then changed by what was read.
    async fn turn(&self, _name: &ZoneName) -> Result<Turn, Fault> {
        Ok(Turn::default())
    }
    /// Make sure that a zone has an entry-point key and a signing key (somebody may have removed them).
    async fn ensure_signed(&self, name: &ZoneName, stamp: &Stamp) -> Result<(), Fault>;
    /// How a zone is signed; none when it is missing.
    async fn read_signing(&self, name: &ZoneName) -> Result<Option<Signing>, Fault>;
    /// Change how a zone is signed, and drop what every instance remembers of it. `NotOurs` when it is not `whose`.
    async fn change_signing(&self, name: &ZoneName, whose: &Whose, change: &KeyChange) -> Result<(), Fault>;
    /// Change signalling records (RFC 9615) in a zone that is no allocation's: owners that are not
    /// `_dsboot.CHILD._signal.NAMESERVER` are refused as a bug, a zone of an allocation as `NotOurs`.
    async fn change_signals(&self, zone: &ZoneName, changes: &[Change]) -> Result<(), Fault>;
    /// Remove a zone that carries this allocation's stamp, or that is missing already. `NotOurs` otherwise.
    async fn remove_zone(&self, name: &ZoneName, allocation: &str) -> Result<(), Fault>;
    /// All zones with their marks.
    async fn list_zones(&self) -> Result<Vec<ZoneSummary>, Fault>;
    /// Drop the answers that every instance remembers for a name and everything below it.
    async fn flush(&self, name: &ZoneName) -> Result<(), Fault>;
    /// How the instances compute LUA records, by their own settings.
    async fn lua_server(&self) -> Result<LuaServer, Fault>;
    /// Whether every instance answers its API, and with which version.
    async fn health(&self) -> Result<String, Fault>;
}
