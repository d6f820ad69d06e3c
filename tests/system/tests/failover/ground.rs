//! Policies on nameservers without PDM: servers of this machine to check, clients of known places, and what they get.
//!
//! Health checks stay on this machine, whose loopback network has one IPv6 address. So a policy's IPv6 addresses are the
//! IPv4-mapped ones of the servers: PowerDNS writes, checks and locates them as IPv6, and the kernel brings them to IPv4.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use pdm_harness::backends::{self, Backend};
use pdm_harness::powerdns::{Backend as Storage, Caches, Setup};
use pdm_harness::{PowerDns, Release, net, python, until_within};
use pdm_lab::{Outcome, ask_for};
use pdm_lua_records::{
    Admission, Client, Continent, Failover, RecordType, Rule, Server, Spec, Version, answer, render,
};
use serde_json::{Value, json};

/// The servers here, by the addresses of the policies that they stand for, and where they are.
const REGIONS: [(&[&str], &str); 4] = [
    (&["192.0.2.1", "2001:db8:1::1"], "DE EU 50.1 8.6"),
    (&["198.51.100.1", "2001:db8:2::1"], "DE EU 49.4 11.1"),
    (&["203.0.113.1"], "OM AS 23.6 58.4"),
    (&["192.0.2.2", "192.0.2.201"], "FI EU 60.2 24.9"),
];

/// Clients: their address, where they are, and the regions from the closest to the farthest if that is known.
pub const CLIENTS: [(IpAddr, &str, &[usize]); 6] = [
    (client(77), "DE EU 50.5 7.0", &[0, 1, 3, 2]),
    (client(78), "AE AS 24.5 54.4", &[2, 3, 1, 0]),
    (client(79), "IN AS 28.6 77.2", &[2, 3, 1, 0]),
    (client(80), "FI EU 61.0 25.0", &[3, 1, 0, 2]),
    (client(81), "- - - -", &[]),
    (IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 1)), "AE AS 24.5 54.4", &[2, 3, 1, 0]),
];

const fn client(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
}

/// Both families, and what a server's address is in each.
pub const FAMILIES: [RecordType; 2] = [RecordType::A, RecordType::Aaaa];

pub fn of_family(rtype: RecordType, ip: IpAddr) -> IpAddr {
    match (rtype, ip) {
        (RecordType::Aaaa, IpAddr::V4(v4)) => v4.to_ipv6_mapped().into(),
        _ => ip,
    }
}

const ZONE: &str = "policies.test";
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Servers to check, and the database that knows where everybody is.
pub struct Ground {
    pub backends: Vec<Backend>,
    port: u16,
    places: tempfile::TempDir,
}

impl Ground {
    pub async fn new() -> Self {
        let (backends, port) = backends::start(REGIONS.len()).await;
        let places = tempfile::Builder::new().prefix("pdm-places-").tempdir().unwrap();
        pdm_harness::child::hand_over(places.path());
        let mut lines = String::new();
        for (backend, (_, place)) in backends.iter().zip(REGIONS) {
            for family in FAMILIES {
                lines += &format!("{} {place}\n", IpNet::from(of_family(family, backend.ip())));
            }
        }
        for (ip, place, _) in CLIENTS {
            lines += &format!("{} {place}\n", IpNet::from(ip));
        }
        let this = Self { backends, port, places };
        let mut writer = Command::new(python::program("python"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../python/places.py"))
            .arg(this.database())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writer.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        this
    }

    /// Where everybody is.
    pub fn database(&self) -> std::path::PathBuf {
        self.places.path().join("places.mmdb")
    }

    /// A nameserver that knows places and checks every second.
    pub async fn nameserver(&self, release: Release) -> PowerDns {
        let ip = net::address();
        let setup = Setup {
            release,
            backend: Storage::Sqlite,
            caches: Caches::Short,
            dns: net::port(ip),
            http: net::port(ip),
            more: format!(
                "launch=gsqlite3,geoip\ngeoip-database-files=mmdb:{}\nedns-subnet-processing=yes\n\
                 lua-health-checks-interval=1\n",
                self.database().display()
            ),
            env: Vec::new(),
        };
        let server = PowerDns::start_with(setup).await;
        server.create(ZONE, "", false).await;
        server
    }

    /// The port that all of them listen on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server here that stands for an address of the golden files, as an address of the same family.
    fn at(&self, documented: &Value) -> Value {
        let documented = documented.as_str().unwrap();
        let region = REGIONS.iter().position(|(stands_for, _)| stands_for.contains(&documented));
        let here = self.backends[region.expect("an address of the table")].ip();
        let family = if documented.contains(':') { RecordType::Aaaa } else { RecordType::A };
        of_family(family, here).to_string().into()
    }

    /// A policy of the golden files, over the servers of this machine.
    fn at_home(&self, mut policy: Value) -> Failover {
        for lb in policy["loadBalancers"].as_array_mut().unwrap() {
            for family in ["ipv4", "ipv6"] {
                if let Some(address) = lb.get_mut(family) {
                    *address = self.at(address);
                }
            }
        }
        let failover = policy["failover"].as_object_mut().unwrap();
        let check = failover.entry("check").or_insert_with(|| json!({})).as_object_mut().unwrap();
        check.insert("port".into(), self.port.into());
        check.insert("timeout".into(), 1.into());
        for (name, here) in [("interval", json!(1)), ("type", json!("http")), ("expectStatus", json!(200))] {
            if check.get(name).is_some_and(|there| there != "tcp") {
                check.insert(name.into(), here);
            }
        }
        build(policy)
    }

    /// The policies of the golden files by their names.
    pub fn policies(&self) -> Vec<(String, Failover)> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lua-records/tests/policies");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: std::path::PathBuf| {
            let policy = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), self.at_home(policy))
        };
        files.map(read).collect()
    }
}

pub fn build(policy: Value) -> Failover {
    let spec: Spec = serde_json::from_value(policy).unwrap();
    let anywhere: [IpNet; 2] = ["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
    let admission =
        Admission { tenant: "omantel.omani.works", allowed_networks: &anywhere, allow_http_checks: true };
    Failover::build(&spec, &admission).unwrap()
}

/// A policy at its name on one nameserver.
pub struct Carried {
    version: Version,
    at: SocketAddr,
    pub name: String,
    failover: Failover,
    /// The address types that the policy has.
    pub families: Vec<RecordType>,
}

/// Put a policy on a nameserver, if its version can carry it out.
pub async fn carry(server: &PowerDns, release: &Release, name: &str, failover: &Failover) -> Option<Carried> {
    let (major, minor, patch) = release.version();
    let version = Version { major, minor, patch };
    let records = match render(failover, &Server { version, geoip: true, signed: false }) {
        Ok(records) => records,
        Err(lacks) => {
            assert!(lacks.iter().all(|lack| lack.code == "needs-version"), "{lacks:?}");
            return None;
        }
    };
    let name = format!("{name}.{ZONE}");
    let contents: Vec<_> = records.iter().map(|record| record.content.as_str()).collect();
    let _ = server.edit(ZONE, &name, "LUA", records[0].ttl, &contents).await;
    let families = records.iter().map(|record| record.rtype).collect();
    Some(Carried { version, at: server.dns(), name, failover: failover.clone(), families })
}

pub type Set = BTreeSet<IpAddr>;

impl Carried {
    pub async fn ask(&self, client: IpAddr, family: RecordType) -> Outcome {
        ask_for(self.at, client, &self.name, family.as_str(), Duration::from_secs(2)).await
    }

    pub async fn gives(&self, client: IpAddr, family: RecordType) -> Result<Set, String> {
        match self.ask(client, family).await {
            Outcome::NoData => Ok(Set::new()),
            Outcome::Answer { records, .. } => Ok(records.iter().map(|ip| ip.parse().unwrap()).collect()),
            other => Err(other.to_string()),
        }
    }

    /// Whether one client gets what its row of the table says.
    pub async fn agrees(
        &self,
        ground: &Ground,
        client: usize,
        family: RecordType,
        up: &Set,
    ) -> Result<(), String> {
        let (ip, place, order) = CLIENTS[client];
        let mut words = place.split(' ').map(|word| Some(word).filter(|word| *word != "-"));
        let country = words.next().unwrap();
        let continent =
            words.next().unwrap().and_then(|word| Continent::ALL.into_iter().find(|c| c.as_str() == word));
        let place = Client { country, continent };
        let expected = answer(&self.failover, family, place, &|address| up.contains(&address.to_canonical()));
        let mut wanted: BTreeSet<Set> =
            expected.choices.iter().map(|choice| choice.addresses.iter().copied().collect()).collect();
        if wanted.is_empty() {
            wanted.insert(Set::new());
        }
        let only = |region: &usize| Set::from([of_family(family, ground.backends[*region].ip())]);
        let closest = order.iter().map(only).find(|one| wanted.contains(one));
        if let (Rule::Nearest, Some(closest)) = (expected.rule, closest) {
            wanted = [closest].into();
        }
        // Every choice comes, and none besides; who is to get the same gets the same.
        let (times, distinct) = if expected.rule == Rule::Random { (400, wanted.len()) } else { (3, 1) };
        let mut seen = BTreeSet::new();
        for _ in 0..times {
            seen.insert(self.gives(ip, family).await?);
            if !seen.is_subset(&wanted) || (distinct > 1 && seen.len() == distinct) {
                break;
            }
        }
        if seen.is_subset(&wanted) && seen.len() == distinct {
            return Ok(());
        }
        let (name, version) = (&self.name, self.version);
        Err(format!("{name} on {version} gives {seen:?} to {ip} and not {expected:?} with {up:?} up"))
    }
}

/// Two regions in order, with a check of this shape.
pub fn ordered(ground: &Ground, mut check: Value, more: Value) -> Failover {
    check["port"] = ground.port.into();
    check["timeout"] = 1.into();
    let lbs = ["fsn", "nbg"].iter().zip(&ground.backends);
    let lbs: Vec<_> = lbs.map(|(region, backend)| json!({"region": region, "ipv4": backend.ip()})).collect();
    let mut failover = json!({"strategy": "ordered", "check": check, "ttl": 1});
    failover.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    build(json!({"loadBalancers": lbs, "failover": failover}))
}

pub async fn until_gives(one: &Carried, want: &Set) -> Duration {
    let begun = Instant::now();
    until_within(&format!("{} to give {want:?}", one.name), DEADLINE, || async {
        match one.gives(CLIENTS[0].0, RecordType::A).await {
            Ok(seen) if seen == *want => Ok(begun.elapsed()),
            seen => Err(format!("{seen:?}")),
        }
    })
    .await
}
