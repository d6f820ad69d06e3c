//! From `pdm audit` to a repaired zone by what is printed; and the audit log as a chain that a stranger can check.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::path::Path;
use std::process::Command;

use pdm_harness::story::fqdn;
use pdm_harness::{Plan, StoreKind, World, until};
use serde_json::{Value, json};

/// Exit status, standard output and standard error of the command line.
fn pdm(world: &World, args: &[&str]) -> (i32, String, String) {
    let url = world.api().base().to_owned();
    let done = Command::new(pdm_harness::daemon::binary())
        .args(args)
        .env("PDM_URL", url)
        .env("PDM_TOKEN", world.token())
        .output()
        .unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

/// Codes that are open in a report, besides the open AXFR of the test's own server.
fn open(view: &Value) -> Vec<String> {
    let findings = view["report"]["findings"].as_array().unwrap();
    let loud =
        findings.iter().filter(|f| matches!(f["severity"].as_str(), Some("warning" | "error" | "critical")));
    let codes = loud.map(|f| f["code"].as_str().unwrap().to_owned());
    codes.filter(|code| code != "NAMESERVER03").collect()
}

#[tokio::test]
async fn an_admin_goes_from_an_audit_to_a_repaired_zone_by_what_is_printed() {
    // Nothing repairs by itself here, and quick looks come every second.
    let section = "[audit]\nprofile = \"loopback\"\npublic_view = false\nglance = \"1s\"\nfull = \"1s\"";
    let plan = Plan::new(StoreKind::Sqlite).pool("drift = \"report\"").section(section);
    let world = plan.start().await;
    let _ = world.api().lend("omantel", "192.0.2.10").await;
    let name = fqdn("omantel");
    let healthy = world.api().post("/v1/audits", &json!({ "fqdn": name })).await.expect(&[200]).body;
    assert_eq!(open(&healthy), Vec::<String>::new(), "{healthy:#}");

    let _ = world.dns().edit(&name, &fqdn("api.omantel"), "A", 300, &["203.0.113.66"]).await;
    let _ = world.api().await_audit("omantel", "glance").await;
    let (status, text, _) = pdm(&world, &["audit", &name]);
    assert_eq!(status, 1, "{text}");
    let run = text.lines().find_map(|line| line.trim().strip_prefix("run: ")).expect("a command");
    assert_eq!(run, format!("pdm audit {name} --fix SOV06"));
    assert!(text.contains(&format!("- api.{name}. A 203.0.113.66")), "{text}");
    assert!(text.contains(&format!("+ api.{name}. A 192.0.2.10")), "{text}");
    // A second audit: the finding is as old as the first.
    let again = world.api().post("/v1/audits", &json!({ "fqdn": name })).await.expect(&[200]).body;
    assert_eq!(open(&again), ["SOV06"]);

    // Exactly what was printed.
    let words: Vec<&str> = run.split(' ').skip(1).collect();
    let (_, fixed, error) = pdm(&world, &words);
    assert!(!fixed.contains("SOV06"), "{fixed}\n{error}");
    assert_eq!(world.dns().rrset(&name, &fqdn("api.omantel"), "A").await, ["192.0.2.10"]);
    let _ = world.api().await_audit("omantel", "repair").await;
    let nothing = json!({ "fqdn": name, "finding": "SOV06" });
    let _ = world.api().post("/v1/audits/fix", &nothing).await.expect(&[404]);

    let before = again["report"]["id"].as_str().unwrap();
    let (_, compared, _) = pdm(&world, &["audit", &name, "--compare", before, "--output", "json"]);
    let compared: Value = serde_json::from_str(&compared).unwrap();
    let turns: Vec<&str> =
        compared["transitions"].as_array().unwrap().iter().map(|t| t["turn"].as_str().unwrap()).collect();
    assert!(turns.contains(&"gone"), "{turns:?}");
    let (_, page, _) = pdm(&world, &["audit", &name, "--output", "html"]);
    assert!(page.starts_with("<!doctype html>") && page.contains(&name));
    let pool =
        world.api().post("/v1/audits", &json!({ "poolDomain": pdm_harness::POOL })).await.expect(&[200]).body;
    assert!(pool["report"]["checks"]["POOL02"]["outcome"] == "passed", "{pool:#}");

    acknowledged(&world, &name).await;
    evidence(&world, &name);
    chain(&world).await;
}

/// An acknowledged finding is in the report and open no more.
async fn acknowledged(world: &World, name: &str) {
    let known = ["audit", name, "--acknowledge", "ZONE09", "--reason", "no mail here", "--days", "3"];
    let (status, _, error) = pdm(world, &known);
    assert_eq!(status, 0, "{error}");
    let view = world.api().post("/v1/audits", &json!({ "fqdn": name })).await.expect(&[200]).body;
    let finding = view["report"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["code"] == "ZONE09")
        .unwrap()
        .clone();
    assert_eq!(finding["acknowledged"]["reason"], "no mail here");
}

fn evidence(world: &World, name: &str) {
    let file = world.path("evidence.json");
    let (status, said, error) = pdm(world, &["evidence", name, "--file", file.to_str().unwrap()]);
    assert_eq!(status, 0, "{said}{error}");
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let bundle: Value = serde_json::from_str(whole["bundle"].as_str().unwrap()).unwrap();
    assert_eq!(bundle["fqdn"], name);
    assert!(!bundle["reports"].as_array().unwrap().is_empty() && bundle["receipts"].is_object());
    assert!(bundle["incidents"]["found"].is_array());
    // The extract is a chain that the stranger's verifier accepts.
    let links = bundle["log"]["links"].as_array().unwrap().iter().map(ToString::to_string);
    let points = bundle["log"]["checkpoints"].as_array().unwrap();
    let points = points.iter().map(|c| json!({ "checkpoint": c }).to_string());
    let lines: Vec<String> = links.chain(points).collect();
    let extract = world.path("extract.jsonl");
    std::fs::write(&extract, lines.join("\n")).unwrap();
    assert!(verifier(&extract).0);
}

/// The verifier that shares no code with PDM.
fn verifier(file: &Path) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/verify-audit-log.py");
    let done = Command::new("python3").arg(script).arg(file).output().unwrap();
    let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    (done.status.success(), text)
}

/// Export, verify by both; then change the export in every way that matters.
async fn chain(world: &World) {
    until("the log to be sealed", || async {
        let page = world.api().get("/v1/audit-log/export?after=1").await.expect(&[200]).body;
        if page["unsealed"] == 0 { Ok(()) } else { Err(page["unsealed"].to_string()) }
    })
    .await;
    let file = world.path("log.jsonl");
    let (status, _, error) = pdm(world, &["log", "export", "--file", file.to_str().unwrap()]);
    assert_eq!(status, 0, "{error}");
    let (status, said, _) = pdm(world, &["log", "verify", file.to_str().unwrap()]);
    assert!(status == 0 && said.contains("entries hold"), "{said}");
    let (good, said) = verifier(&file);
    assert!(good && said.contains("signed up to place"), "{said}");
    assert_eq!(pdm(world, &["log", "verify"]).0, 0, "the daemon's own log");

    let lines: Vec<String> = std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
    let changed = |at: usize, from: &str, to: &str| {
        let mut lines = lines.clone();
        assert!(lines[at].contains(from), "{}", lines[at]);
        lines[at] = lines[at].replacen(from, to, 1);
        lines
    };
    let mut shorter = lines.clone();
    shorter.remove(1);
    let mut swapped = lines.clone();
    swapped.swap(0, 1);
    let signed = lines.iter().position(|line| line.contains("\"checkpoint\"")).unwrap();
    for bad in [
        changed(0, "\"result\":\"ok\"", "\"result\":\"no\""),
        changed(1, "\"actor\":\"", "\"actor\":\"x"),
        changed(signed, "\"signature\":\"", "\"signature\":\"00"),
        shorter,
        swapped,
    ] {
        std::fs::write(&file, bad.join("\n")).unwrap();
        assert_eq!(pdm(world, &["log", "verify", file.to_str().unwrap()]).0, 1);
        assert!(!verifier(&file).0);
    }
}
