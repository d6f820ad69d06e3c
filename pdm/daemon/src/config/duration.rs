//! Durations as people write them: `90m`, `200d`, `1h30m`, `500ms`.

use std::time::Duration;

const UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// Read a duration. A bare number is refused: nobody remembers its unit.
///
/// # Errors
/// What is wrong, for the reader of a configuration.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("{text:?} is not a duration; write a number and one of ms, s, m, h, d, w, as in \"90m\"");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let factor = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(wrong)?.1;
        rest = &rest[letters..];
        total = number.checked_mul(factor).and_then(|n| n.checked_add(total)).ok_or_else(wrong)?;
    }
    // A hundred years: anything longer is a slip, and the store counts in milliseconds.
    if total > 36_525 * 86_400_000 {
        return Err(format!("{text:?} is longer than a hundred years"));
    }
    Ok(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in
            [("90m", 5_400.0), ("200d", 17_280_000.0), ("1h30m", 5_400.0), ("500ms", 0.5), ("0s", 0.0)]
        {
            assert_eq!(parse(text).unwrap(), Duration::from_secs_f64(seconds), "{text}");
        }
        for bad in ["", "90", "m", "-5m", "1.5h", "5 m", "5x", "99999999999999999999d", "40000d", "5µs"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
