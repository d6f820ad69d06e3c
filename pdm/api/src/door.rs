//! PowerDNS's own shapes (API v1), as far as certificate clients, external-dns and octoDNS read and write them.

use pdm_model::RRset;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Every error of the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DoorProblem {
    /// Code and detail.
    #[schema(example = "dns-name-refused: this token has no right to console.omantel.omani.works. A")]
    pub error: String,
}

/// One version of the API.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DoorVersion {
    /// Where it is.
    pub url: &'static str,
    /// Its number.
    pub version: u8,
}

/// The one server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DoorServer {
    /// `Server`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `localhost`.
    pub id: &'static str,
    /// Where it is.
    pub url: &'static str,
    /// `authoritative`.
    pub daemon_type: &'static str,
    /// The version whose shapes these are.
    pub version: &'static str,
    /// Where the zones are.
    pub zones_url: &'static str,
}

impl DoorServer {
    /// The server that every client sees.
    #[must_use]
    pub fn localhost() -> Self {
        Self {
            kind: "Server",
            id: "localhost",
            url: "/api/v1/servers/localhost",
            daemon_type: "authoritative",
            version: "4.9.0",
            zones_url: "/api/v1/servers/localhost/zones{/zone}",
        }
    }
}

/// `?zone=`; the rest of the parameters that PowerDNS knows changes nothing here.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DoorQuery {
    /// Only this zone.
    #[serde(default)]
    pub zone: Option<String>,
}

/// A zone.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DoorZone {
    /// Its name with the last dot.
    pub id: String,
    /// The same.
    pub name: String,
    /// `Zone`.
    #[serde(rename = "type")]
    pub shape: &'static str,
    /// Where it is.
    pub url: String,
    /// `Native`: nobody has to be told of a change.
    pub kind: &'static str,
    /// Its serial; 0 in a list.
    pub serial: u32,
    /// It is signed.
    pub dnssec: bool,
    /// Whose it is; never told.
    pub account: &'static str,
    /// None.
    pub masters: [&'static str; 0],
    /// The token's own names; left out in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rrsets: Option<Vec<DoorRrset>>,
}

impl DoorZone {
    /// A line of the list.
    #[must_use]
    pub fn new(zone: &str) -> Self {
        let name = format!("{zone}.");
        Self {
            url: format!("/api/v1/servers/localhost/zones/{name}"),
            id: name.clone(),
            name,
            shape: "Zone",
            kind: "Native",
            serial: 0,
            dnssec: true,
            account: "",
            masters: [],
            rrsets: None,
        }
    }
}

/// An RRset as it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DoorRrset {
    /// Owner name with the last dot.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Time to live.
    pub ttl: u32,
    /// Contents.
    pub records: Vec<DoorRecord>,
    /// None.
    pub comments: [&'static str; 0],
}

impl From<RRset> for DoorRrset {
    fn from(rrset: RRset) -> Self {
        let record = |content| DoorRecord { content, disabled: false };
        Self {
            name: rrset.owner,
            rtype: rrset.rtype.as_str().to_owned(),
            ttl: rrset.ttl.seconds(),
            records: rrset.records.into_iter().map(record).collect(),
            comments: [],
        }
    }
}

/// One record. Fields that PowerDNS knows besides are ignored, as its clients send them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DoorRecord {
    /// In presentation form.
    pub content: String,
    /// Must not be true: what is not served is not written.
    #[serde(default)]
    pub disabled: bool,
}

/// The body of PATCH.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct DoorPatch {
    /// RRsets to change.
    pub rrsets: Vec<DoorEdit>,
}

/// One RRset to change.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct DoorEdit {
    /// Owner name with the last dot.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// `REPLACE`, `DELETE`, `EXTEND` or `PRUNE`.
    pub changetype: String,
    /// Time to live.
    #[serde(default)]
    pub ttl: Option<u32>,
    /// Contents.
    #[serde(default)]
    pub records: Vec<DoorRecord>,
}
