//! Every policy on every PowerDNS at hand: what a nameserver answers is what the truth table says, for every
//! combination of regions up and down and every kind of client; and what only some releases can do.

use std::time::Duration;

use futures_util::future::join_all;
use pdm_harness::backends::{self, Backend, Manner};
use pdm_harness::story::{condition, fqdn};
use pdm_harness::{Release, StoreKind, size, until_within};
use pdm_lab::Outcome;
use pdm_lua_records::{Checking, MAX_ADDRESSES, MAX_COUNTRIES, MAX_REGIONS, RecordType, bounds};
use serde_json::json;

use crate::ground::{CLIENTS, DEADLINE, FAMILIES, Ground, Set, build, carry, ordered, until_gives};
use crate::scene::{LABEL, Scene, plan, two_nameservers};

/// A check every second; one that is silent takes a second more, and one that may fail three times fails three times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_policy_on_every_release_does_what_its_table_says() {
    let mut ground = Ground::new().await;
    let mut carried = Vec::new();
    let mut servers = Vec::new();
    for release in Release::all() {
        let server = ground.nameserver(release.clone()).await;
        let mut count = 0;
        for (name, failover) in ground.policies() {
            let one = carry(&server, &release, &name, &failover).await;
            count += usize::from(one.is_some());
            carried.extend(one);
        }
        println!("PowerDNS {:?}: {count} policies", release.version());
        servers.push(server);
    }
    let mut answers = 0_usize;
    for bits in 0..1_u32 << ground.backends.len() {
        let mut up = Set::new();
        for (n, backend) in ground.backends.iter_mut().enumerate() {
            let well = bits >> n & 1 == 1;
            backend.set(if well { Manner::Well } else { Manner::Refuses }).await;
            up.extend(well.then(|| backend.ip()));
        }
        let every = || {
            carried.iter().flat_map(|one| {
                one.families
                    .iter()
                    .flat_map(move |family| (0..CLIENTS.len()).map(move |client| (one, client, *family)))
            })
        };
        let (ground, up) = (&ground, &up);
        let settled = every().map(|(one, client, family)| {
            until_within("what the table says", DEADLINE, move || one.agrees(ground, client, family, up))
        });
        join_all(settled).await;
        // It is no passing state: asked once more, all of them still say so. One check may have come too late meanwhile.
        let moment = Duration::from_secs(4);
        let still = every().map(|(one, client, family)| {
            until_within("the same once more", moment, move || one.agrees(ground, client, family, up))
        });
        answers += join_all(still).await.len();
    }
    println!("{answers} situations");
    assert!(
        answers >= 2 * 9 * FAMILIES.len() * CLIENTS.len() * 16,
        "two releases, what all of them carry out: {answers}"
    );
}

/// What came with 5.0 does what it is for where it is there, within what is computed for it, and is refused elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_later_releases_have_works_there_and_is_refused_before() {
    for release in Release::all() {
        let mut ground = Ground::new().await;
        let server = ground.nameserver(release.clone()).await;
        let patient = ordered(&ground, json!({"interval": 2, "failures": 2}), json!({}));
        let policies = [
            ("patient", patient.clone()),
            (
                "status",
                ordered(&ground, json!({"type": "http", "path": "/", "expectStatus": 204}), json!({})),
            ),
            ("unchecked", ordered(&ground, json!({}), json!({"untilChecked": "fail"}))),
        ];
        let mut carried = Vec::new();
        for (name, failover) in &policies {
            carried.extend(carry(&server, &release, name, failover).await);
        }
        if release.version() < (5, 0, 0) {
            assert!(carried.is_empty(), "{:?} carries out what it ignores", release.version());
            continue;
        }
        let [slow, status, unchecked] = &carried[..] else { panic!("{:?}", release.version()) };
        let (first, second) = (Set::from([ground.backends[0].ip()]), Set::from([ground.backends[1].ip()]));
        let both: Set = first.union(&second).copied().collect();

        // Nobody has asked yet, so nothing is checked: no answer is better than a wrong one.
        let unknown = unchecked.ask(CLIENTS[0].0, RecordType::A).await;
        assert!(matches!(unknown, Outcome::ServFail(_)), "{unknown}");
        until_gives(unchecked, &first).await;

        // 200 is not what this check wants.
        until_gives(status, &both).await;
        ground.backends[1].set(Manner::NoContent).await;
        until_gives(status, &second).await;
        ground.backends[0].set(Manner::NoContent).await;
        until_gives(status, &first).await;

        // One failure is none; two of them, two seconds apart, are.
        until_gives(slow, &first).await;
        let bounds = bounds(&patient, Checking { nameservers: 1, server_interval: 1, slowest: 0 });
        let within = Duration::from_secs(bounds.detected.into()) + Duration::from_millis(500);
        for round in 1..=size(3, 10) {
            tokio::time::sleep(Duration::from_millis(370) * u32::try_from(round).unwrap()).await;
            ground.backends[0].set(Manner::Refuses).await;
            let lost = until_gives(slow, &second).await;
            ground.backends[0].set(Manner::Well).await;
            let back = until_gives(slow, &first).await;
            println!("{:?}: lost in {lost:.2?}, within {within:?}; back in {back:.2?}", release.version());
            assert!(lost > Duration::from_millis(900) && lost <= within, "{lost:?} within {within:?}");
            assert!(back <= Duration::from_secs((bounds.recovery - 1).into()) + Duration::from_millis(500));
        }

        // One that is down from the start is taken for up between its first failure and the last that it may have.
        ground.backends[0].set(Manner::Refuses).await;
        let thrice = ordered(&ground, json!({"failures": 3}), json!({}));
        let thrice = carry(&server, &release, "thrice", &thrice).await.unwrap();
        until_gives(&thrice, &first).await;
        until_gives(&thrice, &second).await;
    }
}

/// Without `expectStatus` no other status than 200 is well, on every release.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_is_not_200_is_not_well() {
    let mut ground = Ground::new().await;
    let policy = ordered(&ground, json!({"type": "http", "path": "/"}), json!({}));
    let (mut servers, mut carried) = (Vec::new(), Vec::new());
    for release in Release::all() {
        let server = ground.nameserver(release.clone()).await;
        carried.extend(carry(&server, &release, "url", &policy).await);
        servers.push(server);
    }
    assert_eq!(carried.len(), servers.len());
    for (manner, given) in [(Manner::Well, 0), (Manner::NoContent, 1), (Manner::Well, 0)] {
        ground.backends[0].set(manner).await;
        let want = Set::from([ground.backends[given].ip()]);
        for one in &carried {
            until_gives(one, &want).await;
        }
    }
}

/// An upgrade: one nameserver is of another release than the other, on one database. What is written is what the older
/// one can carry out, until both can do more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nameservers_of_two_releases_carry_out_one_policy() {
    let all = Release::all();
    let (oldest, newest) = (all[0].clone(), all[all.len() - 1].clone());
    let plan = two_nameservers().releases(&[oldest, newest.clone()]);
    let mut scene = Scene::start(plan, 2, json!({"type": "tcp", "timeout": 1})).await;
    scene.backends[0].set(Manner::Refuses).await;
    let next = scene.ip(1);
    let lost = tokio::join!(scene.until_gives(0, &next), scene.until_gives(1, &next));
    println!("lost in {:.2?} and {:.2?}", lost.0, lost.1);
    scene.validates();
    scene.backends[0].set(Manner::Well).await;
    scene.reason("preferred").await;
    let later = scene.target(json!({"type": "tcp", "timeout": 1, "failures": 2}));
    let refused = scene.world.api().put(&scene.path("/target"), &later).await;
    assert_eq!((refused.status, refused.code()), (422, "needs-version"), "{refused}");
    if newest.version() < (5, 0, 0) {
        return;
    }
    let first = &mut scene.world.powerdns[0];
    first.stop().await;
    first.setup().release = newest;
    first.go().await;
    let _ = scene.world.api().put(&scene.path("/target"), &later).await.expect(&[200, 202]);
    scene.world.api().await_phase(LABEL, "active").await;
    scene.reason("preferred").await;
    scene.backends[0].set(Manner::Refuses).await;
    tokio::join!(scene.until_gives(0, &next), scene.until_gives(1, &next));
    scene.validates();
}

/// As many regions, and as many countries, as a policy may have: no release gives up on its text, also where it counts
/// instructions (`lua-records-exec-limit`, 1000 unless set, honoured from 5.0 on).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_policy_is_carried_out() {
    let (mut addresses, port) = backends::start(MAX_ADDRESSES).await;
    let each = MAX_ADDRESSES / MAX_REGIONS;
    let letters = || (b'A'..=b'Z').map(char::from);
    let codes: Vec<String> =
        letters().flat_map(|a| letters().map(move |b| format!("{a}{b}"))).take(MAX_COUNTRIES).collect();
    let lb = |(n, backend): (usize, &Backend)| {
        let countries: Vec<_> = codes.iter().skip(n).step_by(MAX_ADDRESSES).collect();
        json!({"region": format!("region-{}", n / each), "ipv4": backend.ip(), "country": countries})
    };
    let lbs: Vec<_> = addresses.iter().enumerate().map(lb).collect();
    let check = json!({"port": port, "timeout": 1});
    let failover = build(json!({
        "loadBalancers": lbs, "failover": {"strategy": "geo", "check": check}
    }));
    let regions = failover.regions();
    let countries: usize = regions.iter().map(|region| region.countries.len()).sum();
    assert_eq!((regions.len(), countries), (MAX_REGIONS, MAX_COUNTRIES), "it is the largest");
    let ground = Ground::new().await;
    let mut carried = Vec::new();
    let mut servers = Vec::new();
    for release in Release::all() {
        let server = ground.nameserver(release.clone()).await;
        carried.extend(carry(&server, &release, "largest", &failover).await);
        servers.push(server);
    }
    assert_eq!(carried.len(), servers.len());
    let (others, last) = addresses.split_at_mut(MAX_ADDRESSES - each);
    for backend in others {
        backend.set(Manner::Refuses).await;
    }
    let left: Set = last.iter().map(Backend::ip).collect();
    for one in &carried {
        until_gives(one, &left).await;
    }
    for backend in last {
        backend.set(Manner::Refuses).await;
    }
    let all: Set = addresses.iter().map(Backend::ip).collect();
    for one in &carried {
        until_gives(one, &all).await;
    }
}

/// The nameservers forget where everybody is: what they answer is still one of the policy's answers, and PDM says that it is
/// not what was wanted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_cannot_be_computed_any_more_is_out_of_sync() {
    let ground = Ground::new().await;
    let database = format!("mmdb:{}", ground.database().display());
    let plan = plan(StoreKind::Sqlite)
        .powerdns("launch", "gsqlite3,geoip")
        .powerdns("geoip-database-files", &database);
    let mut world = plan.start().await;
    let api = world.api().clone();
    let lbs = ["fsn", "nbg"].iter().zip(&ground.backends);
    let lbs: Vec<_> = lbs.map(|(region, backend)| json!({"region": region, "ipv4": backend.ip()})).collect();
    let body = json!({
        "fqdn": fqdn(LABEL), "reservationToken": api.reserve(LABEL).await, "loadBalancers": lbs,
        "failover": {"strategy": "nearest", "check": {"type": "tcp", "port": ground.port()}},
    });
    let _ = api.post("/v1/commit", &body).await.expect(&[200, 202]);
    api.await_phase(LABEL, "active").await;
    let one = |a: &serde_json::Value| condition(a, "FailoverIdle")["reason"] == "one-client";
    api.await_that(LABEL, "to be seen from one place", DEADLINE, one).await;

    let server = &mut world.powerdns[0];
    server.stop().await;
    server.setup().more.push_str("geoip-database-files=\n");
    server.go().await;
    // What servers tell of themselves is believed for half a minute.
    let limit = Duration::from_secs(60);
    let lost = api
        .await_that(LABEL, "to be out of sync", limit, |a| condition(a, "InSync")["status"] == "False")
        .await;
    assert_eq!(condition(&lost, "InSync")["reason"], "needs-geoip", "{lost}");
}
