//! The pages in a real browser, against a real daemon and PowerDNS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::path::Path;
use std::process::Command;

use pdm_harness::{Daemon, net};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_find_their_way_in_a_browser() {
    let dir = tempfile::tempdir().unwrap();
    let ip = net::address();
    let (http, dns) = (net::port(ip), net::port(ip));
    let state = dir.path().join("state");
    let mut daemon = Daemon::up(&state, http, dns, &["--ttl", "1"], &dir.path().join("log"));
    daemon.go().await;
    daemon.ready().await;
    let token = std::fs::read_to_string(state.join("admin.token")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pictures =
        std::env::var("PDM_PICTURES").map_or_else(|_| dir.path().join("pictures"), std::path::PathBuf::from);
    let base = daemon.api().base().to_owned();
    let script = root.join("tests/browser/pages.mjs");
    let output = tokio::task::spawn_blocking(move || {
        Command::new("node").arg(script).args([base.as_str(), token.trim()]).arg(pictures).output()
    });
    let output = output.await.unwrap().expect("node runs; scripts/install.sh installs it");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{said}");
}
