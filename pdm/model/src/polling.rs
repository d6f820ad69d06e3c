//! How often people and registries are looked at: soon at first, rarely in the end, never not at all.

use std::time::Duration;

/// Rows of the schedule: so many looks, so many seconds apart.
const FIRST: [(u32, u64); 3] = [(6, 5), (8, 15), (10, 60)];
/// The longest pause while it is active.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long it is active.
const ACTIVE: Duration = Duration::from_secs(7 * 24 * 3600);
/// The pause afterwards.
const SLEEPY: Duration = Duration::from_secs(7 * 24 * 3600);

/// The pause after look number `looks` (from 0) of a wait that began `waited` ago.
#[must_use]
pub fn pause(looks: u32, waited: Duration) -> Duration {
    if waited >= ACTIVE {
        return SLEEPY;
    }
    let mut left = looks;
    for (many, seconds) in FIRST {
        if left < many {
            return Duration::from_secs(seconds);
        }
        left -= many;
    }
    let growing = Duration::from_secs(60).mul_f64(1.15_f64.powi(i32::try_from(left.min(100)).unwrap_or(100)));
    growing.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_rare_and_never_end() {
        let none = Duration::ZERO;
        let at = |looks| pause(looks, none).as_secs();
        assert_eq!([at(0), at(5), at(6), at(13), at(14), at(23)], [5, 5, 15, 15, 60, 60]);
        assert_eq!((at(25), at(1000)), (69, 900));
        assert!((0..100).all(|n| at(n) <= at(n + 1)));
        assert_eq!(pause(0, ACTIVE), SLEEPY);
    }
}
