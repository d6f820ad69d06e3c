//! Names with IPv4 and IPv6 addresses: each family fails over by itself, as far as it has somewhere to go.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use pdm_harness::backends::Manner;
use pdm_harness::story::fqdn;
use pdm_harness::{DEADLINE, POOL, StoreKind, dns, until_within};
use pdm_lab::{Outcome, ask};
use pdm_lua_records::RecordType;
use serde_json::{Value, json};

use crate::ground::{FAMILIES, of_family};
use crate::scene::{LABEL, Scene, plan};

impl Scene {
    /// The target over all backends, each with both of its addresses.
    fn dual(&self) -> Value {
        let mut body = self.target(json!({"type": "tcp", "timeout": 1}));
        for (lb, backend) in body["loadBalancers"].as_array_mut().unwrap().iter_mut().zip(&self.backends) {
            lb["ipv6"] = of_family(RecordType::Aaaa, backend.ip()).to_string().into();
        }
        body
    }

    async fn family_gives(&self, family: RecordType, region: usize) {
        let want = BTreeSet::from([of_family(family, self.backends[region].ip())]);
        until_within(&format!("{family} to be {want:?}"), DEADLINE, || async {
            match ask(self.nameservers()[0], &fqdn(LABEL), family.as_str(), Duration::from_secs(2)).await {
                Outcome::Answer { records, .. } => {
                    let seen: BTreeSet<IpAddr> = records.iter().map(|ip| ip.parse().unwrap()).collect();
                    if seen == want { Ok(()) } else { Err(format!("{seen:?}")) }
                }
                other => Err(other.to_string()),
            }
        })
        .await;
        dns::must_validate(self.nameservers()[0], &self.world.anchor(), POOL, &fqdn(LABEL), family.as_str());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_family_fails_over_and_one_that_cannot_is_told() {
    let mut scene = Scene::start(plan(StoreKind::Sqlite), 2, json!({"type": "tcp", "timeout": 1})).await;
    let api = scene.world.api().clone();
    let answer = api.put(&scene.path("/target"), &scene.dual()).await.expect(&[200, 202]);
    assert_eq!(answer.body["warnings"], Value::Null, "each family has two regions: {answer}");
    api.await_phase(LABEL, "active").await;
    for (manner, region, reason) in [(Manner::Refuses, 1, "failed-over"), (Manner::Well, 0, "preferred")] {
        scene.backends[0].set(manner).await;
        for family in FAMILIES {
            scene.family_gives(family, region).await;
        }
        scene.reason(reason).await;
    }

    // Now only the first region has IPv6: there is no other place to go to, and whoever says so may want it.
    let mut uneven = scene.dual();
    let _ = uneven["loadBalancers"][1].as_object_mut().unwrap().remove("ipv6");
    let answer = api.put(&scene.path("/target"), &uneven).await.expect(&[200, 202]);
    assert!(answer.text_at("/warnings/0").starts_with("AAAA: clients get what fsn has"), "{answer}");
    api.await_phase(LABEL, "active").await;
    scene.reason("preferred").await;
    scene.backends[0].set(Manner::Refuses).await;
    scene.family_gives(RecordType::A, 1).await;
    scene.family_gives(RecordType::Aaaa, 0).await;
    scene.reason("failed-over").await;
}
