//! The words of DNSSEC keys: the policy of a zone, and a roll with what is remembered of it. What a roll does next is
//! decided in `pdm-dnssec`; this is what the store keeps.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::operation::Who;
use crate::time::{Timestamp, Ttl};

/// The algorithms that a policy may name (RFC 8624 3.1), with the words of PowerDNS for them.
pub const ALGORITHMS: [(u8, &str); 4] =
    [(8, "rsasha256"), (13, "ecdsa256"), (14, "ecdsa384"), (15, "ed25519")];

/// Which keys a zone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One key signs everything.
    Csk,
    /// A key-signing key, which the parent vouches for, and a zone-signing key.
    Split,
}

/// The digest of DS records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Digest {
    /// Digest type 2.
    #[serde(rename = "sha-256")]
    Sha256,
    /// Digest type 4.
    #[serde(rename = "sha-384")]
    Sha384,
}

impl Digest {
    /// Its number in the DS record.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Sha256 => 2,
            Self::Sha384 => 4,
        }
    }
}

/// How a zone proves that a name does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Denial {
    /// NSEC.
    Nsec,
    /// NSEC3 without iterations and salt (RFC 9276).
    Nsec3,
}

/// What keys a zone should have, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KeyPolicy {
    /// Which keys.
    pub layout: Layout,
    /// Algorithm of new keys; the zone rolls to it.
    pub algorithm: u8,
    /// Seconds after which a KSK or CSK is rolled; 0 for only when asked.
    pub ksk_lifetime: u64,
    /// Seconds after which a ZSK is rolled; 0 for only when asked.
    pub zsk_lifetime: u64,
    /// Digest of DS records.
    pub digest: Digest,
    /// Proof of what does not exist.
    pub denial: Denial,
    /// Publish CDS and CDNSKEY while a DS is due or stands, for parents that scan (RFC 7344).
    pub cds: bool,
    /// The parent takes its DS from CDS and from nobody: it is waited for, and nobody is asked to enter one. Only of a
    /// parent that is not ours; implies `cds`.
    pub scanned: bool,
    /// Change DS before the DNSKEY when a KSK rolls, for parents that hold two DS and keep answers small.
    pub double_ds: bool,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            layout: Layout::Split,
            algorithm: 13,
            ksk_lifetime: 365 * DAY,
            zsk_lifetime: 90 * DAY,
            digest: Digest::Sha256,
            denial: Denial::Nsec,
            cds: false,
            scanned: false,
            double_ds: false,
        }
    }
}

/// Why and how keys are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RollKind {
    /// A new ZSK, published before it signs (RFC 7583 3.2.1).
    Zsk,
    /// A new KSK beside the old one, then DS (RFC 7583 3.3.1).
    Ksk,
    /// Both DS first, then the KSK (RFC 7583 3.3.2).
    KskDoubleDs,
    /// A new CSK beside the old one, then DS.
    Csk,
    /// Another algorithm (RFC 6781 4.1.4, the conservative way).
    Algorithm,
    /// From one CSK to KSK and ZSK: the CSK stays as KSK.
    Split,
    /// From KSK and ZSK to one CSK: the KSK stays as CSK.
    Join,
    /// Every key at once, because one may be known to others.
    Emergency,
    /// Keys that nobody asked for go out.
    Tidy,
    /// DS out of the parent: the zone stays signed, and counts as unsigned.
    Insecure,
    /// DS back.
    Secure,
}

impl RollKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Zsk,
        Self::Ksk,
        Self::KskDoubleDs,
        Self::Csk,
        Self::Algorithm,
        Self::Split,
        Self::Join,
        Self::Emergency,
        Self::Tidy,
        Self::Insecure,
        Self::Secure,
    ];

    /// The word in the API and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zsk => "zsk",
            Self::Ksk => "ksk",
            Self::KskDoubleDs => "ksk-double-ds",
            Self::Csk => "csk",
            Self::Algorithm => "algorithm",
            Self::Split => "split",
            Self::Join => "join",
            Self::Emergency => "emergency",
            Self::Tidy => "tidy",
            Self::Insecure => "insecure",
            Self::Secure => "secure",
        }
    }

    /// The kind named by a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Where a roll is. Every kind goes through some of these, in the order of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// New keys sign, and are not published yet.
    Sign,
    /// New keys are published.
    Publish,
    /// The new takes the place of the old.
    Swap,
    /// Old keys are no longer published, and still sign.
    Unpublish,
    /// What is old goes out.
    Remove,
}

impl Stage {
    /// The word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Publish => "publish",
            Self::Swap => "swap",
            Self::Unpublish => "unpublish",
            Self::Remove => "remove",
        }
    }
}

/// Since when every server has answered as it should, and the longest time that caches may hold other answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Agreed {
    /// When the look ended that first found every server in agreement; none while one is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The largest TTL seen since the roll began.
    pub ttl: Ttl,
}

/// A roll under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Roll {
    /// Which.
    pub kind: RollKind,
    /// Where it is.
    pub stage: Stage,
    /// Since when it is there.
    pub stage_since: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// Who asked for it, or `pdm`.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Algorithm of the new keys.
    pub algorithm: u8,
    /// What new keys there are to be: of entry points and of zone keys.
    pub makes: Makes,
    /// DNSKEY RDATA, in presentation form, of keys that stay.
    pub kept: Vec<String>,
    /// The same of keys that go.
    pub old: Vec<String>,
    /// The same of keys that were made for this roll.
    pub new: Vec<String>,
    /// The DNSKEY RRset at the zone's servers.
    pub keys: Agreed,
    /// Signatures over zone data at the zone's servers.
    pub signatures: Agreed,
    /// The DS RRset at the parent's servers.
    pub ds: Agreed,
}

/// The new keys of a roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Makes {
    /// A KSK or CSK.
    pub entry_point: bool,
    /// A ZSK.
    pub zone_key: bool,
}

/// Since when a key has been known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyAge {
    /// DNSKEY RDATA in presentation form.
    pub dnskey: String,
    /// Since when.
    pub since: Timestamp,
}

/// A stop of rolls, by a person. Every stage is safe to rest in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// What came of the last roll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rolled {
    /// Which.
    pub kind: RollKind,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Why it was given up, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
}

/// Why a roll does not go on right now, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rests {
    /// Stable kebab-case reason.
    pub reason: String,
    /// Who must act.
    pub who: Who,
    /// Since when it has been this reason.
    pub since: Timestamp,
}

/// A roll that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Which.
    pub kind: RollKind,
    /// Who.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When; it is done once [`KeyState::answered`] is not earlier.
    pub at: Timestamp,
}

/// What came back to a NOTIFY(CDS) (RFC 9859).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heard {
    /// Somebody took it: NOERROR.
    Taken,
    /// Somebody refused it, with this response code.
    Refused(u8),
    /// Nobody answered.
    Silent,
    /// The parent names nobody who wants to be told.
    NotInvited,
}

impl Heard {
    /// The word in figures and conditions.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused(_) => "refused",
            Self::Silent => "silent",
            Self::NotInvited => "not-invited",
        }
    }
}

/// What a parent was told of the child's CDS, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Announced {
    /// What CDS said then.
    pub what: BTreeSet<String>,
    /// When that was told first.
    pub since: Timestamp,
    /// When it was told last.
    pub at: Timestamp,
    /// So often.
    pub tries: u32,
    /// What came back; none when nobody lived to hear it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Heard>,
}

/// What people want of a zone's keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyIntent {
    /// A policy of its own; none for the pool's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<KeyPolicy>,
    /// A stop by a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The last roll that somebody asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// How a zone's keys stand, as the workers write it down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyState {
    /// True when the parent is to hold no DS.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// Every key that PDM made or took over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KeyAge>,
    /// The roll under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll: Option<Roll>,
    /// What that roll rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rests: Option<Rests>,
    /// The roll before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Rolled>,
    /// When what was last begun, or refused, had been asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<Timestamp>,
    /// When the first signature expires that a server was seen to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signatures_until: Option<Timestamp>,
    /// What the parent was told of CDS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced: Option<Announced>,
}

impl KeyState {
    /// What was asked for and is not begun yet.
    #[must_use]
    pub fn open_request<'a>(&self, intent: &'a KeyIntent) -> Option<&'a Asked> {
        intent.asked.as_ref().filter(|asked| self.answered.is_none_or(|answered| answered < asked.at))
    }

    /// The roll rests for this reason from now on, or still does; answers how long it has.
    pub fn rest(&mut self, reason: &str, who: Who, now: Timestamp) -> Duration {
        let same = self.rests.as_ref().filter(|rests| rests.reason == reason);
        let since = same.map_or(now, |rests| rests.since);
        self.rests = Some(Rests { reason: reason.to_owned(), who, since });
        now.since(since)
    }

    /// Take keys for known: those that are gone are forgotten, new ones count from `now`.
    pub fn take_over(&mut self, dnskeys: impl IntoIterator<Item = String>, now: Timestamp) {
        let age = |dnskey: String| {
            let since = self.known.iter().find(|age| age.dnskey == dnskey).map_or(now, |age| age.since);
            KeyAge { dnskey, since }
        };
        self.known = dnskeys.into_iter().map(age).collect();
        self.known.sort_by(|a, b| a.dnskey.cmp(&b.dnskey));
    }
}

impl KeyPolicy {
    /// Lifetime of the key that the parent vouches for; none for only when asked.
    #[must_use]
    pub fn entry_point_life(&self) -> Option<Duration> {
        (self.ksk_lifetime > 0).then(|| Duration::from_secs(self.ksk_lifetime))
    }

    /// Lifetime of the ZSK; none for only when asked.
    #[must_use]
    pub fn zone_key_life(&self) -> Option<Duration> {
        (self.zsk_lifetime > 0 && self.layout == Layout::Split)
            .then(|| Duration::from_secs(self.zsk_lifetime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_with_serde() {
        for kind in RollKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(RollKind::from_word(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_state_that_older_versions_wrote_can_be_read() {
        assert_eq!(serde_json::from_str::<KeyState>("{}").unwrap(), KeyState::default());
        let policy: KeyPolicy = serde_json::from_str(r#"{"layout":"csk","digest":"sha-384"}"#).unwrap();
        assert_eq!((policy.layout, policy.algorithm), (Layout::Csk, 13));
        assert!(serde_json::from_str::<KeyPolicy>(r#"{"layuot":"csk"}"#).is_err());
    }
}
