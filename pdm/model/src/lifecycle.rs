//! The lifecycle: phases, events and the one table by which a phase can change.

use serde::{Deserialize, Serialize};

/// Where an allocation stands. Everything finer is a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The name is held until a deadline; the DNS knows nothing of it.
    Reserved,
    /// The zone is being written.
    Provisioning,
    /// The zone is served; the parent is being changed and watched.
    Delegating,
    /// Proved from outside.
    Active,
    /// Going back: DS, NS, zone, each after its wait.
    Releasing,
    /// Gone from the DNS, kept from other owners until a date.
    Quarantined,
    /// Anybody may have the name.
    Freed,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Self; 7] = [
        Self::Reserved,
        Self::Provisioning,
        Self::Delegating,
        Self::Active,
        Self::Releasing,
        Self::Quarantined,
        Self::Freed,
    ];

    /// The word in the API and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Provisioning => "provisioning",
            Self::Delegating => "delegating",
            Self::Active => "active",
            Self::Releasing => "releasing",
            Self::Quarantined => "quarantined",
            Self::Freed => "freed",
        }
    }

    /// The phase named by a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == word)
    }

    /// True while a zone of this allocation should exist.
    #[must_use]
    pub fn has_zone(self) -> bool {
        match self {
            Self::Provisioning | Self::Delegating | Self::Active => true,
            Self::Reserved | Self::Releasing | Self::Quarantined | Self::Freed => false,
        }
    }
}

/// What can happen to an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The deadline of a reservation was moved.
    Extend,
    /// A target was given.
    Commit,
    /// The zone is served by every nameserver.
    Published,
    /// Every nameserver's answers were proved from the trust anchor.
    Proved,
    /// Another target, a suspension or a resumption.
    Change,
    /// The owner changed.
    Transfer,
    /// The owner gives the name back.
    Release,
    /// The zone and its delegation are gone.
    Removed,
    /// A reservation's deadline passed; the name was never in the DNS, or not lately.
    Expire,
    /// The deadline of a reclaimed reservation passed inside its quarantine.
    ExpireReclaimed,
    /// The former owner reserves the name again.
    Reclaim,
    /// The quarantine's date passed.
    QuarantineOver,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 12] = [
        Self::Extend,
        Self::Commit,
        Self::Published,
        Self::Proved,
        Self::Change,
        Self::Transfer,
        Self::Release,
        Self::Removed,
        Self::Expire,
        Self::ExpireReclaimed,
        Self::Reclaim,
        Self::QuarantineOver,
    ];
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Phase before.
    pub from: Phase,
    /// What happened.
    pub event: Event,
    /// Phase after.
    pub to: Phase,
}

const fn row(from: Phase, event: Event, to: Phase) -> Transition {
    Transition { from, event, to }
}

/// The only ways a phase can change.
pub const TRANSITIONS: &[Transition] = &[
    row(Phase::Reserved, Event::Extend, Phase::Reserved),
    row(Phase::Reserved, Event::Commit, Phase::Provisioning),
    row(Phase::Reserved, Event::Transfer, Phase::Reserved),
    row(Phase::Reserved, Event::Release, Phase::Freed),
    row(Phase::Reserved, Event::Expire, Phase::Freed),
    row(Phase::Reserved, Event::ExpireReclaimed, Phase::Quarantined),
    row(Phase::Provisioning, Event::Published, Phase::Delegating),
    row(Phase::Provisioning, Event::Change, Phase::Provisioning),
    row(Phase::Provisioning, Event::Transfer, Phase::Provisioning),
    row(Phase::Provisioning, Event::Release, Phase::Releasing),
    row(Phase::Delegating, Event::Proved, Phase::Active),
    row(Phase::Delegating, Event::Published, Phase::Delegating),
    row(Phase::Delegating, Event::Change, Phase::Delegating),
    row(Phase::Delegating, Event::Transfer, Phase::Delegating),
    row(Phase::Delegating, Event::Release, Phase::Releasing),
    row(Phase::Active, Event::Published, Phase::Active),
    row(Phase::Active, Event::Proved, Phase::Active),
    row(Phase::Active, Event::Change, Phase::Active),
    row(Phase::Active, Event::Transfer, Phase::Active),
    row(Phase::Active, Event::Release, Phase::Releasing),
    row(Phase::Releasing, Event::Release, Phase::Releasing),
    row(Phase::Releasing, Event::Removed, Phase::Quarantined),
    row(Phase::Quarantined, Event::Release, Phase::Quarantined),
    row(Phase::Quarantined, Event::Reclaim, Phase::Reserved),
    row(Phase::Quarantined, Event::QuarantineOver, Phase::Freed),
];

/// An event that the present phase has no row for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name that is {} cannot take {event:?}", from.as_str())]
pub struct NoTransition {
    /// The present phase.
    pub from: Phase,
    /// The refused event.
    pub event: Event,
}

/// The phase after `event`, or a refusal.
///
/// # Errors
/// [`NoTransition`] when the table has no row.
pub fn next_phase(from: Phase, event: Event) -> Result<Phase, NoTransition> {
    TRANSITIONS
        .iter()
        .find(|t| t.from == from && t.event == event)
        .map(|t| t.to)
        .ok_or(NoTransition { from, event })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_phase_and_event_has_at_most_one_row_and_every_event_is_used() {
        let mut seen = BTreeSet::new();
        assert!(TRANSITIONS.iter().all(|t| seen.insert((t.from, t.event))));
        for event in Event::ALL {
            assert!(TRANSITIONS.iter().any(|t| t.event == event), "{event:?}");
        }
    }

    fn reach(start: Phase) -> BTreeSet<Phase> {
        let mut known = BTreeSet::from([start]);
        while let Some(t) = TRANSITIONS.iter().find(|t| known.contains(&t.from) && !known.contains(&t.to)) {
            known.insert(t.to);
        }
        known
    }

    #[test]
    fn every_phase_is_reachable_and_has_a_way_to_freed() {
        assert_eq!(reach(Phase::Reserved).len(), Phase::ALL.len());
        assert!(Phase::ALL.into_iter().all(|p| reach(p).contains(&Phase::Freed)));
    }

    #[test]
    fn a_name_that_was_in_the_dns_never_reaches_another_owner_without_quarantine() {
        let ways: Vec<_> = TRANSITIONS.iter().filter(|t| t.to == Phase::Freed).map(|t| t.from).collect();
        assert_eq!(ways, [Phase::Reserved, Phase::Reserved, Phase::Quarantined]);
    }

    #[test]
    fn words_round_trip() {
        assert!(Phase::ALL.into_iter().all(|p| Phase::from_word(p.as_str()) == Some(p)));
    }
}
