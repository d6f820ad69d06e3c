//! The typed model. A [`Failover`] is valid because it exists: its fields are private, and the only ways to one are
//! [`Failover::build`], reading its JSON, and reading rendered records back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::check::HealthCheck;
use crate::refusal::Refusals;
use crate::spec::Spec;
use crate::terms::{Continent, RecordType, Strategy};
use crate::text::PlainText;

/// More regions than a Sovereign has; keeps the truth table at 64 rows.
pub const MAX_REGIONS: usize = 6;
/// Addresses of one family: one answer stays inside one UDP packet, the rendered text under 4 kB.
pub const MAX_ADDRESSES: usize = 12;
/// Fallback addresses of one family.
pub const MAX_FALLBACK: usize = 4;
/// Country codes over all regions: keeps the instruction count under `lua-records-exec-limit`.
pub const MAX_COUNTRIES: usize = 64;

/// One region and its entrances: at least one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Short name.
    pub name: PlainText,
    /// IPv4 addresses in order.
    pub ipv4: Vec<Ipv4Addr>,
    /// IPv6 addresses in order.
    pub ipv6: Vec<Ipv6Addr>,
    /// Share of the traffic, at least 1.
    pub weight: Option<u16>,
    /// ISO 3166 codes that this region serves first.
    pub countries: Vec<PlainText>,
    /// Continents that this region serves first, for clients of no listed country.
    pub continents: Vec<Continent>,
    /// Answers as if every check of it succeeded.
    pub forced_up: bool,
}

impl Region {
    /// Its addresses of one family.
    #[must_use]
    pub fn addresses(&self, rtype: RecordType) -> Vec<IpAddr> {
        match rtype {
            RecordType::A => self.ipv4.iter().copied().map(IpAddr::V4).collect(),
            RecordType::Aaaa => self.ipv6.iter().copied().map(IpAddr::V6).collect(),
        }
    }
}

/// What clients get when no address is up, and before the first check has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllDown {
    /// Every address: the check may be wrong, the clients will find out.
    All,
    /// The addresses of the first region.
    First,
    /// These addresses, which are not checked.
    Fallback(Vec<IpAddr>),
    /// No address at all. Only for unsigned zones.
    Empty,
}

impl AllDown {
    /// The word in the API.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::First => "first",
            Self::Fallback(_) => "fallback",
            Self::Empty => "empty",
        }
    }
}

/// What clients get while PowerDNS has not ended the first check of any address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UntilChecked {
    /// As if all were down.
    #[default]
    Open,
    /// SERVFAIL, so that resolvers ask another nameserver.
    Fail,
}

impl UntilChecked {
    /// The word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fail => "fail",
        }
    }
}

/// Regions and the policy over them. Its JSON is a [`Spec`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Spec", into = "Spec")]
pub struct Failover {
    /// Those in front in order, then those in reserve in order.
    pub(crate) regions: Vec<Region>,
    pub(crate) front: usize,
    pub(crate) strategy: Strategy,
    pub(crate) check: HealthCheck,
    pub(crate) all_down: AllDown,
    pub(crate) until_checked: UntilChecked,
    pub(crate) ttl: u32,
}

impl Failover {
    /// All regions: those in front in order, then those in reserve in order.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The regions that the strategy chooses from.
    #[must_use]
    pub fn front(&self) -> &[Region] {
        self.regions.get(..self.front).unwrap_or_default()
    }

    /// The regions that answer only when no other is up.
    #[must_use]
    pub fn reserve(&self) -> &[Region] {
        self.regions.get(self.front..).unwrap_or_default()
    }

    /// The strategy.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The health check.
    #[must_use]
    pub fn check(&self) -> &HealthCheck {
        &self.check
    }

    /// What clients get when no address is up.
    #[must_use]
    pub fn all_down(&self) -> &AllDown {
        &self.all_down
    }

    /// What clients get before the first check.
    #[must_use]
    pub fn until_checked(&self) -> UntilChecked {
        self.until_checked
    }

    /// Seconds that resolvers keep an answer.
    #[must_use]
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// Every checked address of one family, in region order.
    #[must_use]
    pub fn addresses(&self, rtype: RecordType) -> Vec<IpAddr> {
        self.regions.iter().flat_map(|region| region.addresses(rtype)).collect()
    }

    /// The record types that this policy answers.
    #[must_use]
    pub fn record_types(&self) -> Vec<RecordType> {
        RecordType::ALL.into_iter().filter(|rtype| !self.addresses(*rtype).is_empty()).collect()
    }

    /// Whether the policy has nothing to choose: every client always gets the same.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        // With several regions some combination of up and down makes a difference, unless nothing else is ever said
        // when all are down. One region of one address a family always answers with it.
        let single =
            self.regions.len() == 1 && RecordType::ALL.iter().all(|rtype| self.addresses(*rtype).len() <= 1);
        single && matches!(self.all_down, AllDown::All | AllDown::First)
    }

    /// Whether one region is chosen by weight, rather than one address.
    pub(crate) fn is_by_weight(&self) -> bool {
        match self.strategy {
            Strategy::Weighted => true,
            Strategy::Hashed => self.front().iter().any(|region| region.weight.is_some()),
            Strategy::Ordered | Strategy::All | Strategy::RoundRobin | Strategy::Nearest | Strategy::Geo => {
                false
            }
        }
    }
}

impl TryFrom<Spec> for Failover {
    type Error = Refusals;

    /// Check shape only: whose host and which networks are for [`Failover::admit`] to say.
    fn try_from(spec: Spec) -> Result<Self, Refusals> {
        Self::from_spec(&spec, None).map_err(Refusals)
    }
}
