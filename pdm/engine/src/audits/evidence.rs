//! The evidence pack: everything that shows what was done with one name and how it was served, in one signed bundle.

use pdm_model::Timestamp;
use pdm_model::incident::{Measurement, incidents};
use pdm_ports::audit_store::{Checkpoint, Link};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::engine::Engine;
use crate::intents::{IntentError, not_found, parse_fqdn};

/// Links read at once.
const PAGE: u32 = 1000;
/// Reports in a bundle, the newest.
const REPORTS: u32 = 50;
/// Measurements are looked at this far back.
const BACK_MS: i64 = 366 * 86_400_000;

/// The bundle as it was signed.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// JSON text.
    pub bundle: String,
    /// SHA-256 of that text, hexadecimal.
    pub digest: String,
    /// The Ed25519 public key, hexadecimal.
    pub key: String,
    /// The signature over [`signed`], hexadecimal.
    pub signature: String,
}

/// The text that is signed.
fn signed(digest: &str) -> String {
    format!("pdm evidence\n{digest}\n")
}

impl Engine {
    /// Everything about one name.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn evidence(&self, caller: &Caller, fqdn: &str) -> Result<Evidence, IntentError> {
        super::must_see_everything(caller)?;
        let (name, _) = parse_fqdn(fqdn)?;
        let (allocation, operation) = self.parts.store.allocation(&name).await?.ok_or_else(not_found)?;
        let mut links: Vec<Value> = Vec::new();
        let mut key_entries: Vec<Value> = Vec::new();
        let mut checkpoints: Vec<Checkpoint> = Vec::new();
        let mut after = 0;
        loop {
            let (page, signatures, _) = self.export_log(caller, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            let end = last.place;
            checkpoints.extend(signatures.into_iter().filter(|c| c.place > after && c.place <= end));
            links.extend(page.iter().map(|link| extract(link, name.as_str())));
            key_entries.extend(page.iter().filter(|link| is_about_keys(link, name.as_str())).map(about_keys));
            after = end;
        }
        let store = &self.parts.audits;
        let mut reports = Vec::new();
        for line in store.reports(Some(&name), None, REPORTS).await? {
            reports.extend(store.report(&line.id).await?);
        }
        let now = self.parts.store.now().await?;
        let measured = store.measurements(Timestamp(now.0 - BACK_MS)).await?;
        let bundle = json!({
            "format": "pdm-evidence-1",
            "fqdn": name,
            "madeAt": now,
            "allocation": {
                "id": allocation.id,
                "mode": allocation.mode.as_str(),
                "owner": allocation.owner,
                "phase": allocation.phase.as_str(),
                "generation": allocation.generation,
                "target": allocation.target,
                "reservedAt": allocation.reserved_at,
                "conditions": allocation.conditions,
                "observed": allocation.observed,
            },
            "openOperation": operation,
            "receipts": allocation.proof,
            "keys": {
                "ds": allocation.observed.ds,
                "parent": allocation.observed.parent,
                "policy": allocation.keys,
                // Every key with the time since which it is there, the roll under way and the one before.
                "state": allocation.observed.keys,
                "history": key_entries,
            },
            "log": { "links": links, "checkpoints": checkpoints },
            "reports": reports,
            "incidents": {
                "rule": "Implementing Regulation (EU) 2024/2690, Article 5",
                "measuredFrom": measured.first().map(|m: &Measurement| m.at),
                "measuredTo": measured.last().map(|m| m.at),
                "measurements": measured.len(),
                "found": incidents(&measured),
            },
        })
        .to_string();
        let hash = pdm_dnssec::hex(digest(&SHA256, bundle.as_bytes()).as_ref());
        let signature = self.signer.sign(&signed(&hash));
        Ok(Evidence { bundle, digest: hash, key: self.signer.public(), signature })
    }
}

/// An entry about this name's keys: their making with the name, rolls and policies.
fn is_about_keys(link: &Link, name: &str) -> bool {
    let ours = link.entry.fqdn.as_ref().is_some_and(|fqdn| fqdn.as_str() == name);
    let action = link.entry.action.as_str();
    ours && (action == "commit" || action.starts_with("roll") || action.starts_with("key"))
}

/// Such an entry with its place in the chain.
fn about_keys(link: &Link) -> Value {
    let entry = &link.entry;
    json!({ "place": link.place, "at": entry.at, "actor": entry.actor, "action": entry.action, "detail": entry.detail })
}

/// A link of the chain; other names' entries without their content, so that the chain still holds and tells nothing.
fn extract(link: &Link, name: &str) -> Value {
    let ours = link.entry.fqdn.as_ref().is_some_and(|fqdn| fqdn.as_str() == name);
    if ours {
        return json!({ "link": link });
    }
    json!({ "link": { "place": link.place, "digest": link.digest, "hash": link.hash } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::{AuditEntry, ZoneName};

    #[test]
    fn the_history_of_keys_is_of_this_name_and_of_keys_only() {
        let fqdn = ZoneName::parse("a.omani.works").unwrap();
        let about = |action: &str, name: &str| {
            let entry = AuditEntry::new("admin", action, &fqdn, "");
            is_about_keys(&Link { place: 1, entry, digest: String::new(), hash: String::new() }, name)
        };
        assert!(
            ["commit", "roll", "rolled", "roll-hold", "key-policy"].iter().all(|a| about(a, "a.omani.works"))
        );
        assert!(!about("repair", "a.omani.works") && !about("roll", "b.omani.works"));
    }

    #[test]
    fn entries_of_other_names_keep_only_their_place_in_the_chain() {
        let fqdn = ZoneName::parse("secret.omani.works").unwrap();
        let entry = AuditEntry::new("somebody", "commit", &fqdn, "10.0.0.1");
        let link = Link { place: 4, entry, digest: "d".to_owned(), hash: "h".to_owned() };
        assert_eq!(
            extract(&link, "a.omani.works"),
            json!({ "link": { "place": 4, "digest": "d", "hash": "h" } })
        );
        assert_eq!(extract(&link, "secret.omani.works")["link"]["actor"], "somebody");
    }
}
