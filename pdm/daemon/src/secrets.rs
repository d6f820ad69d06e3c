//! Secrets that are looked for again: when somebody refuses them, and from time to time.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pdm_openbao::OpenBao;
use pdm_ports::SecretSource;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::config::secret::{Outside, Reference};

/// Between two looks at one secret: whoever refuses everything makes us look no more often than that.
const PAUSE: Duration = Duration::from_secs(1);

/// A secret and where it came from.
pub struct Live {
    name: String,
    from: Reference,
    openbao: Option<Arc<OpenBao>>,
    held: RwLock<Arc<Zeroizing<String>>>,
    /// Held over a look, so that many callers make one.
    looked: Mutex<Option<Instant>>,
}

impl Live {
    /// As it was read just now. `name` is for logs.
    pub fn new(name: &str, from: Reference, text: Zeroizing<String>, openbao: Option<Arc<OpenBao>>) -> Self {
        let held = RwLock::new(Arc::new(text));
        Self { name: name.to_owned(), from, openbao, held, looked: Mutex::default() }
    }

    async fn read(&self) -> Result<Zeroizing<String>, String> {
        match (&self.from, &self.openbao) {
            (Reference::OpenBao(place), Some(openbao)) => {
                openbao.read(place).await.map_err(|e| e.to_string())
            }
            (from, _) => from.text(&Outside::default()),
        }
    }
}

#[async_trait]
impl SecretSource for Live {
    fn current(&self) -> Arc<Zeroizing<String>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn renewed(&self, used: &str) -> bool {
        // The environment of a process does not change.
        if matches!(self.from, Reference::Env(_)) {
            return false;
        }
        let mut looked = self.looked.lock().await;
        // Whoever waited for the lock finds what its holder read.
        if self.current().as_str() != used {
            return true;
        }
        if looked.is_some_and(|at| at.elapsed() < PAUSE) {
            return false;
        }
        *looked = Some(Instant::now());
        match self.read().await {
            Ok(text) if text.as_str() != used => {
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(text);
                metrics::counter!("pdm_secrets_changed_total", "secret" => self.name.clone()).increment(1);
                tracing::info!(
                    secret = self.name,
                    "a secret was changed where it is kept, and is used from now on"
                );
                true
            }
            Ok(_) => false,
            Err(why) => {
                tracing::warn!(
                    secret = self.name,
                    why,
                    "a secret could not be read again; the known one stays"
                );
                false
            }
        }
    }
}

/// Look at every secret from time to time, so that a new one is known before an old one is refused.
pub async fn refresh(secrets: Vec<Arc<dyn SecretSource>>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        for secret in &secrets {
            let known = secret.current();
            secret.renewed(&known).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_changed_is_read_when_its_secret_is_refused_and_not_too_often() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "old\n").unwrap();
        let from = Reference::File(path.clone());
        let live = Live::new("k", from.clone(), from.text(&Outside::default()).unwrap(), None);
        assert!(!live.renewed("old").await);
        std::fs::write(&path, "new\n").unwrap();
        assert!(!live.renewed("old").await, "it was looked at a moment ago");
        *live.looked.lock().await = None;
        assert!(live.renewed("old").await);
        assert_eq!(live.current().as_str(), "new");
        assert!(live.renewed("old").await, "another caller with the old one is told at once");
        std::fs::remove_file(&path).unwrap();
        *live.looked.lock().await = None;
        assert!(!live.renewed("new").await);
        assert_eq!(live.current().as_str(), "new");
    }
}
