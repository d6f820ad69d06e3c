//! Events on a real nats-server: killed, restarted, full, and read slowly. Nothing is lost, and the order of each
//! Sovereign is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{self, stream};
use futures_util::StreamExt as _;
use pdm_harness::nats::Nats;
use pdm_harness::{Plan, StoreKind, World, until};
use serde_json::Value;

fn section(nats: &Nats) -> String {
    format!("[nats]\nurl = \"{}\"\nenvironment = \"prod\"\n", nats.url())
}

async fn context(nats: &Nats) -> jetstream::Context {
    jetstream::new(async_nats::connect(nats.url()).await.unwrap())
}

/// Everything that the stream holds, in its order: subject and event.
async fn stored(js: &jetstream::Context) -> Vec<(String, Value)> {
    let Ok(mut stream) = js.get_stream("PDM_DNS").await else { return Vec::new() };
    let last = stream.info().await.unwrap().state.last_sequence;
    let mut all = Vec::new();
    for seq in 1..=last {
        let message = stream.get_raw_message(seq).await.unwrap();
        all.push((message.subject.to_string(), serde_json::from_slice(&message.payload).unwrap()));
    }
    all
}

/// The phases of a name in the order in which they were told, each change once.
fn phases(events: &[(String, Value)], fqdn: &str) -> Vec<String> {
    let of = |(_, event): &&(String, Value)| event["subject"] == fqdn;
    let mut all: Vec<String> =
        events.iter().filter(of).map(|(_, e)| e["data"]["phase"].as_str().unwrap().to_owned()).collect();
    all.dedup();
    all
}

async fn until_told(js: &jetstream::Context, labels: &[&str], last: &str) -> Vec<(String, Value)> {
    until(&format!("{labels:?} to be told as {last}"), || async {
        let events = stored(js).await;
        let open: Vec<_> = labels
            .iter()
            .filter(|l| phases(&events, &format!("{l}.omani.works")).last().map(String::as_str) != Some(last))
            .collect();
        if open.is_empty() { Ok(events) } else { Err(format!("{open:?} of {}", events.len())) }
    })
    .await
}

async fn waiting(world: &World) -> f64 {
    let text = world.stranger().get("/metrics").await.text;
    let line = text.lines().find(|l| l.starts_with("pdm_events_waiting{")).unwrap_or("x 0");
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

const LIFE: [&str; 4] = ["reserved", "provisioning", "delegating", "active"];

/// In order, and nothing twice. A phase that nobody stays in may be passed within one change.
fn assert_in_order(seen: &[String], fqdn: &str) {
    let place =
        |phase: &str| LIFE.iter().chain(&["releasing", "quarantined"]).position(|p| *p == phase).unwrap();
    let places: Vec<_> = seen.iter().map(|p| place(p)).collect();
    assert!(places.windows(2).all(|w| w[0] < w[1]), "{fqdn}: {seen:?}");
    assert_eq!(seen.first().map(String::as_str), Some("reserved"), "{fqdn}");
}

#[tokio::test]
async fn every_change_is_told_once_in_order_although_the_server_is_killed() {
    let mut nats = Nats::start().await;
    let world = Plan::new(StoreKind::Postgres).replicas(2).section(&section(&nats)).start().await;
    let _ = world.api().lend("first", "192.0.2.1").await;
    let js = context(&nats).await;
    let events = until_told(&js, &["first"], "active").await;

    // What an event looks like.
    let (subject, event) = events.iter().rfind(|(_, e)| e["subject"] == "first.omani.works").unwrap();
    assert_eq!(subject, "ws.prod.dns.active.first.omani.works");
    for (name, value) in
        [("specversion", "1.0"), ("source", "/pdm/prod"), ("datacontenttype", "application/json")]
    {
        assert_eq!(event[name], value, "{event}");
    }
    assert_eq!(event["data"]["owner"], "operator", "{event}");

    // How things stand.
    let state = js.get_key_value("dns-state").await.unwrap();
    let entry: Value =
        serde_json::from_slice(&state.get("first.omani.works").await.unwrap().unwrap()).unwrap();
    assert_eq!((&entry["phase"], &entry["poolDomain"]), (&"active".into(), &"omani.works".into()), "{entry}");

    // The server dies; PDM goes on, and tells when it is back. It dies again while it is told.
    nats.kill();
    for label in ["second", "third"] {
        let _ = world.api().lend(label, "192.0.2.2").await;
    }
    world.api().give_back("first").await;
    until("events to wait", || async {
        let count = waiting(&world).await;
        if count >= 3.0 { Ok(()) } else { Err(count) }
    })
    .await;
    nats.go().await;
    let _ = world.api().reserve("fourth").await;
    nats.kill();
    nats.go().await;
    let js = context(&nats).await;
    let _ = until_told(&js, &["second", "third"], "active").await;
    let _ = until_told(&js, &["first"], "quarantined").await;
    let events = until_told(&js, &["fourth"], "reserved").await;
    for label in ["first", "second", "third", "fourth"] {
        let fqdn = format!("{label}.omani.works");
        assert_in_order(&phases(&events, &fqdn), &fqdn);
    }
    let ids: BTreeSet<_> = events.iter().map(|(_, e)| e["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "nothing is told twice");
    until("nothing to wait", || async {
        let count = waiting(&world).await;
        if count == 0.0 { Ok(()) } else { Err(count) }
    })
    .await;
    let state = js.get_key_value("dns-state").await.unwrap();
    let entry: Value =
        serde_json::from_slice(&state.get("first.omani.works").await.unwrap().unwrap()).unwrap();
    assert_eq!(entry["phase"], "quarantined");
}

#[tokio::test]
async fn an_event_names_the_trace_of_the_request_that_caused_it() {
    for store in [StoreKind::Sqlite, StoreKind::Postgres] {
        let nats = Nats::start().await;
        // Nobody listens there: spans are dropped, and contexts are passed on all the same.
        let telemetry = "[telemetry]\nendpoint = \"http://127.0.0.1:9\"\n";
        let world = Plan::new(store).section(&section(&nats)).section(telemetry).start().await;
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let traced = world.api().with_header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"));
        let _ = traced.reserve("traced").await;
        let quiet = world.api().reserve("untraced").await;
        assert!(!quiet.is_empty());
        let js = context(&nats).await;
        let events = until_told(&js, &["traced", "untraced"], "reserved").await;
        let of = |label: &str| {
            let (_, event) =
                events.iter().find(|(_, e)| e["subject"] == format!("{label}.omani.works")).unwrap();
            event["traceparent"].as_str().unwrap_or_default().to_owned()
        };
        assert!(of("traced").starts_with(&format!("00-{trace}-")), "{events:?}");
        assert!(!of("untraced").contains(trace), "{events:?}");
    }
}

/// One account for each organization: the server exports to it what is below its owner's subject, and nothing else.
#[tokio::test]
async fn an_organization_sees_its_own_events_in_its_own_account() {
    let export = |owner: &str| {
        format!("{{ stream: \"ws.prod.org.{owner}.>\", accounts: [{}] }}", owner.to_uppercase())
    };
    let tenant = |owner: &str| {
        let import = format!(
            "{{ stream: {{ account: PLATFORM, subject: \"ws.prod.org.{owner}.>\" }}, to: \"mine.>\" }}"
        );
        format!(
            "{} {{ users: [{{ user: {owner}, password: secret }}], imports: [{import}] }}\n",
            owner.to_uppercase()
        )
    };
    let config = format!(
        "accounts {{\nPLATFORM {{ jetstream: enabled, users: [{{ user: pdm, password: hush }}], exports: [{}, {}] }}\n{}{}}}\n",
        export("acme"),
        export("zenith"),
        tenant("acme"),
        tenant("zenith")
    );
    let nats = Nats::start_with(&config).await;
    let listen = async |owner: &str| {
        let options = async_nats::ConnectOptions::with_user_and_password(owner.into(), "secret".into());
        let client = options.connect(nats.url()).await.unwrap();
        let subscription = client.subscribe("mine.>").await.unwrap();
        client.flush().await.unwrap();
        (client, subscription)
    };
    let (_acme, mut acme) = listen("acme").await;
    let (_zenith, mut zenith) = listen("zenith").await;
    let dir = tempfile::tempdir().unwrap();
    let password = dir.path().join("password");
    std::fs::write(&password, "wrong\n").unwrap();
    let section = format!(
        "[nats]\nurl = \"{}\"\nenvironment = \"prod\"\norganizations = true\nuser = \"pdm\"\npassword = \"file:{}\"\n",
        nats.url(),
        password.display()
    );
    let world = Plan::new(StoreKind::Sqlite).section(&section).start().await;
    for owner in ["acme", "zenith"] {
        let _ = world.api_for(owner).await.reserve(&format!("of-{owner}")).await;
    }
    // The password was wrong so far; the next try reads the file again.
    std::fs::write(&password, "hush\n").unwrap();
    for (owner, seen) in [("acme", &mut acme), ("zenith", &mut zenith)] {
        let next = tokio::time::timeout(Duration::from_secs(60), seen.next());
        let message = next.await.expect("an event").unwrap();
        let event: Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(event["subject"], format!("of-{owner}.omani.works"), "{event}");
        assert_eq!(message.subject.as_str(), format!("mine.dns.reserved.of-{owner}.omani.works"));
    }
    // Nothing of the other comes behind.
    until("nothing to wait", || async {
        let count = waiting(&world).await;
        if count == 0.0 { Ok(()) } else { Err(count) }
    })
    .await;
    let later = tokio::time::timeout(Duration::from_millis(500), acme.next()).await;
    assert!(later.is_err(), "{later:?}");
}

/// A server that takes certificates only: ours is vouched for by an authority of a file, theirs is looked at by its name.
#[tokio::test]
async fn events_go_over_tls_to_a_server_that_is_looked_at() {
    let pki = super::spiffe::pki();
    let file = |name: &str| pki.path(name).display().to_string();
    let nats = Nats::start_at(|ip| {
        pki.host("one", &ip.to_string());
        format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}\n",
            file("host.pem"),
            file("host.key"),
            file("one.ca.pem")
        )
    })
    .await;
    let url = nats.url().replace("nats://", "tls://");
    let section = |ca: &str| {
        format!(
            "[nats]\nurl = \"{url}\"\nenvironment = \"prod\"\nca = {:?}\ncertificate = {:?}\nkey = {:?}\n",
            file(ca),
            file("provisioner.pem"),
            file("provisioner.key")
        )
    };
    let options = async_nats::ConnectOptions::new()
        .add_root_certificates(pki.path("one.ca.pem"))
        .add_client_certificate(pki.path("provisioner.pem"), pki.path("provisioner.key"));
    let js = jetstream::new(options.connect(&url).await.unwrap());

    let world = Plan::new(StoreKind::Sqlite).section(&section("one.ca.pem")).start().await;
    let _ = world.api().reserve("sealed").await;
    until_told(&js, &["sealed"], "reserved").await;

    // Of an authority that is not the server's nothing is told; it waits.
    let world = Plan::new(StoreKind::Sqlite).section(&section("other.ca.pem")).start().await;
    let _ = world.api().reserve("unsealed").await;
    until("the event to wait", || async {
        let count = waiting(&world).await;
        if count > 0.0 { Ok(()) } else { Err(count) }
    })
    .await;
    assert!(phases(&stored(&js).await, "unsealed.omani.works").is_empty());
}

#[tokio::test]
async fn a_full_stream_and_a_slow_reader_lose_nothing() {
    let nats = Nats::start().await;
    let js = context(&nats).await;
    // A stream that the operator made, with room for very little.
    let mut config = stream::Config {
        name: "PDM_DNS".into(),
        subjects: vec!["ws.prod.dns.>".into()],
        max_messages: 4,
        discard: stream::DiscardPolicy::New,
        ..stream::Config::default()
    };
    js.create_stream(config.clone()).await.unwrap();
    let world = Plan::new(StoreKind::Sqlite).section(&section(&nats)).start().await;
    for label in ["a", "b", "c"] {
        let _ = world.api().lend(&format!("name-{label}"), "192.0.2.1").await;
    }
    // Events that are on their way count as well, so the log must say it too.
    until("events to wait", || async {
        let told = world.daemons[0].log().contains("events wait in the store");
        let count = waiting(&world).await;
        if told && count >= 3.0 { Ok(()) } else { Err(format!("{count} wait, told: {told}")) }
    })
    .await;

    // A reader that takes its time, with a bound on what it holds.
    let stream = js.get_stream("PDM_DNS").await.unwrap();
    let reader: PullConsumer = stream
        .create_consumer(jetstream::consumer::pull::Config {
            durable_name: Some("slow".into()),
            max_ack_pending: 1,
            ..Default::default()
        })
        .await
        .unwrap();
    config.max_messages = 10_000;
    js.update_stream(config).await.unwrap();
    let labels = ["name-a", "name-b", "name-c"];
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut messages = reader.messages().await.unwrap();
    let done = |seen: &BTreeMap<String, Vec<String>>| {
        labels.iter().all(|l| {
            seen.get(&format!("{l}.omani.works")).and_then(|p| p.last()).is_some_and(|p| p == "active")
        })
    };
    let read = async {
        while !done(&seen) {
            let message = messages.next().await.unwrap().unwrap();
            let event: Value = serde_json::from_slice(&message.payload).unwrap();
            let phases = seen.entry(event["subject"].as_str().unwrap().to_owned()).or_default();
            phases.push(event["data"]["phase"].as_str().unwrap().to_owned());
            phases.dedup();
            tokio::time::sleep(Duration::from_millis(20)).await;
            message.ack().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), read).await.expect("the slow reader sees everything");
    for (fqdn, phases) in &seen {
        assert_in_order(phases, fqdn);
    }
    until("nothing to wait", || async {
        let count = waiting(&world).await;
        if count == 0.0 { Ok(()) } else { Err(count) }
    })
    .await;
}

#[tokio::test]
async fn a_finding_is_told_when_it_comes_and_when_it_goes_and_not_in_between() {
    let nats = Nats::start().await;
    let audits = "[audit]\nprofile = \"loopback\"\npublic_view = false\nglance = \"0s\"\nfull = \"0s\"";
    let plan = Plan::new(StoreKind::Sqlite).pool("drift = \"report\"").powerdns("disable-axfr", "yes");
    let world = plan.section(audits).section(&section(&nats)).start().await;
    let _ = world.api().lend("first", "192.0.2.1").await;
    let (js, name) = (context(&nats).await, "first.omani.works");
    let body = serde_json::json!({ "fqdn": name });
    let audit = async || drop(world.api().post("/v1/audits", &body).await.expect(&[200]));
    audit().await;
    let _ = world.dns().edit(name, &format!("api.{name}"), "A", 300, &["203.0.113.66"]).await;
    // Three audits that see it, and one that does not.
    for _ in 0..3 {
        audit().await;
    }
    let _ = world.dns().edit(name, &format!("api.{name}"), "A", 1, &["192.0.2.1"]).await;
    audit().await;
    let findings = async || {
        let events = stored(&js).await.into_iter().filter(|(_, e)| e["data"]["finding"]["code"] == "SOV06");
        events.collect::<Vec<_>>()
    };
    let told = until("the finding to be told as gone", || async {
        let told = findings().await;
        if told.len() >= 2 { Ok(told) } else { Err(format!("{told:?}")) }
    })
    .await;
    let kinds: Vec<_> = told.iter().map(|(_, e)| e["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["io.openova.pdm.finding.new", "io.openova.pdm.finding.gone"]);
    let (subject, event) = &told[0];
    assert_eq!(subject, "ws.prod.dns.finding.first.omani.works");
    assert_eq!(
        (&event["data"]["fqdn"], &event["data"]["finding"]["who"]),
        (&name.into(), &"operator".into())
    );
    assert!(event["data"]["finding"]["fix"]["command"].as_str().is_some_and(|c| c.starts_with("pdm audit")));
    assert!(!event["data"]["report"].as_str().unwrap().is_empty());
}
