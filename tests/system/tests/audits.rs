//! From `pdm audit` to a repaired zone by what is printed; and the audit log as a chain that a stranger can check.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::path::Path;
use std::process::Command;

use pdm_harness::story::fqdn;
use pdm_harness::{POOL, Plan, StoreKind, World, until};
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

/// A line as an admin types it: in a shell, with `pdm` on the path. Exit status and everything that it says.
fn shell(world: &World, line: &str) -> (i32, String) {
    let bin = world.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    // It is there already after the first line.
    let _ = std::os::unix::fs::symlink(pdm_harness::daemon::binary(), bin.join("pdm"));
    let here = bin.display();
    let path = std::env::var("PATH").unwrap_or_default();
    let done = Command::new("sh")
        .args(["-c", line])
        .env("PATH", format!("{here}:{path}"))
        .env("PDM_URL", world.api().base())
        .env("PDM_TOKEN", world.token())
        .output()
        .unwrap();
    (done.status.code().unwrap(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

/// Codes that are open in a report.
fn open(view: &Value) -> Vec<String> {
    let findings = view["report"]["findings"].as_array().unwrap();
    let loud =
        findings.iter().filter(|f| matches!(f["severity"].as_str(), Some("warning" | "error" | "critical")));
    loud.map(|f| f["code"].as_str().unwrap().to_owned()).collect()
}

/// What the validator of Debian's or PyPI's `jsonschema` says about a document under the published schema.
fn against_the_schema(world: &World, view: &Value) -> Result<(), String> {
    let (status, schema, error) = pdm(world, &["audit", "--schema"]);
    assert_eq!(status, 0, "{error}");
    let (at, document) = (world.path("report.schema.json"), world.path("report.json"));
    std::fs::write(&at, schema).unwrap();
    std::fs::write(&document, view.to_string()).unwrap();
    let script = "import json, sys, jsonschema\n\
        schema, document = (json.load(open(file)) for file in sys.argv[1:])\n\
        judge = jsonschema.Draft202012Validator\n\
        judge.check_schema(schema)\n\
        wrong = [f'{list(e.absolute_path)}: {e.message[:200]}' for e in judge(schema).iter_errors(document)]\n\
        print('\\n'.join(wrong)); sys.exit(1 if wrong else 0)";
    let done = Command::new("python3").args(["-c", script]).args([&at, &document]).output().unwrap();
    let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    if done.status.success() { Ok(()) } else { Err(said) }
}

/// Nothing repairs by itself here, and quick looks come every second.
fn plan(store: StoreKind) -> Plan {
    let section = "[audit]\nprofile = \"loopback\"\npublic_view = false\nglance = \"1s\"\nfull = \"1s\"";
    Plan::new(store).pool("drift = \"report\"").powerdns("disable-axfr", "yes").section(section)
}

#[tokio::test]
async fn an_admin_goes_from_an_audit_to_a_repaired_zone_by_what_is_printed() {
    let world = plan(StoreKind::Sqlite).start().await;
    let _ = world.api().lend("omantel", "192.0.2.10").await;
    let name = fqdn("omantel");
    let healthy = world.api().post("/v1/audits", &json!({ "fqdn": name })).await.expect(&[200]).body;
    assert_eq!(open(&healthy), Vec::<String>::new(), "{healthy:#}");

    let _ = world.dns().edit(&name, &fqdn("api.omantel"), "A", 300, &["203.0.113.66"]).await;
    let _ = world.api().await_audit("omantel", "glance").await;
    let (status, text, _) = pdm(&world, &["audit", &name]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains(&format!("run: pdm audit {name} --fix SOV06")), "{text}");
    assert!(text.contains(&format!("- api.{name}. A 203.0.113.66")), "{text}");
    assert!(text.contains(&format!("+ api.{name}. A 192.0.2.10")), "{text}");
    // What is shown can be seen for oneself.
    let dig = text.lines().find(|line| line.trim().starts_with("dig @")).expect("a question").trim();
    assert!(shell(&world, dig).1.contains("203.0.113.66"), "{dig}");
    // A second audit: the finding is as old as the first.
    let again = world.api().post("/v1/audits", &json!({ "fqdn": name })).await.expect(&[200]).body;
    assert!(open(&again).contains(&"SOV06".to_owned()), "{again:#}");
    against_the_schema(&world, &again).unwrap();

    // By what is printed and nothing else, until nothing is open: one hand, then three at once.
    follow(&world, &name).await;
    assert_eq!(world.dns().rrset(&name, &fqdn("api.omantel"), "A").await, ["192.0.2.10"]);
    let nothing = json!({ "fqdn": name, "finding": "SOV06" });
    let _ = world.api().post("/v1/audits/fix", &nothing).await.expect(&[404]);
    let _ = world.dns().edit(POOL, &name, "DS", 300, &[]).await;
    let _ = world.dns().edit(&name, &fqdn("console.omantel"), "A", 300, &[]).await;
    let _ = world.dns().edit(&name, &fqdn("gitea.omantel"), "A", 7, &["192.0.2.10"]).await;
    let _ = world.dns().edit(&name, &name, "CAA", 300, &["0 issue \"other.example\""]).await;
    follow(&world, &name).await;
    assert_eq!(world.dns().rrset(POOL, &name, "DS").await.len(), 1);
    world.dns().remove(&name).await;
    follow(&world, &name).await;
    let _ = world.api().await_audit("omantel", "repair").await;

    let before = again["report"]["id"].as_str().unwrap();
    let (_, compared, _) = pdm(&world, &["audit", &name, "--compare", before, "--output", "json"]);
    let compared: Value = serde_json::from_str(&compared).unwrap();
    let turns: Vec<&str> =
        compared["transitions"].as_array().unwrap().iter().map(|t| t["turn"].as_str().unwrap()).collect();
    assert!(turns.contains(&"gone"), "{turns:?}");
    against_the_schema(&world, &compared).unwrap();
    let (_, page, _) = pdm(&world, &["audit", &name, "--output", "html"]);
    assert!(page.starts_with("<!doctype html>") && page.contains(&name));
    let pool = world.api().post("/v1/audits", &json!({ "poolDomain": POOL })).await.expect(&[200]).body;
    assert!(pool["report"]["checks"]["POOL02"]["outcome"] == "passed", "{pool:#}");
    against_the_schema(&world, &pool).unwrap();
    let would_be = json!({ "fqdn": name, "undelegated": true });
    let would_be = world.api().post("/v1/audits", &would_be).await.expect(&[200]).body;
    against_the_schema(&world, &would_be).unwrap();
    // The schema refuses what is not a report.
    let mut spoiled = pool.clone();
    spoiled["report"]["findings"][0]["severity"] = "dreadful".into();
    assert!(against_the_schema(&world, &spoiled).unwrap_err().contains("dreadful"));
    spoiled["report"]["more"] = 1.into();
    assert!(against_the_schema(&world, &spoiled).unwrap_err().contains("more"));

    acknowledged(&world, &name).await;
    evidence(&world, &name);
    chain(&world).await;
}

/// Look, and do what is printed, until the look ends well.
async fn follow(world: &World, name: &str) {
    let mut story = String::new();
    for _ in 0..6 {
        let (status, text) = shell(world, &format!("pdm audit {name}"));
        story.push_str(&text);
        if status == 0 {
            assert!(text.contains(&format!("{name} is as it should be.")), "{story}");
            return;
        }
        let run = text.lines().find_map(|line| line.trim().strip_prefix("run: "));
        let run = run.unwrap_or_else(|| panic!("nothing is printed that could be run:\n{story}"));
        story.push_str(&format!("$ {run}\n{}", shell(world, run).1));
    }
    panic!("it did not end:\n{story}");
}

/// Findings at warning or above: code, subject, severity.
fn loud(view: &Value) -> Vec<[String; 3]> {
    let findings = view["report"]["findings"].as_array().unwrap();
    let word = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let all = findings.iter().map(|f| ["code", "subject", "severity"].map(|field| word(f, field)));
    all.filter(|[_, _, severity]| ["warning", "error", "critical"].contains(&severity.as_str())).collect()
}

#[tokio::test]
async fn what_belongs_to_nobody_is_found_on_both_sides() {
    let world = plan(StoreKind::Sqlite).start().await;
    let _ = world.api().lend("omantel", "192.0.2.10").await;
    // Its turn comes by itself, between the Sovereigns.
    until("the pool to be audited in turn", || async {
        let reports = world.api().get(&format!("/v1/audits?fqdn={POOL}")).await;
        let reports = reports.expect(&[200]).body["items"].as_array().cloned().unwrap_or_default();
        if reports.is_empty() { Err("no report of the pool") } else { Ok(()) }
    })
    .await;
    let pool = json!({ "poolDomain": POOL });
    let healthy = world.api().post("/v1/audits", &pool).await.expect(&[200]).body;
    let before = loud(&healthy);
    // A zone with our mark that no allocation has, and a delegation that none has.
    world.dns().create(&fqdn("lost"), "pdm:0190-nobody", true).await;
    let _ = world.dns().edit(POOL, &fqdn("left"), "NS", 300, &["ns1.openova.io."]).await;
    let view = world.api().post("/v1/audits", &pool).await.expect(&[200]).body;
    let found = |name: &str, severity: &str| ["POOL02".to_owned(), fqdn(name), severity.to_owned()];
    let news: Vec<_> = loud(&view).into_iter().filter(|one| !before.contains(one)).collect();
    assert_eq!(news, [found("left", "error"), found("lost", "warning")], "{view:#}");
    let findings = view["report"]["findings"].as_array().unwrap();
    for finding in findings.iter().filter(|f| f["code"] == "POOL02") {
        assert_eq!(finding["who"], "operator");
        assert!(finding["fix"]["what"].as_str().unwrap().contains("nobody's"), "{finding:#}");
    }
    // Gone again by hand, gone from the report.
    world.dns().remove(&fqdn("lost")).await;
    let _ = world.dns().edit(POOL, &fqdn("left"), "NS", 300, &[]).await;
    let view = world.api().post("/v1/audits", &pool).await.expect(&[200]).body;
    assert_eq!(loud(&view), before);
}

#[tokio::test]
async fn a_nameserver_that_signs_in_the_past_is_found() {
    let mut world = plan(StoreKind::Sqlite).start().await;
    let _ = world.api().lend("omantel", "192.0.2.10").await;
    world.powerdns[0].stop().await;
    let past = [
        ("LD_PRELOAD", "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"),
        ("FAKETIME", "-60d"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let past = past.map(|(name, value)| (name.to_owned(), value.to_owned()));
    world.powerdns[0].setup().env.extend(past);
    world.powerdns[0].go().await;
    let name = json!({ "fqdn": fqdn("omantel") });
    let view = world.api().post("/v1/audits", &name).await.expect(&[200]).body;
    let expired = ["DNSSEC04".to_owned(), String::new(), "error".to_owned()];
    assert_eq!(loud(&view), [expired], "{view:#}");
    let findings = view["report"]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|f| f["code"] == "DNSSEC04").unwrap();
    assert_eq!(finding["who"], "operator");
    assert!(finding["detail"].as_str().unwrap().contains("expired"), "{finding:#}");
    let glance = world.api().await_audit("omantel", "glance").await;
    assert!(glance["detail"].as_str().unwrap().contains("expired"), "{glance}");
}

#[tokio::test]
async fn rounds_are_gone_by_one_replica_and_then_by_another() {
    let mut world = plan(StoreKind::Postgres).replicas(2).start().await;
    let _ = world.api().lend("omantel", "192.0.2.10").await;
    let rounds = async |world: &World, n: usize| -> f64 {
        let text = world.api_of(n).get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix("pdm_glance_rounds_total "));
        line.map_or(0.0, |count| count.trim().parse().unwrap())
    };
    let goes = until("three rounds", || async {
        let all = [rounds(&world, 0).await, rounds(&world, 1).await];
        all.iter().position(|count| *count >= 3.0).ok_or(format!("{all:?}"))
    })
    .await;
    let other = 1 - goes;
    assert_eq!(rounds(&world, other).await, 0.0, "one replica goes round");
    world.daemons[goes].kill();
    until("the other to go round", || async {
        let count = rounds(&world, other).await;
        if count >= 2.0 { Ok(()) } else { Err(count) }
    })
    .await;
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
    // One name of one was wrong for a while: more than a percent.
    let found = bundle["incidents"]["found"].as_array().unwrap();
    assert!(found.iter().any(|i| i["class"] == "integrity" && i["names"] == 1), "{found:?}");
    assert!(bundle["incidents"]["measurements"].as_u64().unwrap() > 0);
    let history = bundle["keys"]["history"].as_array().unwrap();
    assert!(history.iter().any(|entry| entry["action"] == "commit"), "{history:?}");
    assert!(!bundle["keys"]["state"]["known"].as_array().unwrap().is_empty(), "{bundle:#}");
    // The stranger's verifier accepts the pack with the chain in it, and no pack that was touched.
    let (good, said) = verifier(&file);
    assert!(
        good && said.contains(&format!("the bundle about {name}")) && said.contains("places hold"),
        "{said}"
    );
    let text = whole["bundle"].as_str().unwrap();
    let digits = whole["signature"].as_str().unwrap();

    for (what, spoiled) in [
        ("the bundle was changed", json!({ "bundle": text.replacen(name, "b.omani.works", 1) })),
        ("the signature over the bundle", json!({ "signature": format!("00{}", &digits[2..]) })),
    ] {
        let mut pack = whole.clone();
        pack.as_object_mut().unwrap().extend(spoiled.as_object().unwrap().clone());
        let touched = world.path("touched.json");
        std::fs::write(&touched, pack.to_string()).unwrap();
        let (good, said) = verifier(&touched);
        assert!(!good && said.contains(what), "{said}");
    }
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
