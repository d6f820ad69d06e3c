//! Messages as values: what is asked, what an answer says, and what an update demands and changes. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hickory_proto::dnssec::rdata::{DNSSECRData, DS};
use hickory_proto::dnssec::{Algorithm, DigestType};
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::rdata::{A, AAAA, NS};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use pdm_dnssec::hex;
use pdm_model::{DsRecord, Ttl, ZoneName};
use pdm_ports::{Class, Fault};

use super::{larger, odd_name};
use crate::kind::{Kind, host};

/// What stands for records below a name, which a delegation hides too.
pub(super) const BELOW: &str = "names below it";

fn wire(name: &ZoneName) -> Result<Name, Fault> {
    Name::from_ascii(name.dotted()).map_err(|_| odd_name(name))
}

/// A question to an authoritative server.
pub(super) fn query(name: &ZoneName, rtype: RecordType) -> Result<Message, Fault> {
    let mut message = Message::query();
    message.metadata.recursion_desired = false;
    message.add_query(Query::query(wire(name)?, rtype));
    Ok(message)
}

/// An update being written.
pub(super) struct Update(Message);

impl Update {
    /// Of a zone; it demands and changes nothing yet.
    pub(super) fn of(zone: &ZoneName) -> Result<Self, Fault> {
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(wire(zone)?, RecordType::SOA));
        Ok(Self(message))
    }

    /// As it goes out.
    pub(super) fn message(self) -> Message {
        self.0
    }

    fn demand(&mut self, record: Record) {
        self.0.answers.push(record);
    }

    fn change(&mut self, record: Record) {
        self.0.authorities.push(record);
    }

    /// Demand that a set exists, whatever it holds (RFC 2136 2.4.1).
    pub(super) fn there(&mut self, name: &ZoneName, rtype: RecordType) -> Result<(), Fault> {
        self.demand(marker(name, DNSClass::ANY, rtype)?);
        Ok(())
    }

    /// Demand that a name has records (2.4.4).
    pub(super) fn in_use(&mut self, name: &ZoneName) -> Result<(), Fault> {
        self.there(name, RecordType::ANY)
    }

    /// Demand that a name has none (2.4.5).
    pub(super) fn unused(&mut self, name: &ZoneName) -> Result<(), Fault> {
        self.demand(marker(name, DNSClass::NONE, RecordType::ANY)?);
        Ok(())
    }

    /// Demand that the NS set is still this one (2.4.2, 2.4.3).
    pub(super) fn seen_ns(&mut self, name: &ZoneName, seen: &BTreeSet<ZoneName>) -> Result<(), Fault> {
        let records = seen.iter().map(ns).collect::<Result<Vec<_>, _>>()?;
        self.seen(name, RecordType::NS, records)
    }

    /// The same for the DS set.
    pub(super) fn seen_ds(&mut self, name: &ZoneName, seen: &BTreeSet<DsRecord>) -> Result<(), Fault> {
        let records = seen.iter().map(ds_data).collect::<Result<Vec<_>, _>>()?;
        self.seen(name, RecordType::DS, records)
    }

    fn seen(&mut self, name: &ZoneName, rtype: RecordType, records: Vec<RData>) -> Result<(), Fault> {
        if records.is_empty() {
            self.demand(marker(name, DNSClass::NONE, rtype)?);
        }
        let owner = wire(name)?;
        for data in records {
            self.demand(Record::from_rdata(owner.clone(), 0, data));
        }
        Ok(())
    }

    /// Remove a nameserver that nobody has, which is ignored (2.5.4) where it is permitted and refused where it is not.
    pub(super) fn without_effect(&mut self, name: &ZoneName) -> Result<(), Fault> {
        let nobody = Name::from_ascii("pdm-probe.invalid.").map_err(|_| odd_name(name))?;
        let mut record = Record::from_rdata(wire(name)?, 0, RData::NS(NS(nobody)));
        record.dns_class = DNSClass::NONE;
        self.change(record);
        Ok(())
    }

    /// Replace the NS set.
    pub(super) fn set_ns(
        &mut self,
        name: &ZoneName,
        names: &BTreeSet<ZoneName>,
        ttl: Ttl,
    ) -> Result<(), Fault> {
        let records = names.iter().map(ns).collect::<Result<Vec<_>, _>>()?;
        self.set(name, RecordType::NS, records, ttl)
    }

    /// Replace the DS set.
    pub(super) fn set_ds(
        &mut self,
        name: &ZoneName,
        wanted: &BTreeSet<DsRecord>,
        ttl: Ttl,
    ) -> Result<(), Fault> {
        let records = wanted.iter().map(ds_data).collect::<Result<Vec<_>, _>>()?;
        self.set(name, RecordType::DS, records, ttl)
    }

    /// Replace the addresses of a nameserver below the delegated name.
    pub(super) fn set_addresses(
        &mut self,
        name: &ZoneName,
        addresses: &BTreeSet<IpAddr>,
        ttl: Ttl,
    ) -> Result<(), Fault> {
        let four = addresses.iter().filter_map(|address| match address {
            IpAddr::V4(address) => Some(RData::A(A(*address))),
            IpAddr::V6(_) => None,
        });
        let six = addresses.iter().filter_map(|address| match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(RData::AAAA(AAAA(*address))),
        });
        self.set(name, RecordType::A, four.collect(), ttl)?;
        self.set(name, RecordType::AAAA, six.collect(), ttl)
    }

    /// Remove the set (2.5.2), then add each record (2.5.1).
    fn set(
        &mut self,
        name: &ZoneName,
        rtype: RecordType,
        records: Vec<RData>,
        ttl: Ttl,
    ) -> Result<(), Fault> {
        self.change(marker(name, DNSClass::ANY, rtype)?);
        let owner = wire(name)?;
        for data in records {
            self.change(Record::from_rdata(owner.clone(), ttl.seconds(), data));
        }
        Ok(())
    }
}

fn marker(name: &ZoneName, class: DNSClass, rtype: RecordType) -> Result<Record, Fault> {
    let mut record = Record::update0(wire(name)?, 0, rtype);
    record.dns_class = class;
    Ok(record)
}

fn ns(name: &ZoneName) -> Result<RData, Fault> {
    Ok(RData::NS(NS(wire(name)?)))
}

fn ds_data(ds: &DsRecord) -> Result<RData, Fault> {
    let digest =
        unhex(&ds.digest).ok_or_else(|| Kind::Refused.fault("a DS has a digest that is no hexadecimal"))?;
    let ds = DS::new(ds.key_tag, Algorithm::from_u8(ds.algorithm), DigestType::from(ds.digest_type), digest);
    Ok(RData::DNSSEC(DNSSECRData::DS(ds)))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

/// What an answer code means when it is a refusal of the key or of the server, for questions and updates alike.
fn judge(answer: &Message) -> Result<(), Fault> {
    let error = answer.signature.as_ref().and_then(|signature| signature.data.error);
    if let Some(error) = error {
        return Err(match error {
            TsigError::BadKey => {
                Kind::InvalidCredentials.fault("the server does not know the key's name or algorithm")
            }
            TsigError::BadTime => Kind::ClockSkew.fault("the server's clock and ours differ too much"),
            TsigError::BadSig | TsigError::BadTrunc | TsigError::Unknown(_) => {
                Kind::InvalidCredentials.fault("the server says that the key's secret is another")
            }
        });
    }
    let (kind, words) = match answer.response_code {
        ResponseCode::NoError
        | ResponseCode::NXDomain
        | ResponseCode::YXDomain
        | ResponseCode::YXRRSet
        | ResponseCode::NXRRSet => return Ok(()),
        ResponseCode::Refused => (Kind::InsufficientScope, "refuses this key what was asked"),
        ResponseCode::NotAuth => (Kind::DomainNotInAccount, "has no such zone"),
        ResponseCode::NotZone => (Kind::Refused, "says that the name is not in the zone"),
        ResponseCode::ServFail => (Kind::Unavailable, "failed"),
        ResponseCode::NotImp => (Kind::Unsupported, "takes no dynamic updates"),
        ResponseCode::FormErr => (Kind::Refused, "cannot read the message"),
        _ => (Kind::Garbage, "answers with a code that makes no sense here"),
    };
    Err(kind.fault(format!("the server {words} ({})", answer.response_code)))
}

/// Whether the demands of an update that changes nothing are met.
pub(super) fn holds(answer: &Message) -> Result<bool, Fault> {
    judge(answer)?;
    Ok(answer.response_code == ResponseCode::NoError)
}

/// Whether an update was done. What was seen and is so no longer is settled by reading again.
pub(super) fn judge_update(answer: &Message) -> Result<(), Fault> {
    judge(answer)?;
    match answer.response_code {
        ResponseCode::NoError => Ok(()),
        code => {
            let detail = format!("the zone is not as it was a moment ago ({code}); nothing was written");
            Err(Fault::new(Class::Transient, "changed-meanwhile", detail))
        }
    }
}

/// What the server says about a delegation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// There is one at the name.
    At {
        /// Its names.
        ns: BTreeSet<ZoneName>,
        /// Their TTL.
        ttl: Ttl,
    },
    /// There is none.
    None,
}

/// Read the answer to a question for NS of `child` in `zone`.
pub(super) fn cut(answer: &Message, zone: &ZoneName, child: &ZoneName) -> Result<Cut, Fault> {
    judge(answer)?;
    let owner = wire(child)?;
    if answer.authoritative {
        if answer.answers.iter().any(|record| record.name == owner && record.record_type() == RecordType::NS)
        {
            let detail = format!(
                "the server also serves {child} itself and so does not show what {zone} holds; way out: make the \
                 delegation by hand, or move {child} off that server"
            );
            return Err(Fault::new(Class::Unsupported, "parent-serves-child", detail));
        }
        return Ok(Cut::None);
    }
    // A referral.
    let names: Vec<_> =
        answer.authorities.iter().filter(|record| record.record_type() == RecordType::NS).collect();
    let Some(first) = names.first() else {
        return Err(Kind::DomainNotInAccount.fault(format!("the server does not serve {zone}")));
    };
    if first.name != owner {
        let detail = format!("{child} lies below another delegation, of {}", first.name);
        return Err(Fault::new(Class::Rejected, "below-another-delegation", detail));
    }
    let mut ns = BTreeSet::new();
    let mut ttl = None;
    for record in names {
        let RData::NS(NS(name)) = &record.data else { continue };
        ns.insert(host("the server", &name.to_ascii())?);
        ttl = larger(ttl, record.ttl);
    }
    Ok(Cut::At { ns, ttl: ttl.unwrap_or(Ttl::new(0)) })
}

/// Read the answer to a question for DS. They belong to the parent, so the answer is authoritative.
pub(super) fn ds(answer: &Message, child: &ZoneName) -> Result<(BTreeSet<DsRecord>, Option<Ttl>), Fault> {
    judge(answer)?;
    if !answer.authoritative {
        return Err(odd("an answer about DS that is not authoritative"));
    }
    let owner = wire(child)?;
    let mut found = BTreeSet::new();
    let mut ttl = None;
    for record in answer.answers.iter().filter(|record| record.name == owner) {
        let RData::DNSSEC(DNSSECRData::DS(ds)) = &record.data else { continue };
        found.insert(DsRecord {
            key_tag: ds.key_tag(),
            algorithm: ds.algorithm().into(),
            digest_type: ds.digest_type().into(),
            digest: hex(ds.digest()),
        });
        ttl = larger(ttl, record.ttl);
    }
    Ok((found, ttl))
}

/// Read the answer to a question for everything at a name: the types, without what signing adds.
pub(super) fn types(answer: &Message) -> Result<BTreeSet<String>, Fault> {
    judge(answer)?;
    let found: BTreeSet<_> = answer
        .answers
        .iter()
        .map(Record::record_type)
        .filter(|rtype| !matches!(rtype, RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3))
        .map(|rtype| rtype.to_string())
        .collect();
    // A name that is there and has nothing has something below.
    if found.is_empty() && answer.response_code == ResponseCode::NoError && answer.authoritative {
        return Ok([BELOW.to_owned()].into());
    }
    Ok(found)
}

fn odd(what: &str) -> Fault {
    Kind::Garbage.fault(format!("the server gave {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::MessageType;

    fn name(text: &str) -> ZoneName {
        ZoneName::parse(text).unwrap()
    }

    fn answer(code: ResponseCode, authoritative: bool) -> Message {
        let mut message = Message::new(1, MessageType::Response, OpCode::Query);
        message.metadata.response_code = code;
        message.metadata.authoritative = authoritative;
        message
    }

    fn referral(owner: &str, target: &str) -> Message {
        let mut message = answer(ResponseCode::NoError, false);
        message.authorities.push(Record::from_rdata(
            wire(&name(owner)).unwrap(),
            300,
            ns(&name(target)).unwrap(),
        ));
        message
    }

    #[test]
    fn a_referral_an_absence_and_what_is_neither() {
        let (zone, child) = (name("acme.example"), name("sub.acme.example"));
        let seen = cut(&referral("sub.acme.example", "ns1.sov.example"), &zone, &child).unwrap();
        assert_eq!(seen, Cut::At { ns: [name("ns1.sov.example")].into(), ttl: Ttl::new(300) });
        for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
            assert_eq!(cut(&answer(code, true), &zone, &child).unwrap(), Cut::None);
        }
        let above = cut(&referral("acme.example", "ns1.sov.example"), &zone, &child).unwrap_err();
        assert_eq!(above.code, "below-another-delegation");
        let mut own = answer(ResponseCode::NoError, true);
        own.answers = referral("sub.acme.example", "ns1.sov.example").authorities;
        assert_eq!(cut(&own, &zone, &child).unwrap_err().code, "parent-serves-child");
        let nothing = answer(ResponseCode::NoError, false);
        assert_eq!(cut(&nothing, &zone, &child).unwrap_err().code, "domain-not-in-account");
        assert_eq!(ds(&nothing, &child).unwrap_err().code, "registrar-garbage");
        assert_eq!(types(&answer(ResponseCode::NoError, true)).unwrap(), [BELOW.to_owned()].into());
        assert!(types(&answer(ResponseCode::NXDomain, true)).unwrap().is_empty());
    }

    #[test]
    fn every_code_has_one_meaning() {
        let table = [
            (ResponseCode::Refused, "credential-scope"),
            (ResponseCode::NotAuth, "domain-not-in-account"),
            (ResponseCode::NotZone, "registrar-refused"),
            (ResponseCode::ServFail, "registrar-unavailable"),
            (ResponseCode::NotImp, "registrar-cannot"),
            (ResponseCode::FormErr, "registrar-refused"),
            (ResponseCode::BADCOOKIE, "registrar-garbage"),
            (ResponseCode::YXDomain, "changed-meanwhile"),
            (ResponseCode::NXRRSet, "changed-meanwhile"),
        ];
        for (code, want) in table {
            assert_eq!(judge_update(&answer(code, false)).unwrap_err().code, want, "{code}");
        }
        assert!(judge_update(&answer(ResponseCode::NoError, false)).is_ok());
        assert!(!holds(&answer(ResponseCode::NXDomain, false)).unwrap());
    }

    #[test]
    fn a_ds_is_the_same_after_a_trip() {
        let record: DsRecord =
            "55648 13 2 B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770CE6D6E37DF61D17".parse().unwrap();
        let child = name("sub.acme.example");
        let mut message = answer(ResponseCode::NoError, true);
        message.answers.push(Record::from_rdata(wire(&child).unwrap(), 60, ds_data(&record).unwrap()));
        let message = Message::from_vec(&message.to_vec().unwrap()).unwrap();
        assert_eq!(ds(&message, &child).unwrap(), ([record.clone()].into(), Some(Ttl::new(60))));
        let odd = DsRecord { digest: "xyz".into(), ..record };
        assert!(ds_data(&odd).is_err());
    }
}
