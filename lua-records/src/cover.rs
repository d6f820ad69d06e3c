//! Clients whom a policy helps nothing: it is well formed, and its author may not know.

use crate::model::{Failover, Region};
use crate::script::when_all_down;
use crate::terms::RecordType;

impl Failover {
    /// What the author of a policy should know of it; one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let alone = |rtype| self.alone(rtype).map(|region| (rtype, region));
        let told = |(rtype, region): (RecordType, &Region)| {
            format!(
                "{rtype}: clients get what {} has, up or down, as no other region has one; give another region one, \
                 or a fallback",
                region.name
            )
        };
        self.record_types().into_iter().filter_map(alone).map(told).collect()
    }

    /// The one of several regions that clients of this family get, whatever is up.
    fn alone(&self, rtype: RecordType) -> Option<&Region> {
        let mut having = self.regions().iter().filter(|region| !region.addresses(rtype).is_empty());
        let (only, None) = (having.next()?, having.next()) else { return None };
        let own = only.addresses(rtype);
        let elsewhere = when_all_down(self, rtype).iter().any(|address| !own.contains(address));
        (self.regions().len() > 1 && !elsewhere).then_some(only)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Failover;
    use crate::spec::Spec;

    fn warnings(regions: &[(&str, bool, bool)], failover: &str) -> Vec<String> {
        let lb = |(name, v4, v6): &(&str, bool, bool)| {
            let v4 = if *v4 { format!(r#","ipv4":"192.0.2.{}""#, name.len()) } else { String::new() };
            let v6 = if *v6 { format!(r#","ipv6":"2001:db8::{}""#, name.len()) } else { String::new() };
            format!(r#"{{"region":"{name}"{v4}{v6}}}"#)
        };
        let lbs: Vec<_> = regions.iter().map(lb).collect();
        let json = format!(r#"{{"loadBalancers":[{}],"failover":{failover}}}"#, lbs.join(","));
        Failover::try_from(serde_json::from_str::<Spec>(&json).unwrap()).unwrap().warnings()
    }

    #[test]
    fn a_family_of_one_region_fails_over_to_nothing() {
        let uneven = [("a", true, true), ("bb", true, false)];
        for strategy in ["ordered", "all", "roundRobin", "hashed", "nearest"] {
            let told = warnings(&uneven, &format!(r#"{{"strategy":"{strategy}"}}"#));
            assert_eq!(told.len(), 1, "{strategy}: {told:?}");
            assert!(told[0].starts_with("AAAA: clients get what a has"), "{told:?}");
        }
        let reversed = [("a", false, true), ("bb", true, true)];
        assert!(warnings(&reversed, r#"{"strategy":"ordered","whenAllDown":"first"}"#)[0].starts_with("A: "));
        let both = warnings(&[("a", true, false), ("bb", false, true)], r#"{"strategy":"ordered"}"#);
        assert_eq!(both.len(), 2, "{both:?}");
    }

    #[test]
    fn whoever_has_somewhere_to_go_is_not_warned() {
        let even = [("a", true, true), ("bb", true, true)];
        assert!(warnings(&even, r#"{"strategy":"ordered"}"#).is_empty());
        assert!(warnings(&[("a", true, false), ("bb", true, false)], r#"{"strategy":"all"}"#).is_empty());
        let uneven = [("a", true, true), ("bb", true, false)];
        let fallback =
            r#"{"strategy":"ordered","whenAllDown":"fallback","fallback":["192.0.2.99","2001:db8::99"]}"#;
        assert!(warnings(&uneven, fallback).is_empty());
        // One load balancer is plain records, and nobody expects more of it.
        assert!(warnings(&[("a", true, true)], r#"{"strategy":"ordered"}"#).is_empty());
    }
}
