//! How much of PowerDNS's own speed is left. Not a test: `cargo test --release -p pdm-powerdns --test floor --
//! --ignored --nocapture`.
//!
//! The floor is the same work sent bare, in waves: 16 POSTs through one gate, 16 reads of keys, one PATCH of the
//! parent for all (NS and DS), one that takes the DS out, one that takes the NS out, 16 DELETEs through the gate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use pdm_model::{DsRecord, Ttl};
use pdm_ports::{DelegationChange, ParentSide, ZoneBackend};
use pdm_powerdns::PoolParent;
use serde_json::{Value, json};
use support::*;
use tokio::sync::Semaphore;

const WIDE: usize = 16;
const COUNT: usize = 800;

fn rate(started: Instant) -> f64 {
    COUNT as f64 / started.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn lifecycles_a_second() {
    for round in 0..2 {
        let (ours, bare) = (through_the_ports().await, bare().await);
        println!("sqlite, round {round}: ports {ours:.0}/s, bare {bare:.0}/s, ratio {:.2}", ours / bare);
    }
}

async fn through_the_ports() -> f64 {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let parent = PoolParent::new(dns.clone(), vec![pool_config()], Arc::new(FreeLease::default()));
    parent.prepare(&pool()).await.unwrap();
    let (dns, parent) = (&dns, &parent);
    let started = Instant::now();
    stream::iter(0..COUNT)
        .for_each_concurrent(WIDE, |n| async move {
            let spec = spec(&format!("s{n}.pool.example"), A);
            dns.create_zone(&spec).await.unwrap();
            let keys = dns.read_keys(&spec.name).await.unwrap().unwrap();
            let ds: BTreeSet<DsRecord> = keys.into_iter().filter_map(|key| key.ds).collect();
            let none = || Some((BTreeSet::new(), Ttl::new(0)));
            let (ns, ds) = (Some((ns_set(), Ttl::new(3600))), Some((ds, Ttl::new(300))));
            for change in [
                DelegationChange { ns, ds, mark: 1 },
                DelegationChange { ns: None, ds: none(), mark: 2 },
                DelegationChange { ns: Some((BTreeSet::new(), Ttl::new(0))), ds: None, mark: 3 },
            ] {
                parent.apply(&spec.name, change, soon()).await.unwrap();
            }
            dns.remove_zone(&spec.name, A).await.unwrap();
        })
        .await;
    rate(started)
}

async fn bare() -> f64 {
    let server = Pdns::sqlite().await;
    let parent = PoolParent::new(server.client(), vec![pool_config()], Arc::new(FreeLease::default()));
    parent.prepare(&pool()).await.unwrap();
    let http = reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(8))
        .tls_certs_only(std::iter::empty())
        .build()
        .unwrap();
    let base = format!("{}/api/v1/servers/localhost/zones", server.url());
    let (calls, gate) = (Semaphore::new(8), Semaphore::new(1));
    let send = async |method: reqwest::Method, path: String, body: Option<Value>| {
        let _turn = if method == reqwest::Method::GET { None } else { Some(gate.acquire().await.unwrap()) };
        let _call = calls.acquire().await.unwrap();
        let mut request = http.request(method, format!("{base}{path}"));
        request = request.header("x-api-key", KEY).header("accept", "application/json");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let reply = request.send().await.unwrap();
        assert!(reply.status().is_success(), "{}", reply.status());
        reply.bytes().await.unwrap()
    };
    let rrset = |owner: &str, rtype: &str, ttl: u32, contents: Vec<String>| {
        let records: Vec<Value> = contents.into_iter().map(|content| json!({ "content": content })).collect();
        json!({"name": owner, "type": rtype, "ttl": ttl, "changetype": "REPLACE", "records": records})
    };
    let ns = || nameservers().iter().map(|ns| ns.dotted()).collect::<Vec<_>>();
    let names: Vec<String> = (0..COUNT).map(|n| format!("s{n}.pool.example.")).collect();
    let started = Instant::now();
    for wave in names.chunks(WIDE) {
        join_all(wave.iter().map(|zone| {
            let mut rrsets = vec![rrset(zone, "NS", 3600, ns())];
            for label in ["", "*.", "console.", "api.", "gitea.", "harbor."] {
                rrsets.push(rrset(&format!("{label}{zone}"), "A", 300, vec!["192.0.2.10".into()]));
            }
            let body = json!({"name": zone, "kind": "Native", "dnssec": true, "soa_edit_api": "DEFAULT",
                "account": format!("pdm:{A}"), "nameservers": [], "rrsets": rrsets});
            send(reqwest::Method::POST, "?rrsets=false".into(), Some(body))
        }))
        .await;
        let signers = join_all(wave.iter().map(async |zone| {
            let body = send(reqwest::Method::GET, format!("/{zone}/cryptokeys"), None).await;
            let keys: Value = serde_json::from_slice(&body).unwrap();
            let entry = keys.as_array().unwrap().iter().find(|key| key["flags"] == 257).unwrap();
            rrset(zone, "DS", 300, vec![entry["ds"][1].as_str().unwrap().into()])
        }))
        .await;
        let patch = |rrsets: Vec<Value>| {
            send(reqwest::Method::PATCH, "/pool.example.".into(), Some(json!({ "rrsets": rrsets })))
        };
        let delete = |rtype: &'static str| {
            wave.iter().map(move |z| json!({"name": z, "type": rtype, "changetype": "DELETE"}))
        };
        patch(wave.iter().map(|zone| rrset(zone, "NS", 3600, ns())).chain(signers).collect()).await;
        patch(delete("DS").collect()).await;
        patch(delete("NS").collect()).await;
        join_all(wave.iter().map(|zone| send(reqwest::Method::DELETE, format!("/{zone}"), None))).await;
    }
    rate(started)
}
