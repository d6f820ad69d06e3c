//! What is measured: `pdm up` on SQLite, or `pdm serve` with PostgreSQL under both PDM and PowerDNS.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use pdm_harness::daemon::verb;
use pdm_harness::powerdns::{API_KEY, Caches, Setup};
use pdm_harness::{Backend, Daemon, PgBouncer, Postgres, PowerDns, Release, net};
use tempfile::TempDir;

use crate::floor::Raw;

/// The pool names are lent from.
pub const POOL: &str = "omani.works";

/// A running daemon with its PowerDNS.
pub struct Target {
    pub name: &'static str,
    pub host: String,
    pub token: String,
    pub raw: Raw,
    pub daemon: Daemon,
    /// From the start of the process to the first ready answer; PowerDNS ran already, or was started by it.
    pub start: Duration,
    _others: (Option<PowerDns>, Option<(PgBouncer, Postgres)>, TempDir),
}

/// `pdm up`: SQLite, embedded PowerDNS, three nameserver addresses.
pub async fn sqlite() -> Result<Target, Box<dyn std::error::Error>> {
    let dir = tempfile::Builder::new().prefix("pdm-bench-").tempdir()?;
    let local = "127.0.0.1".parse()?;
    let (http, dns) = (net::port(local), net::port(local));
    let state = dir.path().join("state");
    let mut daemon = Daemon::up(&state, http, dns, &["--ttl", "1"], &dir.path().join("pdm.log"));
    let begun = Instant::now();
    daemon.go().await;
    daemon.ready().await;
    let start = begun.elapsed();
    let read = |name: &str| -> std::io::Result<String> {
        Ok(std::fs::read_to_string(state.join(name))?.trim().to_owned())
    };
    let raw = Raw {
        api: format!("http://127.0.0.1:{}", read("pdns/api.port")?),
        key: read("pdns/api.key")?,
        servers: (1..=3).map(|n| (std::net::Ipv4Addr::new(127, 0, 0, n), dns.port()).into()).collect(),
        pool: "floor.example".into(),
        one_writer: true,
    };
    let token = read("admin.token")?;
    Ok(Target {
        name: "sqlite",
        host: http.to_string(),
        token,
        raw,
        daemon,
        start,
        _others: (None, None, dir),
    })
}

/// `pdm serve` with PostgreSQL under both; PowerDNS reaches it through `pgbouncer`, as it should where it is busy.
pub async fn postgres() -> Result<Target, Box<dyn std::error::Error>> {
    let server = Postgres::start().await;
    server.create("pdm");
    server.create("pdns");
    server.psql_file("pdns", &Release::usual().postgres_schema());
    let pooler = PgBouncer::start(server.at()).await;
    let dns =
        PowerDns::start(Backend::Postgres { at: pooler.at(), database: "pdns".into() }, Caches::Default)
            .await;
    let url = server.url("pdm");
    serve("postgres", &url, dns, Some((pooler, server)), "[audit]\npublic_view = false\n").await
}

/// `pdm serve` with a store and a PowerDNS that run; a SQLite store is a file beside the configuration.
async fn serve(
    name: &'static str,
    store: &str,
    dns: PowerDns,
    postgres: Option<(PgBouncer, Postgres)>,
    more: &str,
) -> Result<Target, Box<dyn std::error::Error>> {
    let dir = tempfile::Builder::new().prefix("pdm-bench-").tempdir()?;
    let store = match store.strip_prefix("sqlite:") {
        Some(file) => format!("sqlite:{}", text(&dir.path().join(file))),
        None => store.to_owned(),
    };
    let http = net::port("127.0.0.1".parse()?);
    let config = dir.path().join("pdm.toml");
    std::fs::write(dir.path().join("pdns.key"), API_KEY)?;
    std::fs::write(dir.path().join("token.key"), [b'k'; 48])?;
    std::fs::write(&config, configuration(&http.to_string(), &store, &dns) + more)?;
    let said = verb(
        &[
            "token",
            "create",
            "--file",
            &text(&dir.path().join("tokens.toml")),
            "--name",
            "bench",
            "--role",
            "admin",
        ],
        &[],
    )?;
    let token = said.split_ascii_whitespace().last().unwrap_or_default().to_owned();
    let mut daemon = Daemon::serve(&config, http, &dir.path().join("pdm.log"));
    let begun = Instant::now();
    daemon.go().await;
    daemon.ready().await;
    let start = begun.elapsed();
    let raw = Raw {
        api: format!("http://{}", dns.http()),
        key: API_KEY.into(),
        servers: vec![dns.dns()],
        pool: "floor.example".into(),
        one_writer: postgres.is_none(),
    };
    let others = (Some(dns), postgres, dir);
    Ok(Target { name, host: http.to_string(), token, raw, daemon, start, _others: others })
}

/// `pdm serve` with SQLite under both; PowerDNS as `deploy/` sets it up, but that it keeps no answers: whatever is looked
/// at is worked out anew.
pub async fn audited() -> Result<Target, Box<dyn std::error::Error>> {
    let ip = net::address();
    let deployed = include_str!("../../../deploy/powerdns/4.7.conf").lines();
    let settings = deployed.filter(|line| !line.starts_with('#') && !line.starts_with("enable-lua-records"));
    let mut more: String = settings.flat_map(|line| [line, "\n"]).collect();
    more.push_str("cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n");
    let setup = Setup {
        release: Release::usual().clone(),
        backend: Backend::Sqlite,
        caches: Caches::Default,
        dns: net::port(ip),
        http: net::port(ip),
        more,
        env: Vec::new(),
    };
    let dns = PowerDns::start_with(setup).await;
    // Longer than PowerDNS remembers keys, so that each round finds it as it is after a pause of minutes.
    let audit = "[audit]\nglance = \"6s\"\nfull = \"0s\"\nprofile = \"loopback\"\npublic_view = false\n";
    serve("audits", "sqlite:pdm.db", dns, None, audit).await
}

/// `pdm serve` with SQLite under both, and nothing else to do than what comes with PDM.
pub async fn quiet() -> Result<Target, Box<dyn std::error::Error>> {
    let dns = PowerDns::start(Backend::Sqlite, Caches::Default).await;
    let audit = "[audit]\nprofile = \"loopback\"\npublic_view = false\n";
    serve("memory", "sqlite:pdm.db", dns, None, audit).await
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn configuration(listen: &str, store: &str, dns: &PowerDns) -> String {
    let mut text = format!("[http]\nlisten = \"{listen}\"\n[store]\nurl = \"{store}\"\nmigrate = true\n");
    let _ = write!(
        text,
        "[[powerdns]]\nurl = \"http://{}\"\napi_key = \"file:pdns.key\"\ndns = \"{}\"\n",
        dns.http(),
        dns.dns()
    );
    let names = [1, 2, 3].map(|n| format!("ns{n}.openova.io"));
    let quoted = names.clone().map(|n| format!("\"{n}\"")).join(", ");
    let places = names.map(|n| format!("\"{n}\" = [\"{}\"]", dns.dns())).join(", ");
    let _ = write!(
        text,
        "[dns]\nnameservers = [{quoted}]\nhostmaster = \"hostmaster.openova.io\"\nprobe_allow = [\"127.0.0.0/8\"]\n\
         nameserver_addresses = {{ {places} }}\n[[pools]]\ndomain = \"{POOL}\"\n\
         allow_addresses = [\"192.0.2.0/24\"]\n[pools.ttl]\naddress = 1\napex_ns = 1\nparent_ns = 1\nparent_ds = 1\n\
         negative = 1\n[auth]\ntokens = \"file:tokens.toml\"\ntoken_key = \"file:token.key\"\n\
         [limits]\nrequests_per_second = 1000000\nburst = 1000000\n"
    );
    text
}

/// Resident memory of a process in MiB.
pub fn rss(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    let kib: f64 = line.split_ascii_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.0);
    kib / 1024.0
}
