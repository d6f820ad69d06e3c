//! A policy that goes by the client's address, looked at on behalf of many clients.

use pdm_harness::backends::{Backend, Manner};
use pdm_harness::story::condition;
use serde_json::json;

use crate::scene::{LABEL, Scene, two_nameservers};

async fn all(backends: &mut [Backend], manner: Manner) {
    for backend in backends {
        backend.set(manner).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_nameserver_gives_many_clients_tells_what_one_client_cannot() {
    let check = json!({"type": "tcp", "timeout": 1});
    let mut scene = Scene::start(two_nameservers(), 3, check.clone()).await;
    let mut hashed = scene.target(check);
    hashed["failover"]["strategy"] = "hashed".into();
    let api = scene.world.api().clone();
    let _ = api.put(&scene.path("/target"), &hashed).await.expect(&[200, 202]);
    api.await_phase(LABEL, "active").await;
    scene.reason("preferred").await;

    // From here on the second nameserver keeps what it found at its start, so that only the first one sees the loss.
    // Whichever region the one client of this machine gets, some get the one that is down.
    scene.restart_second("lua-health-checks-interval", "3600").await;
    scene.reason("preferred").await;
    scene.backends[0].set(Manner::Refuses).await;
    let shown = scene.reason("disagree").await;
    let detail = condition(&shown, "FailoverIdle")["detail"].to_string();
    assert!(detail.contains("(fsn, nbg, mct)") && detail.contains("(nbg, mct)"), "{detail}");

    scene.restart_second("lua-health-checks-interval", "1").await;
    let shown = scene.reason("failed-over").await;
    assert_eq!(condition(&shown, "FailoverIdle")["detail"], "every nameserver answers nbg, mct");
    all(&mut scene.backends, Manner::Refuses).await;
    scene.reason("all-down").await;
    all(&mut scene.backends, Manner::Well).await;
    scene.reason("preferred").await;
    assert_eq!(scene.status().await["state"]["reason"], "preferred");

    // One that does not heed clients answers PDM itself, and so do the others then: what one client gets is compared.
    scene.restart_second("edns-subnet-processing", "no").await;
    scene.reason("one-client").await;
    scene.restart_second("edns-subnet-processing", "yes").await;
    scene.reason("preferred").await;
}
