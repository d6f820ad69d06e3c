//! Pools: the operator's own zones, from which names are lent.

use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::keys::KeyPolicy;
use crate::name::ZoneName;
use crate::time::Ttl;

/// What PDM does when the world no longer matches what it wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriftPolicy {
    /// Write again what PDM wrote; never delete what it did not write.
    Repair,
    /// Say so and leave it.
    Report,
}

/// The TTLs PDM writes. Waits follow what was seen in the DNS, never these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ttls {
    /// The six names.
    pub address: Ttl,
    /// NS at the child's apex.
    pub apex_ns: Ttl,
    /// NS in the parent.
    pub parent_ns: Ttl,
    /// DS in the parent while it is new.
    pub parent_ds: Ttl,
    /// DS in the parent once the chain was proved for a while.
    pub parent_ds_proved: Ttl,
    /// SOA MINIMUM: how long a missing name stays missing; PowerDNS gives the DNSKEY RRset this TTL too.
    pub negative: Ttl,
}

impl Default for Ttls {
    fn default() -> Self {
        Self {
            address: Ttl::new(300),
            apex_ns: Ttl::new(3600),
            parent_ns: Ttl::new(3600),
            parent_ds: Ttl::new(300),
            parent_ds_proved: Ttl::new(3600),
            negative: Ttl::new(300),
        }
    }
}

/// One pool and its rules.
#[derive(Debug, Clone)]
pub struct Pool {
    /// The pool's zone.
    pub domain: ZoneName,
    /// How long a reservation holds a name before it is committed.
    pub reservation_ttl: Duration,
    /// How long a released name is kept from other owners.
    pub quarantine: Duration,
    /// Live allocations one owner may have here; 0 is no limit.
    pub quota: u32,
    /// Special ranges that load balancers may use here.
    pub allow_addresses: Vec<IpNet>,
    /// Whether failover policies may fetch URLs. Such checks follow redirects past any address filter.
    pub allow_http_checks: bool,
    /// Labels the operator keeps, besides the built-in list.
    pub reserved: Vec<String>,
    /// Names of brands that nobody may imitate.
    pub protected: Vec<String>,
    /// Releases within an hour beyond which only an admin may go on: a run of them is more likely a mistake.
    pub withdrawals_per_hour: u32,
    /// What to do about drift.
    pub drift: DriftPolicy,
    /// TTLs to write.
    pub ttls: Ttls,
    /// Keys of Sovereigns here that have no policy of their own.
    pub keys: KeyPolicy,
}

impl Pool {
    /// A pool with the defaults of the reference configuration.
    #[must_use]
    pub fn new(domain: ZoneName) -> Self {
        Self {
            domain,
            reservation_ttl: Duration::from_secs(90 * 60),
            quarantine: Duration::from_secs(200 * 24 * 3600),
            quota: 0,
            allow_addresses: Vec::new(),
            allow_http_checks: false,
            reserved: Vec::new(),
            protected: Vec::new(),
            withdrawals_per_hour: 10,
            drift: DriftPolicy::Repair,
            ttls: Ttls::default(),
            keys: KeyPolicy::default(),
        }
    }
}
