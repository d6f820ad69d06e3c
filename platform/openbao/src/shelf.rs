//! Texts below one path, each a secret of its own with one field.

use std::sync::Arc;

use async_trait::async_trait;
use pdm_ports::{Fault, Shelf};
use zeroize::Zeroizing;

use crate::call::refuse;
use crate::place::split;
use crate::vault::{Fields, OpenBao};

const FIELD: &str = "sealed";

/// A shelf in OpenBao.
pub struct CredentialShelf {
    bao: Arc<OpenBao>,
    mount: String,
    path: String,
}

impl CredentialShelf {
    /// Below `MOUNT/PATH`.
    ///
    /// # Errors
    /// The text is something else.
    pub fn new(bao: Arc<OpenBao>, below: &str) -> Result<Self, &'static str> {
        let (mount, path) = split(below)?;
        Ok(Self { bao, mount, path })
    }

    fn at(&self, id: &str) -> Result<String, Fault> {
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(refuse("openbao-refused", "an id has letters, digits and hyphens"));
        }
        Ok(format!("{}/{id}", self.path))
    }
}

#[async_trait]
impl Shelf for CredentialShelf {
    async fn put(&self, id: &str, text: &str) -> Result<(), Fault> {
        let fields = Fields::from([(FIELD.to_owned(), Zeroizing::new(text.to_owned()))]);
        self.bao.write(&self.mount, &self.at(id)?, &fields).await
    }

    async fn get(&self, id: &str) -> Result<Option<Zeroizing<String>>, Fault> {
        let fields = self.bao.read_all(&self.mount, &self.at(id)?).await?;
        Ok(fields.and_then(|mut fields| fields.remove(FIELD)))
    }

    async fn remove(&self, id: &str) -> Result<(), Fault> {
        self.bao.remove(&self.mount, &self.at(id)?).await
    }
}
