//! The PowerDNS door: unmodified clients write their own names and nothing else, and no name dies of it.

use std::process::Command;
use std::time::Duration;

use pdm_harness::child::run;
use pdm_harness::http::Answer;
use pdm_harness::{Api, Plan, StoreKind, World, daemon, dns, until};
use serde_json::{Value, json};

const ZONES: &str = "/api/v1/servers/localhost/zones";
const ZONE: &str = "/api/v1/servers/localhost/zones/omantel.omani.works.";
const FQDN: &str = "omantel.omani.works";

/// A client of the door, once the daemon knows its token.
async fn door(world: &World, name: &str, zone: &str, more: &[&str]) -> Api {
    let mut args = vec!["--owner", "operator", "--zone", zone];
    args.extend(more);
    let token = world.make_token(name, "dns-door", &args);
    let api = world.stranger().with_header("x-api-key", &token);
    until("the token to be known", || async {
        let answer = api.get("/api/v1/servers").await;
        if answer.status == 401 { Err(answer) } else { Ok(()) }
    })
    .await;
    api
}

fn set(name: &str, rtype: &str, change: &str, contents: &[&str]) -> Value {
    let dot = if name.is_empty() { "" } else { "." };
    let records: Vec<_> = contents.iter().map(|c| json!({"content": c, "disabled": false})).collect();
    json!({"name": format!("{name}{dot}{FQDN}."), "type": rtype, "ttl": 60, "changetype": change, "records": records})
}

async fn patch(api: &Api, sets: &[Value]) -> Answer {
    api.patch(ZONE, &json!({"rrsets": sets})).await
}

async fn write(api: &Api, name: &str, rtype: &str, contents: &[&str]) -> Answer {
    patch(api, &[set(name, rtype, "REPLACE", contents)]).await
}

async fn names(api: &Api) -> Vec<String> {
    let shown = api.get(ZONE).await.expect(&[200]).body;
    let sets = shown["rrsets"].as_array().unwrap();
    let mut all: Vec<_> = sets
        .iter()
        .map(|s| {
            let name = s["name"].as_str().unwrap().strip_suffix(&format!(".{FQDN}.")).unwrap();
            format!("{name} {}", s["type"].as_str().unwrap())
        })
        .collect();
    all.sort();
    all
}

/// Everything below the zone, as PowerDNS holds it.
async fn held(world: &World) -> Vec<String> {
    let zone = world.dns().zone(FQDN).await.unwrap();
    let sets = zone["rrsets"].as_array().unwrap();
    let own = |s: &&Value| !["SOA", "NS"].contains(&s["type"].as_str().unwrap());
    let line = |s: &Value| format!("{} {} {}", s["name"], s["type"], s["records"][0]["content"]);
    let mut all: Vec<_> = sets.iter().filter(own).map(line).collect();
    all.sort();
    all
}

fn answers(world: &World, name: &str) -> Vec<String> {
    dns::short(world.dns().dns(), &format!("{name}.{FQDN}"), "A")
}

async fn until_answers(world: &World, name: &str, address: &str) {
    until(&format!("{name} to answer {address}"), || async {
        let seen = answers(world, name);
        if seen == [address] { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

#[tokio::test]
async fn proofs_are_written_and_every_name_under_the_wildcard_lives_on() {
    let world = World::new(StoreKind::Sqlite).await;
    let _ = world.api().lend("omantel", "192.0.2.1").await;
    let _ = world.api().lend("other", "192.0.2.2").await;
    let before = held(&world).await;
    let acme = door(&world, "lego", FQDN, &["--door", "acme"]).await;

    // What a client looks at first.
    let _ = world.stranger().get("/api").await.expect(&[200]);
    let list = acme.get(ZONES).await.expect(&[200]);
    assert_eq!(list.body[0]["name"], format!("{FQDN}."), "{list}");
    assert_eq!(list.body.as_array().unwrap().len(), 1, "{list}");
    assert!(names(&acme).await.is_empty());

    // A proof below a name that only the wildcard answers for.
    let _ = write(&acme, "_acme-challenge.axon", "TXT", &["\"tOkEn-1\""]).await.expect(&[204]);
    for name in ["axon", "deep.axon", "another"] {
        assert_eq!(answers(&world, name), ["192.0.2.1"], "{name}");
    }
    assert_eq!(
        dns::short(world.dns().dns(), &format!("_acme-challenge.axon.{FQDN}"), "TXT"),
        ["\"tOkEn-1\""]
    );
    assert_eq!(names(&acme).await, ["_acme-challenge.axon TXT"]);
    let serial = world.dns().serial(FQDN).await;
    let _ = write(&acme, "_acme-challenge.axon", "TXT", &["\"tOkEn-1\""]).await.expect(&[204]);
    assert_eq!(world.dns().serial(FQDN).await, serial, "the second time changes nothing");
    let _ = patch(&acme, &[set("_acme-challenge.axon", "TXT", "EXTEND", &["\"two\""])]).await.expect(&[204]);

    // The copies follow the target, and leave while the Sovereign is suspended.
    let _ = world.api().retarget("omantel", "192.0.2.9").await;
    world.api().await_phase("omantel", "active").await;
    for name in ["axon", "deep.axon", "another"] {
        until_answers(&world, name, "192.0.2.9").await;
    }
    let path = format!("/v1/allocations/{FQDN}");
    let _ =
        world.api().post(&format!("{path}/suspend"), &json!({"reason": "abuse"})).await.expect(&[200, 202]);
    world.api().await_phase("omantel", "active").await;
    assert!(answers(&world, "axon").is_empty());
    let _ = world.api().post(&format!("{path}/resume"), &json!({})).await.expect(&[200, 202]);
    world.api().await_phase("omantel", "active").await;
    until_answers(&world, "axon", "192.0.2.9").await;

    // Nothing of it is drift, now and after the next looks.
    world.api().await_condition("omantel", "InSync", "True").await;
    let drift = |line: &&str| line.contains("drift") && line.contains("axon");
    let log = world.daemons[0].log();
    assert_eq!(log.lines().filter(drift).count(), 0, "{log}");

    // The end of the proof is the end of the copies.
    let _ = world.api().retarget("omantel", "192.0.2.1").await;
    world.api().await_phase("omantel", "active").await;
    let _ = patch(&acme, &[set("_acme-challenge.axon", "TXT", "DELETE", &[])]).await.expect(&[204]);
    assert_eq!(held(&world).await, before);

    let log = world.api().audit_of("omantel").await;
    let written = |e: &&Value| e["action"] == "dns-write" && e["actor"] == "token:lego";
    assert_eq!(log.iter().filter(written).count(), 3, "{log:?}");
    assert!(!log.iter().any(|e| e.to_string().contains("tOkEn-1")), "what is in a proof is not logged");
}

#[tokio::test]
async fn what_is_not_the_tokens_is_refused_and_not_shown() {
    let world = World::new(StoreKind::Sqlite).await;
    let _ = world.api().lend("omantel", "192.0.2.1").await;
    let _ = world.api().lend("other", "192.0.2.2").await;
    let acme = door(&world, "lego", FQDN, &["--door", "acme"]).await;
    let dns = door(&world, "dns", FQDN, &["--door", "external-dns", "--label", "apps"]).await;
    let before = held(&world).await;

    for (api, name, rtype, content) in [
        (&acme, "", "A", "192.0.2.66"),
        (&acme, "", "TXT", "\"x\""),
        (&acme, "axon", "TXT", "\"x\""),
        (&acme, "_acme-challenge", "A", "192.0.2.66"),
        (&acme, "_acme-challenge", "CNAME", "evil.example."),
        (&acme, "_acme-challenge", "LUA", "TXT \"1\""),
        (&acme, "_acme-challenge", "TYPE65402", "TXT \"1\""),
        (&acme, "_acme-challenge", "TYPE065402", "TXT \"1\""),
        (&dns, "console", "A", "192.0.2.66"),
        (&dns, "*", "A", "192.0.2.66"),
        (&dns, "other", "A", "192.0.2.66"),
        (&dns, "apps", "NS", "ns.evil.example."),
        (&dns, "apps", "DS", "1 13 2 00"),
        (&dns, "apps", "LUA", "A \"1\""),
        (&dns, "_acme-challenge.apps", "TXT", "\"x\""),
    ] {
        let answer = write(api, name, rtype, &[content]).await;
        assert_eq!(answer.status, 403, "{name} {rtype}: {answer}");
        assert!(answer.text_at("/error").starts_with("dns-name-refused: "), "{answer}");
        // One bad RRset takes the good ones along.
        let good = set("_acme-challenge.good", "TXT", "REPLACE", &["\"x\""]);
        let _ = patch(&acme, &[good, set(name, "LUA", "REPLACE", &[content])]).await.expect(&[403]);
    }
    for (name, contents) in
        [("apps", vec!["127.0.0.1"]), ("apps", vec!["169.254.169.254"]), ("apps", vec!["x"])]
    {
        let _ = write(&dns, name, "A", &contents).await.expect(&[422]);
    }
    assert_eq!(held(&world).await, before);

    // Another zone, the pool, and every other path are closed; so is the door to other tokens.
    for zone in ["other.omani.works.", "omani.works.", "x.omantel.omani.works.", "nowhere.example."] {
        let _ = acme.get(&format!("{ZONES}/{zone}")).await.expect(&[404]);
        let _ = acme.patch(&format!("{ZONES}/{zone}"), &json!({"rrsets": []})).await.expect(&[404]);
    }
    let _ = acme.get(&format!("{ZONE}/cryptokeys")).await.expect(&[404]);
    let _ = acme.get("/api/v1/servers/localhost/config").await.expect(&[404]);
    let _ = acme.delete(ZONE, None).await.expect(&[405]);
    let _ = acme.post(ZONES, &json!({"name": "x.works."})).await.expect(&[405]);
    let _ = world.stranger().get(ZONES).await.expect(&[401]);
    let _ = world.stranger().with_header("x-api-key", world.token()).get(ZONES).await.expect(&[403]);
    let key =
        world.make_token("as-bearer", "dns-door", &["--owner", "operator", "--zone", FQDN, "--door", "acme"]);
    let bearer = world.stranger().with_token(&key);
    until("the token to be known", || async {
        let answer = bearer.get("/v1/pools").await;
        if answer.status == 403 { Ok(()) } else { Err(answer) }
    })
    .await;

    // Who the name is lent to next has nothing to fear from this token: it is bound to the owner.
    let _ = world
        .api()
        .post(&format!("/v1/allocations/{FQDN}/owner"), &json!({"owner": "somebody"}))
        .await
        .expect(&[200, 202]);
    world.api().await_phase("omantel", "active").await;
    let _ = acme.get(ZONE).await.expect(&[404]);
    let _ = write(&acme, "_acme-challenge", "TXT", &["\"x\""]).await.expect(&[404]);
}

#[tokio::test]
async fn external_dns_has_its_own_labels_and_two_writers_do_not_collide() {
    let world = Plan::new(StoreKind::Postgres).replicas(2).start().await;
    let _ = world.api().lend("omantel", "192.0.2.1").await;
    let one = door(&world, "dns", FQDN, &["--door", "external-dns", "--label", "apps"]).await;
    let key = world.make_token(
        "dns-2",
        "dns-door",
        &["--owner", "operator", "--zone", FQDN, "--door", "external-dns", "--label", "apps"],
    );
    let two = world.daemons[1].api().clone().with_header("x-api-key", &key);
    until("the token to be known", || two.try_get(ZONE)).await;

    // As external-dns does it: the name, and its register beside it.
    let sets = [
        set("shop.apps", "A", "REPLACE", &["192.0.2.77"]),
        set("a-shop.apps", "TXT", "REPLACE", &["\"heritage=external-dns,external-dns/owner=k8s\""]),
    ];
    let _ = patch(&one, &sets).await.expect(&[204]);
    assert_eq!(answers(&world, "shop.apps"), ["192.0.2.77"]);
    assert_eq!(names(&one).await, ["a-shop.apps TXT", "shop.apps A"], "the copies are not the client's");
    for name in ["apps", "x.apps", "console"] {
        assert_eq!(answers(&world, name), ["192.0.2.1"], "{name}");
    }

    // Both replicas write into the one zone, while its target moves.
    let writer = |api: Api, who: &'static str| async move {
        for n in 0..10 {
            let name = format!("{who}{n}.apps");
            let answer = write(&api, &name, "A", &["192.0.2.78"]).await;
            assert!([204, 503].contains(&answer.status), "{answer}");
            if answer.status == 503 {
                let _ = write(&api, &name, "A", &["192.0.2.78"]).await.expect(&[204]);
            }
        }
    };
    let api = world.api();
    let move_it = async { api.retarget("omantel", "192.0.2.3").await };
    let ((), (), _) = tokio::join!(writer(one.clone(), "a"), writer(two, "b"), move_it);
    world.api().await_phase("omantel", "active").await;
    assert_eq!(names(&one).await.iter().filter(|n| n.ends_with(" A")).count(), 21);
    until_answers(&world, "apps", "192.0.2.3").await;
    until_answers(&world, "x.apps", "192.0.2.3").await;
    let soa = world.dns().rrset(FQDN, FQDN, "SOA").await;
    assert_eq!(soa.len(), 1, "{soa:?}");
}

/// The demonstration: pebble, unbound and lego against `pdm up`.
#[tokio::test]
async fn a_fresh_sovereign_gets_a_wildcard_certificate() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/demo-certificate.sh");
    let told = tokio::task::spawn_blocking(move || {
        run(Command::new("timeout").arg("300").arg("sh").arg(script).env("PDM_BIN", daemon::binary()))
    });
    let told = tokio::time::timeout(Duration::from_secs(310), told).await.unwrap().unwrap();
    let told = told.unwrap_or_else(|error| panic!("{error}"));
    assert!(told.contains("DNS:*.omantel.omani.works"), "{told}");
}
