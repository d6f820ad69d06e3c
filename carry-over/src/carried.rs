//! What is kept of a zone that was carried over.

use std::collections::{BTreeMap, BTreeSet};

use pdm_model::{RRset, RecordType, Timestamp};
use serde::{Deserialize, Serialize};

use crate::compare::Asked;

/// How the records came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Source {
    /// A transfer of the whole zone.
    Transfer {
        /// The server that gave it.
        server: String,
    },
    /// A zone file that somebody uploaded.
    Upload,
    /// Names of a list were asked for: what is not on it is missing.
    Survey {
        /// So many questions.
        questions: u32,
    },
}

impl Source {
    /// Whether the zone is whole.
    #[must_use]
    pub fn complete(&self) -> bool {
        match self {
            Self::Transfer { .. } | Self::Upload => true,
            Self::Survey { .. } => false,
        }
    }
}

/// A record that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// Owner, dotted.
    pub owner: String,
    /// Type.
    pub rtype: String,
    /// Why, for people.
    pub reason: String,
}

/// What to do where both want one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// What the old zone says stays.
    Keep,
    /// The name goes to the load balancers.
    Take,
}

/// Who let a name differ, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiver {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// The records of an old zone, with what people decided about them and what was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CarriedZone {
    /// How they came.
    #[serde(flatten)]
    pub source: Source,
    /// When.
    pub gathered_at: Timestamp,
    /// The records, in order of owner and type, in the form in which PowerDNS takes them.
    pub sets: Vec<RRset>,
    /// What was left out, the first few of it.
    pub left_out: Vec<LeftOut>,
    /// How many records were left out, by type.
    pub left_out_counts: BTreeMap<String, u32>,
    /// Decisions where both want one name, by owner (dotted).
    #[serde(default)]
    pub choices: BTreeMap<String, Choice>,
    /// Names that may differ, by owner (dotted).
    #[serde(default)]
    pub waived: BTreeMap<String, Waiver>,
    /// Sets of an earlier gathering that are no more: they go out of our zone.
    #[serde(default)]
    pub retired: BTreeSet<(String, RecordType)>,
    /// Who accepts that the records may not be all, when they came by a survey.
    #[serde(default)]
    pub incomplete_accepted: Option<Waiver>,
    /// What was compared last, one entry a set.
    #[serde(default)]
    pub asked: Vec<Asked>,
}

impl CarriedZone {
    /// Whether somebody has to accept that there may be more than was found.
    #[must_use]
    pub fn lacks_acceptance(&self) -> bool {
        !self.source.complete() && self.incomplete_accepted.is_none()
    }

    /// The same decisions for newly gathered records; comparisons begin again.
    #[must_use]
    pub fn succeeding(mut self, before: Option<Self>) -> Self {
        if let Some(before) = before {
            let gone = before.sets.into_iter().map(|s| (s.owner, s.rtype));
            self.retired = before.retired.into_iter().chain(gone).collect();
            (self.choices, self.waived) = (before.choices, before.waived);
        }
        for set in &self.sets {
            self.retired.remove(&(set.owner.clone(), set.rtype.clone()));
        }
        self
    }
}
