//! What would happen, and when: probe load, and the rehearsal of regions going down. Nothing is touched.

use serde::Serialize;

use crate::model::Failover;
use crate::refusal::{Refusal, UNKNOWN_REGION};
use crate::terms::RecordType;
use crate::truth::{ClientAnswer, situation};

/// How the nameservers are set up, as far as checks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checking {
    /// Nameserver processes: each checks on its own.
    pub nameservers: u32,
    /// Their `lua-health-checks-interval` in seconds; PowerDNS's default is 5.
    pub server_interval: u16,
    /// The longest timeout of all checks that they make, in seconds, as far as it is longer than this policy's own: a
    /// nameserver begins no check before the slowest of the round has ended, whosever it is.
    pub slowest: u8,
}

/// What the checks of one policy cost. All names that carry the same policy share its checks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeLoad {
    /// Addresses that are checked.
    pub addresses: usize,
    /// Seconds between two checks of one address by one nameserver.
    pub interval: u32,
    /// Checks that one address receives, from all nameservers.
    pub per_address_per_second: f64,
    /// Checks that all addresses receive: nameservers x addresses / interval.
    pub per_second: f64,
}

/// What clients would get, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rehearsal {
    /// The regions that go down.
    pub down: Vec<String>,
    /// What clients get while every region is up.
    pub before: Vec<ClientAnswer>,
    /// What they get afterwards.
    pub after: Vec<ClientAnswer>,
    /// When.
    pub bounds: Bounds,
}

/// Seconds after which every client has the new answer, at the latest. A resolver may cap TTLs from below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// A nameserver knows that an address is down which refuses or answers wrongly: (interval + slowest) x failures, where
    /// slowest is the longest timeout of all checks on that server, since a round waits for all of them; to an interval of
    /// the policy's own the server's is added.
    pub detected: u32,
    /// Clients see it: `detected` + TTL.
    pub clients: u32,
    /// Clients see it when the address is silent, so that its last check takes its whole timeout too:
    /// `detected` + timeout + TTL.
    pub clients_if_silent: u32,
    /// Clients see that it is back: one good check, interval + slowest + TTL.
    pub recovery: u32,
}

/// Seconds between two checks. The checking thread wakes once in `server_interval` seconds, so that an interval of the
/// policy's own is rounded up to a multiple of it.
fn interval(failover: &Failover, checking: Checking) -> u32 {
    let cycle = u32::from(checking.server_interval.max(1));
    failover.check().interval.map_or(cycle, |own| u32::from(own).div_ceil(cycle) * cycle)
}

/// What the checks of `failover` cost.
#[must_use]
pub fn probe_load(failover: &Failover, checking: Checking) -> ProbeLoad {
    let addresses = RecordType::ALL.iter().map(|rtype| failover.addresses(*rtype).len()).sum::<usize>();
    let interval = interval(failover, checking);
    let per_address_per_second = f64::from(checking.nameservers) / f64::from(interval);
    // At most 24 addresses: the conversion is exact.
    let per_second = per_address_per_second * addresses as f64;
    ProbeLoad { addresses, interval, per_address_per_second, per_second }
}

/// When clients see a change.
#[must_use]
pub fn bounds(failover: &Failover, checking: Checking) -> Bounds {
    let check = failover.check();
    let slowest = u32::from(checking.slowest.max(check.timeout));
    // A check with an interval of its own runs in the first round after that interval, and rounds are a cycle apart.
    let late = check.interval.map_or(0, |_| u32::from(checking.server_interval.max(1)));
    let round = interval(failover, checking) + late + slowest;
    let detected = round * u32::from(check.failures);
    Bounds {
        detected,
        clients: detected + failover.ttl(),
        clients_if_silent: detected + u32::from(check.timeout) + failover.ttl(),
        recovery: round + failover.ttl(),
    }
}

/// What clients would get, and when, if the regions named in `down` went down together.
///
/// # Errors
/// A name that is no region of this policy.
pub fn rehearse(failover: &Failover, down: &[&str], checking: Checking) -> Result<Rehearsal, Refusal> {
    let names: Vec<&str> = failover.regions().iter().map(|region| region.name.as_str()).collect();
    if let Some(unknown) = down.iter().find(|name| !names.contains(name)) {
        let shown: String = unknown.chars().take(64).collect();
        let detail = format!("no region {shown:?}; the regions are {}", names.join(", "));
        return Err(Refusal::new(UNKNOWN_REGION, "down", detail));
    }
    let up: Vec<bool> = names.iter().map(|name| !down.contains(name)).collect();
    Ok(Rehearsal {
        down: down.iter().map(|name| (*name).to_owned()).collect(),
        before: situation(failover, &vec![true; names.len()]),
        after: situation(failover, &up),
        bounds: bounds(failover, checking),
    })
}
