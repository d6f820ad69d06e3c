//! An audit of a name whose servers are out to hurt: it ends in time, asks a bounded number of questions, and takes little
//! memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pdm_auditor::WalkSettings;
use pdm_ports::audit::{AuditRequest, Auditor, Registration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::{name, walker};

const AT: &str = "127.9.3.1";
/// What a walk may take at most, and what a loaded machine may need on top.
const TIME: Duration = Duration::from_secs(45);
/// Growth of this process over all audits here.
const MEMORY: u64 = 96 << 20;

/// Replies to one query.
type Evil = fn(&Query<'_>) -> Vec<Vec<u8>>;

struct Query<'a> {
    octets: &'a [u8],
    /// Behind the question.
    end: usize,
    tcp: bool,
}

impl Query<'_> {
    fn name(&self) -> &[u8] {
        &self.octets[12..self.end - 4]
    }

    /// Header and question, with flags and counts of the three sections.
    fn reply(&self, flags: [u8; 2], counts: [u16; 3]) -> Vec<u8> {
        let mut reply = self.octets[..self.end].to_vec();
        reply[2..4].copy_from_slice(&flags);
        reply[4..6].copy_from_slice(&[0, 1]);
        for (n, count) in counts.iter().enumerate() {
            reply[6 + 2 * n..8 + 2 * n].copy_from_slice(&count.to_be_bytes());
        }
        reply
    }

    /// Everything by TCP only.
    fn large(&self, reply: Vec<u8>) -> Vec<Vec<u8>> {
        if self.tcp { vec![reply] } else { vec![self.reply([0x86, 0], [0, 0, 0])] }
    }
}

/// One record; its owner is `owner` as it stands on the wire.
fn record(owner: &[u8], kind: u16, rdata: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rdata.len()).unwrap().to_be_bytes();
    [owner, &kind.to_be_bytes(), &[0, 1, 0, 0, 1, 0], &length, rdata].concat()
}

const OWN: &[u8] = &[0xc0, 12];
const AA: [u8; 2] = [0x84, 0];

const EVILS: &[(&str, Evil)] = &[
    ("every name is delegated to twenty others, none with an address", |query| {
        let mut reply = query.reply([0x80, 0], [0, 20, 0]);
        for n in 0..20u8 {
            let host = [&[4, b'e', b'v', b'i', b'a' + n][..], query.name()].concat();
            let host =
                if host.len() > 200 { [&[4, b'e', b'v', b'i', b'a' + n][..], &[0]].concat() } else { host };
            // Not below the cut, so that each has to be looked for.
            let host = [&[3, b'o', b'u', b't'][..], &host].concat();
            reply.extend(record(OWN, 2, &host));
        }
        vec![reply]
    }),
    ("every name is delegated to itself", |query| {
        let mut reply = query.reply([0x80, 0], [0, 1, 1]);
        reply.extend(record(OWN, 2, OWN));
        reply.extend(record(OWN, 1, &[127, 9, 3, 1]));
        vec![reply]
    }),
    ("an alias of itself", |query| {
        let mut reply = query.reply(AA, [1, 0, 0]);
        reply.extend(record(OWN, 5, OWN));
        vec![reply]
    }),
    ("sets of four thousand records", |query| {
        let mut reply = query.reply(AA, [4000, 0, 0]);
        let kind = u16::from_be_bytes([query.octets[query.end - 4], query.octets[query.end - 3]]);
        for n in 0..4000u16 {
            reply.extend(record(OWN, kind, &[&[127, 9][..], &n.to_be_bytes()].concat()));
        }
        query.large(reply)
    }),
    ("names that are long only when they are written out", |query| {
        // One name of 250 octets, and pointers to it from every owner and every RDATA.
        let mut reply = query.reply(AA, [3000, 0, 0]);
        let at = u16::try_from(reply.len()).unwrap();
        let long: Vec<u8> = (0..4).flat_map(|_| [&[60][..], &[b'x'; 60]].concat()).chain([0]).collect();
        let pointer = (0xc000 | at).to_be_bytes();
        reply.extend(record(&long, 2, &pointer));
        for _ in 1..3000 {
            reply.extend(record(&pointer, 2, &pointer));
        }
        query.large(reply)
    }),
    ("pointers in a circle and beyond the end", |query| {
        let mut reply = query.reply(AA, [2, 0, 0]);
        let at = u16::try_from(reply.len()).unwrap();
        reply.extend(record(&(0xc000 | (at + 14)).to_be_bytes(), 2, &(0xc000 | at).to_be_bytes()));
        reply.extend(record(&[0xff, 0xff], 1, &[1, 1, 1, 1]));
        vec![reply]
    }),
    ("what was asked for, in the wrong sections", |query| {
        let mut reply = query.reply(AA, [0, 1, 1]);
        reply.extend(record(OWN, 1, &[127, 9, 3, 1]));
        reply.extend(record(OWN, 6, &[0; 22]));
        vec![reply]
    }),
    ("three hundred replies to somebody else", |query| {
        let mut reply = query.reply(AA, [0, 0, 0]);
        reply[0] ^= 0x55;
        vec![reply; 300]
    }),
    ("counts without records", |query| vec![query.reply(AA, [0xffff, 0xffff, 0xffff])]),
    ("a true header before noise", |query| {
        let mut reply = query.reply(AA, [9, 9, 9]);
        let mut state = u32::from(query.octets[0]) << 8 | u32::from(query.octets[1]) | 1;
        reply.extend((0..400).map(|_| {
            // xorshift: as good as any noise, and the same for the same id.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_be_bytes()[0]
        }));
        vec![reply]
    }),
    ("one octet now and then", |query| query.large(Vec::new())),
    ("silence", |_| Vec::new()),
];

/// One server by UDP and TCP; a TCP reply without octets is one that drips for ever.
async fn serve(evil: Evil) -> SocketAddr {
    let (socket, listener) = loop {
        let socket = UdpSocket::bind((AT, 0)).await.unwrap();
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()).await {
            break (socket, listener);
        }
    };
    let address = socket.local_addr().unwrap();
    let replies = move |octets: &[u8], tcp| {
        let end = 12 + octets[12..].iter().position(|b| *b == 0).unwrap() + 5;
        evil(&Query { octets, end, tcp })
    };
    tokio::spawn(async move {
        let mut query = [0u8; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            for reply in replies(&query[..length], false) {
                let _ = socket.send_to(&reply, from).await;
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut query = vec![0u8; usize::from(length)];
                    if stream.read_exact(&mut query).await.is_err() {
                        return;
                    }
                    for reply in replies(&query, true) {
                        let framed =
                            [&u16::try_from(reply.len()).unwrap().to_be_bytes(), &reply[..]].concat();
                        if !reply.is_empty() {
                            let _ = stream.write_all(&framed).await;
                            continue;
                        }
                        while stream.write_all(&[0xff]).await.is_ok() {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                }
            });
        }
    });
    address
}

/// The most memory that this process ever had, in octets.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn whatever_a_server_sends_an_audit_ends_in_time_and_stays_small() {
    let before = peak();
    for (what, evil) in EVILS {
        let at = serve(*evil).await;
        let walker = walker(WalkSettings {
            allowed: vec!["127.9.0.0/16".parse().unwrap()],
            // Nothing is waited for that would come; and everything may be asked at once.
            patience: Duration::from_millis(100),
            ours: vec![at],
            root_hints: vec![at],
            ..WalkSettings::default()
        });
        let request = AuditRequest {
            id: "evil".to_owned(),
            fqdn: name("deep.down.victim.test"),
            intent: None,
            pool: None,
            above: None,
            public: false,
            servers: Vec::new(),
            undelegated: false,
            random_label: "x7f3q".to_owned(),
            excused: BTreeMap::new(),
            registration: Registration::Unknown("nobody is asked".to_owned()),
            networks: BTreeMap::new(),
        };
        let begun = Instant::now();
        let audited = walker.audit(request).await;
        let took = begun.elapsed();
        let (questions, size) = match &audited {
            Ok(audited) => (audited.report.queries, audited.recording.len()),
            // It took its time and no more.
            Err(fault) => {
                assert_eq!(fault.code, "walk-late", "{what}");
                (0, 0)
            }
        };
        println!("{what}: {took:?}, {questions} questions, recording of {size} octets");
        assert!(took < TIME, "{what}: {took:?}");
        assert!(size < 16 << 20, "{what}: {size} octets are recorded");
        if let Ok(audited) = &audited {
            let again = pdm_auditor::replay(&audited.recording).unwrap();
            assert_eq!(again.findings, audited.report.findings, "{what}");
        }
        let grown = peak() - before;
        assert!(grown < MEMORY, "{what}: {} MiB", grown >> 20);
    }
}
