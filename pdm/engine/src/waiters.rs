//! Wakes those who wait for an operation in this process. Others see the store change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedMutexGuard};

/// Who waits for which operation.
#[derive(Default)]
pub struct Waiters(Mutex<HashMap<String, Arc<Notify>>>);

impl Waiters {
    /// Something to wait on. Ask before reading the store, so that no change falls in between.
    #[must_use]
    pub fn of(&self, operation: &str) -> Arc<Notify> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody holds on to an entry for long: those with no waiter are dropped whenever the map has grown.
        if map.len() > 1024 {
            map.retain(|_, notify| Arc::strong_count(notify) > 1);
        }
        map.entry(operation.to_owned()).or_default().clone()
    }

    /// The operation changed.
    pub fn wake(&self, operation: &str) {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notify) = map.get(operation) {
            notify.notify_waiters();
        }
    }
}

/// One holder at a time for each key.
#[derive(Default)]
pub struct Keyed(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Keyed {
    /// Wait until nobody else holds `key`.
    pub async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if map.len() > 1024 {
                map.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            map.entry(key.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }
}
