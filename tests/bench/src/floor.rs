//! The floor: the same PowerDNS work and the same proof questions, sent raw, without a store and without validation.
//!
//! A lifecycle is one POST of the zone, one GET of its keys, its share of a batched PATCH of the parent, one DNSKEY
//! question to every server, and every proof question over UDP and TCP. With gsqlite3 there is one write at a time,
//! because more ends in errors.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};

use crate::figures::Figures;

/// The raw PowerDNS that a floor is measured on.
#[derive(Clone)]
pub struct Raw {
    pub api: String,
    pub key: String,
    pub servers: Vec<SocketAddr>,
    pub pool: String,
    pub one_writer: bool,
}

type Waiting = (Vec<Value>, oneshot::Sender<()>);

struct Floor {
    raw: Raw,
    http: reqwest::Client,
    gate: Semaphore,
    parent: mpsc::Sender<Waiting>,
}

impl Floor {
    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}/api/v1/servers/localhost/{path}", self.raw.api);
        let mut request = self.http.request(method, url).header("X-API-Key", &self.raw.key);
        request = request.header("Accept", "application/json");
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await?.error_for_status()
    }
}

/// Create the pool zone that floors are measured in.
pub async fn prepare(raw: &Raw) -> reqwest::Result<()> {
    let (parent, _) = mpsc::channel(1);
    let floor = Floor { raw: raw.clone(), http: client(), gate: Semaphore::new(1), parent };
    let body = json!({
        "name": format!("{}.", raw.pool), "kind": "Native", "dnssec": true, "nsec3param": "1 0 0 -", "nsec3narrow": true,
        "api_rectify": false, "soa_edit_api": "DEFAULT", "nameservers": nameservers(raw),
    });
    floor.call(reqwest::Method::POST, "zones?rrsets=false", Some(body)).await.map(|_| ())
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap_or_default()
}

fn nameservers(raw: &Raw) -> Vec<String> {
    (1..=3).map(|n| format!("ns{n}.{}.", raw.pool)).collect()
}

/// Run `count` raw lifecycles, `concurrency` at once.
pub async fn run(
    raw: &Raw,
    count: usize,
    concurrency: usize,
    tag: &str,
) -> Result<Figures, Box<dyn std::error::Error>> {
    let (parent, mut waiting) = mpsc::channel::<Waiting>(1024);
    let permits = if raw.one_writer { 1 } else { 8 };
    let floor = Arc::new(Floor { raw: raw.clone(), http: client(), gate: Semaphore::new(permits), parent });
    let writer = {
        let floor = floor.clone();
        tokio::spawn(async move {
            while let Some(first) = waiting.recv().await {
                let _permit = floor.gate.acquire().await;
                let mut batch = vec![first];
                while batch.len() < 200
                    && let Ok(more) = waiting.try_recv()
                {
                    batch.push(more);
                }
                let rrsets: Vec<Value> = batch.iter().flat_map(|(r, _)| r.clone()).collect();
                let path = format!("zones/{}.", floor.raw.pool);
                let sent = floor.call(reqwest::Method::PATCH, &path, Some(json!({ "rrsets": rrsets }))).await;
                if let Err(error) = sent {
                    eprintln!("floor: {error}");
                }
                for (_, done) in batch {
                    let _ = done.send(());
                }
            }
        })
    };
    let next = Arc::new(AtomicUsize::new(0));
    let times = Arc::new(Mutex::new(Vec::with_capacity(count)));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..concurrency {
        let (floor, next, times, tag) = (floor.clone(), next.clone(), times.clone(), tag.to_owned());
        tasks.push(tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return Ok::<(), String>(());
                }
                let started = Instant::now();
                one(&floor, &format!("{tag}{n}")).await.map_err(|e| e.to_string())?;
                times.lock().await.push(started.elapsed());
            }
        }));
    }
    for task in tasks {
        task.await??;
    }
    let all = begun.elapsed();
    writer.abort();
    let times = std::mem::take(&mut *times.lock().await);
    Ok(Figures::new(times, all))
}

async fn one(floor: &Floor, label: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let zone = format!("{label}.{}.", floor.raw.pool);
    let rrset = |name: String, kind: &str, ttl: u32, contents: Vec<String>| {
        let records: Vec<Value> =
            contents.into_iter().map(|c| json!({ "content": c, "disabled": false })).collect();
        json!({ "name": name, "type": kind, "ttl": ttl, "changetype": "REPLACE", "records": records })
    };
    let names = six(&zone);
    let mut rrsets: Vec<Value> =
        names.iter().map(|n| rrset(n.clone(), "A", 300, vec!["192.0.2.10".to_owned()])).collect();
    rrsets.push(rrset(zone.clone(), "NS", 3600, nameservers(&floor.raw)));
    let body = json!({
        "name": zone, "kind": "Native", "dnssec": true, "soa_edit_api": "DEFAULT", "account": "floor",
        "nameservers": [], "rrsets": rrsets,
    });
    {
        let _permit = floor.gate.acquire().await?;
        floor.call(reqwest::Method::POST, "zones?rrsets=false", Some(body)).await?;
    }
    let keys: Value =
        floor.call(reqwest::Method::GET, &format!("zones/{zone}/cryptokeys"), None).await?.json().await?;
    let ds = keys
        .as_array()
        .into_iter()
        .flatten()
        .filter(|k| k["flags"] == 257)
        .filter_map(|k| k["ds"].as_array());
    let ds: Vec<String> = ds
        .flatten()
        .filter_map(|d| d.as_str())
        .filter(|d| d.split(' ').nth(2) == Some("2"))
        .map(str::to_owned)
        .collect();
    for server in &floor.raw.servers {
        udp(*server, &[question(&zone, 48)]).await?;
    }
    let (done, wait) = oneshot::channel();
    let both =
        vec![rrset(zone.clone(), "NS", 3600, nameservers(&floor.raw)), rrset(zone.clone(), "DS", 300, ds)];
    floor.parent.send((both, done)).await.map_err(|_| "the parent's writer is gone")?;
    wait.await?;
    let mut questions: Vec<Vec<u8>> = names.iter().map(|n| question(n, 1)).collect();
    questions.push(question(&format!("random-{label}.{zone}"), 1));
    questions.extend([2, 6, 48, 43].map(|kind| question(&zone, kind)));
    futures_util::future::try_join_all(floor.raw.servers.iter().map(|s| udp(*s, &questions))).await?;
    futures_util::future::try_join_all(floor.raw.servers.iter().map(|s| tcp(*s, &questions))).await?;
    Ok(())
}

fn six(zone: &str) -> Vec<String> {
    let below = ["*", "console", "api", "gitea", "harbor"].map(|l| format!("{l}.{zone}"));
    std::iter::once(zone.to_owned()).chain(below).collect()
}

/// A question with EDNS and DO.
fn question(name: &str, kind: u16) -> Vec<u8> {
    static ID: AtomicUsize = AtomicUsize::new(1);
    let id = ID.fetch_add(1, Ordering::Relaxed) as u16;
    let mut wire = id.to_be_bytes().to_vec();
    wire.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    for label in name.trim_end_matches('.').split('.') {
        wire.push(label.len() as u8);
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire.extend(kind.to_be_bytes());
    wire.extend([0, 1]);
    wire.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0]);
    wire
}

async fn udp(server: SocketAddr, questions: &[Vec<u8>]) -> std::io::Result<()> {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await?;
    socket.connect(server).await?;
    let mut buffer = [0; 4096];
    let mut missing: Vec<&Vec<u8>> = questions.iter().collect();
    // A full socket buffer loses datagrams: what was not answered within a second is asked once more, as PDM does.
    for _ in 0..5 {
        for q in &missing {
            socket.send(q).await?;
        }
        while !missing.is_empty() {
            let Ok(got) = tokio::time::timeout(Duration::from_secs(1), socket.recv(&mut buffer)).await else {
                break;
            };
            let got = &buffer[..got?];
            missing.retain(|q| q.get(..2) != got.get(..2));
        }
        if missing.is_empty() {
            return Ok(());
        }
    }
    Err(std::io::ErrorKind::TimedOut.into())
}

async fn tcp(server: SocketAddr, questions: &[Vec<u8>]) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut all = Vec::with_capacity(1024);
    for q in questions {
        all.extend((q.len() as u16).to_be_bytes());
        all.extend(q);
    }
    stream.write_all(&all).await?;
    let mut buffer = vec![0; 4096];
    for _ in questions {
        let length = stream.read_u16().await? as usize;
        buffer.resize(length.max(1), 0);
        stream.read_exact(&mut buffer[..length]).await?;
    }
    Ok(())
}

/// UDP and TCP questions that PowerDNS counted so far.
pub async fn counted(raw: &Raw) -> reqwest::Result<(u64, u64)> {
    let url = format!("{}/api/v1/servers/localhost/statistics", raw.api);
    let all: Value = client().get(url).header("X-API-Key", &raw.key).send().await?.json().await?;
    let of = |name: &str| {
        let entry = all.as_array().into_iter().flatten().find(|s| s["name"] == name);
        entry.and_then(|s| s["value"].as_str()).and_then(|v| v.parse().ok()).unwrap_or(0)
    };
    Ok((of("udp-queries"), of("tcp-queries")))
}
