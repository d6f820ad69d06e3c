//! Keys: what the pure crate needs to know of a zone, brought together from ports and store.
//!
//! The DS set that a parent is to hold is decided by [`Engine::wanted_ds`] and nowhere else: by the stage of the roll
//! that is under way, or else by the entry points that are published and sign.

mod announce;
mod change;
pub mod inventory;
pub(crate) mod look;
pub(crate) mod pool;
mod scanned;
mod signal;
pub(crate) mod sweep;

use std::collections::BTreeSet;

use pdm_dnssec::roll::{Cds, Held, Parent, Setting, ds_in_roll, ds_of_held};
use pdm_dnssec::{Dnskey, Name};
use pdm_model::keys::{Digest, KeyPolicy, KeyState, Roll, RollKind};
use pdm_model::{Allocation, DsRecord, Status, Ttl, Who, ZoneName};
use pdm_ports::{CdsTold, Fault, ZoneKey};

use crate::engine::Engine;

pub(crate) use announce::{announce, is_due as announce_is_due, keep as keep_heard, tell_parent};
pub(crate) use change::{Begun, begin, change_of, finish};
pub(crate) use look::{look, signatures_until};
pub(crate) use scanned::tell;
pub(crate) use signal::signal;

/// The keys in the form that rolls compare. One that cannot be read is left out, and counts as gone.
pub(crate) fn held(keys: &[ZoneKey]) -> Vec<Held> {
    let read = |key: &ZoneKey| {
        let dnskey = Dnskey::parse(&key.dnskey)?;
        Some(Held { dnskey, active: key.active, published: key.published })
    };
    keys.iter().filter_map(read).collect()
}

/// What scanning parents are told, as rolls see it under a policy.
pub(crate) fn cds(told: CdsTold, digest: Digest) -> Cds {
    match told {
        CdsTold::Off => Cds::Off,
        CdsTold::Publish(number) if number == digest.number() => Cds::Publish,
        CdsTold::Delete => Cds::Delete,
        CdsTold::Publish(_) | CdsTold::Mixed => Cds::Other,
    }
}

/// The same the other way round, to be written.
pub(crate) fn told(cds: Cds, digest: Digest) -> CdsTold {
    match cds {
        Cds::Off | Cds::Other => CdsTold::Off,
        Cds::Publish => CdsTold::Publish(digest.number()),
        Cds::Delete => CdsTold::Delete,
    }
}

/// True when one of `ds` belongs to a key that is published and signs: the chain holds.
pub(crate) fn vouched(zone: &ZoneName, ds: &BTreeSet<DsRecord>, keys: &[ZoneKey]) -> bool {
    let zone = Name::from(zone);
    let good = held(keys).into_iter().filter(|key| key.active && key.published).map(|key| key.dnskey);
    good.into_iter().any(|key| ds.iter().any(|ds| key.matches(&zone, ds)))
}

/// True when one of `ds` stands for one of these keys, given as DNSKEY RDATA.
pub(crate) fn any_vouched<'a>(
    zone: &ZoneName,
    keys: impl IntoIterator<Item = &'a String>,
    ds: &BTreeSet<DsRecord>,
) -> bool {
    let zone = Name::from(zone);
    let mut keys = keys.into_iter().filter_map(|key| Dnskey::parse(key));
    keys.any(|key| ds.iter().any(|ds| key.matches(&zone, ds)))
}

/// True when one of `ds` stands for a key of this roll: whatever stage the parent is in, the DS is the roll's to change.
pub(crate) fn of_roll(zone: &ZoneName, roll: &Roll, ds: &BTreeSet<DsRecord>) -> bool {
    any_vouched(zone, [&roll.kept, &roll.old, &roll.new].into_iter().flatten(), ds)
}

/// Keys that are there become known when no known entry point is left: a zone from before, or one whose keys were restored
/// or made again. Otherwise those that are gone are forgotten, and strange ones are for a roll to tidy.
pub(crate) fn acquaint(state: &mut KeyState, keys: &[ZoneKey], made: bool, now: pdm_model::Timestamp) {
    let there = held(keys);
    let known = |key: &Held| state.known.iter().any(|age| age.dnskey == key.dnskey.to_string());
    let entry = there.iter().any(|key| key.dnskey.is_entry_point() && known(key));
    if state.roll.is_some() {
        return;
    }
    let all = made || !entry;
    let taken: Vec<String> =
        there.iter().filter(|key| all || known(key)).map(|key| key.dnskey.to_string()).collect();
    state.take_over(taken, now);
}

impl Engine {
    /// The policy of a Sovereign's keys: its own, or its pool's.
    pub(crate) fn key_policy(&self, allocation: &Allocation) -> Result<KeyPolicy, Fault> {
        let mut policy = match &allocation.keys.policy {
            Some(policy) => policy.clone(),
            None => self.pool_of(allocation)?.keys.clone(),
        };
        policy.scanned = self
            .editors
            .get(&allocation.mode)
            .is_some_and(|editor| policy.scanned || editor.scans(self, allocation));
        policy.cds |= policy.scanned;
        Ok(policy)
    }

    /// What holds for a Sovereign's zone besides its roll.
    pub(crate) fn key_setting(&self, allocation: &Allocation) -> Result<Setting, Fault> {
        let policy = self.key_policy(allocation)?;
        let state = &allocation.observed.keys;
        let back = state.roll.as_ref().is_some_and(|roll| roll.kind == RollKind::Secure);
        Ok(Setting {
            digest: policy.digest,
            cds: policy.cds,
            secure: !state.insecure || back,
            ds_by: if self.key_parent(allocation).by_hand { Who::Caller } else { Who::Nobody },
        })
    }

    /// What a roll can do at a Sovereign's parent: our own pool takes whatever PDM writes, a foreign one what its editor
    /// can.
    pub(crate) fn key_parent(&self, allocation: &Allocation) -> Parent {
        let scanned = self.key_policy(allocation).is_ok_and(|policy| policy.scanned);
        match self.editors.get(&allocation.mode) {
            Some(_) if scanned => Parent { ds_max: usize::MAX, scans_only: true, by_hand: false },
            Some(editor) => editor.key_parent(self, allocation),
            None => Parent { ds_max: usize::MAX, scans_only: false, by_hand: false },
        }
    }

    /// The DS set that the parent is to hold now.
    pub(crate) fn wanted_ds(
        &self,
        allocation: &Allocation,
        keys: &[ZoneKey],
    ) -> Result<BTreeSet<DsRecord>, Fault> {
        let (zone, held) = (Name::from(&allocation.fqdn), held(keys));
        let setting = self.key_setting(allocation)?;
        Ok(match &allocation.observed.keys.roll {
            Some(roll) => ds_in_roll(&zone, roll, &setting, &held),
            None if !setting.secure => BTreeSet::new(),
            None => ds_of_held(&zone, &self.key_policy(allocation)?, &held),
        })
    }

    /// The TTL of a DS that is written now: short while it is new or about to change, longer once the chain has been
    /// proved for as long as the short one.
    pub(crate) fn ds_ttl(&self, allocation: &Allocation, now: pdm_model::Timestamp) -> Result<Ttl, Fault> {
        let ttls = self.pool_of(allocation)?.ttls;
        let proved = allocation.conditions.iter().any(|c| {
            c.kind == pdm_model::ConditionKind::ChainSecure
                && c.status == Status::True
                && now.since(c.since) >= ttls.parent_ds.wait()
        });
        let still = allocation.observed.keys.roll.is_none();
        Ok(if proved && still { ttls.parent_ds_proved } else { ttls.parent_ds })
    }
}
