//! One link of the chain: from the keys of a zone to the DS set of its child, and from there to the child's keys.

use std::collections::BTreeSet;

use pdm_dnssec::{Answer, Broken, Chain, DsDigest, NXDOMAIN, Name, TrustedKeys, Verified, rtype, supported};
use pdm_model::{DsRecord, ZoneName};
use pdm_ports::walk::Security;

/// Whether the keys of a zone can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    Secure(TrustedKeys),
    /// No chain from this zone on.
    Insecure(Name),
    /// The chain is broken at this zone.
    Bogus(Name, String),
    /// Nobody could be asked.
    Unknown(String),
}

impl Link {
    /// As the port says it; `child` stands in for the root, which has no name there.
    pub(crate) fn security(&self, child: &ZoneName) -> Security {
        let zone = |name: &Name| ZoneName::parse(&name.to_string()).unwrap_or_else(|_| child.clone());
        match self {
            Self::Secure(_) => Security::Secure,
            Self::Insecure(name) => Security::Insecure { zone: zone(name) },
            Self::Bogus(name, why) => Security::Bogus { zone: zone(name), why: why.clone() },
            Self::Unknown(why) => Security::Unknown { why: why.clone() },
        }
    }
}

/// What a parent says about the DS of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DsSays {
    /// A DS set that is signed and that a validator can use.
    Signed(BTreeSet<DsRecord>),
    /// Proved to be none, or none that anybody could use (RFC 4035 5.2).
    None,
    /// The set or its denial does not validate.
    Broken(Broken),
}

/// Judge an authoritative answer to `child DS` under the keys of its parent.
pub(crate) fn ds_says(
    now: i64,
    verified: &mut Verified,
    keys: &TrustedKeys,
    answer: &Answer,
    child: &Name,
) -> DsSays {
    let mut chain = Chain::new(now, verified);
    if let Some(set) = answer.find(child, rtype::DS) {
        return match chain.delegation(keys, set) {
            Ok(ds) if ds.iter().any(usable) => DsSays::Signed(ds),
            Ok(_) => DsSays::None,
            Err(broken) => DsSays::Broken(broken),
        };
    }
    let Err(broken) = chain.negative(keys, answer, child, rtype::DS) else { return DsSays::None };
    if answer.rcode != NXDOMAIN {
        return DsSays::Broken(broken);
    }
    // In an opt-out span the absence of a name is never proved, that of its DS is (RFC 5155 8.6 and 9.2).
    let as_no_data = Answer { rcode: 0, ..answer.clone() };
    match chain.negative(keys, &as_no_data, child, rtype::DS) {
        Ok(()) => DsSays::None,
        Err(_) => DsSays::Broken(broken),
    }
}

/// The keys of `zone` in an authoritative answer, trusted because of `ds`.
pub(crate) fn keys_of(
    now: i64,
    verified: &mut Verified,
    ds: &BTreeSet<DsRecord>,
    answer: &Answer,
    zone: &Name,
) -> Result<TrustedKeys, Broken> {
    let set = answer
        .find(zone, rtype::DNSKEY)
        .ok_or_else(|| Broken::NoSignature { owner: zone.clone(), rtype: rtype::DNSKEY })?;
    Chain::new(now, verified).keys(ds, set)
}

fn usable(ds: &DsRecord) -> bool {
    supported(ds.algorithm) && DsDigest::from_number(ds.digest_type).is_some()
}
