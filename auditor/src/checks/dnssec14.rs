//! DNSSEC14: an RSA key is short.

use std::collections::BTreeSet;

use pdm_dnssec::Dnskey;
use pdm_model::audit::Severity::{Error, Warning};

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "DNSSEC14",
    alias: "DNSSEC14",
    title: "an RSA key is short",
    severity: "error below 1024 bits, warning below 2048",
    explanation: "Short RSA keys can be factored.",
    fix: "roll to algorithm 13",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Signed,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let keys: BTreeSet<Dnskey> = facts.speaking().flat_map(Child::keys).collect();
    for key in keys.iter().filter(|key| matches!(key.algorithm(), 5 | 7 | 8 | 10)) {
        let bits = modulus_bits(key.public_key());
        if bits < 2048 {
            let severity = if bits < 1024 { Error } else { Warning };
            found
                .add(severity, format!("key {} has {bits} bits", key.key_tag()))
                .about(key.key_tag().to_string());
        }
    }
}

/// Bits of the modulus of an RSA key (RFC 3110 section 2).
fn modulus_bits(key: &[u8]) -> usize {
    let modulus = match key {
        [0, high, low, rest @ ..] => rest.get(usize::from(u16::from_be_bytes([*high, *low]))..),
        [length, rest @ ..] => rest.get(usize::from(*length)..),
        [] => None,
    };
    modulus.unwrap_or_default().len() * 8
}
