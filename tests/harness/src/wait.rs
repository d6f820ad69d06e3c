//! Waiting for a condition. There are no blind sleeps: every wait names what it waits for and when it gives up.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

/// How long a condition may take by default. Long, because two cores may be shared by many tests.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Poll `look` until it answers `Ok`; panic with the last `Err` after [`DEADLINE`].
pub async fn until<T, E, F, Fut>(what: &str, look: F) -> T
where
    E: Display,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    until_within(what, DEADLINE, look).await
}

/// Poll `look` until it answers `Ok`; panic with the last `Err` after `limit`.
///
/// # Panics
/// When the limit has passed.
pub async fn until_within<T, E, F, Fut>(what: &str, limit: Duration, mut look: F) -> T
where
    E: Display,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let begun = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match look().await {
            Ok(value) => return value,
            Err(e) if begun.elapsed() > limit => panic!("waited {limit:?} for {what}; at last: {e}"),
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_returns_what_was_found() {
        let mut left = 3;
        let found = until("three looks", || {
            left -= 1;
            let n = left;
            async move { if n == 0 { Ok(7) } else { Err("not yet") } }
        });
        assert_eq!(found.await, 7);
    }

    #[tokio::test]
    #[should_panic(expected = "at last: still dark")]
    async fn it_says_what_it_saw_last() {
        until_within("light", Duration::from_millis(20), || async { Err::<(), _>("still dark") }).await;
    }
}
