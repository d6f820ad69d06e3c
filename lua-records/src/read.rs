//! Rendered records back to the model.
//!
//! The values are collected leniently and validated like any other input; then the model is rendered again and must
//! give the very same text. So a text that is accepted is ours to the last character: nobody's edit, and no Lua that
//! we would not have written ourselves, passes as a policy.

use crate::model::Failover;
use crate::refusal::Refusals;
use crate::render::content;
use crate::scan::{Scanned, ScannedRegion, scan};
use crate::spec::{FailoverSpec, LoadBalancerSpec, Spec};
use crate::terms::RecordType;

/// Why records are not a policy of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not the outline of our text, or a type twice.
    #[error("not a record that was rendered here")]
    Foreign,
    /// The outline is ours, the values are not acceptable.
    #[error("a value in the record is not acceptable")]
    Refused(#[source] Refusals),
    /// The values make a policy, whose text is a different one: someone edited it, or another version wrote it.
    #[error("the record differs from what its policy renders to")]
    Differs,
}

/// The policy behind the LUA records of one name: their contents in any order, and their TTL.
///
/// # Errors
/// When they are not, to the last character, what [`render`](crate::render()) writes for some version.
pub fn read(contents: &[&str], ttl: u32) -> Result<Failover, ReadError> {
    let mut records: Vec<(RecordType, &str, Scanned)> = Vec::new();
    for text in contents {
        let (rtype, scanned) = scan(text).ok_or(ReadError::Foreign)?;
        if records.iter().any(|(other, _, _)| *other == rtype) {
            return Err(ReadError::Foreign);
        }
        records.push((rtype, text, scanned));
    }
    records.sort_by_key(|(rtype, _, _)| *rtype);
    let failover =
        Failover::from_spec(&merge(&records, ttl)?, None).map_err(|all| ReadError::Refused(Refusals(all)))?;
    let same = failover.record_types().len() == records.len()
        && records.iter().all(|(rtype, text, _)| content(&failover, *rtype) == *text);
    if same { Ok(failover) } else { Err(ReadError::Differs) }
}

/// One spec out of the records of both types. What only one of them knows (a weight, a country of a region without
/// addresses in the other) is taken from that one; where they disagree, rendering again will tell.
fn merge(records: &[(RecordType, &str, Scanned)], ttl: u32) -> Result<Spec, ReadError> {
    let (_, _, first) = records.first().ok_or(ReadError::Foreign)?;
    let mut load_balancers = Vec::new();
    for region in &first.regions {
        let twins = records.iter().flat_map(|(rtype, _, scanned)| {
            scanned.regions.iter().filter(|twin| twin.name == region.name).map(|twin| (*rtype, twin))
        });
        load_balancers.extend(entries(&region.name, twins));
    }
    Ok(Spec {
        load_balancers,
        failover: FailoverSpec {
            strategy: Some(first.strategy.clone()),
            reserve: first
                .regions
                .iter()
                .filter(|region| region.reserve)
                .map(|region| region.name.clone())
                .collect(),
            check: Some(first.check.clone()),
            when_all_down: Some(first.all_down.clone()),
            fallback: records.iter().flat_map(|(_, _, scanned)| scanned.fallback.iter().cloned()).collect(),
            until_checked: Some(first.until_checked.clone()),
            ttl: Some(ttl.into()),
        },
        forced_up: first.regions.iter().filter(|r| r.forced_up).map(|r| r.name.clone()).collect(),
        forced_down: Vec::new(),
    })
}

/// One load balancer for each address; what belongs to the region stands at its first.
fn entries<'a>(
    name: &str,
    twins: impl Iterator<Item = (RecordType, &'a ScannedRegion)>,
) -> Vec<LoadBalancerSpec> {
    let mut entries: Vec<LoadBalancerSpec> = Vec::new();
    let mut shared = LoadBalancerSpec::default();
    for (rtype, twin) in twins {
        for address in &twin.addresses {
            let mut entry = LoadBalancerSpec { region: Some(name.to_owned()), ..LoadBalancerSpec::default() };
            match rtype {
                RecordType::A => entry.ipv4 = Some(address.clone()),
                RecordType::Aaaa => entry.ipv6 = Some(address.clone()),
            }
            entries.push(entry);
        }
        shared.weight = shared.weight.or(twin.weight);
        if shared.country.is_empty() {
            shared.country.clone_from(&twin.countries);
        }
        if shared.continent.is_empty() {
            shared.continent.clone_from(&twin.continents);
        }
    }
    if let Some(first) = entries.first_mut() {
        first.weight = shared.weight;
        first.country = shared.country;
        first.continent = shared.continent;
    }
    entries
}
