//! What a roll does next: a pure function of what was remembered and what was seen.
//!
//! A roll advances only when every server of zone and parent was asked and agrees, and the TTL that was measured has
//! passed since the look that first found them in agreement. Whatever is found not to be as the row says is made so
//! first, so that a run after a crash, a repeat and a repair are the same.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_model::keys::{Agreed, Roll, RollKind};
use pdm_model::{DsRecord, Timestamp, Who};

use super::table::{CdsAs, KeyAs, Row, Until, table};
use super::view::{Cds, ChildSeen, Expected, Held, ParentSeen, Setting, Side, Sides, View};
use crate::ds::Dnskey;
use crate::name::Name;

/// Resolvers count in whole seconds: what was fetched just after the turn of one is used until the end of the last.
const GRAIN: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Write this, then look again.
    Do(Action),
    /// Look again later.
    Wait(RollWait),
    /// The roll is over.
    Finished,
    /// It cannot go on: a key it needs is gone. What is left is repaired as any zone is.
    GiveUp(&'static str),
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a key that neither signs nor is published.
    Make {
        /// A KSK or CSK.
        entry_point: bool,
        /// Algorithm number.
        algorithm: u8,
    },
    /// Let a key stand like this.
    Set {
        /// Which.
        key: Dnskey,
        /// Signs.
        active: bool,
        /// In the DNSKEY RRset.
        published: bool,
    },
    /// Delete a key.
    Remove(Dnskey),
    /// The DS set at the parent.
    ParentDs(BTreeSet<DsRecord>),
    /// What scanning parents are told.
    Tell(Cds),
}

/// Why a roll rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollWait {
    /// Stable kebab-case reason.
    pub reason: &'static str,
    /// For people.
    pub detail: String,
    /// When it is over, where that is known.
    pub until: Option<Timestamp>,
    /// Who must act.
    pub who: Who,
}

/// What `roll` does next, and what is to be remembered of it. What is returned as remembered has to be written down
/// before the action is carried out.
#[must_use]
pub fn next(zone: &Name, roll: &Roll, setting: &Setting, view: &View, now: Timestamp) -> (Roll, Next) {
    let mut roll = roll.clone();
    measure(&mut roll, view);
    let rows = table(roll.kind);
    loop {
        let Some(index) = rows.iter().position(|row| row.stage == roll.stage) else {
            return (roll, Next::GiveUp("stage-unknown"));
        };
        let row = &rows[index];
        match mend(&mut roll, row, rows, view, now) {
            Mended::Whole => {}
            Mended::FromStart => continue,
            Mended::GiveUp(why) => return (roll, Next::GiveUp(why)),
        }
        if let Some(action) = keys(&mut roll, row, view) {
            return (roll, Next::Do(action));
        }
        let expected = Sides::of(&roll).expected(zone, row, setting, &view.held);
        agree(&mut roll, &expected, view);
        if let Some(answer) = parent(row, setting, &expected, view) {
            return (roll, answer);
        }
        if let Some(wait) =
            row.until.iter().find_map(|until| lacking(*until, &roll, &expected, setting, view, now))
        {
            return (roll, Next::Wait(wait));
        }
        let Some(following) = rows.get(index + 1) else { return (roll, Next::Finished) };
        enter(&mut roll, zone, following, setting, &expected, view, now);
    }
}

/// The largest TTLs seen: caches may hold an answer for as long as any of them.
fn measure(roll: &mut Roll, view: &View) {
    let keys = view.child.iter().filter_map(|seen| seen.keys.as_ref()).map(|(_, ttl)| *ttl);
    let ds = view.parent.iter().filter_map(|seen| seen.ds.as_ref()).map(|(_, ttl)| *ttl);
    roll.keys.ttl = keys.fold(roll.keys.ttl, Ord::max);
    roll.ds.ttl = ds.fold(roll.ds.ttl, Ord::max);
    roll.signatures.ttl = roll.signatures.ttl.max(view.zone_ttl).max(roll.keys.ttl);
}

enum Mended {
    Whole,
    FromStart,
    GiveUp(&'static str),
}

/// A key that somebody removed: a new one is made again while the old ones are there; otherwise the roll is given up.
fn mend(roll: &mut Roll, row: &Row, rows: &[Row], view: &View, now: Timestamp) -> Mended {
    let held = |text: &String| view.held.iter().any(|held| held.dnskey.to_string() == *text);
    match Sides::of(roll).lost(row, &view.held) {
        None => Mended::Whole,
        Some(Side::Kept) => Mended::GiveUp("kept-key-gone"),
        Some(Side::Old) => Mended::GiveUp("old-key-gone"),
        Some(Side::New | Side::Foreign) if !roll.old.iter().all(held) => Mended::GiveUp("new-key-gone"),
        Some(Side::New | Side::Foreign) => {
            roll.new.retain(held);
            roll.stage = rows.first().map_or(roll.stage, |first| first.stage);
            roll.stage_since = now;
            for agreed in [&mut roll.keys, &mut roll.signatures, &mut roll.ds] {
                agreed.since = None;
            }
            Mended::FromStart
        }
    }
}

/// The first thing about the keys that is not as the row says. What comes is brought in before what goes is put out;
/// zone keys come before entry points and go after them, so that no algorithm stands in the DNSKEY RRset without a
/// published key that signs data.
fn keys(roll: &mut Roll, row: &Row, view: &View) -> Option<Action> {
    if let Some(action) = make(roll, row, view) {
        return Some(action);
    }
    let sides = Sides::of(roll);
    for (side, entry_point) in [(Side::New, false), (Side::New, true), (Side::Old, true), (Side::Old, false)]
    {
        let due =
            |held: &&Held| sides.side(&held.dnskey) == side && held.dnskey.is_entry_point() == entry_point;
        for held in view.held.iter().filter(due) {
            let Some(wanted) = sides.wanted(row, &held.dnskey) else { continue };
            let stands = (held.active, held.published);
            match wanted.flags(stands) {
                None => return Some(Action::Remove(held.dnskey.clone())),
                Some((active, published)) if stands != (active, published) => {
                    return Some(Action::Set { key: held.dnskey.clone(), active, published });
                }
                Some(_) => {}
            }
        }
    }
    None
}

/// A key that the row needs and that is not there. A hidden one of the right kind is what a call left behind whose
/// answer was lost: it is taken. One whose key tag another key has is thrown away: RFC 4035 lets a validator try both,
/// and enough of them do not.
fn make(roll: &mut Roll, row: &Row, view: &View) -> Option<Action> {
    for (due, wanted, entry_point) in
        [(roll.makes.entry_point, row.new.0, true), (roll.makes.zone_key, row.new.1, false)]
    {
        let sides = Sides::of(roll);
        let ours = |held: &Held| {
            held.dnskey.is_entry_point() == entry_point && held.dnskey.algorithm() == roll.algorithm
        };
        let there = view.held.iter().any(|held| sides.side(&held.dnskey) == Side::New && ours(held));
        if !due || there || wanted == KeyAs::Absent {
            continue;
        }
        let left = view.held.iter().find(|held| {
            sides.side(&held.dnskey) == Side::Foreign && ours(held) && !held.active && !held.published
        });
        let Some(left) = left else {
            return Some(Action::Make { entry_point, algorithm: roll.algorithm });
        };
        if collides(&left.dnskey, view) {
            return Some(Action::Remove(left.dnskey.clone()));
        }
        roll.new.push(left.dnskey.to_string());
    }
    None
}

fn collides(key: &Dnskey, view: &View) -> bool {
    let tag = key.key_tag();
    let keys = view.held.iter().map(|held| &held.dnskey).filter(|other| *other != key);
    let held = keys.clone().any(|other| other.key_tag() == tag);
    held || view.edited.iter().any(|ds| ds.key_tag == tag)
}

/// Since when everything agrees with the row. A server that is silent agrees with nothing.
fn agree(roll: &mut Roll, expected: &Expected, view: &View) {
    let all = |all: bool, agreed: &mut Agreed| {
        if all {
            agreed.since.get_or_insert(view.at);
        } else {
            agreed.since = None;
        }
    };
    let child = |wanted: &dyn Fn(&ChildSeen) -> bool| !view.child.is_empty() && view.child.iter().all(wanted);
    all(child(&|seen| seen.keys.as_ref().is_some_and(|(keys, _)| *keys == expected.keys)), &mut roll.keys);
    all(
        child(&|seen| seen.signers.as_ref().is_some_and(|signers| *signers == expected.signers)),
        &mut roll.signatures,
    );
    let ds = !view.parent.is_empty()
        && view.parent.iter().all(|seen| seen.ds.as_ref().is_some_and(|(ds, _)| expected.ds.met_by(ds)));
    all(ds, &mut roll.ds);
}

/// What is to be written for the parent. A DS goes in only for keys that every server answers now.
fn parent(row: &Row, setting: &Setting, expected: &Expected, view: &View) -> Option<Next> {
    let tell = match row.cds {
        CdsAs::AsIs => None,
        _ if !setting.cds => Some(Cds::Off),
        CdsAs::Off => Some(Cds::Off),
        CdsAs::Publish => Some(Cds::Publish),
        CdsAs::Delete => Some(Cds::Delete),
    };
    // What a scanning parent reads must not put back what is taken out here.
    if let Some(tell) = tell
        && tell != view.cds
    {
        return Some(Next::Do(Action::Tell(tell)));
    }
    let wanted = &expected.ds;
    if wanted.met_by(&view.edited) {
        return None;
    }
    // The one DS that goes in before its key: a hidden key is announced to be published later.
    let lacks = |seen: &&ChildSeen| {
        seen.keys.as_ref().is_none_or(|(keys, _)| !expected.vouched.iter().all(|key| keys.contains(key)))
    };
    if row.new.0 != KeyAs::Hidden
        && let Some(other) = view.child.iter().find(lacks)
    {
        return Some(Next::Wait(not_served(other)));
    }
    Some(Next::Do(Action::ParentDs(wanted.exactly.clone())))
}

fn enter(
    roll: &mut Roll,
    zone: &Name,
    row: &Row,
    setting: &Setting,
    before: &Expected,
    view: &View,
    now: Timestamp,
) {
    roll.stage = row.stage;
    roll.stage_since = now;
    // What is expected as before has been agreed on since before.
    let after = Sides::of(roll).expected(zone, row, setting, &view.held);
    if after.keys != before.keys {
        roll.keys.since = None;
    }
    if after.signers != before.signers {
        roll.signatures.since = None;
    }
    if after.ds != before.ds {
        roll.ds.since = None;
    }
}

fn wait(reason: &'static str, detail: String, until: Option<Timestamp>, who: Who) -> RollWait {
    RollWait { reason, detail, until, who }
}

fn not_served(seen: &ChildSeen) -> RollWait {
    let server = &seen.server;
    if seen.keys.is_none() {
        return wait("server-silent", format!("{server} does not answer for the zone"), None, Who::Operator);
    }
    wait("keys-not-served", format!("{server} does not answer the keys as they are now"), None, Who::Nobody)
}

fn lacking(
    until: Until,
    roll: &Roll,
    expected: &Expected,
    setting: &Setting,
    view: &View,
    now: Timestamp,
) -> Option<RollWait> {
    let caches = |agreed: Agreed, reason, what| {
        let over = agreed.since? + agreed.ttl.wait() + GRAIN;
        (now < over).then(|| {
            wait(reason, format!("caches may hold other {what} until {over}"), Some(over), Who::Nobody)
        })
    };
    match until {
        Until::KeysSeen | Until::KeysCached if roll.keys.since.is_none() => {
            let other = |s: &&ChildSeen| s.keys.as_ref().is_none_or(|(k, _)| *k != expected.keys);
            Some(view.child.iter().find(other).map_or_else(nobody_asked, not_served))
        }
        Until::KeysSeen => None,
        Until::KeysCached => caches(roll.keys, "keys-cached", "keys"),
        Until::SignaturesCached if roll.signatures.since.is_none() => {
            let other = |s: &&ChildSeen| s.signers.as_ref().is_none_or(|k| *k != expected.signers);
            Some(view.child.iter().find(other).map_or_else(nobody_asked, |seen| {
                if seen.signers.is_none() {
                    return not_served(&ChildSeen { keys: None, ..seen.clone() });
                }
                let detail = format!("{} signs with other keys", seen.server);
                wait("signatures-not-served", detail, None, Who::Nobody)
            }))
        }
        Until::SignaturesCached => caches(roll.signatures, "signatures-cached", "signatures"),
        Until::DsSeen | Until::DsCached if roll.ds.since.is_none() => {
            let other = |s: &&ParentSeen| s.ds.as_ref().is_none_or(|(ds, _)| !expected.ds.met_by(ds));
            Some(view.parent.iter().find(other).map_or_else(nobody_asked, |seen| {
                let server = &seen.server;
                if seen.ds.is_none() {
                    let detail = format!("{server} does not answer for the DS");
                    return wait("parent-silent", detail, None, Who::Operator);
                }
                wait(
                    "ds-not-served",
                    format!("{server} does not answer the DS as it should be"),
                    None,
                    setting.ds_by,
                )
            }))
        }
        Until::DsSeen => None,
        Until::DsCached => caches(roll.ds, "ds-cached", "DS"),
    }
}

fn nobody_asked() -> RollWait {
    wait("no-server", "there is no server to ask".to_owned(), None, Who::Operator)
}

/// True when the parent has to change for this roll.
#[must_use]
pub fn needs_parent(kind: RollKind) -> bool {
    let mut sets: Vec<_> = table(kind).iter().map(|row| row.ds).collect();
    sets.dedup();
    sets.len() > 1 || kind == RollKind::Insecure
}
