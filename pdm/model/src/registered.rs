//! Where a name belongs in the public tree: its registered domain, and whether it is a public suffix itself.
//!
//! The ICANN section of the public suffix list decides what a registrar sells; the private section only says under which
//! names strangers live side by side (<https://publicsuffix.org/list/>).

use psl::{List, Psl as _, Type};

use crate::name::ZoneName;

/// A name in the public tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Belongs {
    /// At or below this registered domain.
    Registered(ZoneName),
    /// It is a public suffix, of either section.
    PublicSuffix,
}

/// Where `name` belongs. A top-level domain that the list does not know is taken for a plain one.
#[must_use]
pub fn belongs(name: &ZoneName) -> Belongs {
    let labels: Vec<&str> = name.as_str().split('.').collect();
    let suffix = |text: &str| List.suffix(text.as_bytes()).map(|s| (s.as_bytes().len(), s.typ()));
    if suffix(name.as_str()).is_none_or(|(length, _)| length == name.as_str().len()) {
        return Belongs::PublicSuffix;
    }
    // Inside the private section: step out of it, label by label, until the ICANN section answers.
    let mut rest = name.as_str();
    let icann = loop {
        match suffix(rest) {
            Some((length, Some(Type::Private))) => {
                let inner = &rest[rest.len() - length..];
                let Some((_, outer)) = inner.split_once('.') else { break length };
                rest = outer;
            }
            Some((length, _)) => break length,
            None => break rest.len(),
        }
    };
    let many = name.as_str()[name.as_str().len() - icann..].split('.').count() + 1;
    let registered = labels[labels.len().saturating_sub(many)..].join(".");
    ZoneName::parse(&registered).map_or(Belongs::PublicSuffix, Belongs::Registered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_icann_section_splits_and_both_sections_refuse() {
        let of = |text: &str| match belongs(&ZoneName::parse(text).unwrap()) {
            Belongs::Registered(domain) => domain.to_string(),
            Belongs::PublicSuffix => "suffix".to_owned(),
        };
        for (name, expected) in [
            ("acme.com", "acme.com"),
            ("cloud.acme.com", "acme.com"),
            ("a.b.acme.co.uk", "acme.co.uk"),
            ("acme.github.io", "github.io"),
            ("x.acme.github.io", "github.io"),
            ("acme.unlisted", "acme.unlisted"),
            ("a.b.acme.unlisted", "acme.unlisted"),
            ("com", "suffix"),
            ("co.uk", "suffix"),
            ("github.io", "suffix"),
            ("unlisted", "suffix"),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
    }
}
