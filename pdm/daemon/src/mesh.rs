//! TLS of the listener and of calls to other workloads, following certificates that change while we run.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use pdm_ports::Fault;
use pdm_server::Tls as ListenerTls;
use pdm_spiffe::{Source, SpiffeId, Tls, workload_api};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;

use crate::config::spiffe::{Origin, ServerFiles, Spiffe};
use crate::failure::Failure;

/// How long a start waits for the first certificate.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who PDM is among workloads. Certificates are followed as long as it lives.
pub struct Mesh {
    source: Arc<Source>,
    tls: Tls,
    _alive: watch::Sender<bool>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Mesh {
    /// Wait for the first certificate, and follow those that come after it.
    ///
    /// # Errors
    /// None comes in time.
    pub async fn join(config: &Spiffe) -> Result<Self, Failure> {
        let (source, provider) = (Arc::new(Source::default()), provider());
        let (alive, stop) = watch::channel(false);
        let (feeding, with) = (source.clone(), provider.clone());
        let told = match &config.origin {
            Origin::Agent(socket) => {
                let shown = format!("the agent at {} gave no certificate", socket.display());
                let socket = socket.clone();
                tokio::spawn(async move { workload_api::watch(&socket, &feeding, &with, stop).await });
                shown
            }
            Origin::Files(files) => {
                let shown = match files.read(&provider) {
                    Ok(_) => String::new(),
                    Err(fault) => fault.to_string(),
                };
                let files = files.clone();
                tokio::spawn(async move { files.watch(&feeding, &with, stop).await });
                shown
            }
        };
        let first = tokio::time::timeout(PATIENCE, source.first()).await;
        first.map_err(|_| {
            Failure::Refused(format!("[spiffe]: no certificate within {} s; {told}", PATIENCE.as_secs()))
        })?;
        Ok(Self { tls: Tls::new(source.clone(), provider), source, _alive: alive })
    }

    /// Tell when the certificate ends.
    pub fn measure(&self) {
        self.source.measure();
    }

    /// For calls to one workload.
    ///
    /// # Errors
    /// The crypto library lacks what TLS needs.
    pub fn client(&self, expected: &SpiffeId) -> Result<ClientConfig, Failure> {
        self.tls.client(expected.clone()).map_err(Failure::refused)
    }
}

/// What the listener speaks: TLS with a certificate of files, of the mesh, or neither.
///
/// # Errors
/// A certificate that cannot be used.
pub fn listener(
    files: Option<&ServerFiles>,
    mesh: Option<(&Mesh, &Spiffe)>,
    stop: &watch::Receiver<bool>,
) -> Result<Option<ListenerTls>, Failure> {
    let mesh = mesh.filter(|(_, spiffe)| spiffe.listener);
    let shown = files.map(|files| Shown::follow(files.clone(), stop.clone())).transpose()?;
    let config = match (shown, mesh) {
        (shown, Some((mesh, spiffe))) => {
            let shown = shown.map(|shown| -> Arc<dyn ResolvesServerCert> { shown });
            mesh.tls.server(spiffe.clients, shown).map_err(Failure::refused)?
        }
        (Some(shown), None) => {
            let builder =
                ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
            let mut config =
                builder.map_err(Failure::refused)?.with_no_client_auth().with_cert_resolver(shown);
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config
        }
        (None, None) => return Ok(None),
    };
    let workload = |chain: &[CertificateDer<'_>]| Tls::verified(chain).map(|id| id.as_str().into());
    Ok(Some(ListenerTls { config: Arc::new(config), workload }))
}

/// A certificate of files, as it is now.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    fn follow(files: ServerFiles, stop: watch::Receiver<bool>) -> Result<Arc<Self>, Failure> {
        let first = read(&files).map_err(|fault| Failure::Refused(format!("[tls]: {fault}")))?;
        let this = Arc::new(Self(RwLock::new(Arc::new(first))));
        let (shown, paths) = (this.clone(), vec![files.certificate.clone(), files.key.clone()]);
        let take = move || {
            let key = Arc::new(read(&files)?);
            *shown.0.write().unwrap_or_else(PoisonError::into_inner) = key;
            Ok(())
        };
        tokio::spawn(pdm_spiffe::files::follow(paths, take, stop));
        Ok(this)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn read(files: &ServerFiles) -> Result<CertifiedKey, Fault> {
    let wrong = |why: String| Fault::transient("tls-certificate", why);
    let open = |file: &std::path::Path| {
        std::fs::read(file).map_err(|e| wrong(format!("cannot read {}: {e}", file.display())))
    };
    let chain = CertificateDer::pem_slice_iter(&open(&files.certificate)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain =
        chain.ok_or_else(|| wrong(format!("{} has no PEM certificate", files.certificate.display())))?;
    let key = PrivateKeyDer::from_pem_slice(&open(&files.key)?);
    let key = key.map_err(|_| wrong(format!("{} has no PEM key", files.key.display())))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|e| wrong(e.to_string()))
}

impl std::fmt::Debug for Mesh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mesh")
    }
}
