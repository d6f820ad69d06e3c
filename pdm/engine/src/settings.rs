//! What the engine is told at start.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use pdm_model::{Allocation, DsRecord, Parent, Pool, Refusal, ZoneName};
use pdm_ports::Server;

use crate::audits::AuditSettings;

/// What the engine is told at start. Nothing here changes while it runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The pools by name.
    pub pools: BTreeMap<ZoneName, Pool>,
    /// The rules for names that their owners bring; its domain has no meaning.
    pub byo: Pool,
    /// Nameserver names of every zone.
    pub nameservers: Vec<ZoneName>,
    /// Zones of nameserver names in which signalling records may be written.
    pub signal_zones: Vec<ZoneName>,
    /// Below it every name has the nameservers' addresses: names are issued there for one claim each.
    pub claim_zone: Option<ZoneName>,
    /// Addresses to ask, with the names behind them.
    pub servers: Vec<Server>,
    /// Nameserver processes behind them; none counts one for each address.
    pub processes: Option<NonZeroU32>,
    /// Names of servers that are left out for maintenance.
    pub skipped: Vec<String>,
    /// True when the addresses come from the configuration.
    pub private_view: bool,
    /// Configured trust anchors by pool; a pool without one is trusted from its own key in PowerDNS.
    pub anchors: BTreeMap<ZoneName, BTreeSet<DsRecord>>,
    /// MNAME and RNAME of new zones, dotted.
    pub soa: (String, String),
    /// Operations driven at once by this process.
    pub parallel: usize,
    /// How long a lease holds. A call to PowerDNS takes less than a third of it.
    pub lease: Duration,
    /// Time between two looks for work that another replica left.
    pub poll: Duration,
    /// Time between two looks for drift.
    pub sweep: Duration,
    /// Time between two looks at what nameservers answer for failover policies.
    pub failover_look: Duration,
    /// Time between two looks at the DS of pools at their parents; zero for none.
    pub pool_ds: Duration,
    /// Age at which a proof is taken again.
    pub proof_age: Duration,
    /// How audits go on by themselves.
    pub audit: AuditSettings,
}

impl Settings {
    /// The rules that an allocation follows: its pool's, or those for names that their owners bring.
    ///
    /// # Errors
    /// `unsupported-pool` when its pool left the configuration.
    pub fn rules(&self, allocation: &Allocation) -> Result<&Pool, Refusal> {
        match allocation.mode.parent() {
            Parent::Ours => self.pool(&allocation.pool),
            Parent::Foreign => Ok(&self.byo),
        }
    }

    /// The pool of this name.
    ///
    /// # Errors
    /// `unsupported-pool`.
    pub fn pool(&self, name: &ZoneName) -> Result<&Pool, Refusal> {
        self.pools
            .get(name)
            .ok_or_else(|| Refusal::new("unsupported-pool", format!("{name} is not a pool here")))
    }
}
