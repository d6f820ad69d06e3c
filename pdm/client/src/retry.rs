//! Whether and when a call is repeated. Pure; the transport carries it out.

use std::time::Duration;

/// How long a call is repeated. Repeats are safe: a change carries its `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// No repeat begins later than this after the first try.
    pub total: Duration,
    /// The pause before the first repeat; each further one is twice as long.
    pub first: Duration,
    /// The longest pause, unless the daemon asks for a longer one.
    pub longest: Duration,
    /// Whether a daemon that cannot be connected to is worth waiting for.
    pub unsent: bool,
}

impl Retry {
    /// One try.
    pub const NEVER: Self =
        Self { total: Duration::ZERO, first: Duration::ZERO, longest: Duration::ZERO, unsent: false };
}

impl Default for Retry {
    /// A minute, from 200 milliseconds to ten seconds apart.
    fn default() -> Self {
        Self {
            total: Duration::from_secs(60),
            first: Duration::from_millis(200),
            longest: Duration::from_secs(10),
            unsent: true,
        }
    }
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome<'a> {
    /// No connection.
    Unsent,
    /// No answer.
    Lost,
    /// A proxy before the daemon answered that it is away.
    Away,
    /// The daemon refused.
    Refused {
        /// The code.
        code: &'a str,
        /// When it wants to be asked again.
        after: Option<Duration>,
    },
}

/// Problems that pass by themselves.
pub(crate) const PASSING: &[&str] =
    &["dns-unavailable", "idempotency-in-progress", "rate-limited", "store-unavailable"];

/// How long to pause before the next try; none when this outcome stands. `tries` were made within `spent`.
pub(crate) fn pause(retry: &Retry, tries: u32, spent: Duration, outcome: Outcome<'_>) -> Option<Duration> {
    let asked = match outcome {
        Outcome::Unsent if !retry.unsent => return None,
        Outcome::Refused { code, .. } if !PASSING.contains(&code) => return None,
        Outcome::Refused { after, .. } => after,
        Outcome::Unsent | Outcome::Lost | Outcome::Away => None,
    };
    let doubled = retry.first.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
    let pause = doubled.min(retry.longest).max(asked.unwrap_or(Duration::ZERO));
    (spent + pause <= retry.total && !retry.total.is_zero()).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_until_the_longest_and_end_in_time() {
        let retry = Retry::default();
        let millis = |tries, spent| pause(&retry, tries, spent, Outcome::Lost).map(|p| p.as_millis());
        assert_eq!(millis(1, Duration::ZERO), Some(200));
        assert_eq!(millis(3, SECOND), Some(800));
        assert_eq!(millis(30, SECOND), Some(10_000));
        assert_eq!(millis(9, 55 * SECOND), None);
        assert_eq!(pause(&Retry::NEVER, 1, Duration::ZERO, Outcome::Lost), None);
    }

    #[test]
    fn only_what_passes_is_repeated_and_not_before_it_was_asked_for() {
        let retry = Retry::default();
        let refused = |code, after| pause(&retry, 1, Duration::ZERO, Outcome::Refused { code, after });
        assert_eq!(refused("name-taken", None), None);
        assert_eq!(refused("frozen", None), None);
        assert_eq!(refused("rate-limited", Some(7 * SECOND)), Some(7 * SECOND));
        assert_eq!(refused("rate-limited", Some(3600 * SECOND)), None);
        assert_eq!(refused("store-unavailable", None), Some(retry.first));
        let impatient = Retry { unsent: false, ..retry };
        assert_eq!(pause(&impatient, 1, Duration::ZERO, Outcome::Unsent), None);
        assert!(pause(&impatient, 1, Duration::ZERO, Outcome::Lost).is_some());
    }

    #[test]
    fn what_passes_is_in_the_table() {
        for code in PASSING {
            assert_eq!(pdm_model::problem::problem(code).code, *code);
        }
    }
}
