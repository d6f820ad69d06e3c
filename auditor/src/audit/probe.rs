//! The questions that every nameserver of a zone is asked in an audit.

use pdm_dnssec::{Name, rtype};
use pdm_model::Transport;

use crate::types::number;
use crate::wire::{Edns, EdnsOption, Form, Question};

/// One question; its place in the order has no meaning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Probe {
    Soa,
    SoaByTcp,
    Ns,
    Dnskey,
    Cds,
    Cdnskey,
    Nsec3Param,
    Mx,
    Txt,
    Caa,
    Aaaa,
    /// A type that the apex does not have: the denial is looked at.
    NoData,
    /// SOA of a server that is silent: a reply from any address is heard.
    FromAnywhere,
    /// SOA without EDNS.
    Plain,
    /// DNSKEY with a payload of 512 octets.
    Small,
    /// SOA with EDNS version 1.
    Version1,
    /// SOA with an option that nobody assigned.
    UnknownOption,
    /// SOA with flags that nobody assigned.
    UnknownFlags,
    /// SOA in alternating case.
    Odd,
    /// NS of the root, without recursion.
    RootNs,
    /// A name elsewhere, with recursion.
    Recurse,
    /// The whole zone.
    Axfr,
    /// `version.bind` in class CH.
    Software,
    /// A name of the zone.
    Name(Name, u16),
}

/// The fixed questions by UDP, in the order in which they are asked.
const BY_UDP: &[Probe] = &[
    Probe::Soa,
    Probe::Ns,
    Probe::Dnskey,
    Probe::Cds,
    Probe::Cdnskey,
    Probe::Nsec3Param,
    Probe::Mx,
    Probe::Txt,
    Probe::Caa,
    Probe::Aaaa,
    Probe::NoData,
    Probe::Plain,
    Probe::Small,
    Probe::Version1,
    Probe::UnknownOption,
    Probe::UnknownFlags,
    Probe::Odd,
    Probe::RootNs,
    Probe::Recurse,
    Probe::Software,
];

impl Probe {
    pub(crate) fn by_udp(names: &[(Name, u16)]) -> Vec<Self> {
        BY_UDP.iter().cloned().chain(names.iter().map(|(n, t)| Self::Name(n.clone(), *t))).collect()
    }

    pub(crate) fn by_tcp() -> Vec<Self> {
        vec![Self::SoaByTcp]
    }

    pub(crate) fn transport(&self) -> Transport {
        match self {
            Self::SoaByTcp | Self::Axfr => Transport::Tcp,
            _ => Transport::Udp,
        }
    }

    /// A truncated datagram leads to the same question by TCP; not where the datagram itself is looked at.
    pub(crate) fn wants_the_whole(&self) -> bool {
        !matches!(self, Self::FromAnywhere | Self::Plain | Self::Small | Self::SoaByTcp | Self::Axfr)
    }

    pub(crate) fn question(&self, zone: &Name) -> Question {
        let at = |number| Question::new(zone.clone(), number);
        let edns = |edns| Form { edns: Some(edns), ..Form::default() };
        let elsewhere = || Name::parse("recursion-test.invalid.").unwrap_or_else(Name::root);
        match self {
            Self::Soa | Self::SoaByTcp => at(rtype::SOA),
            Self::Ns => at(rtype::NS),
            Self::Dnskey => at(rtype::DNSKEY),
            Self::Cds => at(number::CDS),
            Self::Cdnskey => at(number::CDNSKEY),
            Self::Nsec3Param => at(number::NSEC3PARAM),
            Self::Mx => at(number::MX),
            Self::Txt => at(rtype::TXT),
            Self::Caa => at(number::CAA),
            Self::Aaaa => at(rtype::AAAA),
            Self::NoData => at(number::HINFO),
            // Its payload tells it from the question that was not answered.
            Self::FromAnywhere => at(rtype::SOA).with(edns(Edns { payload: 1231, ..Edns::DO })),
            Self::Plain => at(rtype::SOA).with(Form { edns: None, ..Form::default() }),
            Self::Small => at(rtype::DNSKEY).with(edns(Edns { payload: 512, ..Edns::DO })),
            Self::Version1 => at(rtype::SOA).with(edns(Edns { version: 1, ..Edns::DO })),
            Self::UnknownOption => {
                at(rtype::SOA).with(edns(Edns { option: Some(EdnsOption::Empty(137)), ..Edns::DO }))
            }
            Self::UnknownFlags => at(rtype::SOA).with(edns(Edns { flags: 0x8004, ..Edns::DO })),
            Self::Odd => at(rtype::SOA).spelled_oddly(),
            Self::RootNs => Question::new(Name::root(), rtype::NS),
            Self::Recurse => {
                Question::new(elsewhere(), rtype::A).with(Form { recursion: true, ..Form::default() })
            }
            Self::Axfr => at(number::AXFR).with(Form { edns: None, ..Form::default() }),
            Self::Software => {
                let name = Name::parse("version.bind.").unwrap_or_else(Name::root);
                Question::new(name, rtype::TXT).with(Form { edns: None, ..Form::default() }).in_chaos()
            }
            Self::Name(name, number) => Question::new(name.clone(), *number),
        }
    }

    /// What to add to `dig` to ask the same.
    pub(crate) fn dig(&self) -> &'static str {
        match self {
            Self::SoaByTcp => " +dnssec +tcp",
            Self::Axfr => " +tcp",
            Self::Plain => " +noedns +ignore",
            Self::Small => " +dnssec +bufsize=512 +ignore",
            Self::Version1 => " +dnssec +edns=1 +noednsneg",
            Self::UnknownOption => " +dnssec +ednsopt=137",
            Self::UnknownFlags => " +dnssec +ednsflags=4",
            Self::Recurse => " +recurse",
            Self::Software => " CH +noedns",
            _ => " +dnssec +norecurse",
        }
    }
}
