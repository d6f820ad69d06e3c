//! Auditing: a whole look at one name in the real DNS, judged against what should be there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use pdm_model::audit::Report;
use pdm_model::{Delegation, DsRecord, RRset, Ttls, ZoneName};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::probe::Server;

/// How the parent is edited, which decides who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Editor {
    /// Our own pool.
    Pool,
    /// A person at a registrar.
    ByoManual,
    /// PDM through a registrar's API.
    ByoApi,
}

/// What should be, as PDM knows it, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// How the parent is edited.
    pub editor: Editor,
    /// It should be delegated and answer; false for a name that is reserved or being released.
    pub active: bool,
    /// Nameservers of the zone.
    pub ns: BTreeSet<ZoneName>,
    /// The DS set that the parent should have.
    pub ds: BTreeSet<DsRecord>,
    /// Everything that PDM wants in the zone besides SOA and keys.
    pub rrsets: Vec<RRset>,
    /// MNAME and RNAME, dotted.
    pub soa: (String, String),
    /// The policy's TTLs.
    pub ttls: Ttls,
    /// Everything that PowerDNS holds; none when it could not be read, empty when there is no zone.
    pub held: Option<Vec<RRset>>,
    /// What the parent holds where it is edited; none when it could not be read there.
    pub parent_held: Option<Delegation>,
    /// RRsets that must be as they were before the domain came: mail above all.
    pub kept: Vec<RRset>,
    /// Seconds since the ownership was last proved; none where it needs no proof.
    pub proved_ago: Option<u64>,
    /// CAs that must be able to issue, as CAA names them; empty when no CA is configured.
    pub ca: Vec<String>,
}

/// What is special about a whole pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolFacts {
    /// Zones with our mark that no allocation has.
    pub orphan_zones: Vec<String>,
    /// Zones in PowerDNS at or below names of the pool that carry no mark and belong to no allocation.
    pub foreign_zones: Vec<String>,
    /// Active Sovereigns that PowerDNS has no zone for.
    pub missing_zones: Vec<String>,
    /// Delegations in the pool that no allocation has.
    pub orphan_delegations: Vec<String>,
    /// Active Sovereigns that the pool does not delegate.
    pub missing_delegations: Vec<String>,
    /// Delegations in the pool to other nameservers than ours.
    pub elsewhere: Vec<RRset>,
    /// Records of the pool that point to other names.
    pub pointing: Vec<RRset>,
    /// Active Sovereigns whose DS in the pool is not that of their keys: name, what is there, what should be.
    pub wrong_ds: Vec<(String, String, String)>,
    /// Released names that other records of the pool still point to: owner and type, name.
    pub referenced: Vec<(String, String)>,
}

/// Where the parent is, when it should not be looked for from the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Above {
    /// The parent zone, or the zone itself when it is trusted directly.
    pub zone: ZoneName,
    /// Its servers.
    pub servers: Vec<Server>,
    /// The DS set from which its keys are trusted.
    pub anchor: BTreeSet<DsRecord>,
}

/// Registration data by RDAP, fetched by whoever asks for the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// Why it is not known.
    Unknown(String),
    /// What the registry says.
    Known {
        /// Milliseconds since the epoch.
        expires: Option<i64>,
        /// Status words as RFC 8056 maps them.
        status: BTreeSet<String>,
    },
}

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRequest {
    /// The report's id.
    pub id: String,
    /// A Sovereign or a pool.
    pub fqdn: ZoneName,
    /// What should be; none for a name that PDM does not keep.
    pub intent: Option<Intent>,
    /// Set for a pool.
    pub pool: Option<PoolFacts>,
    /// Start here instead of at the root.
    pub above: Option<Above>,
    /// As everybody sees it: configured addresses of nameservers are left aside.
    pub public: bool,
    /// Nameservers of ours; in a test before the delegation they are asked instead of the parent's.
    pub servers: Vec<Server>,
    /// What would be if the parent delegated to `servers` with the DS of the intent.
    pub undelegated: bool,
    /// A label that does not exist, to see the wildcard at work.
    pub random_label: String,
    /// Checks that cannot hold where this is run, with the reason: the profile.
    pub excused: BTreeMap<String, String>,
    /// Registration of the domain that was bought.
    pub registration: Registration,
    /// Autonomous systems that announce networks; empty when nobody told.
    #[serde(default)]
    pub networks: BTreeMap<IpNet, u32>,
}

/// A report, and the octets it was made from.
#[derive(Debug, Clone)]
pub struct Audited {
    /// The report.
    pub report: Report,
    /// Every question with its answer and the request: enough to make the same report again without a network.
    pub recording: Vec<u8>,
}

/// What a quick look at one Sovereign found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// The name.
    pub fqdn: ZoneName,
    /// The first thing that is not as it should be; none when all is.
    pub wrong: Option<String>,
    /// Nobody answered, so that nothing is known.
    pub unasked: bool,
    /// Milliseconds until the last answer.
    pub millis: u32,
}

/// A parent zone, and the DS set from which its keys are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The zone.
    pub zone: ZoneName,
    /// The DS set.
    pub anchor: BTreeSet<DsRecord>,
}

/// What a quick look must see.
#[derive(Debug, Clone)]
pub struct GlanceRequest {
    /// The Sovereign.
    pub fqdn: ZoneName,
    /// The DS set in its parent.
    pub ds: BTreeSet<DsRecord>,
    /// RRsets that must be answered exactly; LUA RRsets must have an answer.
    pub rrsets: Vec<RRset>,
    /// The one server to ask this time.
    pub server: Server,
    /// Set when the same server carries the parent, so that it can be asked for the DS.
    pub parent: Option<Trusted>,
    /// How long to wait for answers, instead of as usual.
    pub patience: Option<Duration>,
}

/// Looks at real DNS and judges; answers are parsed as hostile, and the address policy for probes applies.
#[async_trait]
pub trait Auditor: Send + Sync {
    /// Look at everything.
    async fn audit(&self, request: AuditRequest) -> Result<Audited, Fault>;
    /// The report again, from its recording.
    fn replay(&self, recording: &[u8]) -> Result<Report, Fault>;
    /// A quick look: delegation, DS and the wanted RRsets at one server, each as wanted and with a chain that holds now.
    async fn glance(&self, request: &GlanceRequest) -> Glance;
}
