//! SPIFFE ids: `spiffe://TRUST-DOMAIN/PATH` (SPIFFE-ID, section 2).

use std::fmt;
use std::str::FromStr;

/// The longest id (section 2.3).
const LONGEST: usize = 2048;

/// Whose authority vouches for a workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(String);

/// One workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    text: String,
    domain: TrustDomain,
}

/// Why a text is no id.
type Wrong = &'static str;

impl FromStr for TrustDomain {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
        if text.is_empty() || text.len() > 255 || !text.bytes().all(plain) {
            return Err("a trust domain has 1 to 255 of a-z, 0-9 and -._");
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for SpiffeId {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let rest = text.strip_prefix("spiffe://").ok_or("it does not begin with spiffe://")?;
        if text.len() > LONGEST {
            return Err("it is longer than 2048 octets");
        }
        let (domain, path) = rest.split_once('/').map_or((rest, None), |(domain, path)| (domain, Some(path)));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        let good = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain);
        if path.is_some_and(|path| !path.split('/').all(good)) {
            return Err(
                "a part of its path is empty, a dot, or has something else than letters, digits and -._",
            );
        }
        Ok(Self { text: text.to_owned(), domain: domain.parse()? })
    }
}

impl TrustDomain {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SpiffeId {
    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who vouches for it.
    #[must_use]
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_exact() {
        let id: SpiffeId = "spiffe://openova.io/ns/catalyst/sa/provisioner".parse().unwrap();
        assert_eq!(id.domain().as_str(), "openova.io");
        assert!("spiffe://openova.io".parse::<SpiffeId>().is_ok());
        for wrong in [
            "",
            "openova.io/a",
            "http://openova.io/a",
            "SPIFFE://openova.io/a",
            "spiffe://",
            "spiffe:///a",
            "spiffe://OpenOva.io/a",
            "spiffe://openova.io/",
            "spiffe://openova.io/a/",
            "spiffe://openova.io//a",
            "spiffe://openova.io/../a",
            "spiffe://u@openova.io/a",
            "spiffe://openova.io:1/a",
            "spiffe://openova.io/a?b",
            "spiffe://openova.io/a#b",
            "spiffe://openova.io/a%2fb",
            "spiffe://openova.io/\u{e4}",
        ] {
            assert!(wrong.parse::<SpiffeId>().is_err(), "{wrong}");
        }
        assert!(format!("spiffe://a/{}", "b".repeat(2048)).parse::<SpiffeId>().is_err());
    }
}
