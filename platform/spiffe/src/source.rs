//! What is shown and trusted now. Whoever feeds it replaces it whole, so that nobody sees half a rotation.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::material::{Bundles, Svid};

/// What is shown and trusted at one time.
pub struct State {
    /// Who we are.
    pub svid: Svid,
    /// Whom we trust.
    pub bundles: Bundles,
}

/// The newest state.
pub struct Source {
    state: RwLock<Option<Arc<State>>>,
    changed: watch::Sender<u64>,
}

impl Default for Source {
    fn default() -> Self {
        Self { state: RwLock::default(), changed: watch::Sender::new(0) }
    }
}

impl Source {
    /// The newest state; none before the first.
    #[must_use]
    pub fn state(&self) -> Option<Arc<State>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wait for the first state.
    pub async fn first(&self) {
        // The sender is ours, so it cannot be gone.
        let _ = self.changed.subscribe().wait_for(|count| *count > 0).await;
    }

    /// Take the place of the state before.
    pub fn replace(&self, state: State) {
        let domains: Vec<_> = state.bundles.domains().map(ToString::to_string).collect();
        tracing::info!(id = %state.svid.id, ends = state.svid.ends, ?domains, "the workload's certificate is known");
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(state));
        self.changed.send_modify(|count| *count += 1);
        metrics::counter!("pdm_svid_rotations_total").increment(1);
        self.measure();
    }

    /// Tell when the certificate ends; again for a recorder that was not there when it came.
    pub fn measure(&self) {
        if let Some(state) = self.state() {
            metrics::counter!("pdm_svid_rotations_total").increment(0);
            metrics::gauge!("pdm_svid_expiry_timestamp_seconds").set(state.svid.ends.unwrap_or(0) as f64);
        }
    }
}
