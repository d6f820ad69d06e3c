//! How a roll begins and ends in what is remembered of a zone's keys, and what it writes to the signer; whosever the zone.

use pdm_dnssec::Name;
use pdm_dnssec::roll::{self, Action, Held, Parent, RollRefused};
use pdm_model::keys::{Digest, KeyIntent, KeyPolicy, KeyState, Rolled};
use pdm_model::{RollKind, Timestamp, ZoneName};
use pdm_ports::KeyChange;
use tracing::{info, warn};

/// What came of an attempt to begin a roll.
pub(crate) enum Begun {
    /// It began, for this reason.
    Roll(RollKind, String),
    /// It cannot.
    Refused(RollKind, RollRefused),
    /// Nothing was asked for, and nothing is due.
    Nothing,
}

/// Begin what was asked for, or what is due and may begin by itself.
#[allow(clippy::too_many_arguments)] // the facts of a decision, each of them another thing
pub(crate) fn begin(
    zone: &ZoneName,
    state: &mut KeyState,
    intent: &KeyIntent,
    policy: &KeyPolicy,
    held: &[Held],
    parent: &Parent,
    by_itself: impl Fn(RollKind) -> bool,
    now: Timestamp,
) -> Begun {
    let asked = state.open_request(intent).cloned();
    let due = || {
        roll::due(&Name::from(zone), policy, state, held, parent, now).filter(|(kind, _)| by_itself(*kind))
    };
    let (kind, by, reason) = match &asked {
        Some(asked) => (asked.kind, asked.by.clone(), asked.reason.clone()),
        None => match due() {
            Some((kind, why)) => (kind, "pdm".to_owned(), why),
            None => return Begun::Nothing,
        },
    };
    let begun = roll::begin(kind, policy, state, held, parent, &by, &reason, now);
    if let Some(asked) = asked {
        state.answered = Some(asked.at);
    }
    match begun {
        Ok(roll) => {
            info!(%zone, kind = kind.as_str(), by, reason, "roll begun");
            state.roll = Some(roll);
            Begun::Roll(kind, reason)
        }
        Err(refused) => {
            warn!(%zone, kind = kind.as_str(), code = refused.code, %refused, "no roll");
            let given_up = Some(format!("{}: {refused}", refused.code));
            state.last = Some(Rolled { kind, started_at: now, finished_at: now, given_up });
            Begun::Refused(kind, refused)
        }
    }
}

/// The roll is over, or given up: what is left is known from now on. For the audit log; none when there was no roll.
pub(crate) fn finish(
    state: &mut KeyState,
    given_up: Option<&str>,
    held: &[Held],
    now: Timestamp,
) -> Option<String> {
    let roll = state.roll.take()?;
    state.rests = None;
    let ours = |text: &String| roll.kept.contains(text) || roll.old.contains(text) || roll.new.contains(text);
    let texts = held.iter().map(|key| key.dnskey.to_string());
    // Tidying ends with what stayed; everything else with what is there and was part of it.
    let stays: Vec<String> = texts.filter(|text| ours(text)).collect();
    state.take_over(stays, now);
    let kind = roll.kind.as_str();
    let end = if given_up.is_none() { "finished" } else { "given-up" };
    metrics::counter!("pdm_rolls_total", "kind" => kind, "end" => end).increment(1);
    if given_up.is_none() {
        state.insecure = match roll.kind {
            RollKind::Insecure => true,
            RollKind::Secure => false,
            _ => state.insecure,
        };
    }
    state.last = Some(Rolled {
        kind: roll.kind,
        started_at: roll.started_at,
        finished_at: now,
        given_up: given_up.map(str::to_owned),
    });
    Some(given_up.map_or_else(|| kind.to_owned(), |why| format!("{kind}: {why}")))
}

/// The change of the signer behind an action; none for one at the parent.
pub(crate) fn change_of(action: Action, digest: Digest) -> Option<KeyChange> {
    Some(match action {
        Action::Make { entry_point, algorithm } => KeyChange::Make { entry_point, algorithm },
        Action::Set { key, active, published } => {
            KeyChange::Set { dnskey: key.to_string(), active, published }
        }
        Action::Remove(key) => KeyChange::Remove { dnskey: key.to_string() },
        Action::Tell(cds) => KeyChange::Tell(super::told(cds, digest)),
        Action::ParentDs(_) => return None,
    })
}
