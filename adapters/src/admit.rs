//! What cannot work is refused here, by the capability alone, before any call. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pdm_dnssec::{Dnskey, DsDigest, Name};
use pdm_model::{DsRecord, Ttl, ZoneName};
use pdm_ports::registrar::{
    Cannot, Capability, Change, CurrentState, DsEntry, DsForm, Glue, KeyData, ModeCapability, NsTarget,
    Operated, Place,
};
use pdm_ports::{Class, Fault};

/// Refuse a change that a vendor cannot do; otherwise bring its TTLs and DS into the vendor's form.
pub(crate) fn admit(name: &str, capability: &Capability, change: &Change) -> Result<Change, Fault> {
    let mode = capability.mode(change.place.mode()).map_err(|why| cannot("mode-unsupported", why))?;
    check_place(&change.place)?;
    let mut change = change.clone();
    if let Some(target) = &mut change.ns {
        check_ns(name, mode, &change.place, target)?;
    }
    if let Some((entries, ttl)) = &mut change.ds {
        check_ds(name, mode, change.place.child(), entries)?;
        *ttl = within(mode, *ttl);
    }
    if matches!(change.place, Place::RegistryApex { .. }) && change.ns.is_some() && change.ds.is_some() {
        let detail = "at a registry, NS and DS are two changes with a wait between them";
        return Err(Fault::new(Class::Rejected, "ns-and-ds-apart", detail));
    }
    let missing = mode.caveats.iter().find(|caveat| !change.accepted.contains(caveat.code));
    if let Some(caveat) = missing {
        let detail = format!("a person must accept \"{}\" first: {}", caveat.code, caveat.text);
        return Err(Fault::new(Class::Rejected, "caveat-not-accepted", detail));
    }
    Ok(change)
}

/// The name must be the registered domain itself, or below the zone.
pub(crate) fn check_place(place: &Place) -> Result<(), Fault> {
    let wrong = |detail: String| Err(Fault::new(Class::Rejected, "not-below-zone", detail));
    match place {
        Place::RegistryApex { domain } if domain.label_count() < 2 => {
            wrong(format!("{domain} is not a registered domain"))
        }
        Place::HostedParent { zone, child } if child == zone || !child.is_at_or_below(zone) => {
            wrong(format!("{child} does not lie below {zone}"))
        }
        Place::RegistryApex { .. } | Place::HostedParent { .. } => Ok(()),
    }
}

/// A refusal with its way out.
pub(crate) fn cannot(code: &'static str, why: Cannot) -> Fault {
    Fault::new(Class::Unsupported, code, format!("{}; way out: {}", why.reason, why.way_out))
}

fn within(mode: &ModeCapability, ttl: Ttl) -> Ttl {
    mode.ttl.map_or(ttl, |(least, most)| Ttl::new(ttl.seconds().clamp(least, most)))
}

fn check_ns(name: &str, mode: &ModeCapability, place: &Place, target: &mut NsTarget) -> Result<(), Fault> {
    let rejected = |code, detail: String| Err(Fault::new(Class::Rejected, code, detail));
    let apex = matches!(place, Place::RegistryApex { .. });
    let (names, ttl, glue) = match target {
        NsTarget::Vendor(_) if !apex => {
            return rejected("vendor-dns-in-zone", "a name in a hosted zone has no vendor's DNS".into());
        }
        NsTarget::Vendor(_) => {
            return mode.withdraw_cannot.map_or(Ok(()), |why| Err(cannot("withdraw-unsupported", why)));
        }
        NsTarget::Names { names, ttl, glue } => (names, ttl, glue),
    };
    *ttl = within(mode, *ttl);
    if names.is_empty() && apex {
        return rejected("ns-count", "a registered domain cannot be without nameservers".into());
    }
    if names.is_empty() {
        return mode.withdraw_cannot.map_or(Ok(()), |why| Err(cannot("withdraw-unsupported", why)));
    }
    if names.len() < mode.ns_min || names.len() > mode.ns_max {
        let (least, most) = (mode.ns_min, mode.ns_max);
        return rejected(
            "ns-count",
            format!("{name} takes {least} to {most} nameservers, not {}", names.len()),
        );
    }
    for inside in names.iter().filter(|ns| ns.is_at_or_below(place.child())) {
        let addresses = glue.get(inside).filter(|addresses| !addresses.is_empty());
        let fits = match mode.glue {
            Glue::None => false,
            Glue::Ipv4 => addresses.is_none_or(|all| all.iter().all(IpAddr::is_ipv4)),
            Glue::Both => true,
        };
        if !fits {
            let why = Cannot {
                reason: "the nameserver's name lies below the delegated name, and PDM cannot make its address \
                         record at this vendor",
                way_out: "use nameserver names outside of the delegated name, or enter the glue by hand and the \
                          delegation as manual",
            };
            return Err(cannot("glue-unsupported", why));
        }
        if addresses.is_none() {
            return rejected(
                "glue-missing",
                format!("{inside} lies below the delegated name and has no address"),
            );
        }
    }
    Ok(())
}

fn check_ds(
    name: &str,
    mode: &ModeCapability,
    child: &ZoneName,
    entries: &mut BTreeSet<DsEntry>,
) -> Result<(), Fault> {
    const SCANNED: Cannot = Cannot {
        reason: "this parent takes no DS; it reads CDS and CDNSKEY of the child",
        way_out: "publish CDS and CDNSKEY and wait",
    };
    match mode.ds {
        DsForm::None => Err(cannot("ds-unsupported", mode.ds_cannot.unwrap_or(SCANNED))),
        DsForm::CdsScanned => Err(cannot("ds-unsupported", SCANNED)),
        DsForm::Ds | DsForm::Dnskey if entries.len() > mode.ds_max => {
            let detail = format!("{name} takes at most {} DS records, not {}", mode.ds_max, entries.len());
            Err(Fault::new(Class::Rejected, "ds-count", detail))
        }
        DsForm::Ds => Ok(()),
        DsForm::Dnskey => {
            *entries = entries.iter().map(|entry| as_key(child, entry)).collect::<Result<_, _>>()?;
            Ok(())
        }
    }
}

/// Refuse two DS with one key tag, for vendors that tell them apart by nothing else.
pub(crate) fn one_per_tag(name: &str, change: &Change) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    let mut tags = change.ds.iter().flat_map(|(entries, _)| entries).map(|entry| entry.ds.key_tag);
    tags.find(|tag| !seen.insert(*tag)).map_or(Ok(()), |tag| {
        let detail = format!("{name} keeps one DS for a key tag, and {tag} comes twice");
        Err(Fault::new(Class::Rejected, "ds-count", detail))
    })
}

/// The DS records to add, and those to remove, where a vendor takes them one by one.
pub(crate) fn ds_difference<'a>(
    held: &'a BTreeSet<DsRecord>,
    wanted: &'a BTreeSet<DsEntry>,
) -> (Vec<&'a DsEntry>, Vec<&'a DsRecord>) {
    let new = wanted.iter().filter(|entry| !held.contains(&entry.ds)).collect();
    let gone = held.iter().filter(|ds| wanted.iter().all(|entry| entry.ds != **ds)).collect();
    (new, gone)
}

/// The difference of NS records where a vendor takes them one by one. In this order the name has NS at every moment.
pub(crate) struct NsDifference<'a, R> {
    /// Those that stay, with another TTL.
    pub(crate) changed: Vec<&'a R>,
    /// Names without a record.
    pub(crate) missing: Vec<&'a ZoneName>,
    /// Those that go; doubles too.
    pub(crate) spare: Vec<&'a R>,
}

/// Compare the NS records of one name, as pairs of name and seconds, with what they shall be.
pub(crate) fn ns_difference<'a, R>(
    records: &'a [R],
    names: &'a BTreeSet<ZoneName>,
    ttl: Ttl,
    read: impl Fn(&R) -> Result<(ZoneName, Option<u32>), Fault>,
) -> Result<NsDifference<'a, R>, Fault> {
    let mut missing: BTreeSet<_> = names.iter().collect();
    let (mut changed, mut spare) = (Vec::new(), Vec::new());
    for record in records {
        let (host, seconds) = read(record)?;
        if !missing.remove(&host) {
            spare.push(record);
        } else if seconds != Some(ttl.seconds()) {
            changed.push(record);
        }
    }
    Ok(NsDifference { changed, missing: missing.into_iter().collect(), spare })
}

/// Addresses of nameservers below the delegated name: of the new ones as given, of those that go none.
pub(crate) fn glue_changes<'a>(
    child: &ZoneName,
    before: &'a BTreeSet<ZoneName>,
    names: &BTreeSet<ZoneName>,
    glue: &'a BTreeMap<ZoneName, BTreeSet<IpAddr>>,
) -> BTreeMap<&'a ZoneName, BTreeSet<IpAddr>> {
    let gone = before.iter().filter(|old| old.is_at_or_below(child) && !names.contains(*old));
    let stay = glue.iter().filter(|(name, _)| names.contains(*name));
    gone.map(|old| (old, BTreeSet::new())).chain(stay.map(|(name, all)| (name, all.clone()))).collect()
}

/// A vendor that takes keys makes SHA-256 digests, so that is what is compared.
fn as_key(child: &ZoneName, entry: &DsEntry) -> Result<DsEntry, Fault> {
    let rejected = |code, detail: &str| Fault::new(Class::Rejected, code, detail.to_owned());
    let key = entry
        .key
        .as_ref()
        .ok_or_else(|| rejected("dnskey-needed", "this vendor takes the DNSKEY and not its digest"))?;
    let ds = ds_of(child, key).ok_or_else(|| rejected("dnskey-malformed", "the DNSKEY cannot be read"))?;
    if (ds.key_tag, ds.algorithm) != (entry.ds.key_tag, entry.ds.algorithm) {
        return Err(rejected("dnskey-mismatch", "the DNSKEY and the DS are not of the same key"));
    }
    Ok(DsEntry { ds, key: entry.key.clone() })
}

/// The SHA-256 DS of a key.
pub(crate) fn ds_of(child: &ZoneName, key: &KeyData) -> Option<DsRecord> {
    let dnskey = Dnskey::parse(&format!("{} 3 {} {}", key.flags, key.algorithm, key.public_key))?;
    Some(dnskey.ds(&Name::from(child), DsDigest::Sha256))
}

/// Whether the vendor holds what the change asks for.
pub(crate) fn agrees(mode: &ModeCapability, change: &Change, state: &CurrentState) -> bool {
    ns_agrees(mode, change, state) && ds_agrees(mode, change, state)
}

/// The same for the NS set alone.
pub(crate) fn ns_agrees(mode: &ModeCapability, change: &Change, state: &CurrentState) -> bool {
    match &change.ns {
        None => true,
        Some(NsTarget::Vendor(kind)) => state.operated == Operated::Vendor(kind.clone()),
        Some(NsTarget::Names { names, ttl, .. }) => {
            *names == state.ns && (names.is_empty() || ttl_agrees(mode, *ttl, state.ns_ttl))
        }
    }
}

/// The same for the DS set alone.
pub(crate) fn ds_agrees(mode: &ModeCapability, change: &Change, state: &CurrentState) -> bool {
    change.ds.as_ref().is_none_or(|(entries, ttl)| {
        let wanted: BTreeSet<_> = entries.iter().map(|entry| &entry.ds).collect();
        let held = state.ds.as_ref().map(|held| held.iter().collect::<BTreeSet<_>>());
        held == Some(wanted) && (entries.is_empty() || ttl_agrees(mode, *ttl, state.ds_ttl))
    })
}

fn ttl_agrees(mode: &ModeCapability, wanted: Ttl, held: Option<Ttl>) -> bool {
    mode.ttl.is_none() || held.is_none_or(|held| held == wanted)
}
