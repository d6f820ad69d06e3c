//! A reply, taken apart into RRsets with their signatures. hickory-proto reads the octets; from there on everything is
//! in canonical form, because that is what is signed, hashed and compared.

use hickory_proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, RData, Record};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

use crate::name::Name;

/// Record type numbers that the code names.
pub mod rtype {
    /// IPv4 address.
    pub const A: u16 = 1;
    /// Nameserver.
    pub const NS: u16 = 2;
    /// Alias.
    pub const CNAME: u16 = 5;
    /// Start of authority.
    pub const SOA: u16 = 6;
    /// Text.
    pub const TXT: u16 = 16;
    /// IPv6 address.
    pub const AAAA: u16 = 28;
    /// Alias of a whole tree.
    pub const DNAME: u16 = 39;
    /// Delegation signer.
    pub const DS: u16 = 43;
    /// Signature.
    pub const RRSIG: u16 = 46;
    /// Denial by name.
    pub const NSEC: u16 = 47;
    /// Public key.
    pub const DNSKEY: u16 = 48;
    /// Denial by hash.
    pub const NSEC3: u16 = 50;
}

/// More RRsets than any reply we ask for can have; the rest would only cost time.
const MAX_RRSETS: usize = 64;

/// Why octets are not a reply that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The octets break the message format.
    #[error("not a DNS message: {0}")]
    Message(String),
    /// A query came back.
    #[error("not a response")]
    NotAResponse,
    /// RFC 2181 5.2.
    #[error("the records of {0} type {1} have different TTLs")]
    MixedTtl(Name, u16),
    /// Far more than was asked for.
    #[error("more than {MAX_RRSETS} RRsets in one reply")]
    TooMuch,
    /// A name or RDATA that has no canonical form.
    #[error("a record has no canonical form")]
    Canonical,
}

/// One RRSIG record (RFC 4034 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Algorithm number.
    pub algorithm: u8,
    /// Labels of the owner name, without a `*` (RFC 4034 3.1.3).
    pub labels: u8,
    /// TTL in the authoritative zone.
    pub original_ttl: u32,
    /// Not valid after.
    pub expiration: u32,
    /// Not valid before.
    pub inception: u32,
    /// Which key.
    pub key_tag: u16,
    /// Whose key.
    pub signer: Name,
    /// The signature.
    pub octets: Vec<u8>,
}

/// All records of one name and type, with what signs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedSet {
    /// Owner name.
    pub owner: Name,
    /// Type number.
    pub rtype: u16,
    /// Time to live as it was answered.
    pub ttl: u32,
    /// RDATA in canonical form and order, each once (RFC 4034 6.2 and 6.3).
    pub records: Vec<Vec<u8>>,
    /// RRSIG records over the set.
    pub signatures: Vec<Signature>,
}

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Response code, with the EDNS part.
    pub rcode: u16,
    /// AA.
    pub authoritative: bool,
    /// TC.
    pub truncated: bool,
    /// Answer section.
    pub answers: Vec<SignedSet>,
    /// Authority section.
    pub authorities: Vec<SignedSet>,
    /// Additional section: hints, never signed; empty when it cannot be read as sets.
    pub additionals: Vec<SignedSet>,
    /// RA.
    pub recursion_available: bool,
    /// What the OPT record says, if there is one.
    pub edns: Option<EdnsSeen>,
}

/// An OPT record as it was answered (RFC 6891).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdnsSeen {
    /// Version.
    pub version: u8,
    /// DO.
    pub dnssec_ok: bool,
    /// The flags that nobody assigned yet.
    pub unassigned: u16,
    /// Codes of the options.
    pub options: Vec<u16>,
    /// How much of the client's address that was asked for the answer holds for (RFC 7871 7.2.1); none when the server
    /// says nothing of it.
    pub client_scope: Option<u8>,
}

impl Answer {
    /// Read a reply.
    ///
    /// # Errors
    /// [`Malformed`], for anything that is not a well-formed reply; never a panic.
    pub fn parse(octets: &[u8]) -> Result<Self, Malformed> {
        let message = Message::from_vec(octets).map_err(|e| Malformed::Message(e.to_string()))?;
        if message.metadata.message_type != MessageType::Response {
            return Err(Malformed::NotAResponse);
        }
        Ok(Self {
            rcode: message.metadata.response_code.into(),
            authoritative: message.metadata.authoritative,
            truncated: message.metadata.truncation,
            answers: group(&message.answers)?,
            authorities: group(&message.authorities)?,
            additionals: group(&message.additionals).unwrap_or_default(),
            recursion_available: message.metadata.recursion_available,
            edns: message.edns.as_ref().map(|edns| EdnsSeen {
                version: edns.version(),
                dnssec_ok: edns.flags().dnssec_ok,
                unassigned: edns.flags().z,
                options: edns.options().as_ref().iter().map(|(code, _)| u16::from(*code)).collect(),
                client_scope: match edns.option(EdnsCode::Subnet) {
                    Some(EdnsOption::Subnet(client)) => Some(client.scope_prefix()),
                    _ => None,
                },
            }),
        })
    }

    /// The RRset of `owner` and `rtype` in the answer section.
    #[must_use]
    pub fn find(&self, owner: &Name, rtype: u16) -> Option<&SignedSet> {
        self.answers.iter().find(|set| set.rtype == rtype && set.owner == *owner)
    }
}

/// One record of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainRecord {
    /// Owner name.
    pub owner: Name,
    /// Type number.
    pub rtype: u16,
    /// Time to live.
    pub ttl: u32,
    /// RDATA in canonical form.
    pub rdata: Vec<u8>,
}

/// Response code and answer section of one message of a transfer (RFC 5936), in order and with every record.
///
/// # Errors
/// [`Malformed`], for anything that is not a well-formed reply; never a panic.
pub fn plain_records(octets: &[u8]) -> Result<(u16, Vec<PlainRecord>), Malformed> {
    let message = Message::from_vec(octets).map_err(|e| Malformed::Message(e.to_string()))?;
    if message.metadata.message_type != MessageType::Response {
        return Err(Malformed::NotAResponse);
    }
    let of_class = message.answers.iter().filter(|r| r.dns_class == DNSClass::IN);
    let records = of_class.map(|record| {
        let owner = Name::from_labels(record.name.iter()).ok_or(Malformed::Canonical)?;
        let (rtype, ttl) = (u16::from(record.record_type()), record.ttl);
        Ok(PlainRecord { owner, rtype, ttl, rdata: canonical_rdata(&record.data)? })
    });
    Ok((message.metadata.response_code.into(), records.collect::<Result<_, _>>()?))
}

/// Records of one section as sets; a signature joins the set that it covers.
fn group(records: &[Record]) -> Result<Vec<SignedSet>, Malformed> {
    let mut sets: Vec<SignedSet> = Vec::with_capacity(records.len().min(8));
    let mut signatures: Vec<(Name, u16, Signature)> = Vec::with_capacity(records.len().min(8));
    for record in records.iter().filter(|r| r.dns_class == DNSClass::IN) {
        let owner = Name::from_labels(record.name.iter()).ok_or(Malformed::Canonical)?;
        if let RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) = &record.data {
            signatures.push((owner, rrsig.input().type_covered.into(), signature(rrsig)?));
            continue;
        }
        let rtype = u16::from(record.record_type());
        let rdata = canonical_rdata(&record.data)?;
        let full = sets.len() >= MAX_RRSETS;
        match sets.iter_mut().find(|set| set.rtype == rtype && set.owner == owner) {
            Some(set) if set.ttl != record.ttl => return Err(Malformed::MixedTtl(owner, rtype)),
            Some(set) => set.records.push(rdata),
            None if full => return Err(Malformed::TooMuch),
            None => {
                let (ttl, records) = (record.ttl, vec![rdata]);
                sets.push(SignedSet { owner, rtype, ttl, records, signatures: Vec::new() });
            }
        }
    }
    for set in &mut sets {
        set.records.sort_unstable();
        set.records.dedup();
    }
    for (owner, covered, signature) in signatures {
        // A signature over nothing proves nothing; it is dropped.
        if let Some(set) = sets.iter_mut().find(|set| set.rtype == covered && set.owner == owner) {
            set.signatures.push(signature);
        }
    }
    Ok(sets)
}

fn signature(rrsig: &RRSIG) -> Result<Signature, Malformed> {
    let input = rrsig.input();
    Ok(Signature {
        algorithm: input.algorithm.into(),
        labels: input.num_labels,
        original_ttl: input.original_ttl,
        expiration: input.sig_expiration.get(),
        inception: input.sig_inception.get(),
        key_tag: input.key_tag,
        signer: Name::from_labels(input.signer_name.iter()).ok_or(Malformed::Canonical)?,
        octets: rrsig.sig().to_vec(),
    })
}

/// RDATA with names expanded and, where RFC 4034 6.2 (as corrected by RFC 6840 5.1) says so, in lower case.
fn canonical_rdata(data: &RData) -> Result<Vec<u8>, Malformed> {
    let mut octets = Vec::with_capacity(64);
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_canonical_form(true);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    data.emit(&mut encoder).map_err(|_| Malformed::Canonical)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Header with `answers` records, the question `a. A`, and the records.
    fn reply(answers: u8, records: &[u8]) -> Vec<u8> {
        let mut octets = vec![0, 1, 0x84, 0, 0, 1, 0, answers, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
        octets.extend_from_slice(records);
        octets
    }

    fn a_record(ttl: u8, last: u8) -> Vec<u8> {
        vec![0xc0, 12, 0, 1, 0, 1, 0, 0, 0, ttl, 0, 4, 192, 0, 2, last]
    }

    #[test]
    fn records_become_one_set_in_canonical_order() {
        let octets = reply(3, &[a_record(9, 2), a_record(9, 1), a_record(9, 2)].concat());
        let answer = Answer::parse(&octets).unwrap();
        let set = answer.find(&Name::parse("a.").unwrap(), rtype::A).unwrap();
        assert!(answer.authoritative && !answer.truncated && answer.rcode == 0);
        assert_eq!((set.ttl, set.records.clone()), (9, vec![vec![192, 0, 2, 1], vec![192, 0, 2, 2]]));
    }

    #[test]
    fn a_transfer_keeps_every_record() {
        let octets = reply(2, &[a_record(9, 2), a_record(8, 1)].concat());
        let (code, records) = plain_records(&octets).unwrap();
        let seen: Vec<_> = records.iter().map(|r| (r.rtype, r.ttl, r.rdata[3])).collect();
        assert_eq!((code, seen), (0, vec![(rtype::A, 9, 2), (rtype::A, 8, 1)]));
    }

    #[test]
    fn different_ttls_in_one_set_are_refused() {
        let octets = reply(2, &[a_record(9, 2), a_record(8, 1)].concat());
        assert!(matches!(Answer::parse(&octets), Err(Malformed::MixedTtl(..))));
    }

    #[test]
    fn a_query_and_a_loop_of_pointers_are_refused() {
        let mut query = reply(0, &[]);
        query[2] = 0;
        assert_eq!(Answer::parse(&query), Err(Malformed::NotAResponse));
        let looped = reply(1, &[0xc0, 19, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 1, 1, 1]);
        assert!(matches!(Answer::parse(&looped), Err(Malformed::Message(_))));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = (Answer::parse(&octets), plain_records(&octets));
        }

        #[test]
        fn garbage_behind_a_good_header_never_panics(count in 0u8..9, rest in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Answer::parse(&reply(count, &rest));
        }
    }
}
