//! What a door token owns: names and record types, decided by the token alone.

use pdm_model::canonical::CANONICAL_LABELS;
use pdm_model::shadow::ACME_LABEL;
use pdm_model::{Label, RecordType, ZoneName};

/// Types that may pass at all, with their numbers. NS, DS, SOA, LUA and what is not listed never do, whatever they are
/// called: `TYPE65402` is LUA, which is code.
const TYPES: &[(&str, u16)] = &[("A", 1), ("CNAME", 5), ("TXT", 16), ("AAAA", 28), ("SRV", 33)];
const TXT: u16 = 16;

/// One zone, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorScope {
    /// The Sovereign's zone.
    pub zone: ZoneName,
    /// What of it.
    pub kind: Kind,
}

/// Which client it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// TXT at `_acme-challenge.*`: cert-manager, lego, certbot.
    Acme,
    /// Names at and below these labels: external-dns.
    ExternalDns(Vec<Label>),
}

impl Kind {
    /// The word in token files and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Acme => "acme",
            Self::ExternalDns(_) => "external-dns",
        }
    }
}

/// The type of a text, if it may pass: by name or by number.
pub(super) fn admitted(text: &str) -> Option<RecordType> {
    let upper = text.to_ascii_uppercase();
    let row = match upper.strip_prefix("TYPE") {
        Some(number) => {
            let number = number.parse::<u16>().ok()?;
            TYPES.iter().find(|(_, n)| *n == number)
        }
        None => TYPES.iter().find(|(name, _)| *name == upper),
    };
    row.map(|(name, _)| RecordType::from((*name).to_owned()))
}

fn number(rtype: &RecordType) -> Option<u16> {
    TYPES.iter().find(|(name, _)| *name == rtype.as_str()).map(|(_, number)| *number)
}

impl DoorScope {
    /// Whether an RRset at `owner` (lower case, dotted) is this token's.
    #[must_use]
    pub fn owns(&self, owner: &str, rtype: &RecordType) -> bool {
        let Some(number) = number(rtype) else { return false };
        let Some(labels) = owner.strip_suffix(&format!(".{}.", self.zone)) else { return false };
        let labels: Vec<&str> = labels.split('.').collect();
        match &self.kind {
            Kind::Acme => number == TXT && labels[0] == ACME_LABEL && !labels[1..].contains(&ACME_LABEL),
            Kind::ExternalDns(own) => {
                let top = labels[labels.len() - 1];
                let own = |label: &str| own.iter().any(|l| l.as_str() == label);
                // Its register of a name `apps` stands beside it, at `a-apps`, `aaaa-apps` or `cname-apps`.
                let register = || {
                    let name =
                        ["a-", "aaaa-", "cname-", "srv-"].iter().find_map(|kind| top.strip_prefix(kind));
                    number == TXT && labels.len() == 1 && name.is_some_and(own)
                };
                !labels.contains(&ACME_LABEL) && (own(top) || register())
            }
        }
    }
}

/// Labels that external-dns may have for its own.
///
/// # Errors
/// What is wrong with the first that is not.
pub fn must_be_labels(labels: &[String]) -> Result<Vec<Label>, String> {
    if labels.is_empty() {
        return Err("external-dns needs at least one label of its own".into());
    }
    labels
        .iter()
        .map(|text| match Label::parse(text) {
            Ok(label) if CANONICAL_LABELS.contains(&label.as_str()) => {
                Err(format!("{label} is one of the six names that PDM keeps"))
            }
            Ok(label) => Ok(label),
            Err(error) => Err(format!("{text:?}: {error}")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(kind: Kind) -> DoorScope {
        DoorScope { zone: ZoneName::parse("omantel.omani.works").unwrap(), kind }
    }

    fn owns(scope: &DoorScope, name: &str, rtype: &str) -> bool {
        let dot = if name.is_empty() { "" } else { "." };
        admitted(rtype).is_some_and(|rtype| scope.owns(&format!("{name}{dot}omantel.omani.works."), &rtype))
    }

    #[test]
    fn acme_owns_its_proofs_and_nothing_else() {
        let acme = scope(Kind::Acme);
        for name in
            ["_acme-challenge", "_acme-challenge.axon", "_acme-challenge.a.b", "_acme-challenge.console"]
        {
            assert!(owns(&acme, name, "TXT"), "{name}");
            assert!(!owns(&acme, name, "A") && !owns(&acme, name, "CNAME"), "{name}");
        }
        for name in [
            "",
            "axon",
            "console",
            "x._acme-challenge",
            "_acme-challenge._acme-challenge",
            "_acme-challengex",
        ] {
            assert!(!owns(&acme, name, "TXT"), "{name}");
        }
        assert!(!acme.owns("_acme-challenge.omani.works.", &RecordType::Txt));
        assert!(!acme.owns("_acme-challenge.evilomantel.omani.works.", &RecordType::Txt));
    }

    #[test]
    fn external_dns_owns_names_under_its_labels() {
        let labels = must_be_labels(&["apps".into(), "shop".into()]).unwrap();
        let dns = scope(Kind::ExternalDns(labels));
        for (name, rtype) in [
            ("apps", "A"),
            ("x.apps", "CNAME"),
            ("*.apps", "AAAA"),
            ("a.b.shop", "TXT"),
            ("a-apps", "TXT"),
            ("cname-shop", "TXT"),
            ("_sip._tcp.apps", "SRV"),
        ] {
            assert!(owns(&dns, name, rtype), "{name} {rtype}");
        }
        for (name, rtype) in [
            ("", "A"),
            ("*", "A"),
            ("console", "A"),
            ("other", "A"),
            ("a-apps", "A"),
            ("a-other", "TXT"),
            ("x.a-apps", "TXT"),
            ("apps", "NS"),
            ("apps", "DS"),
            ("apps", "LUA"),
            ("_acme-challenge.apps", "TXT"),
        ] {
            assert!(!owns(&dns, name, rtype), "{name} {rtype}");
        }
        for label in CANONICAL_LABELS.into_iter().chain(["", "a.b", "_x", "-"]) {
            assert!(must_be_labels(&[label.to_owned()]).is_err(), "{label}");
        }
        assert!(must_be_labels(&[]).is_err());
    }

    #[test]
    fn types_are_known_by_number() {
        assert_eq!(admitted("type16"), Some(RecordType::Txt));
        for text in [
            "LUA",
            "TYPE65402",
            "TYPE065402",
            "type65402",
            "NS",
            "TYPE2",
            "DS",
            "TYPE43",
            "SOA",
            "ALIAS",
            "DNAME",
            "TYPE",
            "TYPE70000",
            "A ",
            "TYPE+1 ",
        ] {
            assert_eq!(admitted(text), None, "{text}");
        }
    }
}
