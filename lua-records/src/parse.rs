//! From the untrusted shape to the model, with every refusal at once, and back.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::check::CheckReader;
use crate::model::{AllDown, Failover, MAX_FALLBACK, Region, UntilChecked};
use crate::refusal::{FIELD_UNUSED, INVALID_CHECK, INVALID_FALLBACK, INVALID_STRATEGY, Refusal};
use crate::regions::group;
use crate::spec::{CheckSpec, FailoverSpec, LoadBalancerSpec, Spec};
use crate::terms::{RecordType, Strategy};
use crate::text::PlainText;

const DEFAULT_TTL: i64 = 5;
const MAX_TTL: i64 = 3600;

impl Failover {
    /// Check the shape of every field. `default_host` stands in for an absent `failover.check.host`.
    ///
    /// # Errors
    /// Everything that is wrong, each with its field.
    pub(crate) fn from_spec(spec: &Spec, default_host: Option<&str>) -> Result<Self, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let failover = &spec.failover;
        let mut regions = group(&spec.load_balancers, &mut refusals);
        let strategy = strategy(failover, &mut refusals);
        let front = move_reserve_back(&mut regions, failover, strategy, &mut refusals);
        if let Some(strategy) = strategy {
            refuse_unused(strategy, &regions, front, &mut refusals);
        }
        let default_check = CheckSpec::default();
        let check_spec = failover.check.as_ref().unwrap_or(&default_check);
        let check = CheckReader::new(check_spec, &mut refusals).read(default_host);
        let all_down = all_down(failover, &regions, &mut refusals);
        let until_checked = until_checked(failover, &mut refusals);
        let ttl = ttl(failover, &mut refusals);
        match (strategy, check, all_down, until_checked, ttl) {
            (Some(strategy), Some(check), Some(all_down), Some(until_checked), Some(ttl))
                if refusals.is_empty() =>
            {
                Self { regions, front, strategy, check, all_down, until_checked, ttl }.forced(spec)
            }
            _ => Err(refusals),
        }
    }
}

fn strategy(spec: &FailoverSpec, refusals: &mut Vec<Refusal>) -> Option<Strategy> {
    let word = spec.strategy.as_deref().unwrap_or(Strategy::Ordered.as_str());
    let found = Strategy::ALL.into_iter().find(|strategy| strategy.as_str() == word);
    if found.is_none() {
        let words: Vec<_> = Strategy::ALL.iter().map(|strategy| strategy.as_str()).collect();
        refusals.push(Refusal::new(
            INVALID_STRATEGY,
            "failover.strategy",
            format!("one of {}", words.join(", ")),
        ));
    }
    found
}

/// Put the reserve behind the others, in its own order; how many stay in front.
fn move_reserve_back(
    regions: &mut Vec<Region>,
    spec: &FailoverSpec,
    strategy: Option<Strategy>,
    refusals: &mut Vec<Refusal>,
) -> usize {
    if let Some(strategy) = strategy.filter(|s| !s.takes_reserve() && !spec.reserve.is_empty()) {
        let detail = format!("the strategy {} has an order of its own", strategy.as_str());
        refusals.push(Refusal::new(FIELD_UNUSED, "failover.reserve", detail));
    }
    let mut reserve = Vec::new();
    for (index, name) in spec.reserve.iter().enumerate() {
        match regions.iter().position(|region| region.name.as_str() == name) {
            Some(at) => reserve.push(regions.remove(at)),
            None => refusals.push(Refusal::new(
                INVALID_STRATEGY,
                format!("failover.reserve[{index}]"),
                "the name of a region in loadBalancers, each once",
            )),
        }
    }
    let front = regions.len();
    if front == 0 && !reserve.is_empty() {
        let detail = "at least one region stays outside the reserve";
        refusals.push(Refusal::new(INVALID_STRATEGY, "failover.reserve", detail));
    }
    regions.append(&mut reserve);
    front
}

/// What a policy would ignore is refused: an ignored weight looks like a working one.
fn refuse_unused(strategy: Strategy, regions: &[Region], front: usize, refusals: &mut Vec<Refusal>) {
    let mut refuse = |code, detail: String| refusals.push(Refusal::new(code, "loadBalancers", detail));
    let (chosen, reserve) = regions.split_at(front.min(regions.len()));
    let weights = chosen.iter().filter(|region| region.weight.is_some()).count();
    let word = strategy.as_str();
    match strategy {
        Strategy::Weighted if weights < chosen.len() => {
            refuse(INVALID_STRATEGY, "the strategy weighted needs a weight in every region in front".into());
        }
        Strategy::Hashed if weights > 0 && weights < chosen.len() => {
            refuse(INVALID_STRATEGY, "give every region in front a weight, or none".into());
        }
        Strategy::Weighted | Strategy::Hashed => {}
        Strategy::Ordered | Strategy::All | Strategy::RoundRobin | Strategy::Nearest | Strategy::Geo => {
            if weights > 0 {
                refuse(FIELD_UNUSED, format!("the strategy {word} does not use weight"));
            }
        }
    }
    if reserve.iter().any(|region| region.weight.is_some()) {
        refuse(FIELD_UNUSED, "a region in reserve is chosen by order, not by weight".into());
    }
    let placed = regions.iter().any(|region| !region.countries.is_empty() || !region.continents.is_empty());
    match strategy {
        Strategy::Geo if !placed => {
            refuse(INVALID_STRATEGY, "the strategy geo needs country or continent in some region".into());
        }
        Strategy::Geo => {}
        Strategy::Ordered
        | Strategy::All
        | Strategy::RoundRobin
        | Strategy::Weighted
        | Strategy::Hashed
        | Strategy::Nearest => {
            if placed {
                refuse(FIELD_UNUSED, format!("the strategy {word} does not use country and continent"));
            }
        }
    }
}

fn all_down(spec: &FailoverSpec, regions: &[Region], refusals: &mut Vec<Refusal>) -> Option<AllDown> {
    let word = spec.when_all_down.as_deref().unwrap_or("all");
    if word != "fallback" && !spec.fallback.is_empty() {
        let detail = "only whenAllDown: fallback uses it";
        refusals.push(Refusal::new(FIELD_UNUSED, "failover.fallback", detail));
    }
    match word {
        "all" => Some(AllDown::All),
        "first" => Some(AllDown::First),
        "empty" => Some(AllDown::Empty),
        "fallback" => fallback(spec, regions, refusals).map(AllDown::Fallback),
        _ => {
            let detail = "one of all, first, fallback and empty";
            refusals.push(Refusal::new(INVALID_FALLBACK, "failover.whenAllDown", detail));
            None
        }
    }
}

fn fallback(spec: &FailoverSpec, regions: &[Region], refusals: &mut Vec<Refusal>) -> Option<Vec<IpAddr>> {
    let before = refusals.len();
    let mut seen = BTreeSet::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    for (index, text) in spec.fallback.iter().enumerate() {
        let field = format!("failover.fallback[{index}]");
        match text.parse() {
            Ok(address) if seen.insert(address) => addresses.push(address),
            Ok(_) => refusals.push(Refusal::new(INVALID_FALLBACK, field, "is given twice")),
            Err(_) => refusals.push(Refusal::new(INVALID_FALLBACK, field, "an IPv4 or IPv6 address")),
        }
    }
    // A family without its own fallback would answer nothing for that type, which nobody asked for.
    for rtype in RecordType::ALL {
        let count = addresses.iter().filter(|address| rtype.holds(**address)).count();
        let used = regions.iter().any(|region| !region.addresses(rtype).is_empty());
        let problem = match (used, count) {
            (true, 0) => format!("needs an address for {rtype}, as the regions have some"),
            (false, 1..) => format!("has an address for {rtype}, but no region has one"),
            (_, count) if count > MAX_FALLBACK => format!("at most {MAX_FALLBACK} addresses for {rtype}"),
            _ => continue,
        };
        refusals.push(Refusal::new(INVALID_FALLBACK, "failover.fallback", problem));
    }
    // A first, then AAAA: the order in which they are rendered, so that reading back gives the same model.
    addresses.sort_by_key(IpAddr::is_ipv6);
    (refusals.len() == before).then_some(addresses)
}

fn until_checked(spec: &FailoverSpec, refusals: &mut Vec<Refusal>) -> Option<UntilChecked> {
    match spec.until_checked.as_deref() {
        None | Some("open") => Some(UntilChecked::Open),
        Some("fail") => Some(UntilChecked::Fail),
        Some(_) => {
            refusals.push(Refusal::new(INVALID_CHECK, "failover.untilChecked", "one of open and fail"));
            None
        }
    }
}

fn ttl(spec: &FailoverSpec, refusals: &mut Vec<Refusal>) -> Option<u32> {
    let given = spec.ttl.unwrap_or(DEFAULT_TTL);
    let ttl = (1..=MAX_TTL).contains(&given).then(|| u32::try_from(given).ok()).flatten();
    if ttl.is_none() {
        let detail = format!("a number of seconds from 1 to {MAX_TTL}");
        refusals.push(Refusal::new(INVALID_STRATEGY, "failover.ttl", detail));
    }
    ttl
}

impl From<Failover> for Spec {
    fn from(failover: Failover) -> Self {
        let fallback = match &failover.all_down {
            AllDown::Fallback(addresses) => addresses.iter().map(IpAddr::to_string).collect(),
            AllDown::All | AllDown::First | AllDown::Empty => Vec::new(),
        };
        Self {
            load_balancers: failover.regions.iter().flat_map(entrances).collect(),
            failover: FailoverSpec {
                strategy: Some(failover.strategy.as_str().to_owned()),
                reserve: failover.reserve().iter().map(|region| region.name.to_string()).collect(),
                check: Some(CheckSpec::from(&failover.check)),
                when_all_down: Some(failover.all_down.as_str().to_owned()),
                fallback,
                until_checked: Some(failover.until_checked.as_str().to_owned()),
                ttl: Some(failover.ttl.into()),
            },
            forced_up: failover
                .regions
                .iter()
                .filter(|region| region.forced_up)
                .map(|region| region.name.to_string())
                .collect(),
            forced_down: Vec::new(),
        }
    }
}

/// One load balancer for each pair of addresses; what belongs to the region stands at its first.
fn entrances(region: &Region) -> Vec<LoadBalancerSpec> {
    let rows = region.ipv4.len().max(region.ipv6.len());
    let mut entrances: Vec<_> = (0..rows)
        .map(|row| LoadBalancerSpec {
            region: Some(region.name.to_string()),
            ipv4: region.ipv4.get(row).map(ToString::to_string),
            ipv6: region.ipv6.get(row).map(ToString::to_string),
            ..LoadBalancerSpec::default()
        })
        .collect();
    if let Some(first) = entrances.first_mut() {
        first.weight = region.weight.map(i64::from);
        first.country = region.countries.iter().map(PlainText::to_string).collect();
        first.continent = region.continents.iter().map(|continent| continent.as_str().to_owned()).collect();
    }
    entrances
}
