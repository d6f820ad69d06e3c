//! TLS from files that somebody keeps fresh: looked at before each request, read again when one of them is another.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use reqwest::{Certificate, ClientBuilder, Identity};
use zeroize::Zeroizing;

use crate::error::Error;

/// Whom to trust and what to show, in PEM.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Authorities of the daemon's certificate, in place of the system's.
    pub authorities: Option<PathBuf>,
    /// Our certificate with those above it, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// What the file system says of each file; another answer means another content.
type Look = Vec<Option<(Option<SystemTime>, u64, u64)>>;

/// HTTP clients of the files as they are.
#[derive(Clone)]
pub(crate) struct Followed {
    files: Files,
    now: Arc<Mutex<(Look, reqwest::Client)>>,
}

impl Followed {
    /// With what the files hold now.
    pub(crate) fn new(files: Files) -> Result<Self, Error> {
        let now = (files.look(), files.client()?);
        Ok(Self { files, now: Arc::new(Mutex::new(now)) })
    }

    /// For the next request. Files that do not fit together are being written: what was known goes on, and the next
    /// request looks again.
    pub(crate) fn http(&self) -> reqwest::Client {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let look = self.files.look();
        if look != now.0
            && let Ok(client) = self.files.client()
        {
            *now = (look, client);
        }
        now.1.clone()
    }
}

impl Files {
    fn client(&self) -> Result<reqwest::Client, Error> {
        let mut builder = crate::transport::builder();
        if let Some(file) = &self.authorities {
            let found = Certificate::from_pem_bundle(&read(file)?).map_err(Error::Setup)?;
            if found.is_empty() {
                return Err(Error::File { file: file.clone(), why: "there is no certificate".to_owned() });
            }
            builder = builder.tls_certs_only(found);
        }
        if let Some((certificate, key)) = &self.identity {
            builder = shown(builder, certificate, key)?;
        }
        builder.build().map_err(Error::Setup)
    }

    fn look(&self) -> Look {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        let of = |meta: Metadata| (meta.modified().ok(), meta.len(), meta.ino());
        self.authorities.iter().chain(identity).map(|file| std::fs::metadata(file).ok().map(of)).collect()
    }
}

fn shown(builder: ClientBuilder, certificate: &Path, key: &Path) -> Result<ClientBuilder, Error> {
    let mut pem = read(certificate)?;
    pem.push(b'\n');
    pem.extend_from_slice(&read(key)?);
    Ok(builder.identity(Identity::from_pem(&pem).map_err(Error::Setup)?))
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |e: std::io::Error| Error::File { file: file.to_owned(), why: e.to_string() };
    std::fs::read(file).map(Zeroizing::new).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_or_empty_is_named() {
        let dir = std::env::temp_dir();
        let gone = Files { authorities: Some(dir.join("pdm-client-no-such-file")), identity: None };
        let error = Followed::new(gone).err().unwrap().to_string();
        assert!(error.contains("pdm-client-no-such-file"), "{error}");
        let empty = Files { authorities: Some("/dev/null".into()), identity: None };
        let error = Followed::new(empty).err().unwrap().to_string();
        assert!(error.contains("/dev/null"), "{error}");
    }
}
