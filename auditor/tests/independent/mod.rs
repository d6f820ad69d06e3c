//! Our verdict on a chain is that of an independent validator: NLnet Labs' `domain`, asking the same server from the same
//! anchor.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::dnssec::validator::anchor::TrustAnchors;
use domain::dnssec::validator::context::{ValidationContext, ValidationState};
use domain::net::client::dgram_stream::Connection;
use domain::net::client::protocol::{TcpConnect, UdpConnect};
use domain::net::client::request::{ComposeRequest as _, RequestMessage, SendRequest as _};
use pdm_model::DsRecord;
use pdm_ports::DnsProbe;
use pdm_ports::probe::ProofRequest;
use serde_json::json;

use crate::support::{CHILD, PARENT, Pdns, desired, prober};

/// What `domain` says of an answer, from the DS set of the pool on.
async fn state(pdns: &Pdns, anchor: &BTreeSet<DsRecord>, name: &str, rtype: Rtype) -> ValidationState {
    let at: SocketAddr = format!("127.0.0.1:{}", pdns.dns).parse().unwrap();
    let (connection, transport) = Connection::new(UdpConnect::new(at), TcpConnect::new(at));
    let running = tokio::spawn(async move { transport.run().await });
    let mut question = MessageBuilder::new_vec().question();
    question.push((Name::vec_from_str(name).unwrap(), rtype)).unwrap();
    let mut request = RequestMessage::new(question).unwrap();
    request.set_dnssec_ok(true);
    let reply = connection.send_request(request).get_response().await.unwrap();
    let lines: String = anchor.iter().map(|ds| format!("{PARENT}. 300 IN DS {ds}\n")).collect();
    let anchors = TrustAnchors::from_u8(lines.as_bytes()).unwrap();
    let context = ValidationContext::new(anchors, connection);
    let mut reply = Message::from_octets(reply.as_slice().to_vec()).unwrap();
    let judged = context.validate_msg::<_, Vec<u8>>(&mut reply);
    let judged = tokio::time::timeout(Duration::from_secs(20), judged).await.expect("a verdict in time");
    running.abort();
    judged.unwrap().0
}

/// Ours: proved, without a chain, or broken.
async fn ours(request: &ProofRequest) -> ValidationState {
    match prober().prove(request).await.unwrap() {
        Ok(_) => ValidationState::Secure,
        Err(why) if why.reason == "no-ds" => ValidationState::Insecure,
        Err(why) if why.reason == "bogus" || why.reason == "not-signed" => ValidationState::Bogus,
        Err(why) => panic!("neither holds nor broken: {why:?}"),
    }
}

/// Positive answers, one of the wildcard, both kinds of denial.
const QUESTIONS: [(&str, Rtype); 6] = [
    ("console.", Rtype::A),
    ("x7f3q.", Rtype::A),
    ("", Rtype::SOA),
    ("", Rtype::DNSKEY),
    ("console.", Rtype::TXT),
    ("nothing.at.all.", Rtype::MX),
];

async fn must_agree(what: &str, pdns: &Pdns, request: &ProofRequest, expected: ValidationState) {
    assert_eq!(ours(request).await, expected, "{what}");
    for (label, rtype) in QUESTIONS {
        let seen = state(pdns, &request.anchor, &format!("{label}{CHILD}."), rtype).await;
        assert_eq!(seen, expected, "{what}: {label}{CHILD} {rtype}");
    }
}

fn keys(pdns: &Pdns, zone: &str) -> Vec<serde_json::Value> {
    let path = format!("servers/localhost/zones/{zone}./cryptokeys");
    serde_json::from_str(&pdns.call("GET", &path, None)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_chains_hold_for_both_and_broken_ones_for_neither() {
    use ValidationState::{Bogus, Insecure, Secure};
    for nsec3 in [false, true] {
        let pdns = Pdns::start();
        let request = pdns.ready(nsec3);
        must_agree("a healthy zone", &pdns, &request, Secure).await;
        let stranger = ProofRequest { anchor: request.ds.clone(), ..request.clone() };
        must_agree("another anchor", &pdns, &stranger, Bogus).await;

        // What a roll goes through: two DS of which one has a key, a key that is published and signs nothing.
        let path = format!("servers/localhost/zones/{CHILD}./cryptokeys");
        let other: DsRecord = format!("1 13 2 {}", "ab".repeat(32)).parse().unwrap();
        let both: BTreeSet<DsRecord> = request.ds.iter().cloned().chain([other]).collect();
        pdns.delegate(&both);
        let announced = ProofRequest { ds: both, ..request.clone() };
        must_agree("a DS that is announced beside", &pdns, &announced, Secure).await;
        pdns.delegate(&request.ds);
        let waiting =
            json!({"keytype": "zsk", "active": false, "published": true, "algorithm": 13, "bits": 256});
        pdns.call("POST", &path, Some(waiting));
        must_agree("a key that waits", &pdns, &request, Secure).await;

        pdns.delegate(&BTreeSet::new());
        must_agree("no DS", &pdns, &request, Insecure).await;
        let wrong = pdns.ds(PARENT);
        pdns.delegate(&wrong);
        let fooled = ProofRequest { ds: wrong, ..request.clone() };
        must_agree("a DS without a key", &pdns, &fooled, Bogus).await;
        pdns.delegate(&request.ds);
        let ksk = keys(&pdns, CHILD).into_iter().find(|k| k["flags"] == 257).unwrap();
        pdns.call("PUT", &format!("{path}/{}", ksk["id"]), Some(json!({"active": false, "published": true})));
        must_agree("keys that the DS's key does not sign", &pdns, &request, Bogus).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn algorithms_and_an_unsigned_child_are_seen_alike() {
    for algorithm in ["rsasha256", "ecdsa256", "ecdsa384", "ed25519"] {
        let pdns = Pdns::start();
        let request = pdns.ready(true);
        let path = format!("servers/localhost/zones/{CHILD}./cryptokeys");
        let old = keys(&pdns, CHILD);
        let bits = if algorithm == "rsasha256" {
            2048
        } else if algorithm == "ecdsa384" {
            384
        } else {
            256
        };
        let made = json!({"keytype": "csk", "active": true, "algorithm": algorithm, "bits": bits});
        pdns.call("POST", &path, Some(made));
        for key in old {
            pdns.call("DELETE", &format!("{path}/{}", key["id"]), None);
        }
        let ds = pdns.ds(CHILD);
        pdns.delegate(&ds);
        let request = ProofRequest { ds, ..request };
        must_agree(algorithm, &pdns, &request, ValidationState::Secure).await;
    }
    let pdns = Pdns::start();
    pdns.create(PARENT, true, true, &[]);
    pdns.create(CHILD, false, false, &desired(Some(&["192.0.2.10"])));
    let ds = pdns.ds(PARENT);
    pdns.delegate(&ds);
    let request = pdns.request(ds, desired(Some(&["192.0.2.10"])));
    must_agree("a DS over a zone without keys", &pdns, &request, ValidationState::Bogus).await;
}
