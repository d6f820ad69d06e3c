//! A registrar, or whoever hosts the parent zone, behind its API: what it can do as data, what is there now, and
//! one change at a time.
//!
//! The planner decides *when* something may be written; an adapter only brings the vendor to what it is told,
//! writes nothing that is there already, and says what it read afterwards. Whatever a vendor cannot do stands in its
//! [`Capability`] and is refused before the first call.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use pdm_model::{DsRecord, Timestamp, Ttl, ZoneName};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::fault::{Class, Fault};

/// The shortest secret that is taken for one.
const MIN_SECRET: usize = 8;

/// Whose data an API call changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The registry's delegation of a registered domain.
    RegistryApex,
    /// NS (and DS) records for a name inside a zone that the vendor serves.
    HostedParent,
}

/// How a DS set gets to the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DsForm {
    /// The API takes no DS at all.
    None,
    /// The API takes DS records.
    Ds,
    /// The API takes DNSKEYs and derives the DS itself.
    Dnskey,
    /// No API; the parent reads the child's CDS or CDNSKEY.
    CdsScanned,
}

/// What to do with nameserver names that lie below the name that is delegated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Glue {
    /// The API cannot make it; such names must be avoided or entered by hand.
    None,
    /// IPv4 addresses only.
    Ipv4,
    /// IPv4 and IPv6 addresses.
    Both,
}

/// A thing that a vendor cannot do, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cannot {
    /// Why.
    pub reason: &'static str,
    /// What to do instead.
    pub way_out: &'static str,
}

/// A risk that a person must accept by its code before anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Caveat {
    /// Stable kebab-case code, to be named in [`Change::accepted`].
    pub code: &'static str,
    /// What may happen.
    pub text: &'static str,
}

/// What a vendor can do in one mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModeCapability {
    /// Fewest NS names it takes.
    pub ns_min: usize,
    /// Most NS names it takes.
    pub ns_max: usize,
    /// TTLs of NS and DS it takes, in seconds; none where nobody can choose.
    pub ttl: Option<(u32, u32)>,
    /// How DS gets there.
    pub ds: DsForm,
    /// Most DS records it takes.
    pub ds_max: usize,
    /// Why not, when `ds` is `None`.
    pub ds_cannot: Option<Cannot>,
    /// Glue.
    pub glue: Glue,
    /// None when a delegation can be taken back (hosted: the records removed; apex: the vendor's own DNS
    /// restored), else why not.
    pub withdraw_cannot: Option<Cannot>,
    /// True when a change goes on behind the call and is followed by its task.
    pub asynchronous: bool,
    /// Risks to accept first.
    pub caveats: &'static [Caveat],
}

impl ModeCapability {
    /// What can be done where nothing more is known: one to 13 names, at once, and their withdrawal.
    pub const LEAST: Self = Self {
        ns_min: 1,
        ns_max: 13,
        ttl: None,
        ds: DsForm::None,
        ds_max: 0,
        ds_cannot: None,
        glue: Glue::None,
        withdraw_cannot: None,
        asynchronous: false,
        caveats: &[],
    };
}

/// What a vendor can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capability {
    /// Changing the registry's delegation, or why that cannot be.
    #[serde(serialize_with = "either")]
    pub registry_apex: Result<ModeCapability, Cannot>,
    /// Changing records in a hosted zone, or why that cannot be.
    #[serde(serialize_with = "either")]
    pub hosted_parent: Result<ModeCapability, Cannot>,
    /// Calls a minute that the vendor bears per credential.
    pub calls_per_minute: u32,
    /// Calls in flight that it bears per credential.
    pub parallel: usize,
}

fn either<S: serde::Serializer>(
    value: &Result<ModeCapability, Cannot>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Ok(can) => can.serialize(serializer),
        Err(cannot) => cannot.serialize(serializer),
    }
}

impl Capability {
    /// What it can do in a mode.
    ///
    /// # Errors
    /// Why it cannot, and the way out.
    pub fn mode(&self, mode: Mode) -> Result<&ModeCapability, Cannot> {
        match mode {
            Mode::RegistryApex => self.registry_apex.as_ref().map_err(|cannot| *cannot),
            Mode::HostedParent => self.hosted_parent.as_ref().map_err(|cannot| *cannot),
        }
    }
}

/// One field of a vendor's credential, for forms and for checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialField {
    /// Its name in requests.
    pub name: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// Whether it must never be shown.
    pub secret: bool,
    /// Whether it may be left out.
    pub optional: bool,
    /// Where to find it.
    pub help: &'static str,
}

impl CredentialField {
    /// One that must be given and never be shown.
    #[must_use]
    pub const fn secret(name: &'static str, label: &'static str, help: &'static str) -> Self {
        Self { name, label, secret: true, optional: false, help }
    }

    /// One that must be given and may be shown.
    #[must_use]
    pub const fn plain(name: &'static str, label: &'static str, help: &'static str) -> Self {
        Self { name, label, secret: false, optional: false, help }
    }

    /// The same, which may be left out.
    #[must_use]
    pub const fn or_none(self) -> Self {
        Self { optional: true, ..self }
    }
}

/// A credential: named fields for one vendor. It cannot be serialized, prints no value, and is wiped when dropped.
#[derive(Clone)]
pub struct Credential {
    fields: BTreeMap<&'static str, (Zeroizing<String>, bool)>,
}

impl Credential {
    /// Check what was given against a vendor's fields.
    ///
    /// # Errors
    /// `credential-incomplete` or `credential-malformed`, with the field's name and never a value.
    pub fn parse(
        known: &[CredentialField],
        mut given: BTreeMap<String, Zeroizing<String>>,
    ) -> Result<Self, Fault> {
        let mut fields = BTreeMap::new();
        for field in known {
            let Some(value) = given.remove(field.name).filter(|value| !value.trim().is_empty()) else {
                if field.optional {
                    continue;
                }
                let detail = format!("the field \"{}\" is missing", field.name);
                return Err(Fault::new(Class::Credential, "credential-incomplete", detail));
            };
            // What people paste ends in a newline; inside a header it would be an injection.
            let value = Zeroizing::new(value.trim().to_owned());
            if value.len() > 4096 || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                let detail =
                    format!("the field \"{}\" has characters that no such credential has", field.name);
                return Err(Fault::new(Class::Credential, "credential-malformed", detail));
            }
            // No vendor's secret is this short, and one could not be taken out of an answer without ruining it.
            if field.secret && value.len() < MIN_SECRET {
                let detail = format!("the field \"{}\" is too short", field.name);
                return Err(Fault::new(Class::Credential, "credential-malformed", detail));
            }
            fields.insert(field.name, (value, field.secret));
        }
        if !given.is_empty() {
            let names: Vec<_> = known.iter().map(|field| field.name).collect();
            let detail = format!("there is a field that is not one of: {}", names.join(", "));
            return Err(Fault::new(Class::Credential, "credential-malformed", detail));
        }
        Ok(Self { fields })
    }

    /// A field's value, to be used in one request.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|(value, _)| value.as_str())
    }

    /// The secret values, to be removed from what a vendor says.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.fields.values().filter(|(_, secret)| *secret).map(|(value, _)| value.as_str())
    }

    /// All fields with their names, in order, to tell credentials apart by a digest.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.fields.iter().map(|(name, (value, _))| (*name, value.as_str()))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields.keys().map(|name| (name, "<redacted>"))).finish()
    }
}

/// Which delegation is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case")]
pub enum Place {
    /// A registered domain, in the registry.
    RegistryApex {
        /// The registered domain (split by the ICANN section of the public suffix list).
        domain: ZoneName,
    },
    /// A name in a hosted zone.
    HostedParent {
        /// The zone's apex, which is the registered domain at most vendors.
        zone: ZoneName,
        /// The name that is delegated, below the apex.
        child: ZoneName,
    },
}

impl Place {
    /// Its mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self {
            Self::RegistryApex { .. } => Mode::RegistryApex,
            Self::HostedParent { .. } => Mode::HostedParent,
        }
    }

    /// The domain or zone that the vendor knows.
    #[must_use]
    pub fn zone(&self) -> &ZoneName {
        match self {
            Self::RegistryApex { domain } => domain,
            Self::HostedParent { zone, .. } => zone,
        }
    }

    /// The name that is delegated.
    #[must_use]
    pub fn child(&self) -> &ZoneName {
        match self {
            Self::RegistryApex { domain } => domain,
            Self::HostedParent { child, .. } => child,
        }
    }
}

/// A DNSKEY's parts, for vendors that derive the DS.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyData {
    /// Flags: 257 for an entry point.
    pub flags: u16,
    /// Algorithm number.
    pub algorithm: u8,
    /// The public key in base64.
    pub public_key: String,
}

/// A DS to write, with its key when it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DsEntry {
    /// The DS record.
    pub ds: DsRecord,
    /// The key it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyData>,
}

/// What the NS set shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NsTarget {
    /// These names. In a hosted zone an empty set removes the delegation.
    Names {
        /// The names.
        names: BTreeSet<ZoneName>,
        /// Their TTL, brought into the vendor's range; of no effect at a registry.
        ttl: Ttl,
        /// Addresses of names that lie below the delegated name.
        glue: BTreeMap<ZoneName, BTreeSet<IpAddr>>,
    },
    /// The vendor's own DNS, as [`CurrentState::operated`] said before (registry apex only).
    Vendor(String),
}

/// One change. `None` leaves that part as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub place: Place,
    /// The NS set.
    pub ns: Option<NsTarget>,
    /// The DS set and its TTL (of no effect at a registry); an empty set removes it.
    pub ds: Option<(BTreeSet<DsEntry>, Ttl)>,
    /// Codes of the [`Caveat`]s that a person accepted.
    pub accepted: BTreeSet<String>,
}

/// Who runs the DNS that a registry delegates to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "kind", rename_all = "kebab-case")]
pub enum Operated {
    /// The vendor, in a way that has a name there. Kept for the way back.
    Vendor(String),
    /// Nameservers that somebody entered.
    Custom,
    /// The API does not say.
    Unknown,
}

/// What keeps a domain as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lock {
    /// Why no change is possible now: expired, suspended, on hold.
    pub blocks_changes: Option<String>,
    /// Whether it is locked against transfer, which blocks no change of NS.
    pub transfer: Option<bool>,
}

/// A running change at the vendor. Its text is the adapter's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub String);

/// What the vendor holds now. Stored before the first write, for the way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentState {
    /// NS names.
    pub ns: BTreeSet<ZoneName>,
    /// Their TTL, where the API tells it; the largest when they differ.
    pub ns_ttl: Option<Ttl>,
    /// DS records; none when the API does not tell, which does not mean that there are none.
    pub ds: Option<BTreeSet<DsRecord>>,
    /// Their TTL, where the API tells it.
    pub ds_ttl: Option<Ttl>,
    /// What keeps it as it is.
    pub lock: Lock,
    /// When the registration ends.
    pub expires: Option<Timestamp>,
    /// Which delegation this is.
    pub mode: Mode,
    /// Whether the vendor serves the zone now; none when the API does not tell.
    pub hosted: Option<bool>,
    /// Who runs the DNS.
    pub operated: Operated,
    /// Types of other records at the delegated name (hosted parent). A delegation would hide them.
    pub other_types: BTreeSet<String>,
    /// A change that is still going on.
    pub task: Option<TaskId>,
}

impl CurrentState {
    /// No NS, and nothing else is told.
    #[must_use]
    pub fn untold(mode: Mode) -> Self {
        Self {
            ns: BTreeSet::new(),
            ns_ttl: None,
            ds: None,
            ds_ttl: None,
            lock: Lock::default(),
            expires: None,
            mode,
            hosted: None,
            operated: Operated::Unknown,
            other_types: BTreeSet::new(),
            task: None,
        }
    }
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Whether anything was written.
    pub wrote: bool,
    /// The task to follow, when the vendor goes on by itself.
    pub task: Option<TaskId>,
    /// What the vendor holds, read after the write.
    pub read_back: CurrentState,
    /// Whether that is what was asked for. With neither this nor a task, look again later: vendors' reads are stale
    /// at times.
    pub agrees: bool,
    /// Side effects that a person should know of.
    pub notes: Vec<String>,
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskStatus {
    /// Going on.
    Running {
        /// The vendor's word for it.
        stage: String,
    },
    /// Done.
    Done,
    /// It ended without doing it.
    Failed {
        /// The vendor's reason.
        reason: String,
    },
}

/// What a credential is good for, learnt by reads only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Passport {
    /// The domain that was found.
    pub domain: ZoneName,
    /// None when the registry's delegation can be changed, else why not.
    pub registry_apex: Option<String>,
    /// None when names in the hosted zone can be delegated, else why not.
    pub hosted_parent: Option<String>,
    /// When the registration ends.
    pub expires: Option<Timestamp>,
    /// When the credential ends.
    pub credential_expires: Option<Timestamp>,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// A registrar's or DNS host's API. Calls change nothing unless they are `apply`.
#[async_trait]
pub trait Registrar: Send + Sync {
    /// Stable kebab-case id.
    fn id(&self) -> &'static str;
    /// Its name for people.
    fn name(&self) -> &'static str;
    /// What it can do.
    fn capability(&self) -> &'static Capability;
    /// The fields of its credential.
    fn credential_fields(&self) -> &'static [CredentialField];
    /// How to make a credential that can do this and no more, for people.
    fn recipe(&self) -> &'static str;
    /// What a credential is good for at a registered domain. Reads only.
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault>;
    /// What is there now. Reads only.
    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault>;
    /// Bring the vendor to the change, writing only a difference, and read back.
    async fn apply(&self, change: &Change, credential: &Credential) -> Result<Applied, Fault>;
    /// How a task stands. Reads only.
    async fn task(&self, place: &Place, task: &TaskId, credential: &Credential) -> Result<TaskStatus, Fault>;
}
