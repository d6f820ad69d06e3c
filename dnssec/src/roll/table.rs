//! Every roll as a table. One mold: each row says how old and new keys stand, what the parent holds, and what must be
//! over before the next row. Every row is safe to rest in for ever.
//!
//! The tables suit a signer that signs on the fly the way PowerDNS does: an entry point signs zone data too while no
//! active zone key of its algorithm stands beside it ([`super::view::signers`]).

use pdm_model::keys::{RollKind, Stage};

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAs {
    /// Not there.
    Absent,
    /// There, neither published nor signing: its DS can be told.
    Hidden,
    /// In the DNSKEY RRset, not signing.
    Published,
    /// In the DNSKEY RRset and signing.
    Signing,
    /// Signing, not in the DNSKEY RRset.
    SigningHidden,
    /// As it is.
    AsIs,
    /// As it is, but not signing.
    Resting,
}

impl KeyAs {
    /// Active and published, as the signer calls it, for a key that stands as `now`; none for one that goes.
    #[must_use]
    pub fn flags(self, now: (bool, bool)) -> Option<(bool, bool)> {
        match self {
            Self::Absent => None,
            Self::AsIs => Some(now),
            Self::Resting => Some((false, now.1)),
            Self::Hidden => Some((false, false)),
            Self::Published => Some((false, true)),
            Self::Signing => Some((true, true)),
            Self::SigningHidden => Some((true, false)),
        }
    }

    /// For the reference page.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "-",
            Self::Hidden => "hidden",
            Self::Published => "published",
            Self::Signing => "published, signs",
            Self::SigningHidden => "signs, not published",
            Self::AsIs => "as it is",
            Self::Resting => "as it is, no longer signs",
        }
    }
}

/// What the parent holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DsAs {
    /// Nothing.
    None,
    /// DS of the keys before; one of a new key beside them does no harm.
    Old,
    /// DS of both, exactly.
    Both,
    /// DS of the keys after; one of an old key beside them does no harm yet.
    New,
    /// DS of the keys after, exactly.
    OnlyNew,
}

impl DsAs {
    /// For the reference page.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Old => "old",
            Self::Both => "old and new",
            Self::New => "new",
            Self::OnlyNew => "new only",
        }
    }
}

/// What a scanning parent is told, where the policy publishes CDS at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CdsAs {
    /// Whatever it is told already.
    AsIs,
    /// Nothing: the DS step is not due.
    Off,
    /// The zone's entry points.
    Publish,
    /// To withdraw the DS (RFC 8078 4).
    Delete,
}

/// What must hold before the next row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Every server of the zone answers exactly the row's DNSKEY RRset.
    KeysSeen,
    /// The same for as long as caches may hold another.
    KeysCached,
    /// Every server signs with the row's keys, for as long as caches may hold other signatures.
    SignaturesCached,
    /// Every server of the parent answers the row's DS.
    DsSeen,
    /// The same for as long as caches may hold another.
    DsCached,
}

impl Until {
    /// For the reference page.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeysSeen => "DNSKEY at every server",
            Self::KeysCached => "DNSKEY at every server, then its TTL",
            Self::SignaturesCached => "signatures at every server, then the largest TTL of the zone",
            Self::DsSeen => "DS at every server of the parent",
            Self::DsCached => "DS at every server of the parent, then its TTL",
        }
    }
}

/// One row. `old` and `new` are pairs: how entry points stand, and how zone keys do.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name.
    pub stage: Stage,
    /// Keys that go.
    pub old: (KeyAs, KeyAs),
    /// Keys that come.
    pub new: (KeyAs, KeyAs),
    /// At the parent.
    pub ds: DsAs,
    /// For a parent that scans.
    pub cds: CdsAs,
    /// Before the next row.
    pub until: &'static [Until],
}

const fn row(
    stage: Stage,
    old: (KeyAs, KeyAs),
    new: (KeyAs, KeyAs),
    ds: DsAs,
    cds: CdsAs,
    until: &'static [Until],
) -> Row {
    Row { stage, old, new, ds, cds, until }
}

use CdsAs::{Delete, Off, Publish as Tell};
use DsAs::{Both, New, Old, OnlyNew};
use KeyAs::{Absent, AsIs, Hidden, Published, Resting, Signing, SigningHidden};
use Stage::{Publish, Remove, Sign, Swap, Unpublish};
use Until::{DsCached, DsSeen, KeysCached, KeysSeen, SignaturesCached};

const BOTH_SIGN: (KeyAs, KeyAs) = (Signing, Signing);
const GONE: (KeyAs, KeyAs) = (Absent, Absent);

const ZSK: &[Row] = &[
    row(Publish, BOTH_SIGN, (Absent, Published), Old, CdsAs::AsIs, &[KeysCached]),
    row(Swap, (Signing, Published), BOTH_SIGN, Old, CdsAs::AsIs, &[SignaturesCached]),
    row(Remove, GONE, BOTH_SIGN, Old, CdsAs::AsIs, &[KeysSeen]),
];

// A CSK is a KSK that signs zone data too: its signatures have to reach the caches as well, before the old ones stop.
const KSK: &[Row] = &[
    row(Publish, BOTH_SIGN, BOTH_SIGN, Old, Off, &[KeysCached]),
    row(Swap, BOTH_SIGN, BOTH_SIGN, New, Tell, &[DsCached, SignaturesCached]),
    row(Remove, GONE, BOTH_SIGN, OnlyNew, Tell, &[KeysSeen, DsSeen]),
];

const KSK_DOUBLE_DS: &[Row] = &[
    row(Publish, BOTH_SIGN, (Hidden, Absent), Both, Off, &[DsCached]),
    row(Swap, GONE, BOTH_SIGN, Both, Off, &[KeysCached]),
    row(Remove, GONE, BOTH_SIGN, OnlyNew, Tell, &[KeysSeen, DsSeen]),
];

const ALGORITHM: &[Row] = &[
    row(Sign, BOTH_SIGN, (SigningHidden, SigningHidden), Old, Off, &[SignaturesCached]),
    row(Publish, BOTH_SIGN, BOTH_SIGN, Old, Off, &[KeysCached]),
    row(Swap, BOTH_SIGN, BOTH_SIGN, OnlyNew, Tell, &[DsCached]),
    row(Unpublish, (SigningHidden, SigningHidden), BOTH_SIGN, OnlyNew, Tell, &[KeysCached]),
    row(Remove, GONE, BOTH_SIGN, OnlyNew, Tell, &[KeysSeen, DsSeen]),
];

const SPLIT: &[Row] = &[
    row(Publish, BOTH_SIGN, (Absent, Published), Old, CdsAs::AsIs, &[KeysCached]),
    row(Swap, BOTH_SIGN, BOTH_SIGN, Old, CdsAs::AsIs, &[KeysSeen, SignaturesCached]),
];

const JOIN: &[Row] = &[
    row(Swap, (Signing, Published), BOTH_SIGN, Old, CdsAs::AsIs, &[SignaturesCached]),
    row(Remove, GONE, BOTH_SIGN, Old, CdsAs::AsIs, &[KeysSeen]),
];

const EMERGENCY: &[Row] = &[
    row(Publish, BOTH_SIGN, (Signing, Published), Old, Off, &[KeysCached]),
    row(Swap, (Signing, Published), BOTH_SIGN, New, Tell, &[DsCached, SignaturesCached]),
    row(Remove, GONE, BOTH_SIGN, OnlyNew, Tell, &[KeysSeen, DsSeen]),
];

// A key nobody asked for may have signed what caches hold, and somebody may have given its DS to the parent.
const TIDY: &[Row] = &[
    row(Publish, (AsIs, AsIs), GONE, New, CdsAs::AsIs, &[DsCached]),
    row(Swap, (Resting, Resting), GONE, OnlyNew, CdsAs::AsIs, &[DsCached, SignaturesCached]),
    row(Remove, GONE, GONE, OnlyNew, CdsAs::AsIs, &[KeysSeen, DsSeen]),
];

const INSECURE: &[Row] = &[row(Swap, BOTH_SIGN, BOTH_SIGN, DsAs::None, Delete, &[DsCached])];

const SECURE: &[Row] = &[
    row(Publish, BOTH_SIGN, BOTH_SIGN, DsAs::None, Delete, &[KeysCached, SignaturesCached]),
    row(Swap, BOTH_SIGN, BOTH_SIGN, OnlyNew, Tell, &[DsSeen]),
];

/// The rows of a roll, in order.
#[must_use]
pub fn table(kind: RollKind) -> &'static [Row] {
    match kind {
        RollKind::Zsk => ZSK,
        RollKind::Ksk | RollKind::Csk => KSK,
        RollKind::KskDoubleDs => KSK_DOUBLE_DS,
        RollKind::Algorithm => ALGORITHM,
        RollKind::Split => SPLIT,
        RollKind::Join => JOIN,
        RollKind::Emergency => EMERGENCY,
        RollKind::Tidy => TIDY,
        RollKind::Insecure => INSECURE,
        RollKind::Secure => SECURE,
    }
}

/// What a kind is for, in one line.
#[must_use]
pub fn purpose(kind: RollKind) -> &'static str {
    match kind {
        RollKind::Zsk => "A new ZSK, published before it signs (RFC 7583 3.2.1).",
        RollKind::Ksk => "A new KSK that signs beside the old one before the DS changes (RFC 7583 3.3.1).",
        RollKind::KskDoubleDs => {
            "Both DS first, then the KSK changes: small answers, two visits to the parent (RFC 7583 3.3.2)."
        }
        RollKind::Csk => {
            "A new CSK that signs everything beside the old one before the DS changes (RFC 6781 4.1.3)."
        }
        RollKind::Algorithm => {
            "Another algorithm, signatures first, so that the strictest validator is content (RFC 6781 4.1.4)."
        }
        RollKind::Split => "From one CSK to KSK and ZSK: the CSK stays, and stops signing zone data.",
        RollKind::Join => "From KSK and ZSK to one CSK: the KSK stays, and signs zone data too.",
        RollKind::Emergency => {
            "Every key at once, because one may be known to others: no wait but for caches (RFC 6781 4.2.1)."
        }
        RollKind::Tidy => "Keys that nobody asked for go out.",
        RollKind::Insecure => "The DS goes out of the parent; the zone stays signed and counts as unsigned.",
        RollKind::Secure => "The DS comes back, once every server has answered the keys for long enough.",
    }
}
