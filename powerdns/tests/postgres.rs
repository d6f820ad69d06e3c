//! Two PowerDNS processes on one PostgreSQL database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use pdm_model::canonical::Change;
use pdm_model::{RRset, RecordType, Ttl};
use pdm_ports::zone::Created;
use pdm_ports::{DelegationChange, ParentSide, ZoneBackend};
use pdm_powerdns::{PoolParent, PowerDns};
use support::*;

#[tokio::test]
async fn two_instances_on_one_database() {
    let Some(database) = Postgres::start().await else {
        panic!("this test needs PostgreSQL's server programs (Debian: postgresql)");
    };
    // The second remembers for long what only its own API would make it forget.
    let first = Pdns::postgres(&database, "").await;
    let second =
        Pdns::postgres(&database, "cache-ttl=120\nquery-cache-ttl=120\nnegquery-cache-ttl=120").await;
    let dns = Arc::new(PowerDns::new(vec![first.instance(), second.instance()], options()).unwrap());
    let report = dns.preflight().await;
    assert_eq!(report.backend.as_deref(), Some("gpgsql"));
    assert!(report.is_usable() && report.findings.iter().all(|finding| finding.code == "cache-long"));
    assert!(report.findings.len() == 3 && report.findings[0].instance.starts_with(&second.url()));
    let version = dns.health().await.unwrap();
    assert_eq!(dns.health().await.unwrap(), version);

    let parent = PoolParent::new(dns.clone(), vec![pool_config()], Arc::new(FreeLease::default()));
    assert!(parent.prepare(&pool()).await.unwrap().switched);
    assert!(!parent.prepare(&pool()).await.unwrap().switched);

    // Denied by the second, and remembered.
    assert!(second.dig("console.c1.pool.example", "A").await.contains("NXDOMAIN"));
    let specs: Vec<_> = (1..=12).map(|n| spec(&format!("c{n}.pool.example"), A)).collect();
    let made = join_all(specs.iter().map(|spec| dns.create_zone(spec))).await;
    assert!(made.into_iter().all(|made| matches!(made.unwrap(), Created::New(_))));
    let change = |mark| DelegationChange { ns: Some((ns_set(), Ttl::new(3600))), ds: None, mark };
    let applied =
        join_all(specs.iter().zip(1..).map(|(s, n)| parent.apply(&s.name, change(n), soon()))).await;
    assert!(applied.into_iter().all(|applied| applied.is_ok()));
    assert!(second.dig("console.c1.pool.example", "A").await.contains("192.0.2.10"), "its cache was flushed");
    assert_eq!(database.sql("select count(*) from records where type='NS' and name='c1.pool.example'"), "6");
    assert_eq!(database.sql("select count(*) from records where type='SOA' and name='pool.example'"), "1");
    assert_eq!(parent.mark(&pool()).await.unwrap(), Some(12));

    // The mark and the serial, as on SQLite; a change reaches the second's cache.
    let zone = specs[0].name.clone();
    let before = dns.read_zone(&zone).await.unwrap().unwrap();
    assert_eq!(before.stamp, Some(stamp(A, 1)));
    assert!(second.dig("console.c1.pool.example", "A").await.contains("192.0.2.10"));
    for last in 1..=10_u8 {
        let rrset =
            RRset::new(format!("console.{zone}."), RecordType::A, Ttl::new(60), [format!("192.0.2.{last}")]);
        dns.change_zone(&zone, &[Change::Replace(rrset)], &stamp(A, i64::from(last))).await.unwrap();
    }
    let after = dns.read_zone(&zone).await.unwrap().unwrap();
    assert_eq!((after.serial, after.stamp), (before.serial + 10, Some(stamp(A, 10))));
    let last = second.dig("console.c1.pool.example", "A").await;
    assert!(last.contains("192.0.2.10") && last.contains("60\tIN"), "{last}");

    let gone = DelegationChange { ns: Some((BTreeSet::new(), Ttl::new(0))), ds: None, mark: 1 };
    parent.apply(&zone, gone, soon()).await.unwrap();
    dns.remove_zone(&zone, A).await.unwrap();
    assert!(second.dig("console.c1.pool.example", "A").await.contains("NXDOMAIN"));

    // One instance down: said at once, and writes through the other go on.
    drop(second);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(dns.health().await.unwrap_err().code, "powerdns-unavailable");
    parent.apply(&zone, change(13), soon()).await.unwrap();
}
