//! The DS of a key (RFC 4034 5.1.4 and appendix B), written apart from ours so that it can contradict it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

/// `key tag, algorithm, 2, SHA-256` of a DNSKEY; none when the key is no base64.
#[must_use]
pub fn ds(owner: &str, flags: u16, algorithm: u8, public_key: &str) -> Option<String> {
    let mut rdata = flags.to_be_bytes().to_vec();
    rdata.extend([3, algorithm]);
    rdata.extend(STANDARD.decode(public_key).ok()?);
    let mut hashed = Vec::new();
    for label in owner.trim_end_matches('.').to_ascii_lowercase().split('.') {
        hashed.push(u8::try_from(label.len()).ok()?);
        hashed.extend_from_slice(label.as_bytes());
    }
    hashed.push(0);
    hashed.extend_from_slice(&rdata);
    let hex: String = digest(&SHA256, &hashed).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{} {algorithm} 2 {hex}", key_tag(&rdata)))
}

fn key_tag(rdata: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for (at, byte) in rdata.iter().enumerate() {
        sum += if at % 2 == 0 { u32::from(*byte) << 8 } else { u32::from(*byte) };
    }
    ((sum + (sum >> 16)) & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_of_rfc_6605() {
        let key = "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==";
        let want = "55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17";
        assert_eq!(super::ds("example.net", 257, 13, key).as_deref(), Some(want));
    }
}
