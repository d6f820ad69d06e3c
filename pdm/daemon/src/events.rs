//! Who is told what happens: NATS everything, a hook what waits for an owner. The store keeps a queue for each that is
//! configured.

use std::sync::Arc;
use std::time::Duration;

use pdm_engine::outbox::Teller;
use pdm_nats::Nats;
use pdm_ports::outbox::{EventSink, Outbox};
use pdm_webhook::Hook;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::clock::host_now;
use crate::compose::Daemon;
use crate::config::Config;
use crate::failure::Failure;

/// Begin to tell, or forget what waits. Neither a sink nor the store has to answer now.
///
/// # Errors
/// What cannot become right by waiting.
pub async fn start(
    config: &Config,
    daemon: &Daemon,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<()>>, Failure> {
    let nats: Option<Arc<dyn EventSink>> = match &config.nats {
        Some(nats) => {
            let tls = nats.spiffe_id.as_ref().zip(daemon.mesh.as_ref());
            let tls = tls.map(|(id, mesh)| mesh.client(id)).transpose()?;
            Some(Arc::new(Nats::new(nats.settings(tls)).await?))
        }
        None => None,
    };
    let hook: Option<Arc<dyn EventSink>> = match &config.notify {
        Some(notify) => Some(Arc::new(Hook::new(notify.clone(), host_now)?)),
        None => None,
    };
    let mut tellers = Vec::new();
    for (sink_name, sink) in [("nats", nats), ("hook", hook)] {
        let outbox = daemon.outbox.clone();
        let Some(sink) = sink else {
            tokio::spawn(async move { keep(&*outbox, sink_name, false).await });
            continue;
        };
        let holder = format!("teller-{}", Uuid::new_v4().simple());
        let (lease, stop) = (daemon.lease.clone(), stop.clone());
        tellers.push(tokio::spawn(async move {
            keep(&*outbox, sink_name, true).await;
            Teller { sink_name, outbox, sink, lease, holder }.run(stop).await;
        }));
    }
    Ok(tellers)
}

async fn keep(outbox: &dyn Outbox, sink: &str, on: bool) {
    while let Err(fault) = outbox.keep(sink, on).await {
        tracing::warn!(%fault, sink, on, "the store cannot be told yet whether to keep events");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}
