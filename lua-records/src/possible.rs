//! Every answer that a policy can give, whatever is up, wherever the client is: what a nameserver's answer is held to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pdm_model::Possible;

use crate::answer::Rule;
use crate::model::Failover;
use crate::script::when_all_down;
use crate::terms::{RecordType, Strategy};
use crate::truth::situation;

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
    /// Whether one client may get another answer at every question, so that one answer does not tell what is up.
    #[must_use]
    pub fn picks_at_random(&self) -> bool {
        let up = vec![true; self.regions().len()];
        situation(self, &up).iter().any(|given| given.answer.rule == Rule::Random)
    }

    /// Whether `addresses`, gathered over several answers where the policy picks at random, is what clients of some
    /// place get with every region up.
    #[must_use]
    pub fn is_preferred(&self, rtype: RecordType, addresses: &Set) -> bool {
        let up = vec![true; self.regions().len()];
        let given = situation(self, &up).into_iter().filter(|given| given.rtype == rtype);
        given.into_iter().any(|given| {
            let mut choices = given.answer.choices.iter().map(|choice| choice.addresses.iter().copied());
            match given.answer.rule {
                Rule::Random => choices.flatten().collect::<Set>() == *addresses,
                Rule::Always | Rule::Sticky | Rule::Nearest => {
                    choices.any(|choice| choice.collect::<Set>() == *addresses)
                }
            }
        })
    }

    /// Whether `addresses` is what is answered when nothing is up.
    #[must_use]
    pub fn is_all_down(&self, rtype: RecordType, addresses: &Set) -> bool {
        when_all_down(self, rtype).into_iter().collect::<Set>() == *addresses
    }

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
