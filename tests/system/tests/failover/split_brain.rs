//! Every row of the table of situations in which nameservers see different things.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_harness::backends::Manner;
use pdm_harness::story::{condition, fqdn};
use pdm_harness::{DEADLINE, dns, until_within};
use pdm_lua_records::split_brain::ROWS;
use serde_json::json;

use crate::scene::{LABEL, Scene, two_nameservers};

/// Walks through the rows, and keeps which were seen.
struct Walk {
    scene: Scene,
    seen: BTreeSet<&'static str>,
}

impl Walk {
    /// The condition has the reason that the row says; its detail.
    async fn row(&mut self, id: &'static str) -> String {
        let row = ROWS.iter().find(|row| row.id == id).expect("a row of the table");
        let shown = self.scene.reason(row.reason).await;
        self.seen.insert(id);
        condition(&shown, "FailoverIdle")["detail"].as_str().unwrap_or_default().to_owned()
    }

    async fn both(&mut self, manner: Manner) {
        for backend in &mut self.scene.backends {
            backend.set(manner).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_the_table_is_as_written_down() {
    let scene = Scene::start(two_nameservers(), 2, json!({"type": "tcp", "timeout": 1})).await;
    let mut walk = Walk { scene, seen: BTreeSet::new() };
    let (fsn, nbg, all) = (walk.scene.ip(0), walk.scene.ip(1), walk.scene.all());
    walk.row("agreed").await;

    walk.scene.backends[0].set(Manner::Refuses).await;
    let detail = walk.row("agreed_failover").await;
    assert!(detail.contains("nbg"), "{detail}");
    for nameserver in 0..2 {
        assert_eq!(walk.scene.gives(nameserver).await, Some(nbg.clone()));
    }
    walk.both(Manner::Refuses).await;
    walk.row("all_down").await;
    for nameserver in 0..2 {
        assert_eq!(walk.scene.gives(nameserver).await, Some(all.clone()));
    }
    walk.scene.validates();

    // From here on the second nameserver checks once after its start and then keeps what it found.
    walk.scene.restart_second("lua-health-checks-interval", "3600").await;
    // Long enough for its first check to have been made, which takes no time on this machine.
    for _ in 0..20 {
        assert_eq!(walk.scene.gives(1).await, Some(all.clone()));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    walk.both(Manner::Well).await;
    walk.scene.until_gives(0, &fsn).await;
    let detail = walk.row("one_cut_off").await;
    assert!(detail.contains("fsn, nbg"), "{detail}");
    assert_eq!(walk.scene.gives(1).await, Some(all.clone()));

    walk.scene.restart_second("lua-health-checks-interval", "3600").await;
    walk.scene.until_gives(1, &fsn).await;
    walk.scene.reason("preferred").await;
    walk.scene.backends[0].set(Manner::Refuses).await;
    walk.scene.until_gives(0, &nbg).await;
    let detail = walk.row("one_cannot_reach").await;
    assert!(detail.contains("fsn") && detail.contains("nbg"), "{detail}");
    assert_eq!(walk.scene.gives(1).await, Some(fsn.clone()));
    walk.scene.validates();
    walk.scene.backends[0].set(Manner::Well).await;
    walk.scene.until_gives(0, &fsn).await;
    walk.scene.reason("preferred").await;

    walk.scene.world.powerdns[1].stop().await;
    walk.row("one_silent").await;
    assert_eq!(walk.scene.gives(0).await, Some(fsn.clone()));

    restarted(&mut walk).await;
    without_lua(&mut walk).await;

    let table: BTreeSet<_> = ROWS.iter().map(|row| row.id).collect();
    assert_eq!(walk.seen, table, "every row has its test");
}

/// With the daemon away nobody has asked the restarted nameserver yet; with it, PDM's question is the first.
async fn restarted(walk: &mut Walk) {
    let (fsn, all) = (walk.scene.ip(0), walk.scene.all());
    walk.scene.world.daemon().kill();
    walk.scene.restart_second("lua-health-checks-interval", "1").await;
    assert_eq!(walk.scene.gives(1).await, Some(all), "nothing is checked yet: what whenAllDown says");
    walk.scene.until_gives(1, &fsn).await;
    walk.scene.world.daemon().go().await;
    walk.scene.world.daemon().ready().await;
    walk.scene.reason("preferred").await;

    walk.scene.restart_second("lua-health-checks-interval", "1").await;
    // From here on only PDM asks, when it is asked how things stand.
    let second = walk.scene.nameservers()[1].to_string();
    until_within("PDM to have warmed the restarted nameserver", DEADLINE, || async {
        let status = walk.scene.status().await;
        let nameservers = status["nameservers"].as_array().unwrap();
        let seen = nameservers.iter().find(|n| n["server"] == second.as_str()).unwrap();
        if seen["verdict"] == "preferred" { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    walk.seen.insert("one_restarted");
}

/// LUA records switched off: the names are there and have no address. PDM says so, and writes no policy meanwhile.
async fn without_lua(walk: &mut Walk) {
    let fsn = walk.scene.ip(0);
    walk.scene.restart_second("enable-lua-records", "no").await;
    let detail = walk.row("one_without_lua").await;
    assert!(detail.contains("LUA records"), "{detail}");
    let at = walk.scene.nameservers()[1];
    assert_eq!(dns::addresses(at, &fqdn(LABEL)).await, Some(BTreeSet::new()));
    assert_eq!(walk.scene.gives(0).await, Some(fsn.clone()));
    let body = walk.scene.target(json!({"type": "tcp", "timeout": 2}));
    let refused = walk.scene.world.api().put(&walk.scene.path("/target"), &body).await;
    assert_eq!((refused.code(), refused.text_at("/whoMustAct")), ("lua-off", "operator"), "{refused}");
    walk.scene.restart_second("enable-lua-records", "shared").await;
    walk.scene.until_gives(1, &fsn).await;
    walk.scene.reason("preferred").await;
    let _ = walk.scene.world.api().put(&walk.scene.path("/target"), &body).await.expect(&[200, 202]);
}
