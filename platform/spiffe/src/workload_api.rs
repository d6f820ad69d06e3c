//! SVIDs from an agent: the Workload API's `FetchX509SVID` over a Unix socket, which streams every rotation.

use std::path::Path;
use std::time::Duration;

use pdm_ports::{Class, Fault};
use rustls::crypto::CryptoProvider;
use tokio::sync::watch;

use crate::grpc;
use crate::id::TrustDomain;
use crate::material::{Bundles, Svid};
use crate::proto::fields;
use crate::source::{Source, State};

const METHOD: &str = "/SpiffeWorkloadAPI/FetchX509SVID";
/// Without it an agent refuses: who can be made to send requests cannot set it (SPIFFE Workload API, 4.2).
const HEADER: (&str, &str) = ("workload.spiffe.io", "true");
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Keep a source as the agent says, until `stop`, or until nobody could say so any more. While the agent is away what is known stays in use.
pub async fn watch(
    socket: &Path,
    source: &Source,
    provider: &CryptoProvider,
    mut stop: watch::Receiver<bool>,
) {
    let mut pause = PAUSE;
    while !*stop.borrow() {
        let before = std::time::Instant::now();
        let fault = tokio::select! {
            fault = follow(socket, source, provider) => fault,
            _ = stop.changed() => return,
        };
        tracing::warn!(%fault, socket = %socket.display(), "the Workload API does not answer now");
        // An agent that answered for a while and was restarted is back soon.
        pause = if before.elapsed() > LONGEST_PAUSE { PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            ended = stop.changed() => if ended.is_err() { return },
        }
    }
}

/// Take what comes until nothing comes any more; why.
async fn follow(socket: &Path, source: &Source, provider: &CryptoProvider) -> Fault {
    let followed = async {
        let mut answers = grpc::call(socket, METHOD, HEADER).await?;
        while let Some(message) = answers.next().await? {
            source.replace(state(&message, provider)?);
        }
        Ok(())
    };
    match followed.await {
        Ok(()) => Fault::transient("spiffe-agent", "the agent ended the stream"),
        Err(fault) => fault,
    }
}

/// `X509SVIDResponse`: the first SVID is the default one, as the agent orders them.
fn state(message: &[u8], provider: &CryptoProvider) -> Result<State, Fault> {
    let garbage =
        |why: &str| Fault::new(Class::Protocol, "spiffe-agent", format!("the agent's answer: {why}"));
    let all = fields(message).ok_or_else(|| garbage("it is cut off"))?;
    let first =
        all.iter().find(|(number, _)| *number == 1).ok_or_else(|| garbage("there is no SVID in it"))?;
    let one = fields(first.1).ok_or_else(|| garbage("the SVID is cut off"))?;
    let part = |wanted: u64| one.iter().find(|(number, _)| *number == wanted).map(|(_, octets)| *octets);
    let (chain, key) = (part(2).unwrap_or_default(), part(3).unwrap_or_default());
    let svid = Svid::from_der(chain, key, provider)?;
    if part(1) != Some(svid.id.as_str().as_bytes()) {
        return Err(garbage("the id beside the certificate is another"));
    }
    let mut bundles = Bundles::default();
    bundles.add_der(svid.id.domain().clone(), part(4).unwrap_or_default())?;
    for (_, entry) in all.iter().filter(|(number, _)| *number == 3) {
        let entry = fields(entry).ok_or_else(|| garbage("a federated bundle is cut off"))?;
        let part =
            |wanted: u64| entry.iter().find(|(number, _)| *number == wanted).map(|(_, octets)| *octets);
        let name = std::str::from_utf8(part(1).unwrap_or_default()).unwrap_or_default();
        let domain: TrustDomain = name.strip_prefix("spiffe://").unwrap_or(name).parse().map_err(garbage)?;
        bundles.add_der(domain, part(2).unwrap_or_default())?;
    }
    Ok(State { svid, bundles })
}
