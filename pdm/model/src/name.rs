//! Domain names, checked once at the door and never again (RFC 1035, RFC 5891, UTS-46).
//!
//! Inside PDM a name is lower case, in A-labels, without the trailing dot. What a person typed is parsed by
//! [`ZoneName::parse`]; a `ZoneName` is valid because it exists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest presentation of a name without its trailing dot (RFC 1035 2.3.4).
const MAX_NAME: usize = 253;
/// Longest label in octets.
const MAX_LABEL: usize = 63;

/// Why a text is not a host name that we would put into a zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was typed.
    #[error("the name is empty")]
    Empty,
    /// Two dots in a row, or one at the start.
    #[error("the name has an empty label")]
    EmptyLabel,
    /// Over 63 octets in one label.
    #[error("the label \"{0}\" is longer than 63 octets")]
    LabelTooLong(String),
    /// Over 253 octets in all.
    #[error("the name is longer than 253 octets")]
    TooLong,
    /// Something else than letters, digits and hyphens.
    #[error("the character {0:?} cannot stand in a host name; use letters, digits and hyphens")]
    Character(char),
    /// A hyphen at an end of a label.
    #[error("the label \"{0}\" starts or ends with a hyphen")]
    Hyphen(String),
    /// `ab--cd`: reserved by RFC 5891 4.2.3.1.
    #[error("the label \"{0}\" has hyphens in the third and fourth place, which only encoded names may have")]
    ReservedHyphens(String),
    /// `xn--` that decodes to nothing, or to something that encodes differently.
    #[error("the name \"{0}\" is not a valid internationalized name")]
    Idna(String),
    /// One label where a domain is needed, or several where one is.
    #[error("{0}")]
    Shape(&'static str),
}

/// One label of a host name: LDH, lower case, at most 63 octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(Box<str>);

impl Label {
    /// Parse what a person typed as one label. Unicode is mapped by UTS-46; dots are refused.
    ///
    /// # Errors
    /// A [`NameError`] that names the first thing that is wrong.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let ascii = to_ascii(typed)?;
        if ascii.contains('.') {
            return Err(NameError::Shape("a subdomain is one label: it has no dots"));
        }
        check_label(&ascii)?;
        Ok(Self(ascii.into()))
    }

    /// The label's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host or zone name of at least one label.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneName(Box<str>);

impl ZoneName {
    /// Parse what a person typed. One trailing dot is tolerated.
    ///
    /// # Errors
    /// A [`NameError`] that names the first thing that is wrong.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let typed = typed.strip_suffix('.').unwrap_or(typed);
        let ascii = to_ascii(typed)?;
        if ascii.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        for label in ascii.split('.') {
            check_label(label)?;
        }
        Ok(Self(ascii.into()))
    }

    /// The name under `self` that starts with `label`.
    ///
    /// # Errors
    /// [`NameError::TooLong`] when the whole would not fit.
    pub fn child(&self, label: &Label) -> Result<Self, NameError> {
        if self.0.len() + 1 + label.0.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        Ok(Self(format!("{}.{}", label.0, self.0).into()))
    }

    /// The name one label up; none for a single label.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, rest)| Self(rest.into()))
    }

    /// The first label.
    #[must_use]
    pub fn first_label(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// Number of labels.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.0.split('.').count()
    }

    /// True for the same name or a name below `other`.
    #[must_use]
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        self.0.strip_suffix(&*other.0).is_some_and(|head| head.is_empty() || head.ends_with('.'))
    }

    /// Without the trailing dot, as people write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With the trailing dot, as zone files and PowerDNS write it.
    #[must_use]
    pub fn dotted(&self) -> String {
        format!("{}.", self.0)
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ZoneName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::parse(s)
    }
}

impl Serialize for ZoneName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ZoneName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// UTS-46 mapping to lower-case A-labels. ASCII that is already plain takes a short way.
fn to_ascii(typed: &str) -> Result<String, NameError> {
    if typed.is_empty() {
        return Err(NameError::Empty);
    }
    // A name this long cannot be valid; refusing here keeps the mapping's cost bounded.
    if typed.len() > 4 * MAX_NAME {
        return Err(NameError::TooLong);
    }
    if let Some(bad) =
        typed.chars().find(|c| c.is_ascii() && !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.')))
    {
        return Err(NameError::Character(bad));
    }
    if typed.is_ascii() && !typed.to_ascii_lowercase().contains("xn--") {
        return Ok(typed.to_ascii_lowercase());
    }
    let ascii = idna::domain_to_ascii_strict(typed).map_err(|_| NameError::Idna(typed.to_owned()))?;
    // Mapping may yield nothing, or (ideographic full stop) new dots; labels are checked by the caller.
    if ascii.is_empty() { Err(NameError::Empty) } else { Ok(ascii) }
}

fn check_label(label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    if label.len() > MAX_LABEL {
        return Err(NameError::LabelTooLong(label.to_owned()));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(NameError::Hyphen(label.to_owned()));
    }
    if let Some(bad) = label.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        return Err(NameError::Character(bad));
    }
    if label.get(2..4) == Some("--") && !label.starts_with("xn--") {
        return Err(NameError::ReservedHyphens(label.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_type_becomes_one_form() {
        for (typed, want) in [
            ("Omantel.OMANI.works.", "omantel.omani.works"),
            ("3com.example", "3com.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(ZoneName::parse(typed).unwrap().as_str(), want, "{typed}");
        }
    }

    #[test]
    fn garbage_is_refused_with_a_reason() {
        for bad in [
            "",
            ".",
            "a..b",
            ".a",
            "a b",
            "a\0b",
            "a_b",
            "-a",
            "a-",
            "ab--cd",
            "xn--zzzzzzzz99999",
            "xn--a",
            "a\n",
            "a/b",
            "*",
            "a.*",
            "xn--",
            "\u{200d}",
            "a\u{202e}b",
        ] {
            assert!(ZoneName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(matches!(Label::parse(&"a".repeat(64)), Err(NameError::LabelTooLong(_))));
        assert!(Label::parse(&"a".repeat(63)).is_ok());
        assert!(matches!(Label::parse("a.b"), Err(NameError::Shape(_))));
        assert!(ZoneName::parse(&"a.".repeat(127)).is_ok());
        assert!(matches!(ZoneName::parse(&"ab.".repeat(100)), Err(NameError::TooLong)));
    }

    #[test]
    fn below_is_by_labels_not_by_text() {
        let pool = ZoneName::parse("omani.works").unwrap();
        assert!(ZoneName::parse("x.omani.works").unwrap().is_at_or_below(&pool));
        assert!(pool.is_at_or_below(&pool));
        assert!(!ZoneName::parse("xomani.works").unwrap().is_at_or_below(&pool));
    }

    proptest! {
        #[test]
        fn parse_never_panics_and_is_idempotent(s in "\\PC{0,80}") {
            if let Ok(name) = ZoneName::parse(&s) {
                prop_assert_eq!(ZoneName::parse(name.as_str()).unwrap(), name.clone());
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.'));
                prop_assert!(name.as_str().split('.').all(|l| (1..=63).contains(&l.len())));
            }
        }
    }
}
