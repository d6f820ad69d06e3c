//! A few quick tries for failures that pass in milliseconds. Everything longer is the reconciler's.

use std::time::{Duration, Instant};

/// Pauses between tries: a locked database is free again within a write or two.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(100)];

/// Counts the tries of one call.
pub(crate) struct Tries {
    done: usize,
    until: Instant,
}

impl Tries {
    /// Three tries within a bound: a call that timed out once has used all of it.
    pub(crate) fn within(bound: Duration) -> Self {
        Self { done: 0, until: Instant::now() + bound }
    }

    /// Pause, and say whether another try is due.
    pub(crate) async fn again(&mut self) -> bool {
        let Some(pause) = PAUSES.get(self.done) else { return false };
        if Instant::now() + *pause >= self.until {
            return false;
        }
        self.done += 1;
        tokio::time::sleep(*pause).await;
        true
    }
}
