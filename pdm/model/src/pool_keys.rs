//! The keys of a pool's own zone, and its DS at a parent that nobody here edits: what the store keeps of one pool.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::delegation::DsRecord;
use crate::keys::{KeyIntent, KeyState};
use crate::operation::Wait;
use crate::time::Timestamp;

/// How the DS at a parent stands to the keys of its child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DsStanding {
    /// Every server that answers has DS of keys that sign, and no others.
    Right,
    /// Every server says that there is none: the zone counts as unsigned.
    Missing,
    /// Some server has DS, and none of them belongs to a key that signs: bogus.
    Wrong,
    /// The chain holds, and there is a DS without a key, or the servers of the parent disagree.
    Stale,
    /// Nobody answered.
    Unknown,
}

impl DsStanding {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Right, Self::Missing, Self::Wrong, Self::Stale, Self::Unknown];

    /// The word in the API and in figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }
}

/// What the last look at a pool's parent saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolDs {
    /// How it stands.
    pub standing: DsStanding,
    /// For people.
    pub detail: String,
    /// Since when it stands so.
    pub since: Timestamp,
    /// When it was looked at.
    pub at: Timestamp,
    /// Every DS that some server of the parent answered.
    pub seen: BTreeSet<DsRecord>,
}

/// Who drives a pool's keys now. One process at a time, by the store's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Driver {
    /// The process.
    pub holder: String,
    /// Until when, unless it says so again.
    pub until: Timestamp,
}

/// Everything that is kept of a pool's own keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PoolKeys {
    /// What people want.
    pub intent: KeyIntent,
    /// How they stand.
    pub state: KeyState,
    /// DS that the parent is to hold.
    pub ds: BTreeSet<DsRecord>,
    /// What a roll waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// The DS at the parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_parent: Option<PoolDs>,
    /// Who is at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<Driver>,
}

impl PoolKeys {
    /// Become the driver, unless another process is.
    pub fn take(&mut self, holder: &str, now: Timestamp, until: Timestamp) -> bool {
        let other = self.driver.as_ref().is_some_and(|driver| driver.holder != holder && driver.until > now);
        if !other {
            self.driver = Some(Driver { holder: holder.to_owned(), until });
        }
        !other
    }

    /// Write down what a look at the parent saw; true when it stands otherwise than before.
    pub fn stands(
        &mut self,
        standing: DsStanding,
        detail: String,
        seen: BTreeSet<DsRecord>,
        at: Timestamp,
    ) -> bool {
        let before = self.at_parent.as_ref().filter(|before| before.standing == standing);
        let since = before.map_or(at, |before| before.since);
        let news = before.is_none();
        self.at_parent = Some(PoolDs { standing, detail, since, at, seen });
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_drives_until_its_time_is_over() {
        let mut keys = PoolKeys::default();
        assert!(keys.take("a", Timestamp(0), Timestamp(10)));
        assert!(keys.take("a", Timestamp(5), Timestamp(15)));
        assert!(!keys.take("b", Timestamp(14), Timestamp(24)));
        assert!(keys.take("b", Timestamp(15), Timestamp(25)));
        assert_eq!(serde_json::from_str::<PoolKeys>("{}").unwrap(), PoolKeys::default());
    }

    #[test]
    fn a_standing_lasts_since_it_was_first_seen() {
        let mut keys = PoolKeys::default();
        let mut look = |standing, at| keys.stands(standing, String::new(), BTreeSet::new(), Timestamp(at));
        assert!(look(DsStanding::Missing, 1));
        assert!(!look(DsStanding::Missing, 2));
        assert!(look(DsStanding::Right, 3));
        assert_eq!(keys.at_parent.unwrap().since, Timestamp(3));
    }
}
