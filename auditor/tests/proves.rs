//! A healthy zone on a real PowerDNS is proved, with every query accounted for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod support;

use std::collections::BTreeSet;

use pdm_model::{Possible, RRset, RecordType, Transport, Ttl};
use pdm_ports::{AddressesSeen, Asking, DnsProbe, Heeded};
use serde_json::json;
use support::{CHILD, PARENT, Pdns, desired, prober, refused};

#[tokio::test]
async fn a_healthy_zone_is_proved_on_every_server_by_both_transports() {
    for nsec3 in [false, true] {
        let pdns = Pdns::start();
        let request = pdns.ready(nsec3);
        let before = (pdns.statistic("udp-queries"), pdns.statistic("tcp-queries"));
        let proof = prober().prove(&request).await.unwrap().unwrap();
        let udp = pdns.statistic("udp-queries") - before.0;
        let tcp = pdns.statistic("tcp-queries") - before.1;

        // DS, DNSKEY, SOA, NS, six names, one random name; the parent's keys once per server.
        assert_eq!((udp, tcp), (3 * 12, 3 * 11));
        assert_eq!(u64::from(proof.queries), udp + tcp);
        let transports: Vec<Transport> = proof.servers.iter().map(|s| s.transport).collect();
        assert_eq!(transports, [[Transport::Udp; 3], [Transport::Tcp; 3]].concat());
        let digests: BTreeSet<&str> = proof.servers.iter().map(|s| s.digest.as_str()).collect();
        assert_eq!(digests.len(), 1, "all say the same");
        assert!(proof.servers.iter().all(|s| s.answers == 12 && s.digest.len() == 64));
        assert_eq!(proof.servers[1].nameservers, ["ns2.openova.io"]);
        assert_eq!((proof.generation, proof.anchor.as_str(), proof.begun_at), (3, "pool key", request.now));
    }
}

#[tokio::test]
async fn both_address_families_and_other_types_are_proved() {
    let pdns = Pdns::start();
    let mut request = pdns.ready(true);
    request.desired = desired(Some(&["192.0.2.10", "192.0.2.11", "2001:db8::10"]));
    request.desired.push(RRset::new(
        format!("_note.{CHILD}."),
        RecordType::Txt,
        Ttl::new(60),
        ["\"two \\\"quoted\\\"\" \"strings\""],
    ));
    request.desired.push(RRset::new(
        format!("app.{CHILD}."),
        RecordType::Lua,
        Ttl::new(5),
        ["A \"pickrandom({'192.0.2.1', '192.0.2.2'})\""],
    ));
    let among = |addresses: &[&str]| Possible {
        rtype: RecordType::A,
        within: addresses.iter().map(|a| [a.parse().unwrap()].into()).collect(),
        exactly: Vec::new(),
    };
    request.possible = vec![among(&["192.0.2.1", "192.0.2.2"])];
    pdns.patch(CHILD, &request.desired);
    let proof = prober().prove(&request).await.unwrap().unwrap();
    assert_eq!(proof.servers[0].answers, 1 + 3 + 1 + 12 + 2 + 2);

    // An answer that validates and is not the policy's is somebody else's policy.
    request.possible = vec![among(&["192.0.2.3"])];
    let (reason, question, detail) = refused(&request).await;
    assert_eq!((reason.as_str(), question), ("wrong-answer", format!("app.{CHILD}/A")));
    assert!(detail.contains("never gives"), "{detail}");
    // Two answers of one question each are still one address a time.
    let name = format!("app.{CHILD}.");
    let ask = async |asking| prober().addresses(&name, &[RecordType::A], asking, &request.servers).await;
    let seen = ask(Asking::Times(8)).await;
    let given: BTreeSet<_> =
        seen.iter().flat_map(|s| s.answers.clone().unwrap()[&RecordType::A].clone()).collect();
    assert!(seen.len() == 3 && given.iter().all(|set| set.len() == 1), "{given:?}");
    // A server that heeds no clients answers us as well.
    let seen = ask(Asking::Clients(8)).await;
    let heeds = |seen: &AddressesSeen| {
        (seen.heeded, seen.answers.as_ref().map_or(0, |answers| answers[&RecordType::A].len()))
    };
    assert!(seen.iter().all(|seen| heeds(seen) == (Heeded::None, 8)), "{seen:?}");
}

#[tokio::test]
async fn every_supported_algorithm_validates() {
    for (algorithm, bits) in
        [("rsasha256", 2048), ("rsasha512", 1024), ("ecdsa256", 256), ("ecdsa384", 384), ("ed25519", 256)]
    {
        let pdns = Pdns::start();
        let request = pdns.ready(true);
        let path = format!("servers/localhost/zones/{CHILD}./cryptokeys");
        let old: serde_json::Value = serde_json::from_str(&pdns.call("GET", &path, None)).unwrap();
        pdns.call(
            "POST",
            &path,
            Some(json!({"keytype": "csk", "active": true, "algorithm": algorithm, "bits": bits})),
        );
        for key in old.as_array().unwrap() {
            pdns.call("DELETE", &format!("{path}/{}", key["id"]), None);
        }
        let ds = pdns.ds(CHILD);
        pdns.delegate(&ds);
        let request = pdm_ports::ProofRequest { ds, ..request };
        prober().prove(&request).await.unwrap().unwrap_or_else(|e| panic!("{algorithm}: {e:?}"));
    }
}

#[tokio::test]
async fn a_suspended_zone_is_proved_to_answer_for_nothing() {
    for nsec3 in [false, true] {
        let pdns = Pdns::start();
        let active = pdns.ready(nsec3);
        let gone: Vec<RRset> = active.desired[1..]
            .iter()
            .map(|r| RRset::new(r.owner.clone(), r.rtype.clone(), r.ttl, Vec::<&str>::new()))
            .collect();
        let suspended = pdm_ports::ProofRequest { desired: desired(None), ..active.clone() };
        let (reason, question, detail) = refused(&suspended).await;
        assert_eq!((reason.as_str(), question), ("wrong-answer", format!("{CHILD}/A")));
        assert!(detail.contains("192.0.2.10"), "{detail}");

        pdns.patch(CHILD, &gone);
        // The recipe's zones are rectified by the writer that knows what it left out.
        pdns.call("PUT", &format!("servers/localhost/zones/{CHILD}./rectify"), None);
        let proof = prober().prove(&suspended).await.unwrap().unwrap_or_else(|e| panic!("{nsec3}: {e:?}"));
        assert_eq!(proof.servers[0].answers, 1 + 3 + 1 + 14);
        assert_eq!(refused(&active).await.0, "wrong-answer");
    }
}

#[tokio::test]
async fn a_second_proof_asks_the_parents_keys_again_only_after_a_while() {
    let pdns = Pdns::start();
    let request = pdns.ready(true);
    let prober = prober();
    let first = prober.prove(&request).await.unwrap().unwrap();
    let second = prober.prove(&request).await.unwrap().unwrap();
    assert_eq!((first.queries, second.queries), (3 * 23, 3 * 22));
}

#[tokio::test]
async fn a_roll_of_the_parents_keys_is_noticed_at_once() {
    let pdns = Pdns::start();
    let mut request = pdns.ready(true);
    let prober = prober();
    prober.prove(&request).await.unwrap().unwrap();
    let path = format!("servers/localhost/zones/{PARENT}./cryptokeys");
    let old: serde_json::Value = serde_json::from_str(&pdns.call("GET", &path, None)).unwrap();
    pdns.call("POST", &path, Some(json!({"keytype": "csk", "active": true, "algorithm": "ecdsa256"})));
    for key in old.as_array().unwrap() {
        pdns.call("DELETE", &format!("{path}/{}", key["id"]), None);
    }
    pdns.patch(PARENT, &[RRset::new(format!("x.{PARENT}."), RecordType::Txt, Ttl::new(1), ["\"x\""])]);
    request.anchor = pdns.ds(PARENT);
    prober.prove(&request).await.unwrap().unwrap();
}

#[tokio::test]
async fn keys_and_ds_are_seen_with_their_ttl_on_every_server() {
    let pdns = Pdns::start();
    let request = pdns.ready(true);
    let mut servers = pdns.servers();
    servers.push(support::server(4, "127.0.0.1", 1));
    let keys = prober().keys(&request.zone, &servers).await;
    assert!(
        keys[..3].iter().all(|k| k.ds_of_keys.as_ref() == Some(&request.ds) && k.ttl == Some(Ttl::new(300)))
    );
    assert_eq!((keys[3].ds_of_keys.clone(), keys[3].ttl), (None, None));
    assert_eq!(keys[3].server, servers[3]);
    let ds = prober().ds(&request.zone, &servers).await;
    assert!(ds[..3].iter().all(|d| d.ds == Some((request.ds.clone(), Some(Ttl::new(300))))));
    assert_eq!(ds[3].ds, None);

    pdns.delegate(&BTreeSet::new());
    let ds = prober().ds(&request.zone, &servers).await;
    assert!(ds[..3].iter().all(|d| d.ds == Some((BTreeSet::new(), None))));
}
