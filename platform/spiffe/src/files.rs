//! SVID and bundles from files that somebody else writes: spiffe-helper, the CSI driver, cert-manager's.
//!
//! The files are looked at every second. A set that does not fit together is one that is being written: the state before
//! stays, and the next look tries again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pdm_ports::{Class, Fault};
use rustls::crypto::CryptoProvider;
use tokio::sync::watch;

use crate::id::TrustDomain;
use crate::material::{Bundles, Svid};
use crate::source::{Source, State};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Where they are.
#[derive(Debug, Clone)]
pub struct Files {
    /// The chain, leaf first, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Authorities of each trust domain, PEM; of our own too.
    pub bundles: Vec<(TrustDomain, PathBuf)>,
}

/// What the file system says of a file; another answer means another content.
type Look = Option<(Option<SystemTime>, u64, u64)>;

impl Files {
    /// Read everything.
    ///
    /// # Errors
    /// A file that is missing, makes no sense, or does not fit the others.
    pub fn read(&self, provider: &CryptoProvider) -> Result<State, Fault> {
        let svid = Svid::from_pem(&read(&self.certificate)?, &read(&self.key)?, provider)?;
        let mut bundles = Bundles::default();
        for (domain, file) in &self.bundles {
            bundles.add_pem(domain.clone(), &read(file)?)?;
        }
        Ok(State { svid, bundles })
    }

    /// Keep a source as the files are, until `stop`, or until nobody could say so any more.
    pub async fn watch(self, source: &Source, provider: &CryptoProvider, stop: watch::Receiver<bool>) {
        let files =
            [&self.certificate, &self.key].into_iter().chain(self.bundles.iter().map(|(_, file)| file));
        let files = files.cloned().collect();
        follow(files, || self.read(provider).map(|state| source.replace(state)), stop).await;
    }
}

/// Call `take` now, whenever one of the files looks different, and again until it succeeds with them as they are.
pub async fn follow(
    files: Vec<PathBuf>,
    mut take: impl FnMut() -> Result<(), Fault>,
    mut stop: watch::Receiver<bool>,
) {
    let (mut seen, mut told) = (Vec::new(), String::new());
    while !*stop.borrow() {
        // Before reading: what is written meanwhile looks different the next time.
        let looks: Vec<Look> = files.iter().map(|file| look(file)).collect();
        if looks != seen {
            match take() {
                Ok(()) => (seen, told) = (looks, String::new()),
                // The same words every second would hide what is new.
                Err(fault) if fault.to_string() != told => {
                    tracing::warn!(%fault, "certificate files are not used as they are now");
                    told = fault.to_string();
                }
                Err(_) => {}
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            ended = stop.changed() => if ended.is_err() { return },
        }
    }
}

fn look(file: &Path) -> Look {
    use std::os::unix::fs::MetadataExt as _;
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.modified().ok(), meta.len(), meta.ino()))
}

fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    let missing =
        |e| Fault::new(Class::Transient, "spiffe-file", format!("cannot read {}: {e}", file.display()));
    std::fs::read(file).map_err(missing)
}
