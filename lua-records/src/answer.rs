//! What a client gets, computed from the model alone: the other half of every proof about the rendered text.

use std::net::IpAddr;

use serde::Serialize;

use crate::model::{Failover, Region};
use crate::script::when_all_down;
use crate::terms::{Continent, RecordType, Strategy};

/// Where a client is, as GeoIP sees the address that asks (the resolver's, unless it sends a client subnet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Client<'a> {
    /// ISO 3166 code.
    pub country: Option<&'a str>,
    /// Continent.
    pub continent: Option<Continent>,
}

/// How one of several choices is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Rule {
    /// There is one choice, or none.
    Always,
    /// At random for each answer, by weight.
    Random,
    /// By a hash of the client's address and the weights.
    Sticky,
    /// The address closest to the client.
    Nearest,
}

/// Every answer that a client may get in one situation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// How one of `choices` is taken.
    pub rule: Rule,
    /// The possible answers; none means an empty answer.
    pub choices: Vec<Choice>,
}

/// One possible answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// Its addresses, in order.
    pub addresses: Vec<IpAddr>,
    /// Its share among the choices.
    pub weight: u16,
}

impl Answer {
    fn of(rule: Rule, mut choices: Vec<Choice>) -> Self {
        if choices.len() > 1 {
            return Self { rule, choices };
        }
        // A single choice has no share to speak of.
        choices.iter_mut().for_each(|choice| choice.weight = 1);
        Self { rule: Rule::Always, choices }
    }

    /// All these addresses, always.
    fn always(addresses: Vec<IpAddr>) -> Self {
        let choices = if addresses.is_empty() { vec![] } else { vec![Choice { addresses, weight: 1 }] };
        Self::of(Rule::Always, choices)
    }

    /// One of these addresses.
    fn one_of(rule: Rule, addresses: Vec<IpAddr>) -> Self {
        Self::of(
            rule,
            addresses.into_iter().map(|address| Choice { addresses: vec![address], weight: 1 }).collect(),
        )
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = match self.rule {
            Rule::Always if self.choices.is_empty() => return f.write_str("nothing"),
            Rule::Always => "",
            Rule::Random => "one of ",
            Rule::Sticky => "sticky one of ",
            Rule::Nearest => "nearest of ",
        };
        let weighted = self.choices.iter().any(|choice| choice.weight != 1);
        let choices = self.choices.iter().map(|choice| {
            let addresses: Vec<_> = choice.addresses.iter().map(IpAddr::to_string).collect();
            let weight = if weighted { format!(" ({})", choice.weight) } else { String::new() };
            format!("{}{weight}", addresses.join(" + "))
        });
        write!(f, "{word}{}", choices.collect::<Vec<_>>().join(" | "))
    }
}

/// What `client` may get for a question of this type, given which addresses are up.
#[must_use]
pub fn answer(
    failover: &Failover,
    rtype: RecordType,
    client: Client<'_>,
    is_up: &dyn Fn(IpAddr) -> bool,
) -> Answer {
    let live = |region: &Region| -> Vec<IpAddr> {
        region.addresses(rtype).into_iter().filter(|address| region.forced_up || is_up(*address)).collect()
    };
    let first_live = |regions: &[Region]| regions.iter().map(live).find(|addresses| !addresses.is_empty());
    let front = failover.front();
    let pool = || -> Vec<IpAddr> { front.iter().flat_map(live).collect() };
    let by_weight = |rule: Rule| {
        let choices = front.iter().map(|region| (live(region), region.weight.unwrap_or(1)));
        let choices = choices.filter(|(addresses, _)| !addresses.is_empty());
        Answer::of(rule, choices.map(|(addresses, weight)| Choice { addresses, weight }).collect())
    };
    let chosen = match failover.strategy() {
        Strategy::Ordered => Answer::always(first_live(front).unwrap_or_default()),
        Strategy::Geo => {
            let home = home(front, client).map(live).filter(|addresses| !addresses.is_empty());
            Answer::always(home.or_else(|| first_live(front)).unwrap_or_default())
        }
        Strategy::All => Answer::always(pool()),
        Strategy::RoundRobin => Answer::one_of(Rule::Random, pool()),
        Strategy::Nearest => Answer::one_of(Rule::Nearest, pool()),
        Strategy::Weighted => by_weight(Rule::Random),
        Strategy::Hashed if failover.is_by_weight() => by_weight(Rule::Sticky),
        Strategy::Hashed => Answer::one_of(Rule::Sticky, pool()),
    };
    if !chosen.choices.is_empty() {
        return chosen;
    }
    let last = first_live(failover.reserve()).unwrap_or_else(|| when_all_down(failover, rtype));
    Answer::always(last)
}

/// The region of the client: by country, else by continent.
fn home<'a>(front: &'a [Region], client: Client<'_>) -> Option<&'a Region> {
    let by_country = front.iter().find(|region| {
        client.country.is_some_and(|country| region.countries.iter().any(|code| code.as_str() == country))
    });
    by_country.or_else(|| {
        front
            .iter()
            .find(|region| client.continent.is_some_and(|continent| region.continents.contains(&continent)))
    })
}
