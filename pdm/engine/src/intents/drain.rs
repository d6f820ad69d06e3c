//! A region forced up or down, with an end. Forcing and its end are ordinary changes: a new generation, one PATCH, a
//! proof.

use std::sync::Arc;
use std::time::Duration;

use pdm_lua_records::{Failover, Spec};
use pdm_model::{Allocation, Drain, Force, LoadBalancer, Refusal, Target, Timestamp};
use pdm_ports::Fault;

use super::change::Edit;
use super::{Accepted, IntentError};
use crate::caller::{Caller, Right};
use crate::engine::Engine;
use crate::failover::policy_of;

/// The longest time that a region may be forced. Longer is a change of the target.
pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

impl Engine {
    /// Force a region up or down for a while, or let its checks decide again.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn drain(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        region: &str,
        force: Option<(Force, Duration)>,
    ) -> Result<Accepted, IntentError> {
        caller.must(Right::Commit)?;
        if force.is_some_and(|(_, lasting)| lasting.is_zero() || lasting > LONGEST) {
            return Err(Refusal::new("invalid-parameter", "from 1 s to 30 days").field("seconds").into());
        }
        let (name, _) = super::parse_fqdn(fqdn)?;
        let before = self.visible(caller, &name).await?;
        let (region, by) = (region.to_owned(), caller.actor.clone());
        let detail = match force {
            Some((force, lasting)) => {
                format!("{region} forced {} for {} s", force.as_str(), lasting.as_secs())
            }
            None => format!("{region} as its checks say"),
        };
        let edit: Edit = Box::new(move |a, facts| {
            let drain = force.map(|(force, lasting)| Drain {
                region: region.clone(),
                force,
                until: facts.now + lasting,
                by: by.clone(),
            });
            let target = forced(a, &region, drain)?;
            let differs = a.target.as_ref() != Some(&target);
            a.target = Some(target);
            Ok(differs)
        });
        self.change(caller, &before, "drain", detail, edit).await
    }

    /// Let go of what was forced until a time that has passed; an operation that waits begins anew with it.
    pub(crate) async fn end_drains(
        self: &Arc<Self>,
        allocation: &Allocation,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let ended = |target: &Target, now| target.drains.iter().any(|drain| drain.until <= now);
        if !allocation.target.as_ref().is_some_and(|target| ended(target, now)) {
            return Ok(());
        }
        let edit: Edit = Box::new(move |a, facts| {
            let Some(target) = a.target.as_mut().filter(|target| ended(target, facts.now)) else {
                return Ok(false);
            };
            target.drains.retain(|drain| drain.until > facts.now);
            Ok(true)
        });
        let detail = "the time that a region was forced for is over".to_owned();
        match self.change(&Self::itself(), allocation, "drain-end", detail, edit).await {
            Ok(_) => Ok(()),
            Err(IntentError::Refused(refusal)) => {
                tracing::debug!(zone = %allocation.fqdn, %refusal, "a drain does not end yet");
                Ok(())
            }
            Err(IntentError::Fault(fault)) => Err(fault),
        }
    }
}

/// The target with one region forced otherwise. Pure.
fn forced(allocation: &Allocation, region: &str, drain: Option<Drain>) -> Result<Target, Refusal> {
    let none = || Refusal::new("no-failover", "its load balancers are all answered always");
    let Some(mut target) = allocation.target.clone() else { return Err(none()) };
    if !matches!(policy_of(&target), Ok(Some(_))) {
        return Err(none());
    }
    let known = Failover::try_from(Spec::from(&Target { drains: Vec::new(), ..target.clone() }));
    let names: Vec<String> =
        known.iter().flat_map(Failover::regions).map(|region| region.name.to_string()).collect();
    if !names.iter().any(|name| name == region) {
        let detail = format!("the regions are {}", names.join(", "));
        return Err(Refusal::new("unknown-region", detail).field("region"));
    }
    target.drains.retain(|old| old.region != region);
    target.drains.extend(drain);
    target.drains.sort_by(|a, b| a.region.cmp(&b.region));
    policy_of(&target).map_err(|_| {
        Refusal::new("last-region", "every other region is forced down already").field("region")
    })?;
    Ok(target)
}

/// What was forced stays forced through a change of the target, for the regions that it still has. One without a name is
/// the same as long as its addresses are.
pub(crate) fn carried_over(before: Option<&Target>, mut target: Target) -> Target {
    let Some(before) = before else { return target };
    let of = |target: &Target, region: &str| -> Vec<LoadBalancer> {
        let named = |(n, lb): &(usize, &LoadBalancer)| match &lb.region {
            Some(name) => name == region,
            None => format!("lb{}", n + 1) == region,
        };
        target.load_balancers.iter().enumerate().filter(named).map(|(_, lb)| lb.clone()).collect()
    };
    let addresses = |all: &[LoadBalancer]| all.iter().map(|lb| (lb.ipv4, lb.ipv6)).collect::<Vec<_>>();
    let known = |drain: &&Drain| {
        let (old, new) = (of(before, &drain.region), of(&target, &drain.region));
        let named = new.iter().all(|lb| lb.region.is_some());
        !new.is_empty() && (named || addresses(&old) == addresses(&new))
    };
    let kept: Vec<Drain> = match target.failover {
        Some(_) => before.drains.iter().filter(known).cloned().collect(),
        None => Vec::new(),
    };
    target.drains = kept;
    if !matches!(policy_of(&target), Ok(Some(_))) {
        // Nothing is left to choose from, or only what was forced down: the new target counts.
        target.drains.clear();
    }
    target
}

#[cfg(test)]
mod tests {
    use pdm_model::FailoverSpec;

    use super::*;

    fn target(regions: &[&str], drained: &[&str]) -> Target {
        let one = |(n, region): (usize, &&str)| LoadBalancer {
            region: Some((*region).to_owned()),
            ipv4: Some([192, 0, 2, u8::try_from(n).unwrap()].into()),
            ..LoadBalancer::default()
        };
        let drain = |region: &&str| Drain {
            region: (*region).to_owned(),
            force: Force::Down,
            until: Timestamp(9),
            by: "me".into(),
        };
        Target {
            load_balancers: regions.iter().enumerate().map(one).collect(),
            failover: Some(FailoverSpec::default()),
            drains: drained.iter().map(drain).collect(),
        }
    }

    #[test]
    fn what_was_forced_stays_for_the_regions_that_are_left() {
        let before = target(&["a", "b"], &["a"]);
        let drained = |regions: &[&str]| {
            let after = carried_over(Some(&before), target(regions, &[]));
            after.drains.iter().map(|drain| drain.region.clone()).collect::<Vec<_>>()
        };
        assert_eq!(drained(&["a", "c"]), ["a"]);
        assert_eq!(drained(&["c", "d"]), [""; 0]);
        assert_eq!(drained(&["a"]), [""; 0], "the only region that is left answers");
        let plain = Target { failover: None, ..target(&["a", "b"], &[]) };
        assert_eq!(carried_over(Some(&before), plain).drains, []);
        // Without names the addresses tell.
        let nameless = |drained: &[&str]| {
            let mut target = target(&["a", "b"], drained);
            target.load_balancers.iter_mut().for_each(|lb| lb.region = None);
            target
        };
        let before = nameless(&["lb1"]);
        assert_eq!(carried_over(Some(&before), nameless(&[])).drains, before.drains);
        let mut others = nameless(&[]);
        others.load_balancers.reverse();
        assert_eq!(carried_over(Some(&before), others).drains, []);
    }
}
