//! The host's clock, read in this one place. Every decision rests on the store's; this one is compared with it, and
//! dates tokens.

use std::time::UNIX_EPOCH;

use pdm_model::Timestamp;

/// Further apart than this, the host is not ready: signatures would be judged by a wrong time.
pub const TOLERANCE_MS: u64 = 2_000;

/// The host's time.
#[expect(clippy::disallowed_methods, reason = "the place where the host's clock is read")]
pub fn host_now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The host's time in nanoseconds, for spans.
#[expect(clippy::disallowed_methods, reason = "the place where the host's clock is read")]
pub fn host_nanos() -> u64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// How far the store's clock is from the host's, in milliseconds, given the host's time before and after the question.
pub fn distance(before: Timestamp, store: Timestamp, after: Timestamp) -> u64 {
    // Anything between the two may be right: the answer travelled.
    if store < before {
        return before.0.abs_diff(store.0);
    }
    if store > after { store.0.abs_diff(after.0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_of_the_answer_does_not_count() {
        let at = Timestamp;
        assert_eq!(distance(at(1_000), at(4_000), at(6_000)), 0);
        assert_eq!(distance(at(5_000), at(1_000), at(6_000)), 4_000);
        assert_eq!(distance(at(1_000), at(9_000), at(2_000)), 7_000);
    }
}
