//! When to look again after a fault, and who must act: one table by class.

use std::time::Duration;

use pdm_model::Who;
use pdm_ports::{Class, Fault};

/// One row: first pause, longest pause, who must act.
struct Row {
    class: Class,
    first: Duration,
    most: Duration,
    who: Who,
}

const fn row(class: Class, first_ms: u64, most_s: u64, who: Who) -> Row {
    Row { class, first: Duration::from_millis(first_ms), most: Duration::from_secs(most_s), who }
}

const TABLE: &[Row] = &[
    row(Class::Transient, 200, 15, Who::Nobody),
    row(Class::RateLimited, 1_000, 300, Who::Nobody),
    row(Class::Credential, 5_000, 60, Who::Operator),
    row(Class::NotOurs, 5_000, 60, Who::Operator),
    row(Class::Rejected, 5_000, 60, Who::Operator),
    row(Class::Unsupported, 30_000, 600, Who::Operator),
    row(Class::Protocol, 1_000, 60, Who::Operator),
    row(Class::Fenced, 1_000, 30, Who::Nobody),
    row(Class::Bug, 5_000, 60, Who::Operator),
];

/// Attempts after which a person should look at what was thought to pass by itself.
const PATIENCE: u32 = 10;

/// The pause before attempt `attempts + 1`, and who must act meanwhile.
pub(crate) fn after(fault: &Fault, attempts: u32) -> (Duration, Who) {
    let fallback = row(Class::Bug, 5_000, 60, Who::Operator);
    let row = TABLE.iter().find(|r| r.class == fault.class).unwrap_or(&fallback);
    let pause = doubled(row.first, row.most, attempts);
    let who = if attempts >= PATIENCE && row.who == Who::Nobody { Who::Operator } else { row.who };
    (fault.retry_after.unwrap_or(pause).min(row.most.max(pause)), who)
}

/// `first`, doubled `times`, at most `most`.
pub(crate) fn doubled(first: Duration, most: Duration, times: u32) -> Duration {
    first.saturating_mul(1_u32 << times.min(16)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_a_person_is_named_in_the_end() {
        let fault = Fault::transient("x", "y");
        assert_eq!(after(&fault, 0), (Duration::from_millis(200), Who::Nobody));
        assert_eq!(after(&fault, 40), (Duration::from_secs(15), Who::Operator));
        assert_eq!(after(&Fault::new(Class::NotOurs, "x", "y"), 0).1, Who::Operator);
    }
}
