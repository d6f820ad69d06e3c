//! Which roll is due, and how one begins.

use std::collections::BTreeSet;

use pdm_model::keys::{ALGORITHMS, Agreed, KeyPolicy, KeyState, Layout, Makes, Roll, RollKind};
use pdm_model::{DsRecord, Timestamp, Ttl};
use ring::digest;

use super::next::needs_parent;
use super::table::table;
use super::view::{Held, digest_of};
use crate::name::Name;

/// What can be done at the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Most DS records it takes; 0 for a parent that takes none.
    pub ds_max: usize,
    /// It reads CDS and is told nothing otherwise.
    pub scans_only: bool,
    /// A person has to act for every change.
    pub by_hand: bool,
}

/// Why a roll cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct RollRefused {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

fn refused(code: &'static str, detail: impl Into<String>) -> RollRefused {
    RollRefused { code, detail: detail.into() }
}

/// The first thing about a policy that cannot be.
#[must_use]
pub fn policy_error(policy: &KeyPolicy) -> Option<String> {
    if !ALGORITHMS.iter().any(|(number, _)| *number == policy.algorithm) {
        let known: Vec<String> =
            ALGORITHMS.iter().map(|(number, word)| format!("{number} ({word})")).collect();
        return Some(format!("algorithm {} is not one of {}", policy.algorithm, known.join(", ")));
    }
    let hundred_years = 100 * 366 * 86_400;
    let lives = [policy.ksk_lifetime, policy.zsk_lifetime];
    lives.iter().any(|life| *life > hundred_years).then(|| "a key lives at most a hundred years".to_owned())
}

/// The DS set that keys call for when no roll is under way: entry points that are published and sign.
#[must_use]
pub fn ds_of_held(zone: &Name, policy: &KeyPolicy, held: &[Held]) -> BTreeSet<DsRecord> {
    held.iter()
        .filter(|key| key.active && key.published && key.dnskey.is_entry_point())
        .map(|key| key.dnskey.ds(zone, digest_of(policy.digest)))
        .collect()
}

struct Stock<'a> {
    entries: Vec<&'a Held>,
    zone_keys: Vec<&'a Held>,
    unknown: Vec<&'a Held>,
}

fn stock<'a>(state: &KeyState, held: &'a [Held]) -> Stock<'a> {
    let known = |key: &&Held| state.known.iter().any(|age| age.dnskey == key.dnskey.to_string());
    let (ours, unknown): (Vec<&Held>, Vec<&Held>) = held.iter().partition(known);
    let (entries, zone_keys) = ours.into_iter().partition(|key| key.dnskey.is_entry_point());
    Stock { entries, zone_keys, unknown }
}

/// The roll that policy or age call for now. Starts are spread over the last tenth of a lifetime by the zone's name, so
/// that zones made together do not roll together.
#[must_use]
pub fn due(
    zone: &Name,
    policy: &KeyPolicy,
    state: &KeyState,
    held: &[Held],
    parent: &Parent,
    now: Timestamp,
) -> Option<(RollKind, String)> {
    if state.roll.is_some() || held.is_empty() {
        return None;
    }
    let Stock { entries, zone_keys, unknown } = stock(state, held);
    if !unknown.is_empty() {
        let tags: Vec<String> = unknown.iter().map(|key| key.dnskey.key_tag().to_string()).collect();
        return Some((RollKind::Tidy, format!("nobody asked for the keys {}", tags.join(", "))));
    }
    let by_hand = parent.by_hand && !state.insecure;
    let other = |key: &&Held| key.dnskey.algorithm() != policy.algorithm;
    if entries.iter().chain(&zone_keys).any(other) {
        let to = policy.algorithm;
        // One that scans cannot follow, whoever would ask it to.
        return (!by_hand && !parent.scans_only)
            .then(|| (RollKind::Algorithm, format!("the policy asks for algorithm {to}")));
    }
    match policy.layout {
        Layout::Split if zone_keys.is_empty() && !entries.is_empty() => {
            return Some((RollKind::Split, "the policy asks for KSK and ZSK".to_owned()));
        }
        Layout::Csk if !zone_keys.is_empty() => {
            return Some((RollKind::Join, "the policy asks for one CSK".to_owned()));
        }
        Layout::Split | Layout::Csk => {}
    }
    let old = |keys: &[&Held], life: Option<std::time::Duration>| {
        let life = life?;
        let text = |key: &&&Held| key.dnskey.to_string();
        let since = keys.iter().filter_map(|k| state.known.iter().find(|age| age.dnskey == text(&k)));
        let since = since.map(|age| age.since).min()?;
        let at = since + (life - spread(zone, life));
        (now >= at).then(|| format!("a key is in use since {since}"))
    };
    if let Some(why) = old(&zone_keys, policy.zone_key_life()) {
        return Some((RollKind::Zsk, why));
    }
    let why = old(&entries, policy.entry_point_life()).filter(|_| !by_hand)?;
    let kind = match (zone_keys.is_empty(), policy.double_ds && parent.ds_max >= 2 && !parent.scans_only) {
        (true, _) => RollKind::Csk,
        (false, true) => RollKind::KskDoubleDs,
        (false, false) => RollKind::Ksk,
    };
    Some((kind, why))
}

/// Up to a tenth of a lifetime, by name.
fn spread(zone: &Name, life: std::time::Duration) -> std::time::Duration {
    let hash = digest::digest(&digest::SHA256, zone.wire());
    let part = hash.as_ref().iter().take(2).fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte));
    life / 10 * part / 65_536
}

/// A roll of `kind` at its first stage.
///
/// # Errors
/// [`RollRefused`]: one is under way, the zone has no such keys, or the parent cannot do it.
#[allow(clippy::too_many_arguments)] // the facts of a decision, each of them another thing
pub fn begin(
    kind: RollKind,
    policy: &KeyPolicy,
    state: &KeyState,
    held: &[Held],
    parent: &Parent,
    by: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Roll, RollRefused> {
    if let Some(roll) = &state.roll {
        let kind = roll.kind.as_str();
        return Err(refused("roll-under-way", format!("a roll of kind {kind} is under way")));
    }
    let Stock { entries, zone_keys, unknown } = stock(state, held);
    let apply = |when: bool, why: &str| {
        if when { Ok(()) } else { Err(refused("roll-not-applicable", why)) }
    };
    apply(!entries.is_empty(), "the zone has no key that the parent vouches for")?;
    let split = !zone_keys.is_empty();
    let all: Vec<&Held> = entries.iter().chain(&zone_keys).copied().collect();
    let current = entries.first().map_or(policy.algorithm, |key| key.dnskey.algorithm());
    let none = Vec::new;
    let (kept, old, entry_point, zone_key) = match kind {
        RollKind::Zsk => {
            apply(split, "the zone has no ZSK: roll its CSK")?;
            (entries, zone_keys, false, true)
        }
        RollKind::Ksk | RollKind::KskDoubleDs => {
            apply(split, "the zone has a CSK: roll that")?;
            (zone_keys, entries, true, false)
        }
        RollKind::Csk => {
            apply(!split, "the zone has KSK and ZSK: roll those")?;
            (none(), entries, true, false)
        }
        RollKind::Algorithm => {
            apply(current != policy.algorithm, "the zone has the algorithm of its policy")?;
            (none(), all, true, policy.layout == Layout::Split)
        }
        RollKind::Emergency => (none(), all, true, policy.layout == Layout::Split),
        RollKind::Split => {
            apply(!split, "the zone has KSK and ZSK")?;
            (entries, none(), false, true)
        }
        RollKind::Join => {
            apply(split, "the zone has a CSK")?;
            (entries, zone_keys, false, false)
        }
        RollKind::Tidy => {
            apply(!unknown.is_empty(), "every key of the zone is known")?;
            (all, unknown, false, false)
        }
        RollKind::Insecure => {
            apply(!state.insecure, "the zone is without DS already")?;
            (all, none(), false, false)
        }
        RollKind::Secure => {
            apply(state.insecure, "the zone has a DS already")?;
            (all, none(), false, false)
        }
    };
    able(kind, state, parent)?;
    let texts = |keys: Vec<&Held>| keys.iter().map(|key| key.dnskey.to_string()).collect();
    let first = table(kind).first().map(|row| row.stage);
    let fresh = Agreed { since: None, ttl: Ttl::new(0) };
    Ok(Roll {
        kind,
        stage: first.ok_or_else(|| refused("roll-unsupported", "a roll without stages"))?,
        stage_since: now,
        started_at: now,
        by: by.to_owned(),
        reason: reason.to_owned(),
        algorithm: if kind == RollKind::Algorithm { policy.algorithm } else { current },
        makes: Makes { entry_point, zone_key },
        kept: texts(kept),
        old: texts(old),
        new: Vec::new(),
        keys: fresh,
        signatures: fresh,
        ds: fresh,
    })
}

fn able(kind: RollKind, state: &KeyState, parent: &Parent) -> Result<(), RollRefused> {
    let without = state.insecure && kind != RollKind::Secure;
    if without || !needs_parent(kind) || kind == RollKind::Tidy {
        return Ok(());
    }
    let cannot = |why: &str| Err(refused("roll-unsupported", why));
    if parent.ds_max == 0 && !parent.scans_only {
        return cannot("the parent takes no DS from a roll");
    }
    match kind {
        RollKind::KskDoubleDs if parent.scans_only => {
            cannot("a key that is not published yet cannot stand in CDS: roll with two signatures")
        }
        RollKind::KskDoubleDs if parent.ds_max < 2 => {
            cannot("the parent holds one DS: roll with two signatures")
        }
        RollKind::Algorithm if parent.scans_only => cannot(
            "a signer that signs on the fly tells a scanning parent of both algorithms as long as both keys are \
             published, and the old one may not go before its DS: change the DS by hand or by the registrar's API",
        ),
        _ => Ok(()),
    }
}
