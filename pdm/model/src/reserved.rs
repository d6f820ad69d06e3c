//! Labels that are never lent, and names that look too much like another's.

use unicode_security::confusable_detection::skeleton;

use crate::name::Label;

/// Labels with a meaning in the platform, in mail and web practice, or in resolvers' defaults. Operators add their own.
pub const RESERVED_LABELS: &[&str] = &[
    "abuse",
    "admin",
    "api",
    "app",
    "autoconfig",
    "autodiscover",
    "catalyst",
    "console",
    "dns",
    "docs",
    "flux",
    "gitea",
    "harbor",
    "imap",
    "isatap",
    "k8s",
    "keycloak",
    "localhost",
    "mail",
    "openbao",
    "openova",
    "postmaster",
    "root",
    "security",
    "smtp",
    "status",
    "system",
    "vault",
    "vpn",
    "wpad",
    "www",
];

/// Why a label is not lent to anybody.
#[must_use]
pub fn reserved(label: &Label, operator: &[String]) -> Option<&'static str> {
    let text = label.as_str();
    if RESERVED_LABELS.contains(&text) {
        return Some("it has a meaning in the platform or in common practice");
    }
    if operator.iter().any(|r| r == text) {
        return Some("the operator keeps it");
    }
    let nameserver = text
        .strip_prefix("ns")
        .is_some_and(|n| !n.is_empty() && n.len() <= 2 && n.bytes().all(|b| b.is_ascii_digit()));
    nameserver.then_some("it is the name of a nameserver")
}

/// The UTS-39 skeleton of a label after decoding: two labels with one skeleton look alike to a person.
#[must_use]
pub fn look(label: &str) -> String {
    let (unicode, _) = idna::domain_to_unicode(label);
    // UTS-39 leaves the digits and letters that people mix up most; they are folded here so that "0mantel" is caught.
    let folded: String = unicode
        .to_lowercase()
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | 'l' => 'i',
            '5' => 's',
            other => other,
        })
        .collect();
    let skeleton: String = skeleton(&folded).filter(|c| *c != '-').collect();
    skeleton.replace("rn", "m").replace("vv", "w").replace('l', "i")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(s: &str) -> Label {
        Label::parse(s).unwrap()
    }

    #[test]
    fn the_list_is_sorted_and_every_entry_is_a_label() {
        assert!(RESERVED_LABELS.windows(2).all(|w| w[0] < w[1]));
        assert!(RESERVED_LABELS.iter().all(|l| Label::parse(l).is_ok()));
    }

    #[test]
    fn platform_nameserver_and_operator_labels_are_kept() {
        for kept in ["api", "WWW", "ns1", "ns9", "ns12"] {
            assert!(reserved(&label(kept), &[]).is_some(), "{kept}");
        }
        assert!(reserved(&label("acme"), &["acme".into()]).is_some());
        for free in ["omantel", "nsx", "ns", "ns-1", "apis"] {
            assert!(reserved(&label(free), &[]).is_none(), "{free}");
        }
    }

    #[test]
    fn look_alikes_share_a_look() {
        let cyrillic = Label::parse("оmantel").unwrap();
        for twin in ["0mantel", "omante1", "ornantel", "oman-tel", cyrillic.as_str()] {
            assert_eq!(look(twin), look("omantel"), "{twin}");
        }
        for other in ["omantel2", "acme", "bmantel"] {
            assert_ne!(look(other), look("omantel"), "{other}");
        }
    }
}
