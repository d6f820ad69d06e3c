//! The proof of `Active`: what every nameserver answered, over both transports, and that it validates.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How a question was carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// One datagram.
    Udp,
    /// One connection.
    Tcp,
}

/// One server's part of the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerProof {
    /// Nameserver names behind the address, or the PowerDNS instance.
    pub nameservers: Vec<String>,
    /// Address and port that was asked.
    pub address: String,
    /// How.
    pub transport: Transport,
    /// Questions that were answered as desired.
    pub answers: u32,
    /// SHA-256 over the answers, in the order of the questions.
    pub digest: String,
    /// Milliseconds until the last answer.
    pub millis: u32,
}

/// The receipt of a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// When the first question was asked.
    pub begun_at: Timestamp,
    /// The generation that was proved.
    pub generation: i64,
    /// Where the chain starts: "pool key" with its DS, or the configured anchor.
    pub anchor: String,
    /// True when servers were asked at configured addresses instead of those in the public DNS.
    pub private_view: bool,
    /// Nameservers under maintenance that were not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// All servers, both transports.
    pub servers: Vec<ServerProof>,
    /// Questions asked in all.
    pub queries: u32,
}

/// The first thing that stands in the way of a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotProved {
    /// Stable kebab-case reason: `no-answer`, `wrong-answer`, `not-signed`, `bogus`, `no-ds`, `lame`.
    pub reason: String,
    /// Which server.
    pub server: String,
    /// Which transport.
    pub transport: Transport,
    /// Which question, as `name/TYPE`.
    pub question: String,
    /// What was seen and what was expected.
    pub detail: String,
}
