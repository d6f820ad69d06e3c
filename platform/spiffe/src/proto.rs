//! As much of protobuf as the Workload API's answer has: fields of octets, by number.

/// The fields of octets in a message, in order; numbers are passed over. None when it is cut off.
pub(crate) fn fields(mut input: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut all = Vec::new();
    while !input.is_empty() {
        let (key, rest) = varint(input)?;
        input = match key & 7 {
            0 => varint(rest)?.1,
            1 => rest.get(8..)?,
            5 => rest.get(4..)?,
            2 => {
                let (length, rest) = varint(rest)?;
                let length = usize::try_from(length).ok()?;
                all.push((key >> 3, rest.get(..length)?));
                rest.get(length..)?
            }
            _ => return None,
        };
    }
    Some(all)
}

fn varint(input: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, octet) in input.iter().enumerate().take(10) {
        number |= u64::from(octet & 0x7f).checked_shl(7 * u32::try_from(index).ok()?)?;
        if octet & 0x80 == 0 {
            return Some((number, input.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_octets_are_found_and_lies_are_refused() {
        // 1: "ab", 2: varint 300, 3: ""
        let message = [0x0a, 2, b'a', b'b', 0x10, 0xac, 0x02, 0x1a, 0];
        assert_eq!(fields(&message).unwrap(), [(1, &b"ab"[..]), (3, &b""[..])]);
        for bad in [&[0x0a][..], &[0x0a, 5, 1], &[0x0b], &[0xff; 11], &[0x09, 1, 2]] {
            assert!(fields(bad).is_none(), "{bad:?}");
        }
    }
}
