//! The pages in a real browser, against real daemons and PowerDNS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

mod copies;

use pdm_harness::browser::browse;
use pdm_harness::story::fqdn;
use pdm_harness::{Plan, StoreKind, net, node, until};
use serde_json::json;

/// A daemon that reports drift and leaves it, with LUA records as deploy/ sets them up.
fn plan() -> Plan {
    let deployed = include_str!("../../../../deploy/powerdns/4.7.conf").lines();
    let settings = deployed.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let settings = settings.filter(|(name, _)| !name.contains("cache"));
    settings
        .fold(Plan::new(StoreKind::Sqlite), |plan, (name, value)| plan.powerdns(name, value))
        .pool("drift = \"report\"")
        .powerdns("lua-health-checks-interval", "1")
        .section("[worker]\npoll = \"200ms\"\nsweep = \"1s\"\nlease = \"6s\"\nfailover_look = \"300ms\"")
        .section("[audit]\nprofile = \"loopback\"\nglance = \"0s\"\nfull = \"0s\"")
        .section("[byo]\nallow_addresses = [\"192.0.2.0/24\"]")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_find_their_way_in_a_browser() {
    // Two consoles, each a site of its own; the script serves them.
    let [console, stranger] = [(); 2].map(|()| format!("http://{}", net::port(net::address())));
    let section = format!("[pages]\nframe_ancestors = [\"{console}\"]");
    let world = plan().section(&section).start().await;
    let api = world.api();
    let _ = api.lend("drifted", "192.0.2.10").await;
    let token = api.reserve("policy").await;
    let body = json!({
        "fqdn": fqdn("policy"), "reservationToken": token,
        "loadBalancers": [{"region": "muscat", "ipv4": "192.0.2.21"}, {"region": "salalah", "ipv4": "192.0.2.22"}],
        "failover": {"strategy": "ordered"},
    });
    let _ = api.post("/v1/commit", &body).await.expect(&[200, 202]);
    api.await_phase("policy", "active").await;
    let _ = world.dns().edit(&fqdn("drifted"), &fqdn("api.drifted"), "A", 300, &["203.0.113.66"]).await;
    let auditor = world.make_token("auditor", "auditor", &[]);
    let more = json!({
        "drifted": fqdn("drifted"), "policy": fqdn("policy"), "regions": ["192.0.2.21", "192.0.2.22"], "auditor": auditor,
        "console": console, "stranger": stranger,
    });
    let (url, token) = (api.base().to_owned(), world.token());
    browse(&["pages.mjs", "admin.mjs", "frame.mjs"], &url, token, world.dir(), &more).await;
    let more = copies::hostile(&world, "drifted");
    browse(&["hostile.mjs"], &url, token, world.dir(), &more).await;
}

const AUDIENCE: &str = "https://pdm.example/api";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organizations_account_signs_in() {
    let issuer = net::port(net::address());
    let section = format!(
        "[pages]\naddress = \"http://{{listen}}\"\n\n[oidc]\nissuer = \"http://{issuer}\"\naudience = \"{AUDIENCE}\"\n\
         refresh = \"1s\"\nclient_id = \"pages\"\nclient_secret = \"file:client.secret\"\nscope = \"openid offline_access pdm\"\n\
         roles = {{ sovereign-provisioner = \"provisioner\" }}\n"
    );
    let world =
        Plan::new(StoreKind::Sqlite).file("client.secret", "swordfish").section(&section).start().await;
    let url = world.api().base().to_owned();
    // Tokens of a few seconds, so that a session meets its renewal.
    let (keys, back) = (world.dir().display().to_string(), format!("{url}/login/returned"));
    let at = format!("http://{issuer}");
    let env = [("ISSUER", &*at), ("KEYS", &keys), ("SIGN", "es-a"), ("TTL", "4"), ("REDIRECT", &back)];
    let _provider = node::start("provider.mjs", &env, &world.path("provider.log"));
    let asked = pdm_harness::Api::new(&at);
    until("the provider", || asked.try_get("/.well-known/openid-configuration")).await;
    browse(&["signed_in.mjs"], &url, world.token(), world.dir(), &json!({ "issuer": at })).await;
}

/// Measured alone, as `.config/nextest.toml` says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_lists_stay_fast() {
    let world = Plan::new(StoreKind::Sqlite).start().await;
    copies::many(&world).await;
    browse(&["speed.mjs"], world.api().base(), world.token(), world.dir(), &json!({})).await;
}
