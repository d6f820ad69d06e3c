//! What vendors say, in our words: one table from kind to class and code.

use std::collections::BTreeSet;

use pdm_model::{Timestamp, ZoneName};
use pdm_ports::{Class, Fault};

/// What an error answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)] // the table is whole; not every vendor says everything
pub(crate) enum Kind {
    /// The credential is unknown, expired or wrongly signed.
    InvalidCredentials,
    /// The vendor admits only listed addresses.
    IpNotAllowed,
    /// The credential lacks a right.
    InsufficientScope,
    /// The account may not use the API.
    AccountNotEligible,
    /// The domain or zone is not there for this credential.
    DomainNotInAccount,
    /// Locked, expired or suspended.
    DomainLocked,
    /// A nameserver was refused.
    InvalidNameserver,
    /// Other records stand in the way.
    Conflict,
    /// What we wanted to create is there; only a read can say whether it is the same.
    Exists,
    /// Another change is under way.
    InProgress,
    /// The time in a signed call was too far from the vendor's.
    ClockSkew,
    /// Too many calls.
    RateLimited,
    /// The vendor has trouble.
    Unavailable,
    /// The vendor cannot do this.
    Unsupported,
    /// The vendor refused the request itself.
    Refused,
    /// The answer makes no sense.
    Garbage,
}

impl Kind {
    /// Class and code.
    pub(crate) fn label(self) -> (Class, &'static str) {
        match self {
            Self::InvalidCredentials => (Class::Credential, "credential-invalid"),
            Self::IpNotAllowed => (Class::Credential, "credential-address-not-allowed"),
            Self::InsufficientScope => (Class::Credential, "credential-scope"),
            Self::AccountNotEligible => (Class::Credential, "account-not-eligible"),
            Self::DomainNotInAccount => (Class::NotOurs, "domain-not-in-account"),
            Self::DomainLocked => (Class::Rejected, "domain-locked"),
            Self::InvalidNameserver => (Class::Rejected, "nameserver-refused"),
            Self::Conflict => (Class::NotOurs, "foreign-records"),
            Self::Exists => (Class::Transient, "already-there"),
            Self::InProgress => (Class::Transient, "change-in-progress"),
            Self::ClockSkew => (Class::Transient, "clock-skew"),
            Self::RateLimited => (Class::RateLimited, "registrar-busy"),
            Self::Unavailable => (Class::Transient, "registrar-unavailable"),
            Self::Unsupported => (Class::Unsupported, "registrar-cannot"),
            Self::Refused => (Class::Rejected, "registrar-refused"),
            Self::Garbage => (Class::Protocol, "registrar-garbage"),
        }
    }

    /// Whether a fault is of this kind.
    pub(crate) fn is(self, fault: &Fault) -> bool {
        self.label().1 == fault.code
    }

    /// What else a fault of this kind means in a place where more is known; others stay as they are.
    pub(crate) fn means(self, other: Self) -> impl Fn(Fault) -> Fault {
        move |fault| if self.is(&fault) { other.fault(fault.detail) } else { fault }
    }

    /// The fault.
    pub(crate) fn fault(self, detail: impl Into<String>) -> Fault {
        let (class, code) = self.label();
        Fault::new(class, code, detail)
    }
}

/// What a status means in a well-formed error whose own code is not in the vendor's table.
pub(crate) fn by_status(status: u16) -> Kind {
    match status {
        401 => Kind::InvalidCredentials,
        403 => Kind::InsufficientScope,
        404 => Kind::DomainNotInAccount,
        409 => Kind::InProgress,
        429 => Kind::RateLimited,
        500..=599 => Kind::Unavailable,
        400..=499 => Kind::Refused,
        _ => Kind::Garbage,
    }
}

/// What a status means when the body is not the vendor's: a proxy or a firewall spoke. Only statuses that no
/// proxy makes up differently are believed; a 404 of a lost proxy must not look like a missing domain.
pub(crate) fn by_status_alone(status: u16) -> Kind {
    match status {
        401 => Kind::InvalidCredentials,
        429 => Kind::RateLimited,
        500..=599 => Kind::Unavailable,
        _ => Kind::Garbage,
    }
}

/// What was asked for; none when it is not there for this credential.
pub(crate) fn present<T>(found: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(fault) if Kind::DomainNotInAccount.is(&fault) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A piece of a vendor's text that may stand in a message: short, one line, printable.
pub(crate) fn excerpt(text: &str) -> String {
    let clean: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect::<String>();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A nameserver's name in a vendor's answer.
pub(crate) fn host(vendor: &str, text: &str) -> Result<ZoneName, Fault> {
    ZoneName::parse(text).map_err(|error| {
        Kind::Garbage
            .fault(format!("{vendor} holds a nameserver \"{}\" that is none: {error}", excerpt(text)))
    })
}

/// A name as vendors write it inside their zone: `sub` of `sub.acme.example`.
pub(crate) fn label<'a>(zone: &ZoneName, child: &'a ZoneName) -> &'a str {
    child.as_str().strip_suffix(zone.as_str()).map_or(child.as_str(), |head| head.trim_end_matches('.'))
}

/// Types of the records, given as pairs of name and type, that a delegation of a name would hide: at it, but for those
/// of a delegation, and below it. Names are written as the vendor writes them.
pub(crate) fn hidden_by<'a>(
    name: &str,
    records: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> BTreeSet<String> {
    let below = format!(".{name}");
    let hidden = |owner: &str, rtype: &str| {
        let owner = owner.to_ascii_lowercase();
        (owner == name && !["NS", "DS"].contains(&rtype)) || owner.ends_with(&below)
    };
    let types = records.into_iter().map(|(owner, rtype)| (owner, rtype.to_ascii_uppercase()));
    types.filter(|(owner, rtype)| hidden(owner, rtype)).map(|(_, rtype)| rtype).collect()
}

/// A time as most vendors write it (RFC 3339); none when it is not one.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_delegation_would_hide_is_at_the_name_and_below_it() {
        let records = [
            ("@", "A"),
            ("Sub", "a"),
            ("sub", "NS"),
            ("sub", "DS"),
            ("x.SUB", "TXT"),
            ("y.sub", "NS"),
            ("xsub", "MX"),
        ];
        assert_eq!(hidden_by("sub", records), ["A", "NS", "TXT"].map(str::to_owned).into());
        assert_eq!(hidden_by("other", records), BTreeSet::new());
    }
}
