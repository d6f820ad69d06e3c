//! Events on NATS: the store keeps what happens while somebody is configured to be told.

use std::sync::Arc;
use std::time::Duration;

use pdm_engine::outbox::Teller;
use pdm_nats::Nats;
use pdm_ports::outbox::Outbox;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::compose::Daemon;
use crate::config::Config;
use crate::failure::Failure;

/// Begin to tell, or forget what waits. Neither NATS nor the store has to answer now.
///
/// # Errors
/// What cannot become right by waiting.
pub async fn start(
    config: &Config,
    daemon: &Daemon,
    stop: &watch::Receiver<bool>,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let Some(nats) = &config.nats else {
        tokio::spawn(keep(daemon.outbox.clone(), false));
        return Ok(None);
    };
    let tls = nats.spiffe_id.as_ref().zip(daemon.mesh.as_ref());
    let tls = tls.map(|(id, mesh)| mesh.client(id)).transpose()?;
    let teller = Teller {
        outbox: daemon.outbox.clone(),
        sink: Arc::new(Nats::new(nats.settings(tls)).await?),
        lease: daemon.lease.clone(),
        holder: format!("teller-{}", Uuid::new_v4().simple()),
    };
    let (outbox, stop) = (daemon.outbox.clone(), stop.clone());
    Ok(Some(tokio::spawn(async move {
        keep(outbox, true).await;
        teller.run(stop).await;
    })))
}

async fn keep(outbox: Arc<dyn Outbox>, on: bool) {
    while let Err(fault) = outbox.keep(on).await {
        tracing::warn!(%fault, on, "the store cannot be told yet whether to keep events");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}
