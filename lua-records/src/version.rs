//! Which PowerDNS can do what. PowerDNS ignores options that it does not know and never checks LUA content, so a
//! policy that a version lacks would be served wrongly in silence: here it is refused instead.

use std::str::FromStr;

use serde::Serialize;

use crate::check::Probe;
use crate::model::{AllDown, Failover, UntilChecked};
use crate::terms::Strategy;

/// A PowerDNS Authoritative Server version: what `GET /api/v1/servers/localhost` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
    /// Patch; pre-releases count as 0, because what we use came with the first alpha of its minor version.
    pub patch: u16,
}

impl Version {
    /// The first patch of a minor version.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor, patch: 0 }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Text that is not a released version; `0.0.x` development builds say nothing about what they can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a released PowerDNS version: {0:?}")]
pub struct VersionError(pub String);

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let parts = || -> Option<Self> {
            let mut parts = text.trim().splitn(3, '.');
            let major = parts.next()?.parse().ok()?;
            let minor = parts.next()?.parse().ok()?;
            // "3-2", "0-alpha1", "0-rc1.0.g1a2b3c4": the digits in front.
            let rest = parts.next()?;
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            let patch = digits.parse().ok()?;
            (major > 0).then_some(Self { major, minor, patch })
        };
        parts().ok_or_else(|| VersionError(text.chars().take(64).collect()))
    }
}

/// One thing that a text may use of PowerDNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Feature {
    /// Function or option, by its name in PowerDNS.
    pub name: &'static str,
    /// Major and minor version that brought it.
    pub since: (u16, u16),
    /// Whether it needs the geoip backend and a database.
    pub geoip: bool,
    /// Where this is known from.
    pub source: &'static str,
}

const fn row(name: &'static str, since: (u16, u16), geoip: bool, source: &'static str) -> Feature {
    Feature { name, since, geoip, source }
}

const MEASURED: &str = "measured on 4.7.3, 4.9.18 and 5.1.5";
const LATER: &str = "measured on 5.1.5; since when: source of pdns/lua-record.cc and changelog";
const READ: &str = "source of pdns/lua-record.cc and changelog";

/// Everything that a rendered text may use, and what it would like to use and does not.
pub const FEATURES: &[Feature] = &[
    row("ifportup", (4, 7), false, MEASURED),
    row("ifurlup", (4, 7), false, MEASURED),
    row("selector", (4, 7), false, MEASURED),
    row("backupSelector", (4, 7), false, MEASURED),
    row("timeout", (4, 7), false, MEASURED),
    row("stringmatch", (4, 7), false, MEASURED),
    row("useragent", (4, 7), false, MEASURED),
    row("pickrandom", (4, 7), false, MEASURED),
    row("pickhashed", (4, 7), false, MEASURED),
    row("pickwrandom", (4, 7), false, MEASURED),
    row("pickwhashed", (4, 7), false, MEASURED),
    row("pickclosest", (4, 7), true, MEASURED),
    row("country", (4, 7), true, MEASURED),
    row("continent", (4, 7), true, MEASURED),
    // Never rendered: sets leave the standby unchecked while the first set is up, and what `backupSelector` covers
    // changed again after 5.0. The text chooses among checked addresses itself.
    row("ifportup with address sets", (4, 8), false, READ),
    row("interval", (5, 0), false, LATER),
    row("minimumFailures", (5, 0), false, LATER),
    row("failOnIncompleteCheck", (5, 0), false, LATER),
    row("httpcode", (5, 0), false, LATER),
    // Not rendered either: a text that works everywhere stays the same through an upgrade.
    row("backupSelector='empty'", (5, 1), false, LATER),
];

/// What the text is rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// The oldest version among the nameservers that will serve the record.
    pub version: Version,
    /// Whether every one of them launches the geoip backend with a database.
    pub geoip: bool,
    /// Whether the zone is signed.
    pub signed: bool,
}

/// Something that a policy needs and a server lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{field} needs {needs}; {remedy}")]
pub struct Lack {
    /// Stable code: `needs-version`, `needs-geoip` or `needs-unsigned-zone`.
    pub code: &'static str,
    /// Path of the field that asks for it.
    pub field: &'static str,
    /// What it needs.
    pub needs: &'static str,
    /// What it would take, without a trailing stop.
    pub remedy: String,
}

/// Older versions are out of support and were not looked at.
const OLDEST: Version = Version::new(4, 7);

/// The fields of a policy that ask for something, with the feature by its name in [`FEATURES`].
fn uses(failover: &Failover) -> Vec<(&'static str, &'static str)> {
    let check = &failover.check;
    let mut uses = Vec::new();
    if failover.strategy == Strategy::Nearest {
        uses.push(("failover.strategy", "pickclosest"));
    }
    if failover.regions.iter().any(|region| !region.countries.is_empty()) {
        uses.push(("loadBalancers.country", "country"));
    }
    if failover.regions.iter().any(|region| !region.continents.is_empty()) {
        uses.push(("loadBalancers.continent", "continent"));
    }
    if check.interval.is_some() {
        uses.push(("failover.check.interval", "interval"));
    }
    if check.failures > 1 {
        uses.push(("failover.check.failures", "minimumFailures"));
    }
    if failover.until_checked == UntilChecked::Fail {
        uses.push(("failover.untilChecked", "failOnIncompleteCheck"));
    }
    match &check.probe {
        Probe::Http(http) if http.expect_status.is_some() => {
            uses.push(("failover.check.expectStatus", "httpcode"))
        }
        Probe::Http(_) | Probe::Tcp { .. } => {}
    }
    uses
}

/// Everything that `server` lacks for `failover`; empty when the policy can be served.
#[must_use]
pub fn lacks(failover: &Failover, server: &Server) -> Vec<Lack> {
    if server.version < OLDEST {
        let remedy = format!("upgrade from {} to {OLDEST} or later", server.version);
        return vec![Lack { code: "needs-version", field: "failover", needs: "PowerDNS 4.7", remedy }];
    }
    let mut lacks = Vec::new();
    for (field, name) in uses(failover) {
        let Some(feature) = FEATURES.iter().find(|feature| feature.name == name) else { continue };
        let since = Version::new(feature.since.0, feature.since.1);
        if server.version < since {
            let remedy = format!("it exists from PowerDNS {since}, this server is {}", server.version);
            lacks.push(Lack { code: "needs-version", field, needs: feature.name, remedy });
        }
        if feature.geoip && !server.geoip {
            let remedy = "launch the geoip backend with a GeoIP database on every nameserver".to_owned();
            lacks.push(Lack { code: "needs-geoip", field, needs: feature.name, remedy });
        }
    }
    if failover.all_down == AllDown::Empty && server.signed {
        lacks.push(Lack {
            code: "needs-unsigned-zone",
            field: "failover.whenAllDown",
            needs: "an unsigned zone",
            remedy: "the NSEC record says that the type exists, so an empty answer is bogus to validating resolvers \
                     (RFC 4035 section 5.4): use all, first or fallback"
                .to_owned(),
        });
    }
    lacks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_servers_print_them() {
        for (text, expected) in [
            ("4.7.3", (4, 7, 3)),
            ("4.7.3-2", (4, 7, 3)),
            ("5.0.0-alpha1", (5, 0, 0)),
            ("5.1.4", (5, 1, 4)),
            ("4.9.0-rc1.0.g1a2b3c4", (4, 9, 0)),
        ] {
            let version: Version = text.parse().unwrap();
            assert_eq!((version.major, version.minor, version.patch), expected, "{text}");
        }
        for bad in [
            "",
            "4",
            "4.7",
            "0.0.17463.0.master.gd6f4a9fd8c",
            "x.y.z",
            "-1.2.3",
            "4.7.",
            "99999.1.1",
            "4.7.x",
        ] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_feature_has_one_row() {
        let names: std::collections::BTreeSet<_> = FEATURES.iter().map(|feature| feature.name).collect();
        assert_eq!(names.len(), FEATURES.len());
    }
}
