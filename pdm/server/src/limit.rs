//! How many requests one client may send.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use pdm_model::Refusal;

use crate::app::Limits;

/// One bucket for each token, and for each address without one.
pub(crate) struct RateLimits {
    buckets: Option<DefaultKeyedRateLimiter<u64>>,
    clock: DefaultClock,
    hasher: RandomState,
}

impl RateLimits {
    pub fn new(limits: &Limits) -> Self {
        let quota = NonZeroU32::new(limits.per_second).map(|rate| {
            let burst = NonZeroU32::new(limits.burst).unwrap_or(rate);
            Quota::per_second(rate).allow_burst(burst)
        });
        Self {
            buckets: quota.map(RateLimiter::keyed),
            clock: DefaultClock::default(),
            hasher: RandomState::new(),
        }
    }

    /// One request of a known caller.
    pub fn admit_caller(&self, actor: &str) -> Result<(), Refusal> {
        self.admit(self.hasher.hash_one(("caller", actor)))
    }

    /// One request of an unknown client. An IPv6 customer has a /64.
    pub fn admit_peer(&self, peer: Option<IpAddr>) -> Result<(), Refusal> {
        let network = match peer.map(|p| p.to_canonical()) {
            Some(IpAddr::V6(v6)) => u128::from(v6) >> 64,
            Some(IpAddr::V4(v4)) => u128::from(u32::from(v4)),
            None => u128::MAX,
        };
        self.admit(self.hasher.hash_one(("peer", network)))
    }

    fn admit(&self, key: u64) -> Result<(), Refusal> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        buckets.check_key(&key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Refusal::new("rate-limited", "this client sends more requests than it may")
                .retry_after(u32::try_from(seconds.max(1)).unwrap_or(60))
        })
    }

    /// Forget clients that have been quiet.
    pub fn forget_quiet(&self) {
        if let Some(buckets) = &self.buckets {
            buckets.retain_recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_busy_client_does_not_slow_another() {
        let rates = RateLimits::new(&Limits { per_second: 1, burst: 2, ..Limits::default() });
        assert!(rates.admit_caller("token:a").is_ok() && rates.admit_caller("token:a").is_ok());
        let refusal = rates.admit_caller("token:a").unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after), ("rate-limited", Some(1)));
        assert!(rates.admit_caller("token:b").is_ok());
        assert!(rates.admit_peer(Some("192.0.2.1".parse().unwrap())).is_ok());
    }

    #[test]
    fn zero_is_no_limit() {
        let rates = RateLimits::new(&Limits { per_second: 0, burst: 0, ..Limits::default() });
        assert!((0..1000).all(|_| rates.admit_caller("a").is_ok()));
    }
}
