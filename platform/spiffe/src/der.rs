//! The two things of DER that webpki does not tell: where one certificate of several ends, and until when it holds.

/// One value: its tag, what is in it, the whole of it, and what comes after.
struct Value<'a> {
    tag: u8,
    inner: &'a [u8],
    whole: &'a [u8],
    rest: &'a [u8],
}

fn value(input: &[u8]) -> Option<Value<'_>> {
    let (&tag, &first) = (input.first()?, input.get(1)?);
    let (length, head) = match first {
        0..=0x7f => (usize::from(first), 2),
        // Up to 4 octets of length: nothing here is larger.
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let octets = input.get(2..2 + count)?;
            (octets.iter().fold(0_usize, |all, octet| (all << 8) | usize::from(*octet)), 2 + count)
        }
        _ => return None,
    };
    let end = head.checked_add(length)?;
    let (whole, rest) = (input.get(..end)?, input.get(end..)?);
    Some(Value { tag, inner: whole.get(head..)?, whole, rest })
}

/// Certificates that stand one after the other.
pub(crate) fn split(mut input: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    while !input.is_empty() {
        let one = value(input)?;
        all.push(one.whole.to_vec());
        input = one.rest;
    }
    Some(all)
}

/// Seconds since the epoch at which a certificate ends (RFC 5280, 4.1.2.5).
pub(crate) fn not_after(certificate: &[u8]) -> Option<i64> {
    let tbs = value(value(certificate)?.inner)?.inner;
    let first = value(tbs)?;
    // The version is there in every certificate with extensions, then come number, algorithm and issuer.
    let mut rest = if first.tag == 0xa0 { first.rest } else { tbs };
    for _ in 0..3 {
        rest = value(rest)?.rest;
    }
    let begin = value(value(rest)?.inner)?;
    let end = value(begin.rest)?;
    let text = std::str::from_utf8(end.inner).ok()?.strip_suffix('Z')?;
    match end.tag {
        // UTCTime: two digits of the year, 1950 to 2049.
        0x17 => seconds(&format!("{}{text}", if text < "50" { "20" } else { "19" })),
        0x18 => seconds(text),
        _ => None,
    }
}

/// `YYYYMMDDHHMMSS`.
fn seconds(text: &str) -> Option<i64> {
    if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    // Days of the civil calendar, counted from March so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_seconds() {
        for (text, expected) in [
            ("19700101000000", Some(0)),
            ("20000229235959", Some(951_868_799)),
            ("20261125190000", Some(1_795_633_200)),
            ("2026112519000", None),
            ("2026112519000x", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert_eq!(split(&[0x30, 0x01, 0xff, 0x30, 0x00]).unwrap().len(), 2);
        for bad in [
            &[0x30][..],
            &[0x30, 0x02, 0x00],
            &[0x30, 0x80],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30, 0x82, 0xff],
        ] {
            assert!(split(bad).is_none(), "{bad:?}");
        }
        assert!(split(&[]).unwrap().is_empty());
        assert!(not_after(&[0x30, 0x02, 0x30, 0x00]).is_none());
    }
}
