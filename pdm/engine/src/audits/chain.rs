//! The audit log as a chain: entries are sealed a moment after they were written, and the end is signed now and then.

use std::sync::Arc;
use std::time::Duration;

use pdm_ports::Fault;
use pdm_ports::audit_chain::{Broken, Verifier};
use pdm_ports::audit_store::{ChainState, Checkpoint, Link};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use crate::caller::{Caller, Right};
use crate::engine::Engine;
use crate::intents::IntentError;

/// Between two sealings.
const PAUSE: Duration = Duration::from_secs(1);
/// Entries of one sealing: few, since a reservation may wait behind it on SQLite.
const BATCH: u32 = 100;
/// Links verified at once.
const PAGE: u32 = 1000;
/// Between two checkpoints.
const CHECKPOINT: Duration = Duration::from_secs(3600);

/// Signs checkpoints.
pub struct Signer(Option<Ed25519KeyPair>);

impl Signer {
    /// From 32 secret octets; from anything else it signs nothing.
    #[must_use]
    pub fn new(seed: &[u8]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed).ok())
    }

    /// The public key, hexadecimal.
    #[must_use]
    pub fn public(&self) -> String {
        self.0.as_ref().map(|pair| pdm_dnssec::hex(pair.public_key().as_ref())).unwrap_or_default()
    }

    /// The signature over a text, hexadecimal.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        self.0.as_ref().map(|pair| pdm_dnssec::hex(pair.sign(text.as_bytes()).as_ref())).unwrap_or_default()
    }
}

impl Engine {
    /// Seal for ever; any replica may.
    pub(crate) async fn seal_for_ever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut signed = Instant::now();
        while !*stop.borrow() {
            let sealed = self.parts.audits.seal(BATCH).await;
            let more = match sealed {
                Ok(count) => count >= u64::from(BATCH),
                Err(fault) => {
                    debug!(%fault, "the audit log was not sealed");
                    false
                }
            };
            if signed.elapsed() >= CHECKPOINT {
                signed = Instant::now();
                if let Err(fault) = self.checkpoint().await {
                    debug!(%fault, "no checkpoint was made");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(if more { Duration::from_millis(20) } else { PAUSE }) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Sign the chain as it stands. None when there is no chain yet.
    async fn checkpoint(&self) -> Result<Option<Checkpoint>, Fault> {
        let ChainState { place, hash, unsealed } = self.parts.audits.chain().await?;
        metrics::gauge!("pdm_audit_log_unsealed").set(f64::from(u32::try_from(unsealed).unwrap_or(u32::MAX)));
        if place == 0 {
            return Ok(None);
        }
        let at = self.parts.store.now().await?;
        let signature = self.signer.sign(&Checkpoint::signed(place, at, &hash));
        let checkpoint = Checkpoint { place, at, hash, key: self.signer.public(), signature };
        self.parts.audits.add_checkpoint(&checkpoint).await?;
        Ok(Some(checkpoint))
    }

    /// Links after a place with the checkpoints among them. The first call of an export seals what is open and signs the
    /// end, so that the export is whole.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn export_log(
        &self,
        caller: &Caller,
        after: i64,
        limit: u32,
    ) -> Result<(Vec<Link>, Vec<Checkpoint>, ChainState), IntentError> {
        super::must_see_everything(caller)?;
        caller.must(Right::Audit)?;
        if after <= 0 {
            while self.parts.audits.seal(BATCH).await? > 0 {}
            self.checkpoint().await?;
        }
        let links = self.parts.audits.links(after, limit).await?;
        let checkpoints = self.parts.audits.checkpoints(after, limit).await?;
        Ok((links, checkpoints, self.parts.audits.chain().await?))
    }
}

/// What came of verifying the log of this store.
#[derive(Debug, Clone)]
pub struct Verified {
    /// How far it holds.
    pub holds: Verifier,
    /// The first place that does not.
    pub broken: Option<Broken>,
    /// False when the time was over before the end.
    pub whole: bool,
}

impl Engine {
    /// Verify the log from its first place, for at most `time`.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn verify_log(&self, caller: &Caller, time: Duration) -> Result<Verified, IntentError> {
        let end = Instant::now() + time;
        let mut holds = Verifier::new(None);
        loop {
            let after = holds.place();
            let (links, mut checkpoints, _) = self.export_log(caller, after, PAGE).await?;
            let Some(last) = links.last() else { return Ok(Verified { holds, broken: None, whole: true }) };
            checkpoints.retain(|checkpoint| checkpoint.place <= last.place);
            if let Err(broken) = holds.page(&links, &checkpoints) {
                return Ok(Verified { holds, broken: Some(broken), whole: false });
            }
            if Instant::now() >= end {
                return Ok(Verified { holds, broken: None, whole: false });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::Timestamp;
    use ring::signature::{ED25519, UnparsedPublicKey};

    #[test]
    fn a_checkpoint_verifies_by_its_key_only() {
        let signer = Signer::new(&[7; 32]);
        let text = Checkpoint::signed(3, Timestamp(9), "ab");
        let octets = |hex: &str| -> Vec<u8> {
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
        };
        let signature = octets(&signer.sign(&text));
        let key = UnparsedPublicKey::new(&ED25519, octets(&signer.public()));
        assert!(key.verify(text.as_bytes(), &signature).is_ok());
        assert!(key.verify(Checkpoint::signed(4, Timestamp(9), "ab").as_bytes(), &signature).is_err());
        assert!(Signer::new(&[7; 31]).public().is_empty());
    }
}
