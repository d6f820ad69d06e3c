//! The harness itself: the processes start, answer, break on demand and end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use pdm_harness::powerdns::Caches;
use pdm_harness::{Backend, Chaos, Fault, Postgres, PowerDns, Release, dns};

#[tokio::test]
async fn powerdns_serves_signs_and_comes_back_from_a_copy() {
    let mut server = PowerDns::start(Backend::Sqlite, Caches::Short).await;
    server.create("omani.works", "", true).await;
    server.save("empty");
    let _ = server.edit("omani.works", "a.omani.works", "A", 60, &["192.0.2.1"]).await;
    assert_eq!(dns::short(server.dns(), "a.omani.works", "A"), ["192.0.2.1"]);
    let anchor = tempfile::NamedTempFile::new().unwrap();
    dns::write_anchor(server.dns(), "omani.works", anchor.path());
    dns::must_validate(server.dns(), anchor.path(), "omani.works", "a.omani.works", "A");
    assert_eq!(server.sql("select count(*) from domains"), "1");
    server.restore("empty").await;
    assert_eq!(dns::status(server.dns(), "a.omani.works", "A"), "NXDOMAIN");
    server.remove_keys("omani.works").await;
    assert!(server.ds_of_keys("omani.works").await.is_empty());
}

#[tokio::test]
async fn two_instances_share_one_postgres_which_can_go_and_come_back() {
    let mut postgres = Postgres::start().await;
    postgres.create("pdns");
    postgres.psql_file("pdns", &Release::usual().postgres_schema());
    let backend = Backend::Postgres { at: postgres.at(), database: "pdns".into() };
    let first = PowerDns::start(backend.clone(), Caches::Short).await;
    let second = PowerDns::start(backend, Caches::Short).await;
    first.create("omani.works", "", true).await;
    assert_eq!(second.zones().await, ["omani.works"]);
    postgres.kill().await;
    postgres.go().await;
    assert_eq!(postgres.psql("pdns", "select count(*) from domains"), "1");
}

#[tokio::test]
async fn the_proxy_breaks_what_it_is_told_to() {
    let server = PowerDns::start(Backend::Sqlite, Caches::Short).await;
    let proxy = Chaos::start(server.http()).await;
    let api =
        pdm_harness::Api::new(&format!("http://{}", proxy.at())).with_header("x-api-key", "harness-key");
    let path = "/api/v1/servers/localhost";
    assert_eq!(api.get(path).await.status, 200);
    proxy.only(Some("GET"), path, 1, Fault::Error500);
    assert_eq!(api.get(path).await.status, 500);
    assert_eq!(api.get(path).await.status, 200);
    proxy.set(Fault::Down);
    assert!(api.try_get(path).await.is_err());
    proxy.set(Fault::Slow(Duration::from_millis(50)));
    assert_eq!(api.get(path).await.status, 200);
    proxy.set(Fault::LoseReply);
    let zone = serde_json::json!({"name": "x.test.", "kind": "Native", "nameservers": []});
    assert!(api.try_post("/api/v1/servers/localhost/zones", &zone).await.is_err());
    assert_eq!(server.zones().await, ["x.test"]);
    assert_eq!(proxy.writes(), 1);
}
