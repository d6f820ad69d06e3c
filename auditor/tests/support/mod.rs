//! A real `pdns_server` for one test: its own directory, its own ports, three loopback addresses. It dies with the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed
#![allow(dead_code, reason = "every test file uses its part")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pdm_auditor::{Prober, Settings};
use pdm_model::canonical::desired_rrsets;
use pdm_model::target::Target;
use pdm_model::{DsRecord, LoadBalancer, RRset, Timestamp, Ttls, ZoneName};
use pdm_ports::DnsProbe;
use pdm_ports::probe::{ProofRequest, Server};
use serde_json::{Value, json};

pub const ADDRESSES: [&str; 3] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
pub const PARENT: &str = "omani.works";
pub const CHILD: &str = "omantel.omani.works";

pub struct Pdns {
    child: Child,
    _dir: tempfile::TempDir,
    pub dns: u16,
    api: u16,
}

impl Drop for Pdns {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free for UDP and TCP on all addresses.
pub fn free_port(addresses: &[&str]) -> u16 {
    loop {
        let first = TcpListener::bind((addresses[0], 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let tcp = addresses[1..].iter().all(|a| TcpListener::bind((*a, port)).is_ok());
        let udp = addresses.iter().all(|a| UdpSocket::bind((*a, port)).is_ok());
        if tcp && udp {
            return port;
        }
    }
}

impl Pdns {
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Start with further lines of configuration.
    pub fn start_with(more: &str) -> Self {
        for _ in 0..5 {
            if let Some(pdns) = Self::start_at(&ADDRESSES, free_port(&ADDRESSES), more) {
                return pdns;
            }
        }
        panic!("pdns_server does not start");
    }

    /// Start on these addresses and this port; `None` when somebody else has it.
    pub fn start_at(addresses: &[&str], dns: u16, more: &str) -> Option<Self> {
        Self::start_under(addresses, dns, more, &[])
    }

    /// Start with a clock that is off by this much, as libfaketime reads it.
    pub fn start_off_by(offset: &str) -> Self {
        let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
        let env = [("LD_PRELOAD", library), ("FAKETIME", offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
        for _ in 0..5 {
            if let Some(pdns) = Self::start_under(&ADDRESSES, free_port(&ADDRESSES), "", &env) {
                return pdns;
            }
        }
        panic!("pdns_server does not start");
    }

    fn start_under(addresses: &[&str], dns: u16, more: &str, env: &[(&str, &str)]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        let api = free_port(&ADDRESSES);
        let schema = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";
        let made = Command::new("sqlite3")
            .arg(dir.path().join("p.db"))
            .stdin(std::fs::File::open(schema).unwrap())
            .status()
            .unwrap();
        assert!(made.success());
        let conf = format!(
            "launch=gsqlite3\ngsqlite3-database={path}/p.db\ngsqlite3-dnssec=yes\nlocal-address={}\nlocal-port={dns}\n\
             socket-dir={path}\ndaemon=no\nguardian=no\ndisable-syslog=yes\nwrite-pid=no\nsecurity-poll-suffix=\n\
             api=yes\napi-key=lab\nwebserver=yes\nwebserver-address=127.0.0.1\nwebserver-port={api}\n\
             webserver-allow-from=127.0.0.0/8\nenable-lua-records=yes\ndefault-ksk-algorithm=ecdsa256\n\
             default-zsk-algorithm=ecdsa256\ndefault-soa-edit-signed=INCEPTION-EPOCH\n\
             default-soa-content=ns1.openova.io hostmaster.openova.io 0 14400 3600 604800 300\n\
             cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\n\
             dnssec-key-cache-ttl=0\nzone-metadata-cache-ttl=0\n{more}\n",
            addresses.join(",")
        );
        std::fs::write(dir.path().join("pdns.conf"), conf).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "/usr/sbin/pdns_server", &format!("--config-dir={path}")])
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pdns = Self { child, _dir: dir, dns, api };
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if pdns.child.try_wait().unwrap().is_some() {
                return None;
            }
            if pdns
                .http("GET", "servers/localhost/zones?zone=none.test.", None)
                .is_some_and(|(code, _)| code == 200)
            {
                return Some(pdns);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    fn http(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.api)).ok()?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!(
            "{method} /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: lab\r\nAccept: application/json\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        let code = reply.split(' ').nth(1)?.parse().ok()?;
        Some((code, reply.split_once("\r\n\r\n")?.1.to_owned()))
    }

    /// A call that must succeed.
    pub fn call(&self, method: &str, path: &str, body: Option<Value>) -> String {
        let (code, text) = self.http(method, path, body.as_ref()).unwrap();
        assert!((200..300).contains(&code), "{method} {path}: {code} {text}");
        text
    }

    pub fn create(&self, zone: &str, dnssec: bool, nsec3: bool, rrsets: &[RRset]) {
        let mut body = json!({
            "name": format!("{zone}."), "kind": "Native", "dnssec": dnssec, "soa_edit_api": "DEFAULT",
            // Without it every NSEC denies the whole zone; NSEC3 in narrow mode is computed from names alone.
            "api_rectify": dnssec && !nsec3, "nameservers": [], "rrsets": rrsets.iter().map(plain).collect::<Vec<_>>(),
        });
        if nsec3 {
            body["nsec3param"] = json!("1 0 0 -");
            body["nsec3narrow"] = json!(true);
        }
        self.call("POST", "servers/localhost/zones?rrsets=false", Some(body));
    }

    /// The DS (SHA-256) of the entry points.
    pub fn ds(&self, zone: &str) -> BTreeSet<DsRecord> {
        let keys: Value = serde_json::from_str(&self.call(
            "GET",
            &format!("servers/localhost/zones/{}/cryptokeys", id(zone)),
            None,
        ))
        .unwrap();
        let keys = keys.as_array().unwrap().iter().filter(|k| k["flags"] == 257 && k["active"] == true);
        let ds = keys
            .flat_map(|k| k["ds"].as_array().unwrap().iter())
            .map(|d| d.as_str().unwrap().parse().unwrap());
        ds.filter(|d: &DsRecord| d.digest_type == 2).collect()
    }

    /// Replace RRsets; one without records is deleted.
    pub fn patch(&self, zone: &str, rrsets: &[RRset]) {
        let changes = rrsets.iter().map(|rrset| {
            let mut change = plain(rrset);
            change["changetype"] = json!(if rrset.records.is_empty() { "DELETE" } else { "REPLACE" });
            change
        });
        let body = json!({ "rrsets": changes.collect::<Vec<_>>() });
        self.call("PATCH", &format!("servers/localhost/zones/{}", id(zone)), Some(body));
        self.call("PUT", &format!("servers/localhost/cache/flush?domain={PARENT}."), None);
    }

    pub fn statistic(&self, name: &str) -> u64 {
        let all: Value =
            serde_json::from_str(&self.call("GET", "servers/localhost/statistics", None)).unwrap();
        let entry = all.as_array().unwrap().iter().find(|s| s["name"] == name).unwrap();
        entry["value"].as_str().unwrap().parse().unwrap()
    }

    pub fn servers(&self) -> Vec<Server> {
        ADDRESSES.iter().enumerate().map(|(n, a)| server(n + 1, a, self.dns)).collect()
    }

    /// Parent and child by the recipe, and what is to be proved of them.
    pub fn ready(&self, nsec3_child: bool) -> ProofRequest {
        let desired = desired(Some(&["192.0.2.10"]));
        self.create(PARENT, true, true, &[]);
        self.create(CHILD, true, nsec3_child, &desired);
        let ds = self.ds(CHILD);
        self.delegate(&ds);
        self.request(ds, desired)
    }

    pub fn delegate(&self, ds: &BTreeSet<DsRecord>) {
        let owner = format!("{CHILD}.");
        let ns = RRset::new(&owner, pdm_model::RecordType::Ns, pdm_model::Ttl::new(3600), nameservers());
        let ds = ds.iter().map(ToString::to_string);
        let ds = RRset::new(&owner, pdm_model::RecordType::Ds, pdm_model::Ttl::new(300), ds);
        self.patch(PARENT, &[ns, ds]);
    }

    pub fn request(&self, ds: BTreeSet<DsRecord>, desired: Vec<RRset>) -> ProofRequest {
        ProofRequest {
            zone: ZoneName::parse(CHILD).unwrap(),
            parent: Some(ZoneName::parse(PARENT).unwrap()),
            anchor: self.ds(PARENT),
            anchor_name: "pool key".to_owned(),
            desired,
            possible: Vec::new(),
            ds,
            soa: Some(("ns1.openova.io.".to_owned(), "hostmaster.openova.io.".to_owned())),
            random_label: "x7f3q".to_owned(),
            servers: self.servers(),
            skipped: Vec::new(),
            generation: 3,
            private_view: true,
            now: now(),
        }
    }
}

/// A zone in a path; the root is the empty text.
fn id(zone: &str) -> String {
    if zone.is_empty() { "=2E".to_owned() } else { format!("{zone}.") }
}

pub fn server(number: usize, address: &str, port: u16) -> Server {
    let address: SocketAddr = format!("{address}:{port}").parse().unwrap();
    Server { names: vec![format!("ns{number}.openova.io")], address }
}

fn nameservers() -> [String; 3] {
    [1, 2, 3].map(|n| format!("ns{n}.openova.io."))
}

/// The canonical RRsets with these addresses; suspended without.
pub fn desired(addresses: Option<&[&str]>) -> Vec<RRset> {
    let zone = ZoneName::parse(CHILD).unwrap();
    let names = [1, 2, 3].map(|n| ZoneName::parse(&format!("ns{n}.openova.io")).unwrap());
    let target = addresses.map(target);
    desired_rrsets(&zone, &names, target.as_ref(), &Ttls::default())
}

fn target(addresses: &[&str]) -> Target {
    let one = |text: &&str| {
        let address: IpAddr = text.parse().unwrap();
        let (ipv4, ipv6) = match address {
            IpAddr::V4(v4) => (Some(v4), None),
            IpAddr::V6(v6) => (None, Some(v6)),
        };
        LoadBalancer { ipv4, ipv6, ..LoadBalancer::default() }
    };
    Target::plain(addresses.iter().map(one).collect())
}

fn plain(rrset: &RRset) -> Value {
    let records: Vec<Value> =
        rrset.records.iter().map(|c| json!({ "content": c, "disabled": false })).collect();
    json!({ "name": rrset.owner, "type": rrset.rtype.as_str(), "ttl": rrset.ttl.seconds(), "records": records })
}

#[expect(clippy::disallowed_methods, reason = "a test stands in for the store, whose clock it is")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

/// How long a test waits for a server that does answer, though the machine may have other things to do.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// A prober that may ask loopback addresses.
pub fn prober() -> Prober {
    patient(PATIENCE)
}

/// The same with another patience.
pub fn patient(patience: Duration) -> Prober {
    Prober::new(Settings { allowed: vec!["127.0.0.0/8".parse().unwrap()], patience, ..Settings::default() })
}

/// The reason, question and detail of a proof that must fail.
pub async fn refused(request: &ProofRequest) -> (String, String, String) {
    let refusal = prober().prove(request).await.unwrap().unwrap_err();
    (refusal.reason, refusal.question, refusal.detail)
}
