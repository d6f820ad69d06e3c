//! A registry that takes no DS from anybody: it reads CDS at the child (RFC 7344, RFC 8078), believes the first one by
//! signalling records alone (RFC 9615), and looks at once when it is told to by NOTIFY(CDS) (RFC 9859).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pdm_harness::net;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::lab::Lab;
use crate::question::{Outcome, ask};

const PATIENCE: Duration = Duration::from_secs(3);
/// The host that is named in DSYNC.
const HOST: &str = "dsync.gtld-servers.net";

/// What happened, as it is told.
#[derive(Default)]
struct Told {
    journal: Mutex<Vec<String>>,
    /// Why the last look changed nothing.
    last: Mutex<String>,
    notified: AtomicU32,
    deaf: AtomicBool,
    look: Notify,
}

/// Looks until it is dropped.
pub struct Scanner {
    told: Arc<Told>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Scanner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Scanner {
    /// Begin to look at `domain` once in `every`, and invite NOTIFY(CDS) for everything in its TLD.
    ///
    /// # Panics
    /// When the invitation cannot be published.
    pub async fn start(lab: &Arc<Lab>, domain: &str, every: Duration) -> Self {
        let told = Arc::new(Told::default());
        let at = net::port(net::address());
        let receiver = UdpSocket::bind(at).await.expect("a port for NOTIFY");
        invite(lab, domain, at).await;
        let (mine, heard) = (Arc::clone(&told), Arc::clone(&told));
        let (lab, domain) = (Arc::clone(lab), domain.to_owned());
        let looks = tokio::spawn(async move {
            // Whoever was told looks again for a while: not every server has what it was told of.
            let mut eager = 0_u32;
            loop {
                let pause = if eager > 0 { Duration::from_secs(1) } else { every };
                match tokio::time::timeout(pause, mine.look.notified()).await {
                    Ok(()) => eager = 10,
                    Err(_) => eager = eager.saturating_sub(1),
                }
                let outcome = match scan(&lab, &domain).await {
                    Ok(Some(change)) => {
                        mine.journal.lock().unwrap_or_else(PoisonError::into_inner).push(change);
                        String::new()
                    }
                    Ok(None) => String::new(),
                    Err(why) => why,
                };
                *mine.last.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
            }
        });
        let hears = tokio::spawn(async move { listen(&receiver, &heard).await });
        Self { told, tasks: vec![looks, hears] }
    }

    /// Every change of the DS: `bootstrap`, `replace` or `delete`, with the key tags.
    #[must_use]
    pub fn journal(&self) -> Vec<String> {
        self.told.journal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many NOTIFY(CDS) came.
    #[must_use]
    pub fn notified(&self) -> u32 {
        self.told.notified.load(Ordering::Relaxed)
    }

    /// Look now.
    pub fn look(&self) {
        self.told.look.notify_one();
    }

    /// Hear NOTIFY and neither answer nor look.
    pub fn be_deaf(&self, deaf: bool) {
        self.told.deaf.store(deaf, Ordering::Relaxed);
    }

    /// Why the last look changed nothing; empty when there was nothing to change.
    #[must_use]
    pub fn why(&self) -> String {
        self.told.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// `_dsync.TLD DSYNC CDS NOTIFY PORT HOST`, and the host's address.
async fn invite(lab: &Lab, domain: &str, at: SocketAddr) {
    lab.registry.glue(HOST, &[&at.ip().to_string()]).await;
    let mut rdata = vec![0, 59, 1];
    rdata.extend(at.port().to_be_bytes());
    for label in HOST.split('.') {
        rdata.push(u8::try_from(label.len()).expect("a label"));
        rdata.extend(label.as_bytes());
    }
    rdata.push(0);
    let hex: String = rdata.iter().map(|octet| format!("{octet:02x}")).collect();
    let content = format!("\\# {} {hex}", rdata.len());
    let tld = domain.rsplit('.').next().expect("a domain");
    let sets = [(format!("_dsync.{tld}."), "TYPE66", vec![content])];
    lab.registry.operator.patch_all(tld, &sets).await;
}

async fn listen(receiver: &UdpSocket, told: &Told) {
    let mut octets = [0; 512];
    loop {
        let Ok((length, from)) = receiver.recv_from(&mut octets).await else { continue };
        let message = &mut octets[..length];
        // Opcode NOTIFY, one question, type CDS at its end.
        if length < 17 || message[2] & 0xf8 != 0x20 || message[length - 4..] != [0, 59, 0, 1] {
            continue;
        }
        told.notified.fetch_add(1, Ordering::Relaxed);
        if told.deaf.load(Ordering::Relaxed) {
            continue;
        }
        message[2] |= 0x80;
        let _ = receiver.send_to(message, from).await;
        told.look.notify_one();
    }
}

/// One look: what changed, or why nothing may.
async fn scan(lab: &Lab, domain: &str) -> Result<Option<String>, String> {
    let (nameservers, held) = lab.registry.delegation(domain).await;
    let mut said = BTreeSet::new();
    for name in &nameservers {
        said.insert(cds_at(lab.address_of(name.trim_end_matches('.')), domain).await?);
    }
    let mut said = said.into_iter();
    let (Some(seen), None) = (said.next(), said.next()) else {
        return Err("the nameservers say different things, or there are none".to_owned());
    };
    if seen.is_empty() {
        return Ok(None);
    }
    let deletes = seen.iter().all(|ds| ds == "0 0 0 00");
    let wanted: Vec<String> = if deletes { Vec::new() } else { seen.iter().map(|ds| plain(ds)).collect() };
    let same: BTreeSet<String> = held.iter().map(|ds| plain(ds)).collect();
    if same == wanted.iter().cloned().collect() {
        return Ok(None);
    }
    let owners: Vec<String> = if held.is_empty() {
        nameservers
            .iter()
            .map(|ns| format!("_dsboot.{domain}._signal.{}", ns.trim_end_matches('.')))
            .collect()
    } else {
        vec![domain.to_owned()]
    };
    for owner in owners {
        match lab.cold().ask_cold(&owner, "CDS").await {
            Outcome::Answer { records, authentic: true } if records == seen => {}
            other => return Err(format!("{owner}: {other}, not the authentic {seen:?}")),
        }
    }
    lab.registry.set_ds(domain, &wanted).await;
    let verb = if held.is_empty() {
        "bootstrap"
    } else if deletes {
        "delete"
    } else {
        "replace"
    };
    let tags: Vec<&str> = wanted.iter().filter_map(|ds| ds.split(' ').next()).collect();
    Ok(Some(format!("{verb} {}", tags.join(",")).trim_end().to_owned()))
}

/// CDS at one nameserver.
async fn cds_at(at: SocketAddr, domain: &str) -> Result<BTreeSet<String>, String> {
    match ask(at, domain, "CDS", PATIENCE).await {
        Outcome::Answer { records, .. } => Ok(records),
        Outcome::NoData => Ok(BTreeSet::new()),
        other => Err(format!("{at}: {other}")),
    }
}

/// A DS with its digest in one piece and in lower case.
fn plain(ds: &str) -> String {
    let words: Vec<&str> = ds.split_ascii_whitespace().collect();
    let (head, digest) = words.split_at(words.len().min(3));
    format!("{} {}", head.join(" "), digest.concat().to_ascii_lowercase())
}
