//! `pdm evidence FQDN -o FILE`: a signed bundle to hand to an authority, checked before it is written.

use std::path::PathBuf;

use clap::Args;
use pdm_api::audit::EvidenceView;
use pdm_ports::audit_chain::octets;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::http::Client;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct Evidence {
    /// The full name.
    fqdn: String,
    /// The file to write.
    #[arg(long)]
    file: PathBuf,
}

/// Carry out the verb.
///
/// # Errors
/// What was refused, or a bundle that does not hold.
pub async fn run(verb: Evidence, client: &Client) -> Result<(), Failure> {
    let body = client.get(&["evidence", &verb.fqdn], &[]).await?.body;
    let view: EvidenceView = serde_json::from_value(body.clone())
        .map_err(|e| Failure::Refused(format!("the bundle cannot be read: {e}")))?;
    if !holds(&view) {
        return Err(Failure::refused("the bundle's signature does not hold"));
    }
    let text = serde_json::to_string_pretty(&body).map_err(Failure::refused)?;
    std::fs::write(&verb.file, text + "\n")
        .map_err(|e| Failure::Refused(format!("cannot write {}: {e}", verb.file.display())))?;
    super::output::line(&format!("{} signed by {}", verb.file.display(), view.key));
    Ok(())
}

/// Digest and signature are those of the bundle.
fn holds(view: &EvidenceView) -> bool {
    let hash = pdm_dnssec::hex(digest(&SHA256, view.bundle.as_bytes()).as_ref());
    let text = format!("pdm evidence\n{hash}\n");
    let (Some(key), Some(signature)) = (octets(&view.key), octets(&view.signature)) else { return false };
    hash == view.digest && UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), &signature).is_ok()
}
