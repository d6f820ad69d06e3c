//! PowerDNS and dnsdist with the configurations of `deploy/`, started for real: two PowerDNS on one database, dnsdist before
//! them.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pdm_harness::child::{Child, guarded_with, hand_over, run};
use pdm_harness::{Api, Postgres, Release, net, until};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::UdpSocket;

use crate::render::{file, root};

const ZONE: &str = "omani.works";
const KEY: &str = "site-key";
/// What one source may ask in a second.
const LIMIT: usize = 100;

/// One PowerDNS as on Kubernetes: its settings, those of its version, and the key, in three files.
struct Nameserver {
    dir: TempDir,
    dns: SocketAddr,
    http: SocketAddr,
    release: Release,
    child: Option<Child>,
}

impl Nameserver {
    fn start(database: &Postgres, release: &Release) -> Self {
        let dir = tempfile::tempdir().unwrap();
        hand_over(dir.path());
        let ip = net::address();
        let (dns, http) = (net::port(ip), net::port(ip));
        let mut this = Self { dns, http, dir, release: release.clone(), child: None };
        let at = database.at();
        let here = this.dir.path().display().to_string();
        let mut text = file("kubernetes/base/pdns.conf");
        // Only what the cluster gives is given here instead.
        for (theirs, ours) in [
            ("gpgsql-host=powerdns-db-rw", format!("gpgsql-host={}\ngpgsql-port={}", at.ip(), at.port())),
            ("gpgsql-user=pdns", "gpgsql-user=pdm".to_owned()),
            ("include-dir=/etc/powerdns/pdns.d", format!("include-dir={here}/pdns.d")),
            ("socket-dir=/run/pdns", format!("socket-dir={here}")),
            ("local-address=0.0.0.0", format!("local-address={}", dns.ip())),
            ("local-port=5300", format!("local-port={}", dns.port())),
            ("webserver-address=0.0.0.0", format!("webserver-address={}", http.ip())),
            ("webserver-port=8081", format!("webserver-port={}", http.port())),
        ] {
            assert!(text.contains(theirs), "{theirs}");
            text = text.replace(theirs, &ours);
        }
        std::fs::write(this.dir.path().join("pdns.conf"), text).unwrap();
        let included = this.dir.path().join("pdns.d");
        std::fs::create_dir(&included).unwrap();
        std::fs::write(included.join("version.conf"), release.deployed()).unwrap();
        std::fs::write(included.join("api.conf"), format!("api-key={KEY}")).unwrap();
        this.go();
        this
    }

    fn go(&mut self) {
        let mut command = guarded_with(self.release.program(), self.release.rights());
        command.arg(format!("--config-dir={}", self.dir.path().display()));
        self.child = Some(Child::start("pdns_server", command, &self.dir.path().join("log")));
    }

    fn kill(&mut self) {
        self.child.take().unwrap().kill();
    }
}

/// dnsdist with its file, and where it answers.
struct Front {
    at: SocketAddr,
    figures: Api,
    child: Child,
}

impl Front {
    fn start(dir: &Path, release: &Release, backends: &[&Nameserver], trusted: IpAddr) -> Self {
        let (at, metrics) = (net::port(net::address()), net::port(net::address()));
        let places: Vec<_> = backends.iter().map(|b| b.dns.to_string()).collect();
        // Whoever it runs as may not look into the folder of this checkout.
        let config = dir.join("dnsdist.conf");
        std::fs::copy(root().join("deploy/dnsdist/dnsdist.conf"), &config).unwrap();
        let mut command = guarded_with(release.dnsdist(), release.rights());
        command.args(["--supervised", "--disable-syslog", "--config"]).arg(config);
        command.env("DNSDIST_LISTEN", at.to_string()).env("DNSDIST_BACKENDS", places.join(" "));
        command.env("DNSDIST_CHECK_NAME", ZONE).env("DNSDIST_TRUSTED", format!("{trusted}/32"));
        command.env("DNSDIST_METRICS", metrics.to_string());
        let child = Child::start("dnsdist", command, &dir.join("dnsdist.log"));
        Self { at, figures: Api::new(&format!("http://{metrics}")), child }
    }

    /// Whether it uses a backend.
    async fn uses(&self, backend: &Nameserver) -> Result<bool, String> {
        let answer = self.figures.try_get("/metrics").await?;
        let wanted = format!("address=\"{}\"", backend.dns);
        let mut states = answer.text.lines().filter(|l| l.starts_with("dnsdist_server_status{"));
        let line = states.find(|l| l.contains(&wanted)).ok_or("no such backend")?;
        Ok(line.ends_with(" 1"))
    }

    async fn until_used(&self, backend: &Nameserver, wanted: bool) {
        until(&format!("{} to be used: {wanted}", backend.dns), || async {
            assert!(self.child.alive(), "{}", self.child.tail());
            match self.uses(backend).await {
                Ok(used) if used == wanted => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// Come again by TCP.
    Truncated,
    Other,
}

/// A query for the zone's SOA, or another type.
fn question(id: u16, rtype: u8) -> Vec<u8> {
    let mut octets = id.to_be_bytes().to_vec();
    octets.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in ZONE.split('.') {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend(label.bytes());
    }
    octets.extend([0, 0, rtype, 0, 1]);
    octets
}

fn fate(answer: &[u8]) -> Fate {
    let (truncated, code, answers) = (answer[2] & 2 != 0, answer[3] & 15, answer[7]);
    match (truncated, code, answers) {
        (true, _, _) => Fate::Truncated,
        (false, 0, 1..) => Fate::Answered,
        (false, _, _) => Fate::Other,
    }
}

/// Ask so often from one source, with a pause in between; one fate for every answer that came.
async fn ask(source: IpAddr, at: SocketAddr, times: usize, pause: Duration) -> Vec<Fate> {
    let socket = UdpSocket::bind((source, 0)).await.unwrap();
    socket.connect(at).await.unwrap();
    let (mut fates, mut buffer) = (Vec::new(), [0; 1500]);
    for n in 0..times {
        socket.send(&question(u16::try_from(n).unwrap(), 6)).await.unwrap();
        tokio::time::sleep(pause).await;
        while let Ok(length) = socket.try_recv(&mut buffer) {
            fates.push(fate(&buffer[..length]));
        }
    }
    while let Ok(Ok(length)) =
        tokio::time::timeout(Duration::from_millis(500), socket.recv(&mut buffer)).await
    {
        fates.push(fate(&buffer[..length]));
    }
    fates
}

fn count(fates: &[Fate], one: Fate) -> usize {
    fates.iter().filter(|f| **f == one).count()
}

/// Debian's own, and those of the images in `deploy/kubernetes`: PowerDNS 4.9 and dnsdist 1.9.
#[tokio::test]
async fn a_dead_backend_is_taken_out_and_a_flood_of_one_source_harms_no_other() {
    for release in Release::all() {
        println!("PowerDNS {:?}", release.version());
        story(&release).await;
    }
}

async fn story(release: &Release) {
    let database = Postgres::start().await;
    database.create("pdns");
    // The tables are made once, whoever comes first and however often.
    let schema = || {
        let mut command = Command::new("sh");
        command.arg(root().join("deploy/powerdns/schema.sh")).arg(release.postgres_schema());
        command
            .envs([("PGHOST", database.at().ip().to_string()), ("PGPORT", database.at().port().to_string())]);
        run(command.envs([("PGUSER", "pdm"), ("PGDATABASE", "pdns")])).unwrap_or_else(|e| panic!("{e}"))
    };
    schema();
    schema();
    assert_eq!(database.psql("pdns", "select count(*) from cryptokeys"), "0");

    let (mut one, two) = (Nameserver::start(&database, release), Nameserver::start(&database, release));
    let api = Api::new(&format!("http://{}", one.http)).with_header("x-api-key", KEY);
    until("the API of PowerDNS", || api.try_get("/api/v1/servers/localhost")).await;
    let zone = json!({"name": format!("{ZONE}."), "kind": "Native", "dnssec": true, "nameservers": ["ns1.openova.io."]});
    let _ = api.post("/api/v1/servers/localhost/zones", &zone).await.expect(&[201]);
    // The settings of the version are in force.
    let settings = api.get("/api/v1/servers/localhost/config").await.expect(&[200]).body;
    let lua = settings.as_array().unwrap().iter().find(|s| s["name"] == "enable-lua-records").unwrap();
    assert_eq!(lua["value"], "shared");

    let dir = tempfile::tempdir().unwrap();
    hand_over(dir.path());
    let [trusted, flood, calm] = [net::address(), net::address(), net::address()];
    let front = Front::start(dir.path(), release, &[&one, &two], trusted);
    front.until_used(&one, true).await;
    front.until_used(&two, true).await;

    // A backend dies: within some seconds nobody is sent there, and every question is answered.
    one.kill();
    front.until_used(&one, false).await;
    let fates = ask(calm, front.at, 40, Duration::from_millis(20)).await;
    assert_eq!(fates, vec![Fate::Answered; 40]);
    // Back, it is used again.
    one.go();
    front.until_used(&one, true).await;

    // A source that floods is served up to the limit and is told to come by TCP beyond; another source does not notice.
    let begun = Instant::now();
    let (flooded, served) = tokio::join!(
        ask(flood, front.at, 3000, Duration::ZERO),
        ask(calm, front.at, 20, Duration::from_millis(25)),
    );
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(served, vec![Fate::Answered; 20]);
    let (full, cut) = (count(&flooded, Fate::Answered), count(&flooded, Fate::Truncated));
    let allowed = LIMIT as f64 * (seconds + 1.5);
    assert!(full >= LIMIT / 2 && full as f64 <= allowed, "{full} answers in {seconds:.1} s, {cut} cut");
    assert!(cut > 300, "{full} answers, {cut} cut");
    // By TCP the same source is answered: it is no forged one.
    let dig = |args: &[&str]| {
        let mut dig = Command::new("dig");
        dig.args([
            "-b",
            &flood.to_string(),
            &format!("@{}", front.at.ip()),
            "-p",
            &front.at.port().to_string(),
        ]);
        run(dig.args(["+tries=1", "+time=5"]).args(args)).unwrap_or_else(|e| e)
    };
    assert!(dig(&["+tcp", "+short", ZONE, "SOA"]).contains("ns1"), "{}", dig(&["+tcp", ZONE, "SOA"]));
    // PDM's proofs are not limited.
    let fates = ask(trusted, front.at, 400, Duration::ZERO).await;
    assert_eq!(count(&fates, Fate::Truncated), 0, "{fates:?}");
    assert!(count(&fates, Fate::Answered) > 300, "{}", fates.len());

    // Nothing but questions goes through.
    assert!(dig(&["+tcp", ZONE, "AXFR"]).contains("Transfer failed"));
    let any = dig(&["+notcp", "+ignore", ZONE, "ANY"]);
    assert!(any.contains(" tc") || any.contains("flags: qr tc"), "{any}");
    // The figures are open, everything else of that server is not.
    let front_door = front.figures.get("/api/v1/servers/localhost").await;
    assert_eq!(front_door.status, 401);
}
