//! How the command line reaches the daemon: its address, whom to trust, and what to show.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use pdm_client::{Error, Files};
use pdm_spiffe::{Source, SpiffeId, Tls, files};
use rustls::crypto::CryptoProvider;
use tokio::sync::watch;

use super::http::Client;
use super::output::Output;
use crate::failure::Failure;

#[derive(Debug, Args)]
#[command(next_help_heading = "Client")]
pub struct Reach {
    /// Where the daemon's API is.
    #[arg(long, global = true, env = "PDM_URL", default_value = "http://127.0.0.1:8053")]
    url: String,
    /// Authorities of the daemon's certificate (PEM), in place of the system's.
    #[arg(long, global = true, env = "PDM_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A client certificate with those above it (PEM), read again when it changes.
    #[arg(long, global = true, env = "PDM_CERT", value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The key of the client certificate (PEM).
    #[arg(long, global = true, env = "PDM_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// The daemon shows an SVID: this id in place of its host's name, vouched for by --ca.
    #[arg(long, global = true, env = "PDM_SERVER_ID", value_name = "SPIFFE-ID")]
    server_id: Option<SpiffeId>,
    /// The same key makes a repeat by another process have one effect; a fresh one for each call when left out.
    #[arg(long, global = true, env = "PDM_IDEMPOTENCY_KEY", value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl Reach {
    /// A client whose calls carry the key that was given.
    ///
    /// # Errors
    /// The address is none, or a file is not usable.
    pub fn client(&self, output: Output) -> Result<Client, Failure> {
        let daemon = self.daemon()?;
        let daemon = match &self.idempotency_key {
            Some(key) => daemon.with_key(key),
            None => daemon,
        };
        Ok(Client::new(daemon, output))
    }

    /// A client of many calls with bodies of their own: one key for all of them would be refused.
    ///
    /// # Errors
    /// As [`Reach::client`].
    pub fn without_key(&self, output: Output) -> Result<Client, Failure> {
        Ok(Client::new(self.daemon()?, output))
    }

    fn daemon(&self) -> Result<pdm_client::Client, Failure> {
        // Flags and environment may each bring a part, so that the parser cannot tell.
        let made = match (&self.ca, &self.cert, &self.key, &self.server_id) {
            (_, Some(_), None, _) | (_, None, Some(_), _) => {
                return Err(Failure::Usage("--cert and --key go together".to_owned()));
            }
            (None, _, _, Some(_)) | (_, None, None, Some(_)) => {
                return Err(Failure::Usage("--server-id needs --ca, --cert and --key".to_owned()));
            }
            (None, None, None, None) => pdm_client::Client::new(&self.url),
            (Some(ca), Some(cert), Some(key), Some(id)) => {
                let files = files::Files {
                    certificate: cert.clone(),
                    key: key.clone(),
                    bundles: vec![(id.domain().clone(), ca.clone())],
                };
                pdm_client::Client::over(workload(files, id)?, &self.url)
            }
            (ca, cert, key, None) => {
                let files = Files { authorities: ca.clone(), identity: cert.clone().zip(key.clone()) };
                pdm_client::Client::with_files(files, &self.url)
            }
        };
        made.map_err(|e| match e {
            Error::Address(_) => {
                Failure::Usage(format!("PDM_URL={:?} is not an http:// or https:// address", self.url))
            }
            Error::Setup(source) => Failure::Usage(format!("the certificate cannot be used: {source}")),
            other => Failure::Usage(other.to_string()),
        })
    }
}

/// As one workload to another. The files are followed as long as the command runs.
fn workload(files: files::Files, expected: &SpiffeId) -> Result<reqwest::Client, Failure> {
    let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::ring::default_provider());
    let source = Arc::new(Source::default());
    source.replace(files.read(&provider).map_err(|fault| Failure::Usage(fault.to_string()))?);
    let config = Tls::new(source.clone(), provider.clone()).client(expected.clone());
    tokio::spawn(async move {
        // The sender lives as long as the watching, which ends with the command.
        let (_alive, stop) = watch::channel(false);
        files.watch(&source, &provider, stop).await;
    });
    let config = config.map_err(Failure::refused)?;
    pdm_client::builder().tls_backend_preconfigured(config).build().map_err(Failure::refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_make_no_whole_are_told() {
        let reach = |cert: Option<&str>, key: Option<&str>, id: Option<&str>| Reach {
            url: "https://h".into(),
            ca: None,
            cert: cert.map(PathBuf::from),
            key: key.map(PathBuf::from),
            server_id: id.map(|id| id.parse().unwrap()),
            idempotency_key: None,
        };
        for (reach, told) in [
            (reach(Some("c"), None, None), "go together"),
            (reach(None, Some("k"), None), "go together"),
            (reach(Some("c"), Some("k"), Some("spiffe://a/b")), "needs --ca"),
            (reach(None, None, Some("spiffe://a/b")), "needs --ca"),
            (reach(Some("/none/c"), Some("/none/k"), None), "/none/c"),
        ] {
            let failure = reach.daemon().unwrap_err();
            assert!(matches!(&failure, Failure::Usage(text) if text.contains(told)), "{failure}");
        }
    }
}
