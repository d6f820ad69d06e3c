//! Which measured facts make an incident that a DNS service provider must report: Implementing Regulation (EU) 2024/2690,
//! Article 5. What was not measured is not judged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One round of quick looks at everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// When the round ended.
    pub at: Timestamp,
    /// Names looked at.
    pub looks: u32,
    /// Names about which nobody answered.
    pub silent: u32,
    /// Names that were answered wrongly.
    pub wrong: u32,
    /// Milliseconds of all answers together.
    pub millis: u64,
}

/// What kind of incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Resolution was completely unavailable for more than 30 minutes (a).
    CompleteOutage,
    /// The mean answer took more than 10 seconds for more than one hour (b).
    SlowAnswers,
    /// Data was wrong for 1,000 names or more, or for more than 1 % of them (c).
    Integrity,
}

/// One incident as the facts show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// Its kind.
    pub class: Class,
    /// The first measurement that shows it.
    pub from: Timestamp,
    /// The last one.
    pub to: Timestamp,
    /// The most names that were concerned at once.
    pub names: u32,
}

const OUTAGE: Duration = Duration::from_secs(30 * 60);
const SLOW: Duration = Duration::from_secs(3600);
const SLOW_MILLIS: u64 = 10_000;
const NAMES: u32 = 1_000;

/// A row of the rule: what a measurement must show, for how long, and how many names it concerns.
struct Rule {
    class: Class,
    longer_than: Duration,
    shows: fn(&Measurement) -> bool,
    names: fn(&Measurement) -> u32,
}

const RULES: &[Rule] = &[
    Rule {
        class: Class::CompleteOutage,
        longer_than: OUTAGE,
        shows: |m| m.looks > 0 && m.silent == m.looks,
        names: |m| m.silent,
    },
    Rule {
        class: Class::SlowAnswers,
        longer_than: SLOW,
        shows: |m| {
            let heard = u64::from(m.looks.saturating_sub(m.silent));
            heard > 0 && m.millis > SLOW_MILLIS * heard
        },
        names: |m| m.looks,
    },
    Rule {
        class: Class::Integrity,
        longer_than: Duration::ZERO,
        shows: |m| m.wrong >= NAMES || (m.wrong > 0 && u64::from(m.wrong) * 100 > u64::from(m.looks)),
        names: |m| m.wrong,
    },
];

/// The incidents that measurements show, which must be in the order of time.
#[must_use]
pub fn incidents(measurements: &[Measurement]) -> Vec<Incident> {
    let mut all = Vec::new();
    for rule in RULES {
        for run in measurements.chunk_by(|a, b| (rule.shows)(a) == (rule.shows)(b)) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let lasted = last.at.since(first.at);
            if (rule.shows)(first) && (lasted > rule.longer_than || rule.longer_than.is_zero()) {
                let names = run.iter().map(rule.names).max().unwrap_or_default();
                all.push(Incident { class: rule.class, from: first.at, to: last.at, names });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round every ten minutes.
    fn rounds(kinds: &[(u32, u32, u64)]) -> Vec<Measurement> {
        let round = |(n, (silent, wrong, millis)): (usize, &(u32, u32, u64))| Measurement {
            at: Timestamp(600_000 * i64::try_from(n).unwrap()),
            looks: 200,
            silent: *silent,
            wrong: *wrong,
            millis: *millis,
        };
        kinds.iter().enumerate().map(round).collect()
    }

    fn classes(kinds: &[(u32, u32, u64)]) -> Vec<Class> {
        incidents(&rounds(kinds)).into_iter().map(|i| i.class).collect()
    }

    #[test]
    fn an_outage_counts_beyond_half_an_hour_and_only_when_complete() {
        let (out, up) = ((200, 0, 0), (0, 0, 1000));
        assert_eq!(classes(&[out; 4]), []);
        assert_eq!(classes(&[up, out, out, out, out, out, up]), [Class::CompleteOutage]);
        assert_eq!(classes(&[(199, 0, 1); 9]), []);
        let seen = &incidents(&rounds(&[up, out, out, out, out, out]))[0];
        assert_eq!((seen.from.0, seen.to.0, seen.names), (600_000, 3_000_000, 200));
    }

    #[test]
    fn slow_answers_count_beyond_an_hour() {
        let slow = (0, 0, 200 * 10_001);
        assert_eq!(classes(&[slow; 7]), []);
        assert_eq!(classes(&[slow; 8]), [Class::SlowAnswers]);
    }

    #[test]
    fn wrong_data_counts_beyond_a_percent_or_a_thousand_names() {
        assert_eq!(classes(&[(0, 2, 0)]), [], "one percent is not more than one percent");
        assert_eq!(classes(&[(0, 3, 0)]), [Class::Integrity]);
        let many = Measurement { at: Timestamp(0), looks: 1_000_000, silent: 0, wrong: 1_000, millis: 0 };
        assert_eq!(incidents(&[many])[0].class, Class::Integrity);
        assert!(incidents(&[Measurement { wrong: 999, ..many }]).is_empty());
        assert!(incidents(&[]).is_empty());
    }
}
