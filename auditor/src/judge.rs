//! Whether replies are what they must be. Servers mostly say the same, octet for octet: what was judged once under the
//! same keys is not taken apart again, so that six views of one zone cost little more than one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pdm_dnssec::{
    Answer, Broken, Chain, NXDOMAIN, Name, Origin, SignedSet, TrustedKeys, Verified, hex, rtype,
};
use ring::digest;

use crate::plan::{Expect, Plan, Records, Want};
use crate::present::presented;
use crate::types::TypeName;
use crate::wire::Question;

/// Records of a set shown in a detail.
const SHOWN: usize = 8;
/// Characters of each.
const SHOWN_CHARACTERS: usize = 160;

/// What is wrong with one reply.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// As `NotProved` says it, besides `no-answer`.
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
}

fn wrong(reason: &'static str, detail: impl Into<String>) -> Wrong {
    Wrong { reason, detail: detail.into() }
}

impl From<Broken> for Wrong {
    fn from(broken: Broken) -> Self {
        let reason = match broken {
            Broken::NoSignature { .. } => "not-signed",
            _ => "bogus",
        };
        wrong(reason, broken.to_string())
    }
}

/// A reply that was found good.
struct Good {
    /// Number of the trusted keys under which it was judged.
    under: usize,
    /// The reply without its id.
    octets: Vec<u8>,
    /// What it says, for the digest.
    content: Vec<u8>,
    /// Number of the keys that it brought.
    brought: usize,
}

/// Judges the replies of all servers of one proof.
pub(crate) struct Judge<'a> {
    plan: &'a Plan,
    chain: Chain<'a>,
    /// Trusted keys in the order in which they were met; numbers are their identity.
    keys: Vec<TrustedKeys>,
    /// Good replies: the parent's keys first, then one list per item of the plan.
    good: Vec<Vec<Good>>,
}

/// Stands for "under the anchor", before any keys.
const ANCHOR: usize = usize::MAX;

impl<'a> Judge<'a> {
    pub(crate) fn new(plan: &'a Plan, verified: &'a mut Verified) -> Self {
        let good = (0..=plan.items.len()).map(|_| Vec::new()).collect();
        Self { plan, chain: Chain::new(plan.now, verified), keys: Vec::new(), good }
    }

    /// Judge what one server said to the parent's DNSKEY question, if it was asked, and to every item. The digest of it all, or which
    /// question has the first wrong answer.
    pub(crate) fn server(
        &mut self,
        parent: Option<&[u8]>,
        replies: &[&[u8]],
    ) -> Result<String, (Question, Wrong)> {
        let plan = self.plan;
        let mut context = digest::Context::new(&digest::SHA256);
        let at = |question: &Question| {
            let question = question.clone();
            move |wrong| (question, wrong)
        };
        let mut under = ANCHOR;
        if let (Some(question), Some(octets)) = (&plan.parent_keys, parent) {
            under = self.reply(0, ANCHOR, octets, &mut context).map_err(at(question))?;
        }
        for (index, (item, reply)) in plan.items.iter().zip(replies).enumerate() {
            let brought = self.reply(index + 1, under, reply, &mut context).map_err(at(&item.question))?;
            if matches!(item.expect, Expect::Keys) {
                under = brought;
            }
        }
        Ok(hex(context.finish().as_ref()))
    }

    /// Judge one reply, unless the same octets were judged good under the same keys. Says which keys it brought.
    fn reply(
        &mut self,
        slot: usize,
        under: usize,
        octets: &[u8],
        all: &mut digest::Context,
    ) -> Result<usize, Wrong> {
        let body = octets.get(2..).unwrap_or_default();
        if let Some(known) = self.good[slot].iter().find(|g| g.under == under && g.octets == body) {
            all.update(&known.content);
            return Ok(known.brought);
        }
        let answer = Answer::parse(octets).map_err(|e| wrong("wrong-answer", e.to_string()))?;
        let mut content = Vec::with_capacity(128);
        let brought = if slot == 0 {
            let Some(question) = &self.plan.parent_keys else {
                return Err(wrong("bogus", "there is no parent to ask for"));
            };
            let keys = self.zone_keys(&answer, question, &self.plan.anchor, &mut content)?;
            self.remember(keys)
        } else {
            let item = &self.plan.items[slot - 1];
            match self.item(&answer, &item.question, &item.expect, under, &mut content)? {
                Some(keys) => self.remember(keys),
                None => under,
            }
        };
        all.update(&content);
        self.good[slot].push(Good { under, octets: body.to_vec(), content, brought });
        Ok(brought)
    }

    fn remember(&mut self, keys: TrustedKeys) -> usize {
        self.keys.iter().position(|known| *known == keys).unwrap_or_else(|| {
            self.keys.push(keys);
            self.keys.len() - 1
        })
    }

    fn item(
        &mut self,
        answer: &Answer,
        question: &Question,
        expect: &Expect,
        under: usize,
        content: &mut Vec<u8>,
    ) -> Result<Option<TrustedKeys>, Wrong> {
        let plan = self.plan;
        if matches!(expect, Expect::Keys) {
            return self.zone_keys(answer, question, &plan.ds, content).map(Some);
        }
        authoritative(answer, question, &plan.zone)?;
        let Some(keys) = self.keys.get(under) else {
            return Err(wrong("bogus", "there are no trusted keys"));
        };
        match expect {
            Expect::Absent => {
                absent(answer, question)?;
                self.chain.negative(keys, answer, &question.name, question.rtype)?;
                content.extend_from_slice(question.name.wire());
                content.extend(question.rtype.to_be_bytes());
                content.extend(answer.rcode.to_be_bytes());
            }
            Expect::Ds => {
                let set = only(answer, question, "no-ds")?;
                let seen = self.chain.delegation(keys, set)?;
                if seen != plan.ds {
                    return Err(wrong("wrong-answer", difference(&shown_ds(&seen), &shown_ds(&plan.ds))));
                }
                write(set, content);
            }
            Expect::Soa(names) => {
                let set = only(answer, question, "wrong-answer")?;
                soa(set, names.as_ref())?;
                self.chain.positive(keys, answer, set)?;
                write(set, content);
            }
            Expect::Set(want) | Expect::FromWildcard(want) => {
                let set = only(answer, question, "wrong-answer")?;
                compare(set, want)?;
                let origin = self.chain.positive(keys, answer, set)?;
                let by_wildcard = matches!(expect, Expect::FromWildcard(_));
                match origin {
                    Origin::Wildcard(at) if !by_wildcard || at != plan.zone => {
                        return Err(wrong(
                            "wrong-answer",
                            format!("the answer was made from the wildcard at {at}"),
                        ));
                    }
                    Origin::Exact if by_wildcard => {
                        return Err(wrong(
                            "wrong-answer",
                            "the name exists, so that the wildcard is not used",
                        ));
                    }
                    Origin::Wildcard(_) | Origin::Exact => {}
                }
                write(set, content);
            }
            Expect::Keys => {}
        }
        Ok(None)
    }

    /// A DNSKEY RRset that `ds` vouches for.
    fn zone_keys(
        &mut self,
        answer: &Answer,
        question: &Question,
        ds: &BTreeSet<pdm_model::DsRecord>,
        content: &mut Vec<u8>,
    ) -> Result<TrustedKeys, Wrong> {
        authoritative(answer, question, &question.name)?;
        let set = only(answer, question, "not-signed")?;
        let keys = self.chain.keys(ds, set)?;
        write(set, content);
        Ok(keys)
    }
}

/// The server answers for the zone at all.
fn authoritative(answer: &Answer, question: &Question, zone: &Name) -> Result<(), Wrong> {
    if answer.rcode != 0 && answer.rcode != NXDOMAIN {
        return Err(wrong("lame", format!("the server answers {}", rcode(answer.rcode))));
    }
    if !answer.authoritative {
        return Err(wrong("lame", "the answer is not authoritative"));
    }
    let apex = question.name == *zone && question.rtype != rtype::DS;
    if apex && answer.rcode == NXDOMAIN {
        return Err(wrong(
            "lame",
            format!("the server does not serve {zone}: it says that the name does not exist"),
        ));
    }
    Ok(())
}

/// The one RRset that was asked for, and nothing beside it.
fn only<'b>(answer: &'b Answer, question: &Question, missing: &'static str) -> Result<&'b SignedSet, Wrong> {
    let mut others = answer.answers.iter().filter(|s| s.owner != question.name || s.rtype != question.rtype);
    // An alias at the name itself explains whatever else came with it.
    if let Some(other) = others.clone().find(|s| s.owner == question.name).or_else(|| others.next()) {
        let detail = format!("the answer holds {} {}", other.owner, TypeName(other.rtype));
        return Err(wrong("wrong-answer", detail));
    }
    answer.answers.first().ok_or_else(|| {
        let what =
            if answer.rcode == NXDOMAIN { "the name does not exist" } else { "there is no such record" };
        wrong(missing, what)
    })
}

fn absent(answer: &Answer, question: &Question) -> Result<(), Wrong> {
    if let Some(set) = answer.answers.first() {
        let detail =
            format!("seen {}, expected nothing at {question}", shown(set.rtype, &set.records).join(", "));
        return Err(wrong("wrong-answer", detail));
    }
    if !answer.authorities.iter().any(|s| matches!(s.rtype, rtype::NSEC | rtype::NSEC3)) {
        return Err(wrong("not-signed", "the denial has no NSEC or NSEC3 record"));
    }
    Ok(())
}

fn compare(set: &SignedSet, want: &Want) -> Result<(), Wrong> {
    match &want.records {
        Records::These(records) if *records != set.records => {
            let (seen, expected) = (shown(set.rtype, &set.records), shown(set.rtype, records));
            return Err(wrong("wrong-answer", difference(&seen, &expected)));
        }
        Records::Among(possible) if !addresses(set).is_some_and(|seen| possible.admits(&seen)) => {
            let seen = shown(set.rtype, &set.records).join(", ");
            return Err(wrong("wrong-answer", format!("seen {seen}, which the policy never gives")));
        }
        Records::These(_) | Records::Among(_) => {}
    }
    if set.ttl != want.ttl {
        return Err(wrong("wrong-answer", format!("seen TTL {}, expected {}", set.ttl, want.ttl)));
    }
    Ok(())
}

/// The addresses of an A or AAAA RRset; none when it holds anything else.
pub(crate) fn addresses(set: &SignedSet) -> Option<BTreeSet<IpAddr>> {
    let one = |rdata: &Vec<u8>| match set.rtype {
        rtype::A => <[u8; 4]>::try_from(rdata.as_slice()).ok().map(IpAddr::from),
        rtype::AAAA => <[u8; 16]>::try_from(rdata.as_slice()).ok().map(IpAddr::from),
        _ => None,
    };
    set.records.iter().map(one).collect()
}

fn soa(set: &SignedSet, names: Option<&(Name, Name)>) -> Result<(), Wrong> {
    let bad = || wrong("wrong-answer", "the SOA cannot be read");
    let [rdata] = set.records.as_slice() else {
        return Err(wrong("wrong-answer", format!("{} SOA records, expected one", set.records.len())));
    };
    let (mname, length) = Name::from_wire(rdata).ok_or_else(bad)?;
    let (rname, _) = Name::from_wire(rdata.get(length..).unwrap_or_default()).ok_or_else(bad)?;
    match names {
        Some((m, r)) if *m != mname || *r != rname => {
            Err(wrong("wrong-answer", format!("seen SOA of {mname} {rname}, expected {m} {r}")))
        }
        _ => Ok(()),
    }
}

/// What goes into the digest: content without signatures, since every server may sign for itself.
fn write(set: &SignedSet, content: &mut Vec<u8>) {
    content.extend_from_slice(set.owner.wire());
    content.extend(set.rtype.to_be_bytes());
    content.extend(set.ttl.to_be_bytes());
    content.extend(set.records.len().to_be_bytes());
    for record in &set.records {
        content.extend(record.len().to_be_bytes());
        content.extend_from_slice(record);
    }
}

fn difference(seen: &[String], expected: &[String]) -> String {
    format!("seen {}, expected {}", seen.join(", "), expected.join(", "))
}

fn shown_ds(set: &BTreeSet<pdm_model::DsRecord>) -> Vec<String> {
    set.iter().take(SHOWN).map(ToString::to_string).collect()
}

/// RDATA for people.
fn shown(number: u16, records: &[Vec<u8>]) -> Vec<String> {
    let text = |rdata: &Vec<u8>| presented(number, rdata).chars().take(SHOWN_CHARACTERS).collect();
    records.iter().take(SHOWN).map(text).collect()
}

/// A response code by its mnemonic.
pub(crate) fn rcode(number: u16) -> String {
    match number {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        9 => "NOTAUTH".to_owned(),
        other => format!("response code {other}"),
    }
}
