//! A signed domain moves from its old operator to us and back, by hand, in a closed internet, with a validating resolver
//! asking for every name all the time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pdm_harness::daemon::{Daemon, verb};
use pdm_harness::powerdns::API_KEY;
use pdm_harness::{Api, net, until_within};
use pdm_lab::{ACME, Lab, Outcome, acme};
use serde_json::{Value, json};

/// A move waits for TTLs of the parent, of the child and of records, one after the other, and for a person.
const PATIENCE: Duration = Duration::from_secs(240);
const ADDRESS: &str = "203.0.113.7";

/// A lab and a daemon whose nameservers are the lab's.
struct Move {
    lab: Arc<Lab>,
    daemon: Daemon,
    api: Api,
    begun: Instant,
}

impl Move {
    async fn start() -> Self {
        let begun = Instant::now();
        let lab = Lab::start().await;
        lab.customer(ACME, acme()).await;
        let dir = lab.dir().to_owned();
        let file = |name: &str| -> PathBuf { dir.join(name) };
        std::fs::write(file("pdns.key"), API_KEY).unwrap();
        std::fs::write(file("token.key"), [b'k'; 48]).unwrap();
        let listen = net::port(net::address());
        std::fs::write(file("pdm.toml"), config(&lab, &listen.to_string())).unwrap();
        let tokens = file("tokens.toml").display().to_string();
        let made = verb(
            &["token", "create", "--file", &tokens, "--name", "t", "--role", "admin", "--output", "json"],
            &[],
        );
        let made: Value = serde_json::from_str(&made.unwrap()).unwrap();
        let mut daemon = Daemon::serve(&file("pdm.toml"), listen, &file("pdm.log"));
        daemon.go().await;
        daemon.ready().await;
        let api = daemon.api().clone().with_token(made["token"].as_str().unwrap());
        Self { lab: Arc::new(lab), daemon, api, begun }
    }

    fn say(&self, text: &str) {
        println!("{:>7.1} s  {text}", self.begun.elapsed().as_secs_f64());
    }

    /// Reserve, prove, commit.
    async fn commit(&self) {
        let body = json!({"mode": "byo-manual", "domain": ACME, "owner": "acme"});
        let reserved = self.api.post("/v1/reserve", &body).await.expect(&[201]);
        let token = reserved.text_at("/reservationToken");
        let mut body = json!({"loadBalancers": [{"ipv4": ADDRESS}]});
        body["fqdn"] = ACME.into();
        body["reservationToken"] = token.into();
        let refused = self.api.post("/v1/commit", &body).await.expect(&[409]);
        assert_eq!(refused.code(), "ownership-unproved");
        let (name, value) = (reserved.text_at("/ownership/name"), reserved.text_at("/ownership/value"));
        let label = name.strip_suffix(&format!(".{ACME}.")).expect("a name below the domain");
        self.lab.old.edit(ACME, label, "TXT", &[&format!("\"{value}\"")]).await;
        self.say(&format!("the owner proves the domain: {name} TXT {value}"));
        let _ = self.api.post("/v1/commit", &body).await.expect(&[200, 202]);
        self.say("commit is accepted");
    }

    async fn look(&self) -> Result<Value, String> {
        Ok(self.api.try_get(&format!("/v1/allocations/{ACME}")).await?.body)
    }

    /// Do what the instructions say until the name is in this phase with nothing open. `at_step` is called whenever
    /// another step has begun.
    async fn follow(&mut self, phase: &str, kill_at_each_step: bool) {
        let (mut last_step, mut last_told) = (String::new(), String::new());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.look().await.unwrap_or(Value::Null);
            let operation = &shown["operation"];
            if shown["phase"] == phase && operation["state"] != "open" {
                self.say(&format!("the name is {phase}"));
                return;
            }
            assert!(
                Instant::now() < deadline,
                "no {phase} in {PATIENCE:?}; {shown:#}\n{}",
                self.daemon.log()
            );
            let steps = operation["steps"].as_array().cloned().unwrap_or_default();
            let step = steps.iter().find(|s| s["state"] != "done").cloned().unwrap_or(Value::Null);
            let kind = step["kind"].as_str().unwrap_or("").to_owned();
            if !kind.is_empty() && kind != last_step {
                self.say(&format!("step {kind}"));
                last_step = kind;
                if kill_at_each_step {
                    self.daemon.kill();
                    self.daemon.go().await;
                    self.say("the daemon was killed and started again");
                    continue;
                }
            }
            let wait =
                step["wait"]["detail"].as_str().or(step["waitReason"].as_str()).unwrap_or("").to_owned();
            if !wait.is_empty() && wait != last_told {
                self.say(&format!("  waits: {wait}"));
                last_told = wait;
            }
            if self.obey(&shown["brought"]["instruction"]).await
                && let Some(id) = operation["id"].as_str()
            {
                let _ = self.api.post(&format!("/v1/operations/{id}/retry"), &json!({})).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// A person enters what is said at the registry; true when something was entered.
    async fn obey(&self, instruction: &Value) -> bool {
        let texts = |name: &str| -> Vec<String> {
            let list = instruction[name].as_array().cloned().unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (held_ns, held_ds) = self.lab.registry.delegation(ACME).await;
        match instruction["action"].as_str() {
            Some("set-ns") => {
                let names = texts("ns");
                let mut dotted: Vec<String> = names.iter().map(|n| format!("{n}.")).collect();
                dotted.sort();
                if dotted == held_ns {
                    return false;
                }
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.lab.register(ACME, &names, &held_ds).await;
                self.say(&format!("a person sets NS to {}", names.join(", ")));
            }
            Some("remove-ds") if !held_ds.is_empty() => {
                self.lab.registry.set_ds(ACME, &[]).await;
                self.say("a person removes the DS");
            }
            Some("add-ds") if held_ds.is_empty() => {
                let lines = texts("lines");
                let ds: Vec<String> = lines
                    .iter()
                    .filter_map(|l| l.split_once(" DS "))
                    .map(|(_, ds)| ds.trim().to_owned())
                    .collect();
                assert!(!ds.is_empty(), "{instruction}");
                self.lab.registry.set_ds(ACME, &ds).await;
                self.say(&format!("a person adds DS {}", ds.join(", ")));
            }
            _ => return false,
        }
        true
    }
}

fn config(lab: &Lab, listen: &str) -> String {
    let mut text = format!(
        "[http]\nlisten = \"{listen}\"\n\n[store]\nurl = \"sqlite:{}\"\nmigrate = true\n",
        lab.dir().join("pdm.db").display()
    );
    let first = &lab.ours.servers[0];
    let _ = write!(
        text,
        "\n[[powerdns]]\nurl = \"http://{}\"\napi_key = \"file:pdns.key\"\ndns = \"{}\"\n",
        first.server().http(),
        first.address()
    );
    let names = lab.ours.names().iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
    let places =
        lab.ours.addresses().iter().map(|(n, at)| format!("\"{n}\" = [\"{at}\"]")).collect::<Vec<_>>();
    let roots = lab.root_hints().iter().map(|(_, at)| format!("\"{at}\"")).collect::<Vec<_>>().join(", ");
    let _ = write!(
        text,
        "\n[dns]\nnameservers = [{names}]\nhostmaster = \"hostmaster.openova.io\"\nprobe_allow = [\"127.0.0.0/8\"]\n\
         root_hints = [{roots}]\ntrust_anchor = \"file:root.key\"\nnameserver_addresses = {{ {} }}\n",
        places.join(", ")
    );
    let ttl = lab.ttl();
    let _ = write!(
        text,
        "\n[[pools]]\ndomain = \"omani.works\"\n\n[byo]\nallow_addresses = [\"203.0.113.0/24\"]\nttl_address = {ttl}\n\
         ttl_apex_ns = {ttl}\nttl_parent_ns = {ttl}\nttl_parent_ds = {ttl}\nttl_negative = {ttl}\n\
         \n[auth]\ntokens = \"file:tokens.toml\"\ntoken_key = \"file:token.key\"\n\
         \n[worker]\npoll = \"200ms\"\nsweep = \"1s\"\nlease = \"6s\"\n\n[limits]\nrequests_per_second = 0\n"
    );
    text
}

const QUESTIONS: [&str; 11] = [
    "acme.com MX",
    "acme.com TXT",
    "acme.com A",
    "www.acme.com A",
    "mx1.acme.com A",
    "mx2.acme.com AAAA",
    "_dmarc.acme.com TXT",
    "s1._domainkey.acme.com TXT",
    "autodiscover.acme.com A",
    "api.acme.com A",
    "shop.acme.com A",
];

async fn there_and_back(kill_at_each_step: bool) {
    let mut moving = Move::start().await;
    moving.lab.old.allow_transfer(ACME, true).await;
    moving.say(
        "acme.com is signed and served by the old operator; unbound asks for all its names once a second",
    );
    let watcher = moving.lab.watcher(&QUESTIONS, Duration::from_secs(1));
    watcher.rounds(1).await;
    moving.commit().await;
    moving.follow("active", kill_at_each_step).await;
    let mut names: Vec<String> = moving.lab.ours.names().iter().map(|n| format!("{n}.")).collect();
    names.sort();
    let (ns, ds) = moving.lab.registry.delegation(ACME).await;
    assert_eq!((ns, ds), (names, moving.lab.ours.ds(ACME).await));
    let console = moving.lab.cold().ask_cold("console.acme.com", "A").await;
    assert_eq!((console.records(), console.authentic()), (vec![ADDRESS], true));
    let shown = moving.api.get(&format!("/v1/allocations/{ACME}/carry-over")).await.expect(&[200]).body;
    assert_eq!((&shown["source"], &shown["complete"]), (&json!("transfer"), &json!(true)), "{shown:#}");
    let kept: Vec<_> = shown["conflicts"].as_array().unwrap().iter().map(|c| c["owner"].clone()).collect();
    assert_eq!(kept, [json!("acme.com."), json!("api.acme.com.")]);
    watcher.rounds(3).await;
    watcher.report().must_be_unbroken();
    moving.say(&format!("{} answers so far, not one lost", watcher.report().asked()));

    let _ = moving.api.post("/v1/release", &json!({"fqdn": ACME})).await.expect(&[200, 202]);
    moving.say("release is accepted");
    moving.follow("quarantined", kill_at_each_step).await;
    let old: Vec<String> = moving.lab.old.names().iter().map(|n| format!("{n}.")).collect();
    assert_eq!(
        moving.lab.registry.delegation(ACME).await,
        (old, Vec::new()),
        "the old NS set is back, without DS"
    );
    watcher.rounds(3).await;
    let report = watcher.stop();
    println!("{report}");
    report.must_be_unbroken();
    assert!(report.of("acme.com MX").seen.iter().all(|s| s.outcome.records().len() == 2), "{report}");
    moving.say(&format!("{} answers, not one SERVFAIL, not one lost", report.asked()));
}

#[tokio::test]
async fn a_signed_domain_moves_to_us_and_back_and_nobody_loses_an_answer() {
    there_and_back(false).await;
}

#[tokio::test]
async fn the_same_with_the_daemon_killed_at_every_step() {
    there_and_back(true).await;
}

#[tokio::test]
async fn without_the_records_the_nameservers_do_not_move() {
    let moving = Move::start().await;
    // No transfer; the zone has a name that nobody would ask for.
    moving.lab.old.edit(ACME, "nobody-guesses-this", "TXT", &["\"precious\""]).await;
    moving.commit().await;
    let locked = async |reason: &str| {
        until_within(&format!("the wait {reason}"), PATIENCE, || async {
            let shown = moving.look().await?;
            let steps = shown["operation"]["steps"].as_array().cloned().unwrap_or_default();
            let waits =
                steps.iter().any(|s| s["kind"] == "await-carry-over" && s.to_string().contains(reason));
            if waits { Ok(()) } else { Err(format!("{shown:#}")) }
        })
        .await;
    };
    locked("carry-over-incomplete").await;
    let (ns, _) = moving.lab.registry.delegation(ACME).await;
    assert!(ns.iter().all(|n| n.ends_with("old-dns.net.")));
    let path = format!("/v1/allocations/{ACME}/carry-over");
    let refused = moving.api.post(&path, &json!({"zoneFile": "$INCLUDE /etc/passwd\n"})).await.expect(&[422]);
    assert_eq!(refused.code(), "zone-file-malformed");
    // An upload that says something else than the old servers is locked, until that name may differ.
    let file = "@ MX 10 elsewhere.example.\nnobody-guesses-this TXT \"precious\"\n";
    let shown = moving.api.post(&path, &json!({"zoneFile": file})).await.expect(&[200]).body;
    assert_eq!(
        (&shown["source"], shown["locked"].as_array().unwrap().len()),
        (&json!("upload"), 2),
        "{shown:#}"
    );
    locked("carry-over-locked").await;
    let body = json!({"names": ["@"]});
    let _ = moving.api.post(&format!("{path}/waive"), &body).await.expect(&[200]);
    until_within("the instruction to move", PATIENCE, || async {
        let shown = moving.look().await?;
        // The old operator's DS has to go first.
        let action = &shown["brought"]["instruction"]["action"];
        if action == "remove-ds" { Ok(()) } else { Err(format!("{shown:#}")) }
    })
    .await;
    let ours = moving.lab.address_of("ns1.openova.io");
    let mx = pdm_lab::ask(ours, ACME, "MX", Duration::from_secs(5)).await;
    assert_eq!(mx.records(), ["10 elsewhere.example."]);
    let texts = pdm_lab::ask(ours, ACME, "TXT", Duration::from_secs(5)).await;
    assert_eq!(texts, Outcome::NoData, "what the survey had found went out with it");
}
