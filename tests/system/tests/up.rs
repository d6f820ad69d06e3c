//! `pdm up` and the command line: everything on this machine, in the foreground.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pdm_harness::browser::browse;
use pdm_harness::daemon::verb;
use pdm_harness::story::fqdn;
use pdm_harness::{Api, Daemon, POOL, dns, net, until};
use serde_json::{Value, json};

struct Up {
    daemon: Daemon,
    dns: SocketAddr,
    dir: tempfile::TempDir,
}

impl Up {
    async fn start(more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ip = net::address();
        let (http, dns) = (net::port(ip), net::port(ip));
        let mut args = vec!["--ttl", "1"];
        args.extend(more);
        let daemon = Daemon::up(&dir.path().join("state"), http, dns, &args, &dir.path().join("log"));
        let mut up = Self { daemon, dns, dir };
        up.go().await;
        up
    }

    async fn go(&mut self) {
        self.daemon.go().await;
        self.daemon.ready().await;
    }

    fn state(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.state().join("admin.token")).unwrap().trim().to_owned()
    }

    fn api(&self) -> Api {
        self.daemon.api().clone().with_token(&self.token())
    }

    fn pdm(&self, args: &[&str]) -> Result<String, String> {
        verb(args, &[("PDM_URL", self.daemon.api().base()), ("PDM_TOKEN", &self.token())])
    }

    fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.extend(["--output", "json"]);
        serde_json::from_str(&self.pdm(&all).unwrap()).unwrap()
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_whole_life_by_the_command_line() {
    let up = Up::start(&["--pool", POOL]).await;
    assert_eq!(mode(&up.state().join("admin.token")), 0o600);
    assert!(up.pdm(&["check", &fqdn("omantel")]).unwrap().contains("omantel"));
    let reserved = up.json(&["reserve", &fqdn("omantel"), "--owner", "acme"]);
    let token = reserved["reservationToken"].as_str().unwrap();
    let said = up
        .pdm(&["commit", &fqdn("omantel"), "--token", token, "--ipv4", "192.0.2.10", "--wait", "60"])
        .unwrap();
    assert!(said.contains("active"), "{said}");
    let shown = up.json(&["get", &fqdn("omantel")]);
    assert_eq!((shown["phase"].as_str(), shown["owner"].as_str()), (Some("active"), Some("acme")));
    let receipt = &shown["receipts"][0];
    let names: std::collections::BTreeSet<_> = receipt["servers"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|s| s["nameservers"].as_array().unwrap().clone())
        .filter_map(|n| n.as_str().map(str::to_owned))
        .collect();
    assert!(names.len() >= 3, "three nameserver names: {receipt}");

    let anchor = up.dir.path().join("anchor");
    dns::write_anchor(up.dns, POOL, &anchor);
    for name in dns::names_of(&fqdn("omantel")) {
        dns::must_validate(up.dns, &anchor, POOL, &name, "A");
    }
    let ds = up.pdm(&["pools", "ds"]).unwrap();
    assert!(ds.contains(POOL) || ds.contains(" 13 2 "), "{ds}");
    for verb in [vec!["list"], vec!["pools", "list"], vec!["log"], vec!["registrars"], vec!["operations"]] {
        let _ = up.pdm(&verb);
    }
    let _ = up.pdm(&["target", &fqdn("omantel"), "--ipv4", "192.0.2.11"]).unwrap();
    let _ = up.pdm(&["wait", &fqdn("omantel"), "--timeout", "60"]).unwrap();
    assert_eq!(dns::short(up.dns, &fqdn("api.omantel"), "A"), ["192.0.2.11"]);
    let said = up.pdm(&["release", &fqdn("omantel"), "--wait"]).unwrap();
    assert!(said.contains("quarantined"), "{said}");
    let refused = up.pdm(&["reserve", &fqdn("omantel"), "--owner", "globex"]).unwrap_err();
    assert!(refused.contains("name-quarantined") && refused.contains("exit status: 1"), "{refused}");
    let usage = up.pdm(&["commit"]).unwrap_err();
    assert!(usage.contains("exit status: 2"), "{usage}");
}

#[tokio::test]
async fn it_carries_on_where_it_was_and_its_powerdns_dies_with_it() {
    let mut up = Up::start(&["--pool", POOL]).await;
    let _ = up.api().lend("omantel", "192.0.2.10").await;
    let before = up.token();
    up.daemon.kill();
    until("the private PowerDNS to be gone", || async {
        match std::net::UdpSocket::bind(up.dns) {
            Ok(_) => Ok(()),
            Err(e) => Err(e.to_string()),
        }
    })
    .await;
    up.go().await;
    assert_eq!(up.token(), before, "the token stays");
    assert_eq!(up.api().allocation("omantel").await["phase"], "active");
    assert_eq!(dns::short(up.dns, &fqdn("console.omantel"), "A"), ["192.0.2.10"]);
    let _ = up.api().lend("another", "192.0.2.11").await;
    up.daemon.stop().await;
}

#[tokio::test]
async fn documentation_addresses_are_for_trying_out_and_private_ones_must_be_admitted() {
    let strict = Up::start(&["--pool", POOL]).await;
    let token = strict.api().reserve("omantel").await;
    let refused = strict.api().try_commit("omantel", &token, "10.20.0.1").await.expect(&[422]);
    assert_eq!(refused.code(), "address-refused");
    let lenient = Up::start(&["--pool", POOL, "--allow-addresses", "10.20.0.0/16"]).await;
    let _ = lenient.api().lend("omantel", "10.20.0.1").await;
    let token = lenient.api().reserve("another").await;
    let _ = lenient.api().try_commit("another", &token, "127.0.0.1").await.expect(&[422]);
}

#[tokio::test]
async fn the_documents_that_the_binary_prints() {
    let openapi: Value = serde_json::from_str(&verb(&["openapi"], &[]).unwrap()).unwrap();
    for path in [
        "/v1/check",
        "/v1/reserve",
        "/v1/reserve/extend",
        "/v1/commit",
        "/v1/release",
        "/v1/allocations",
        "/v1/pools",
    ] {
        assert!(openapi["paths"][path].is_object(), "{path}");
    }
    assert!(verb(&["completion", "bash"], &[]).unwrap().contains("pdm"));
    assert!(verb(&["--version"], &[]).unwrap().contains(env!("CARGO_PKG_VERSION")));
    let schema: Value = serde_json::from_str(&verb(&["config", "schema"], &[]).unwrap()).unwrap();
    assert_eq!(schema["additionalProperties"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_prints_opens_ready_to_use() {
    let up = Up::start(&["--pool", POOL]).await;
    let printed = until("the addresses", || async {
        let said = up.daemon.log();
        let words: Vec<String> =
            said.split_whitespace().filter(|w| w.starts_with("http://")).map(str::to_owned).collect();
        let find = |has: &str| words.iter().find(|w| w.contains(has)).cloned();
        find("/login#").zip(words.iter().find(|w| w.ends_with('/')).cloned()).ok_or(said)
    })
    .await;
    let (link, page) = printed;
    browse(
        &["up.mjs"],
        page.trim_end_matches('/'),
        &up.token(),
        up.dir.path(),
        &json!({ "link": link, "page": page }),
    )
    .await;
}
