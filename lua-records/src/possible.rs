//! Every answer that a policy can give, whatever is up, wherever the client is: what a nameserver's answer is held to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pdm_model::Possible;

use crate::model::Failover;
use crate::script::when_all_down;
use crate::terms::{RecordType, Strategy};

/// Addresses of one answer.
type Set = BTreeSet<IpAddr>;

/// Every answer of one type that `failover` can give.
#[must_use]
pub fn possible(failover: &Failover, rtype: RecordType) -> Possible {
    let set = |addresses: Vec<IpAddr>| addresses.into_iter().collect::<Set>();
    let all_front: Vec<IpAddr> = failover.front().iter().flat_map(|region| region.addresses(rtype)).collect();
    let by_region = || failover.front().iter().map(|region| set(region.addresses(rtype))).collect::<Vec<_>>();
    let singly = || all_front.iter().map(|address| Set::from([*address])).collect::<Vec<_>>();
    let mut within = match failover.strategy() {
        Strategy::Ordered | Strategy::Geo | Strategy::Weighted => by_region(),
        Strategy::Hashed if failover.is_by_weight() => by_region(),
        Strategy::Hashed | Strategy::RoundRobin | Strategy::Nearest => singly(),
        Strategy::All => vec![set(all_front)],
    };
    within.extend(failover.reserve().iter().map(|region| set(region.addresses(rtype))));
    within.retain(|addresses| !addresses.is_empty());
    Possible { rtype: rtype.into(), within, exactly: vec![set(when_all_down(failover, rtype))] }
}

impl Failover {
    /// Names of the regions that have one of these addresses.
    #[must_use]
    pub fn regions_of(&self, addresses: &[IpAddr]) -> Vec<&str> {
        let has = |address: &IpAddr, rtype: RecordType, at: usize| {
            self.regions.get(at).is_some_and(|region| region.addresses(rtype).contains(address))
        };
        let serves = |at: &usize| {
            addresses.iter().any(|address| RecordType::ALL.iter().any(|rtype| has(address, *rtype, *at)))
        };
        (0..self.regions.len()).filter(serves).map(|at| self.regions[at].name.as_str()).collect()
    }
}
