//! Secrets that somebody else keeps, and may change while we run.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::fault::Fault;

/// One secret, wherever it is kept. Whoever uses it asks for it at the moment of use.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// As it was read last. From memory.
    fn current(&self) -> Arc<Zeroizing<String>>;

    /// `used` was refused, or is old: look for another. True when there is one now.
    async fn renewed(&self, used: &str) -> bool;
}

impl fmt::Debug for dyn SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// A secret that stays as it is.
pub struct Fixed(Arc<Zeroizing<String>>);

impl Fixed {
    /// This one.
    #[must_use]
    pub fn new(secret: Zeroizing<String>) -> Self {
        Self(Arc::new(secret))
    }
}

#[async_trait]
impl SecretSource for Fixed {
    fn current(&self) -> Arc<Zeroizing<String>> {
        self.0.clone()
    }

    async fn renewed(&self, _used: &str) -> bool {
        false
    }
}

/// Where sealed texts are kept beside the store, each under an id of letters, digits and hyphens.
#[async_trait]
pub trait Shelf: Send + Sync {
    /// Keep a text in place of an older one.
    async fn put(&self, id: &str, text: &str) -> Result<(), Fault>;
    /// The text; none when there is none.
    async fn get(&self, id: &str) -> Result<Option<Zeroizing<String>>, Fault>;
    /// Forget it in all its versions. What is not there is forgotten already.
    async fn remove(&self, id: &str) -> Result<(), Fault>;
}
