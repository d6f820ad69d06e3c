//! Load balancers, as a body lists them, become regions.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::{MAX_ADDRESSES, MAX_COUNTRIES, MAX_REGIONS, Region};
use crate::refusal::{INVALID_LOAD_BALANCER, Refusal};
use crate::spec::LoadBalancerSpec;
use crate::terms::{Continent, RecordType};
use crate::text::PlainText;

/// More entries than any policy can use are not even looked at.
const MAX_ENTRIES: usize = 2 * MAX_ADDRESSES;

/// Group `entries` by region, in the order of first appearance.
pub(crate) fn group(entries: &[LoadBalancerSpec], refusals: &mut Vec<Refusal>) -> Vec<Region> {
    let mut refuse = |field: String, detail: String| {
        refusals.push(Refusal::new(INVALID_LOAD_BALANCER, field, detail));
    };
    if entries.is_empty() || entries.len() > MAX_ENTRIES {
        refuse("loadBalancers".into(), format!("1 to {MAX_ENTRIES} load balancers"));
        return Vec::new();
    }
    let named = entries.iter().filter(|entry| entry.region.is_some()).count();
    if named != 0 && named != entries.len() {
        refuse("loadBalancers".into(), "give every load balancer a region, or none".into());
    }
    let mut grouping = Grouping::default();
    for (index, entry) in entries.iter().enumerate() {
        grouping.add(index, entry, &mut refuse);
    }
    let regions = grouping.regions;
    if regions.len() > MAX_REGIONS {
        refuse("loadBalancers".into(), format!("at most {MAX_REGIONS} regions"));
    }
    for rtype in RecordType::ALL {
        if regions.iter().map(|region| region.addresses(rtype).len()).sum::<usize>() > MAX_ADDRESSES {
            refuse("loadBalancers".into(), format!("at most {MAX_ADDRESSES} addresses for {rtype}"));
        }
    }
    if regions.iter().map(|region| region.countries.len()).sum::<usize>() > MAX_COUNTRIES {
        refuse("loadBalancers".into(), format!("at most {MAX_COUNTRIES} country codes in all"));
    }
    regions
}

/// Regions so far, and what must not come twice.
#[derive(Default)]
struct Grouping {
    regions: Vec<Region>,
    addresses: BTreeSet<IpAddr>,
    places: BTreeSet<String>,
}

impl Grouping {
    fn add(&mut self, index: usize, entry: &LoadBalancerSpec, refuse: &mut impl FnMut(String, String)) {
        let at = |field: &str| format!("loadBalancers[{index}].{field}");
        let word = entry.region.clone().unwrap_or_else(|| format!("lb{}", index + 1));
        let name = match PlainText::region(&word) {
            Ok(name) => name,
            Err(detail) => return refuse(at("region"), detail.into()),
        };
        if entry.ipv4.is_none() && entry.ipv6.is_none() {
            refuse(at("ipv4"), "give ipv4, ipv6 or both".into());
        }
        let place = match self.regions.iter().position(|region| region.name == name) {
            Some(place) => place,
            None => {
                self.regions.push(empty(name));
                self.regions.len() - 1
            }
        };
        let Some(region) = self.regions.get_mut(place) else { return };
        if let Some(text) = &entry.ipv4 {
            match text.parse() {
                Ok(address) if self.addresses.insert(IpAddr::V4(address)) => region.ipv4.push(address),
                Ok(address) => refuse(at("ipv4"), format!("{address} is given twice")),
                Err(_) => refuse(at("ipv4"), "an IPv4 address".into()),
            }
        }
        if let Some(text) = &entry.ipv6 {
            match text.parse() {
                Ok(address) if self.addresses.insert(IpAddr::V6(address)) => region.ipv6.push(address),
                Ok(address) => refuse(at("ipv6"), format!("{address} is given twice")),
                Err(_) => refuse(at("ipv6"), "an IPv6 address".into()),
            }
        }
        if let Some(weight) = entry.weight {
            match u16::try_from(weight).ok().filter(|weight| *weight > 0) {
                Some(weight) if region.weight.is_none_or(|other| other == weight) => {
                    region.weight = Some(weight)
                }
                Some(_) => refuse(at("weight"), format!("differs within the region {}", region.name)),
                None => refuse(at("weight"), "a number from 1 to 65535".into()),
            }
        }
        for (place, code) in entry.country.iter().enumerate() {
            let field = at(&format!("country[{place}]"));
            match PlainText::country(code) {
                Ok(country) if self.places.insert(code.clone()) => region.countries.push(country),
                Ok(country) => refuse(field, format!("{country} is served from two places")),
                Err(detail) => refuse(field, detail.into()),
            }
        }
        for (place, code) in entry.continent.iter().enumerate() {
            let field = at(&format!("continent[{place}]"));
            match Continent::ALL.into_iter().find(|continent| continent.as_str() == code) {
                Some(continent) if self.places.insert(format!("continent {code}")) => {
                    region.continents.push(continent);
                }
                Some(_) => refuse(field, format!("{code} is served from two places")),
                None => refuse(field, "one of AF, AN, AS, EU, NA, OC and SA".into()),
            }
        }
    }
}

fn empty(name: PlainText) -> Region {
    Region {
        name,
        ipv4: vec![],
        ipv6: vec![],
        weight: None,
        countries: vec![],
        continents: vec![],
        forced_up: false,
    }
}
