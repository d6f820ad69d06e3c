//! The closed words of a policy: record types, strategies, continents.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The two types that a policy answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RecordType {
    /// IPv4.
    A,
    /// IPv6.
    #[serde(rename = "AAAA")]
    Aaaa,
}

impl RecordType {
    /// Both types, in the order in which they are rendered.
    pub const ALL: [Self; 2] = [Self::A, Self::Aaaa];

    /// The presentation form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }

    /// Whether an address of this family belongs into a record of this type.
    #[must_use]
    pub fn holds(self, address: IpAddr) -> bool {
        match self {
            Self::A => address.is_ipv4(),
            Self::Aaaa => address.is_ipv6(),
        }
    }
}

impl From<RecordType> for pdm_model::RecordType {
    fn from(rtype: RecordType) -> Self {
        match rtype {
            RecordType::A => Self::A,
            RecordType::Aaaa => Self::Aaaa,
        }
    }
}

impl std::fmt::Display for RecordType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of the healthy addresses a client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The first region that is up, all its healthy addresses.
    Ordered,
    /// Every healthy address; resolvers rotate them.
    All,
    /// One healthy address, at random for each answer.
    RoundRobin,
    /// One region that is up, at random by weight for each answer; all its healthy addresses.
    Weighted,
    /// The same for the same client as long as the same addresses are up. Without weights one healthy address; with
    /// weights one region, all its healthy addresses.
    Hashed,
    /// The healthy address that is geographically closest to the client.
    Nearest,
    /// The region that serves the client's country, else the one that serves its continent; when that is down or none
    /// does, the first region that is up.
    Geo,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 7] =
        [Self::Ordered, Self::All, Self::RoundRobin, Self::Weighted, Self::Hashed, Self::Nearest, Self::Geo];

    /// The word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::All => "all",
            Self::RoundRobin => "roundRobin",
            Self::Weighted => "weighted",
            Self::Hashed => "hashed",
            Self::Nearest => "nearest",
            Self::Geo => "geo",
        }
    }

    /// Whether regions can stand in reserve behind the others. The ordered ones have an order anyway.
    #[must_use]
    pub fn takes_reserve(self) -> bool {
        match self {
            Self::All | Self::RoundRobin | Self::Weighted | Self::Hashed | Self::Nearest => true,
            Self::Ordered | Self::Geo => false,
        }
    }
}

/// A continent as the GeoIP databases code it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Continent {
    /// Africa.
    AF,
    /// Antarctica.
    AN,
    /// Asia.
    AS,
    /// Europe.
    EU,
    /// North America.
    NA,
    /// Oceania.
    OC,
    /// South America.
    SA,
}

impl Continent {
    /// Every continent.
    pub const ALL: [Self; 7] = [Self::AF, Self::AN, Self::AS, Self::EU, Self::NA, Self::OC, Self::SA];

    /// The code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AF => "AF",
            Self::AN => "AN",
            Self::AS => "AS",
            Self::EU => "EU",
            Self::NA => "NA",
            Self::OC => "OC",
            Self::SA => "SA",
        }
    }
}
