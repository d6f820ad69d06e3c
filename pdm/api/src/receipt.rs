//! The receipt of a proof, as it is shown.

use pdm_model::{Proof, ServerProof, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::operation::word;

/// What every nameserver answered, and where the chain starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptView {
    /// When the first question was asked.
    #[schema(value_type = String, format = DateTime)]
    pub begun_at: Timestamp,
    /// The generation that was proved.
    pub generation: i64,
    /// Where the chain starts.
    pub anchor: String,
    /// True when servers were asked at configured addresses instead of those in the public DNS.
    pub private_view: bool,
    /// Nameservers under maintenance that were not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// All servers, both transports.
    pub servers: Vec<ServerView>,
    /// Questions asked in all.
    pub queries: u32,
}

/// One server's part of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerView {
    /// Nameserver names behind the address.
    pub nameservers: Vec<String>,
    /// Address and port that was asked.
    pub address: String,
    /// How.
    #[schema(schema_with = crate::words::transports)]
    pub transport: String,
    /// Questions that were answered as desired.
    pub answers: u32,
    /// SHA-256 over the answers.
    pub digest: String,
    /// Milliseconds until the last answer.
    pub millis: u32,
}

impl From<&ServerProof> for ServerView {
    fn from(server: &ServerProof) -> Self {
        Self {
            nameservers: server.nameservers.clone(),
            address: server.address.clone(),
            transport: word(server.transport),
            answers: server.answers,
            digest: server.digest.clone(),
            millis: server.millis,
        }
    }
}

impl From<&Proof> for ReceiptView {
    fn from(proof: &Proof) -> Self {
        Self {
            begun_at: proof.begun_at,
            generation: proof.generation,
            anchor: proof.anchor.clone(),
            private_view: proof.private_view,
            skipped: proof.skipped.clone(),
            servers: proof.servers.iter().map(ServerView::from).collect(),
            queries: proof.queries,
        }
    }
}
