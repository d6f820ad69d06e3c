//! What is asked in a proof, and what each answer must be. A pure function of the request.

use std::collections::BTreeSet;

use pdm_carry_over::{carried_type, rdata_of};
use pdm_dnssec::{Name, rtype};
use pdm_model::canonical::CANONICAL_LABELS;
use pdm_model::rrset::owner_in;
use pdm_model::{DsRecord, Possible, RRset, RecordType};
use pdm_ports::probe::ProofRequest;
use pdm_ports::{Class, Fault};

use crate::types::number_of;
use crate::wire::Question;

/// Everything to ask one server.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The parent's keys; asked when they are not known already. None when the DS set itself is trusted.
    pub(crate) parent_keys: Option<Question>,
    /// The child's DS if it has a parent here, its keys, its SOA, then the rest: each rests on those before.
    pub(crate) items: Vec<Item>,
    pub(crate) ds: BTreeSet<DsRecord>,
    pub(crate) anchor: BTreeSet<DsRecord>,
    pub(crate) zone: Name,
    /// Seconds.
    pub(crate) now: i64,
}

/// One question with its expectation.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) question: Question,
    pub(crate) expect: Expect,
}

/// What an answer must be.
#[derive(Debug)]
pub(crate) enum Expect {
    /// The DS set of the request, signed by the parent.
    Ds,
    /// A DNSKEY RRset that the DS set vouches for.
    Keys,
    /// A SOA, with these MNAME and RNAME if given.
    Soa(Option<(Name, Name)>),
    /// This RRset, standing in the zone.
    Set(Want),
    /// This RRset, made from the wildcard of the zone.
    FromWildcard(Want),
    /// A signed denial.
    Absent,
}

/// The content of an RRset.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    pub(crate) ttl: u32,
    pub(crate) records: Records,
}

/// What the records must be.
#[derive(Debug, Clone)]
pub(crate) enum Records {
    /// RDATA in canonical form and order.
    These(Vec<Vec<u8>>),
    /// The server computes them (LUA): one of the answers that its policy can give.
    Among(Possible),
}

impl Plan {
    /// The questions of a request.
    ///
    /// # Errors
    /// A `Bug` or `Unsupported` fault when something desired cannot be asked for or compared.
    pub(crate) fn of(request: &ProofRequest) -> Result<Self, Fault> {
        let zone = Name::from(&request.zone);
        let soa = match &request.soa {
            Some((mname, rname)) => Some((name(mname)?, name(rname)?)),
            None => None,
        };
        // Only a parent can be asked for the DS.
        let above = request.parent.as_ref().map(|_| (rtype::DS, Expect::Ds));
        let own = [(rtype::DNSKEY, Expect::Keys), (rtype::SOA, Expect::Soa(soa))];
        let mut items: Vec<Item> = above
            .into_iter()
            .chain(own)
            .map(|(number, expect)| Item { question: Question::new(zone.clone(), number), expect })
            .collect();
        let star = owner_in(&request.zone, "*");
        let random = name(&owner_in(&request.zone, &request.random_label))?;
        let mut addresses = false;
        for rrset in &request.desired {
            let owner = name(&rrset.owner)?;
            if !owner.is_at_or_below(&zone) {
                return Err(bug(format!("{owner} is outside of {zone}")));
            }
            for (number, want) in wants(rrset, &request.possible)? {
                let is_address = matches!(number, rtype::A | rtype::AAAA);
                addresses |= is_address;
                items.push(Item {
                    question: Question::new(owner.clone(), number),
                    expect: Expect::Set(want.clone()),
                });
                if is_address && rrset.owner == star {
                    items.push(Item {
                        question: Question::new(random.clone(), number),
                        expect: Expect::FromWildcard(want),
                    });
                }
            }
        }
        if !addresses {
            // A suspended Sovereign answers for none of its names, on no server.
            let labels = CANONICAL_LABELS.iter().copied().chain([request.random_label.as_str()]);
            for label in labels {
                let owner = name(&owner_in(&request.zone, label))?;
                for number in [rtype::A, rtype::AAAA] {
                    items.push(Item {
                        question: Question::new(owner.clone(), number),
                        expect: Expect::Absent,
                    });
                }
            }
        }
        Ok(Self {
            parent_keys: request.parent.as_ref().map(|p| Question::new(Name::from(p), rtype::DNSKEY)),
            items,
            ds: if request.parent.is_some() { request.ds.clone() } else { request.anchor.clone() },
            anchor: request.anchor.clone(),
            zone,
            now: request.now.0.div_euclid(1000),
        })
    }
}

fn bug(detail: String) -> Fault {
    Fault::new(Class::Bug, "probe-request", detail)
}

fn name(text: &str) -> Result<Name, Fault> {
    Name::parse(text).ok_or_else(|| bug(format!("{text:?} is not a name")))
}

/// The types to ask for and what must come. A LUA RRset is asked for by the types that it makes.
fn wants(rrset: &RRset, possible: &[Possible]) -> Result<Vec<(u16, Want)>, Fault> {
    let ttl = rrset.ttl.seconds();
    if rrset.rtype == RecordType::Lua {
        let made = rrset.records.iter().map(|content| match content.split_ascii_whitespace().next() {
            Some("A") => Ok((rtype::A, RecordType::A)),
            Some("AAAA") => Ok((rtype::AAAA, RecordType::Aaaa)),
            _ => Err(unsupported(rrset)),
        });
        let made: BTreeSet<(u16, RecordType)> = made.collect::<Result<_, _>>()?;
        let want = |(number, rtype)| {
            let among = possible.iter().find(|possible| possible.rtype == rtype).cloned();
            let among = among.ok_or_else(|| bug(format!("what {} may answer is not said", rrset.owner)))?;
            Ok((number, Want { ttl, records: Records::Among(among) }))
        };
        return made.into_iter().map(want).collect();
    }
    let number = number_of(&rrset.rtype).ok_or_else(|| unsupported(rrset))?;
    let read: fn(u16, &str) -> Option<Vec<u8>> = match carried_type(number) {
        Some(_) => |number, content| rdata_of(carried_type(number)?, content),
        None if number == rtype::NS => |_, content| Name::parse(content).map(|n| n.wire().to_vec()),
        None => return Err(unsupported(rrset)),
    };
    let mut records = rrset
        .records
        .iter()
        .map(|content| {
            read(number, content).ok_or_else(|| bug(format!("{content:?} is not of type {}", rrset.rtype)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    records.sort_unstable();
    records.dedup();
    Ok(vec![(number, Want { ttl, records: Records::These(records) })])
}

fn unsupported(rrset: &RRset) -> Fault {
    let detail = format!("{} {} cannot be compared with an answer", rrset.owner, rrset.rtype);
    Fault::new(Class::Unsupported, "probe-type", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::canonical::{apex_ns, desired_rrsets};
    use pdm_model::{Timestamp, Ttl, ZoneName};

    fn request(desired: Vec<RRset>) -> ProofRequest {
        ProofRequest {
            zone: ZoneName::parse("s.pool.test").unwrap(),
            parent: Some(ZoneName::parse("pool.test").unwrap()),
            anchor: BTreeSet::new(),
            anchor_name: String::new(),
            desired,
            possible: vec![Possible { rtype: RecordType::A, within: Vec::new(), exactly: Vec::new() }],
            ds: BTreeSet::new(),
            soa: None,
            random_label: "zzz".to_owned(),
            servers: Vec::new(),
            skipped: Vec::new(),
            generation: 1,
            private_view: true,
            now: Timestamp(0),
        }
    }

    fn questions(desired: Vec<RRset>) -> Vec<String> {
        Plan::of(&request(desired)).unwrap().items.iter().map(|item| item.question.to_string()).collect()
    }

    #[test]
    fn every_desired_set_and_a_random_name_are_asked_for() {
        let set = |label: &str, rtype, content: &str| {
            let zone = ZoneName::parse("s.pool.test").unwrap();
            RRset::new(owner_in(&zone, label), rtype, Ttl::new(300), [content])
        };
        let asked = questions(vec![
            set("@", RecordType::Ns, "ns1.example."),
            set("*", RecordType::A, "192.0.2.1"),
            set("*", RecordType::Aaaa, "2001:db8::1"),
            set("@", RecordType::from("MX".to_owned()), "10 mx.example."),
            set("app", RecordType::Lua, "A \"pickrandom()\""),
        ]);
        assert_eq!(
            asked,
            [
                "s.pool.test/DS",
                "s.pool.test/DNSKEY",
                "s.pool.test/SOA",
                "s.pool.test/NS",
                "*.s.pool.test/A",
                "zzz.s.pool.test/A",
                "*.s.pool.test/AAAA",
                "zzz.s.pool.test/AAAA",
                "s.pool.test/MX",
                "app.s.pool.test/A",
            ]
        );
    }

    #[test]
    fn without_a_parent_the_keys_rest_on_the_anchor() {
        let plan = Plan::of(&ProofRequest { parent: None, ..request(Vec::new()) }).unwrap();
        assert!(plan.parent_keys.is_none());
        assert_eq!(plan.items[0].question.to_string(), "s.pool.test/DNSKEY");
    }

    #[test]
    fn a_suspended_sovereign_must_not_answer_for_any_name() {
        let zone = ZoneName::parse("s.pool.test").unwrap();
        let ttls = pdm_model::Ttls::default();
        let ns = apex_ns(&zone, &[ZoneName::parse("ns1.example").unwrap()], &ttls);
        let suspended = desired_rrsets(&zone, &[ZoneName::parse("ns1.example").unwrap()], None, &ttls);
        assert_eq!(suspended, std::slice::from_ref(&ns));
        assert_eq!(questions(vec![ns]).iter().filter(|q| q.ends_with("/A")).count(), 7);
    }

    #[test]
    fn what_cannot_be_compared_is_said_at_once() {
        let other = RRset::new("s.pool.test.", RecordType::from("HINFO".to_owned()), Ttl::new(1), ["a b"]);
        assert_eq!(Plan::of(&request(vec![other])).unwrap_err().code, "probe-type");
        let foreign = RRset::new("other.test.", RecordType::A, Ttl::new(1), ["192.0.2.1"]);
        assert_eq!(Plan::of(&request(vec![foreign])).unwrap_err().code, "probe-request");
        let unsaid = RRset::new("s.pool.test.", RecordType::Lua, Ttl::new(1), ["AAAA \"x\""]);
        assert_eq!(Plan::of(&request(vec![unsaid])).unwrap_err().code, "probe-request");
    }
}
