//! From a trust anchor to an answer: anchor, parent's keys, child's DS, child's keys, RRset (RFC 4035 section 5).
//!
//! A [`Chain`] carries what one proof has in common: the time and what was verified before. Every step takes the set of
//! the step before and gives trusted keys back, so that a link cannot be left out by mistake.

use std::collections::BTreeSet;

use pdm_model::DsRecord;

use crate::answer::{Answer, SignedSet, rtype};
use crate::denial::Denial;
use crate::ds::{Dnskey, DsDigest, ds_from_rdata};
use crate::name::Name;
use crate::verify::{Broken, KeySet, Origin, Verified, supported, verify};

/// Keys of a zone that are trusted, because the chain reached them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKeys(KeySet);

impl TrustedKeys {
    /// The zone.
    #[must_use]
    pub fn zone(&self) -> &Name {
        &self.0.zone
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[Dnskey] {
        &self.0.keys
    }
}

/// One validation.
#[derive(Debug)]
pub struct Chain<'a> {
    /// Seconds since the epoch, modulo 2^32 as signatures count them.
    now: u32,
    verified: &'a mut Verified,
}

impl<'a> Chain<'a> {
    /// A validation at `now`, seconds since the epoch.
    pub fn new(now: i64, verified: &'a mut Verified) -> Self {
        let now = u32::try_from(now.rem_euclid(1 << 32)).unwrap_or_default();
        Self { now, verified }
    }

    /// The keys in `dnskey`, trusted because one that matches `ds` signs them all (RFC 4035 5.2). The anchor of a chain
    /// is a DS set like any other.
    ///
    /// # Errors
    /// [`Broken`]: no usable DS, no key for it, or no good signature by such a key.
    pub fn keys(&mut self, ds: &BTreeSet<DsRecord>, dnskey: &SignedSet) -> Result<TrustedKeys, Broken> {
        let zone = &dnskey.owner;
        if dnskey.rtype != rtype::DNSKEY {
            return Err(Broken::WrongOwner(zone.clone()));
        }
        let usable: Vec<&DsRecord> = ds
            .iter()
            .filter(|d| supported(d.algorithm) && DsDigest::from_number(d.digest_type).is_some())
            .collect();
        if usable.is_empty() {
            return Err(Broken::NoDs(zone.clone()));
        }
        let all = KeySet::of(dnskey);
        let entry: Vec<Dnskey> =
            all.keys.iter().filter(|key| usable.iter().any(|ds| key.matches(zone, ds))).cloned().collect();
        if entry.is_empty() {
            let ds = usable.iter().map(|d| d.key_tag).collect();
            return Err(Broken::DsMatchesNoKey { zone: zone.clone(), ds, keys: all.tags() });
        }
        self.exact(dnskey, &KeySet { zone: zone.clone(), keys: entry })?;
        Ok(TrustedKeys(all))
    }

    /// The DS set of a child in `ds`, signed by its `parent`.
    ///
    /// # Errors
    /// [`Broken`]: not below the parent, or no good signature.
    pub fn delegation(&mut self, parent: &TrustedKeys, ds: &SignedSet) -> Result<BTreeSet<DsRecord>, Broken> {
        // A zone signs no DS for itself: that would be the child's side (RFC 4035 5.2).
        if ds.rtype != rtype::DS || ds.owner == *parent.zone() {
            return Err(Broken::WrongOwner(ds.owner.clone()));
        }
        self.exact(ds, &parent.0)?;
        Ok(ds.records.iter().filter_map(|rdata| ds_from_rdata(rdata)).collect())
    }

    /// `set` out of `answer`, signed by `keys`. When it was made from a wildcard, the reply must also prove that the
    /// exact name does not exist (RFC 4035 5.3.4).
    ///
    /// # Errors
    /// [`Broken`]: no good signature, or no proof beside a wildcard.
    pub fn positive(
        &mut self,
        keys: &TrustedKeys,
        answer: &Answer,
        set: &SignedSet,
    ) -> Result<Origin, Broken> {
        let origin = verify(set, &keys.0, self.now, self.verified)?;
        if let Origin::Wildcard(encloser) = &origin
            && !self.denial(keys, answer)?.proves_expansion(&set.owner, encloser)
        {
            return Err(Broken::NotDenied {
                name: set.owner.clone(),
                what: "does not exist beside the wildcard",
            });
        }
        Ok(origin)
    }

    /// `answer` proves that `name` has no `wanted`: by NXDOMAIN or by NODATA, as its response code says.
    ///
    /// # Errors
    /// [`Broken`]: the signed denial is missing or proves something else.
    pub fn negative(
        &mut self,
        keys: &TrustedKeys,
        answer: &Answer,
        name: &Name,
        wanted: u16,
    ) -> Result<(), Broken> {
        let denial = self.denial(keys, answer)?;
        let (proved, what) = if answer.rcode == NXDOMAIN {
            (denial.proves_no_name(name), "does not exist")
        } else {
            (denial.proves_no_type(name, wanted), "has no such record")
        };
        if proved { Ok(()) } else { Err(Broken::NotDenied { name: name.clone(), what }) }
    }

    /// Verified and not made from a wildcard: keys and delegations never are.
    fn exact(&mut self, set: &SignedSet, keys: &KeySet) -> Result<(), Broken> {
        match verify(set, keys, self.now, self.verified)? {
            Origin::Exact => Ok(()),
            Origin::Wildcard(_) => Err(Broken::WrongOwner(set.owner.clone())),
        }
    }

    /// What the verified NSEC and NSEC3 records of `answer` say. One bad signature among them is an error: a reply is
    /// right as a whole or not at all.
    fn denial(&mut self, keys: &TrustedKeys, answer: &Answer) -> Result<Denial, Broken> {
        let sets: Vec<&SignedSet> =
            answer.authorities.iter().filter(|s| matches!(s.rtype, rtype::NSEC | rtype::NSEC3)).collect();
        for set in &sets {
            self.exact(set, &keys.0)?;
        }
        Denial::read(keys.zone(), sets.into_iter()).map_err(Broken::Iterations)
    }
}

/// The name does not exist.
pub const NXDOMAIN: u16 = 3;
