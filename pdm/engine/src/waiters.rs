//! Wakes those who wait for an operation in this process. Others see the store change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedMutexGuard};

/// What can be waited for.
#[derive(Default)]
pub struct Signals {
    /// Something was written down about the operation.
    pub changed: Notify,
    /// This process is done with it, at least for now.
    pub at_rest: Notify,
}

/// Who waits for which operation.
#[derive(Default)]
pub struct Waiters(Mutex<HashMap<String, Arc<Signals>>>);

impl Waiters {
    /// Something to wait on. Ask before reading the store, so that no change falls in between.
    #[must_use]
    pub fn of(&self, operation: &str) -> Arc<Signals> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody holds on to an entry for long: those with no waiter are dropped whenever the map has grown.
        if map.len() > 1024 {
            map.retain(|_, signals| Arc::strong_count(signals) > 1);
        }
        map.entry(operation.to_owned()).or_default().clone()
    }

    /// The operation changed.
    pub fn changed(&self, operation: &str) {
        if let Some(signals) = self.known(operation) {
            signals.changed.notify_waiters();
        }
    }

    /// The operation is over, waits, or is another's.
    pub fn at_rest(&self, operation: &str) {
        if let Some(signals) = self.known(operation) {
            signals.changed.notify_waiters();
            signals.at_rest.notify_waiters();
        }
    }

    fn known(&self, operation: &str) -> Option<Arc<Signals>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(operation).cloned()
    }
}

/// One holder at a time for each key.
#[derive(Default)]
pub struct Keyed(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Keyed {
    /// Wait until nobody else holds `key`.
    pub async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        self.of(key).lock_owned().await
    }

    /// None when somebody holds `key`.
    pub fn try_lock(&self, key: &str) -> Option<OwnedMutexGuard<()>> {
        self.of(key).try_lock_owned().ok()
    }

    fn of(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() > 1024 {
            map.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        map.entry(key.to_owned()).or_default().clone()
    }
}
