//! Independent clients of the door, from PyPI; in full runs only, since they are many packages.

use std::process::Command;

use pdm_harness::child::run;
use pdm_harness::{StoreKind, World, daemon, dns, full, python, until};

/// certbot with its PowerDNS plugin, in the demonstration after lego.
#[test]
fn certbot_gets_a_wildcard_certificate() {
    if !full() {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/demo-certificate.sh");
    let mut demonstration = Command::new("timeout");
    demonstration.arg("300").arg("sh").arg(script).env("PDM_BIN", daemon::binary());
    demonstration.env("CERTBOT", python::program("certbot"));
    let said = run(&mut demonstration).unwrap_or_else(|e| panic!("{e}"));
    assert!(
        said.contains("certbot with its PowerDNS plugin") && said.contains("all of it happened"),
        "{said}"
    );
}

#[tokio::test]
async fn octodns_writes_its_labels_and_a_second_run_has_nothing_to_do() {
    if !full() {
        return;
    }
    let world = World::new(StoreKind::Sqlite).await;
    let _ = world.api().lend("omantel", "192.0.2.1").await;
    let zone = "omantel.omani.works";
    let more = ["--owner", "operator", "--zone", zone, "--door", "external-dns", "--label", "apps"];
    let token = world.make_token("octodns", "dns-door", &more);
    let api = world.stranger().with_header("x-api-key", &token);
    until("the token to be known", || api.try_get("/api/v1/servers")).await;

    let dir = tempfile::tempdir().unwrap();
    let (host, port) = api.base().trim_start_matches("http://").rsplit_once(':').unwrap();
    let config = format!(
        "providers:\n  files: {{class: octodns.provider.yaml.YamlProvider, directory: {here}, default_ttl: 60}}\n  \
         pdm: {{class: octodns_powerdns.PowerDnsProvider, host: {host}, port: {port}, scheme: http, api_key: {token}}}\n\
         zones:\n  {zone}.: {{sources: [files], targets: [pdm]}}\n",
        here = dir.path().display()
    );
    std::fs::write(dir.path().join("config.yaml"), config).unwrap();
    let declare = |address: &str| {
        std::fs::write(
            dir.path().join(format!("{zone}.yaml")),
            format!("apps:\n  type: A\n  value: {address}\n"),
        )
        .unwrap();
    };
    let sync = || {
        let mut sync = Command::new(python::program("octodns-sync"));
        sync.arg("--config-file").arg(dir.path().join("config.yaml")).args(["--doit", "--force"]);
        let output = sync.output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}");
        said
    };
    for address in ["192.0.2.7", "192.0.2.8"] {
        declare(address);
        let _ = sync();
        assert_eq!(dns::short(world.dns().dns(), &format!("apps.{zone}"), "A"), [address]);
        let serial = world.dns().serial(zone).await;
        assert!(sync().contains("No changes were planned"));
        assert_eq!(world.dns().serial(zone).await, serial);
    }
}
