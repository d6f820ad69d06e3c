//! A pool of ten thousand: what one change costs, and how much is remembered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod support;

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use pdm_model::Ttl;
use pdm_ports::{DelegationChange, ParentSide, ZoneBackend};
use pdm_powerdns::PoolParent;
use support::*;

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn ten_thousand_delegations_cost_little() {
    let server = Pdns::sqlite().await;
    let dns = server.client();
    let lease = Arc::new(FreeLease::default());
    PoolParent::new(dns.clone(), vec![pool_config()], lease.clone()).prepare(&pool()).await.unwrap();
    let digest = "ab".repeat(32);
    server.sql(&format!(
        "with recursive n(i) as (select 1 union all select i+1 from n where i<10000)
         insert into records(domain_id,name,type,content,ttl,disabled,auth)
         select 1,'s'||i||'.pool.example',t.type,t.content,3600,0,t.type='DS' from n,
         (select 'NS' type,'ns1.pool.example' content union select 'NS','ns2.pool.example'
          union select 'NS','ns3.else.example' union select 'DS','1 13 2 {digest}') t;
         insert into domains(name,type,account)
         with recursive n(i) as (select 1 union all select i+1 from n where i<10000)
         select 's'||i||'.pool.example','NATIVE','pdm:01234567-0123-4567-89ab-0123456789'||i from n"
    ));

    let before = resident();
    let parent = PoolParent::new(dns.clone(), vec![pool_config()], lease);
    let started = Instant::now();
    parent.foreign_serial(&pool()).await.unwrap();
    let load = started.elapsed();
    let started = Instant::now();
    assert_eq!(parent.foreign_names(&pool()).await.unwrap().len(), 2);
    let list = started.elapsed();
    let grown = resident().saturating_sub(before);
    assert_eq!(dns.list_zones().await.unwrap().len(), 10_001);

    let change = |mark| DelegationChange { ns: Some((ns_set(), Ttl::new(3600))), ds: None, mark };
    let mut times = Vec::new();
    for n in 0..20 {
        let started = Instant::now();
        parent.apply(&name(&format!("one{n}.pool.example")), change(n), soon()).await.unwrap();
        times.push(started.elapsed());
    }
    times.sort();
    let children: Vec<_> = (0..500).map(|n| name(&format!("many{n}.pool.example"))).collect();
    let started = Instant::now();
    let applied = join_all(children.iter().map(|child| parent.apply(child, change(1), soon()))).await;
    let many = started.elapsed();
    assert!(applied.into_iter().all(|applied| applied.is_ok()));
    println!(
        "load {load:?}, foreign names {list:?}, memory +{grown} KiB, one change {:?} (median), 500 changes {many:?}",
        times[10]
    );
    assert!(grown < 24 << 10, "{grown} KiB for 10,000 delegations");
    assert!(times[10].as_millis() < 150, "{times:?}");
}
