//! Asking for names that zones usually have, where nobody hands out the zone. The names are data (`names.txt`); names
//! that answers mention are asked for as well. Whatever is not found this way is missing, and is said to be.

use std::collections::BTreeSet;

use pdm_dnssec::Name;

use crate::types::by_name;

const NAMES: &str = include_str!("names.txt");

/// Types to ask for at a name of which only the name is known.
pub const ANY_NAME: [u16; 5] = [1, 28, 5, 16, 15];

/// A name to ask for, and which types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The name.
    pub owner: Name,
    /// Type numbers.
    pub types: Vec<u16>,
}

/// The list for a zone.
#[must_use]
pub fn hints(apex: &Name) -> Vec<Hint> {
    let mut all = Vec::new();
    for line in NAMES.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let mut words = line.split_ascii_whitespace();
        let Some(owner) = words.next().and_then(|label| crate::codec::absolute(label, apex)) else {
            continue;
        };
        let types: Vec<u16> = words.filter_map(|word| by_name(word).map(|t| t.number)).collect();
        all.push(Hint { owner, types: if types.is_empty() { ANY_NAME.to_vec() } else { types } });
    }
    all
}

/// Names in the zone that a record leads to.
#[must_use]
pub fn mentioned(apex: &Name, number: u16, rdata: &[u8]) -> BTreeSet<Name> {
    let at = match number {
        5 | 12 => 0,
        15 | 64 | 65 => 2,
        33 => 6,
        _ => return BTreeSet::new(),
    };
    let target = rdata.get(at..).and_then(Name::from_wire).map(|(name, _)| name);
    let mut all: BTreeSet<Name> = target.into_iter().collect();
    if number == 15 {
        // DANE for mail stands below the exchanger's name (RFC 7672).
        let below = |name: &Name| name.below("_tcp").and_then(|n| n.below("_25"));
        all.extend(all.clone().iter().filter_map(below));
    }
    all.retain(|name| name.is_at_or_below(apex) && name.depth() > 0);
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;
    use crate::codec::rdata_of;
    use crate::types::CARRIED;

    #[test]
    fn the_list_is_read_whole_and_knows_mail() {
        let apex = Name::parse("acme.com.").unwrap();
        let hints = hints(&apex);
        let lines = NAMES.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).count();
        assert_eq!(hints.len(), lines, "a line of names.txt is not a name");
        let names: BTreeSet<String> = hints.iter().map(|h| h.owner.to_string()).collect();
        assert_eq!(names.len(), hints.len(), "a name stands twice");
        for name in ["acme.com.", "www.acme.com.", "_dmarc.acme.com.", "selector1._domainkey.acme.com."] {
            assert!(names.contains(name), "{name}");
        }
        let types: BTreeSet<u16> = hints.iter().flat_map(|h| h.types.clone()).collect();
        let missing: Vec<_> = CARRIED.iter().filter(|t| !types.contains(&t.number)).map(|t| t.name).collect();
        assert_eq!(missing, ["PTR"], "a type that nobody asks for");
    }

    #[test]
    fn answers_lead_to_more_names() {
        let apex = Name::parse("acme.com.").unwrap();
        let rdata = rdata_of(by_name("MX").unwrap(), "10 mx.acme.com.").unwrap();
        let names: Vec<_> = mentioned(&apex, 15, &rdata).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["mx.acme.com.", "_25._tcp.mx.acme.com."]);
        let elsewhere = rdata_of(by_name("MX").unwrap(), "10 mx.other.org.").unwrap();
        assert!(mentioned(&apex, 15, &elsewhere).is_empty());
    }
}
