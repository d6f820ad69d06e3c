//! Regions that somebody forced up or down. A region that is forced down is not there at all: no answer of any
//! situation holds it, not even when all others are down.

use crate::model::{AllDown, Failover};
use crate::refusal::{LAST_REGION, Refusal, UNKNOWN_REGION};
use crate::spec::Spec;
use crate::terms::Strategy;

impl Failover {
    /// The policy with what `spec` forces.
    pub(crate) fn forced(mut self, spec: &Spec) -> Result<Self, Vec<Refusal>> {
        let mut refusals = Vec::new();
        for (field, names) in [("forcedUp", &spec.forced_up), ("forcedDown", &spec.forced_down)] {
            for (index, name) in names.iter().enumerate() {
                let known = self.regions.iter().any(|region| region.name.as_str() == name);
                let twice = field == "forcedUp" && spec.forced_down.contains(name);
                if !known || twice {
                    let names: Vec<_> = self.regions.iter().map(|region| region.name.as_str()).collect();
                    let detail = format!("one of the regions {}, forced one way", names.join(", "));
                    refusals.push(Refusal::new(UNKNOWN_REGION, format!("{field}[{index}]"), detail));
                }
            }
        }
        for region in &mut self.regions {
            region.forced_up = spec.forced_up.iter().any(|name| name == region.name.as_str());
        }
        let is_down = |name: &str| spec.forced_down.iter().any(|down| down == name);
        if self.regions.iter().all(|region| is_down(region.name.as_str())) {
            let detail = "at least one region stays that is not forced down";
            refusals.push(Refusal::new(LAST_REGION, "forcedDown", detail));
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        if !spec.forced_down.is_empty() {
            self.front = self.front().iter().filter(|region| !is_down(region.name.as_str())).count();
            self.regions.retain(|region| !is_down(region.name.as_str()));
            self.settle();
        }
        Ok(self)
    }

    /// What is left is brought to the form that it would have had without the regions that are gone.
    fn settle(&mut self) {
        let placed = self.regions.iter().any(|r| !r.countries.is_empty() || !r.continents.is_empty());
        if self.front == 0 {
            // A reserve answers in its order, which is what `ordered` means.
            (self.front, self.strategy) = (self.regions.len(), Strategy::Ordered);
        } else if self.strategy == Strategy::Geo && !placed {
            self.strategy = Strategy::Ordered;
        }
        let types = self.record_types();
        if let AllDown::Fallback(addresses) = &mut self.all_down {
            addresses.retain(|address| types.iter().any(|rtype| rtype.holds(*address)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forced(
        strategy: &str,
        reserve: &[&str],
        up: &[&str],
        down: &[&str],
    ) -> Result<Failover, Vec<Refusal>> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let region = |n: u8| crate::spec::LoadBalancerSpec {
            region: Some(format!("r{n}")),
            ipv4: Some(format!("192.0.2.{n}")),
            country: if strategy == "geo" && n == 1 { vec!["OM".to_owned()] } else { vec![] },
            ..Default::default()
        };
        let mut spec = Spec {
            load_balancers: (1..=3).map(region).collect(),
            forced_up: owned(up),
            forced_down: owned(down),
            ..Spec::default()
        };
        spec.failover.strategy = Some(strategy.to_owned());
        spec.failover.reserve = owned(reserve);
        Failover::from_spec(&spec, None)
    }

    #[test]
    fn a_region_that_is_forced_down_is_not_there() {
        let left = forced("ordered", &[], &["r3"], &["r1"]).unwrap();
        let names: Vec<_> =
            left.regions().iter().map(|region| (region.name.as_str(), region.forced_up)).collect();
        assert_eq!(names, [("r2", false), ("r3", true)]);
        let reserve = forced("all", &["r2", "r3"], &[], &["r1"]).unwrap();
        assert_eq!((reserve.strategy(), reserve.front().len()), (Strategy::Ordered, 2));
        assert_eq!(forced("geo", &[], &[], &["r1"]).unwrap().strategy(), Strategy::Ordered);
        assert_eq!(forced("geo", &[], &[], &["r2"]).unwrap().strategy(), Strategy::Geo);
    }

    #[test]
    fn what_cannot_be_forced_is_refused_at_its_place() {
        let code = |up: &[&str], down: &[&str]| {
            let refusal = forced("ordered", &[], up, down).unwrap_err().remove(0);
            (refusal.code, refusal.field)
        };
        assert_eq!(code(&["x"], &[]), (UNKNOWN_REGION, "forcedUp[0]".to_owned()));
        assert_eq!(code(&["r1"], &["r1"]), (UNKNOWN_REGION, "forcedUp[0]".to_owned()));
        assert_eq!(code(&[], &["r1", "r2", "r3"]), (LAST_REGION, "forcedDown".to_owned()));
    }
}
