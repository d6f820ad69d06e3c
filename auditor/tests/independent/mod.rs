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

use crate::support::{CHILD, PARENT, Pdns, prober};

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

/// Positive answers, one of them of the wildcard. What `domain` says of denials is not compared here: it wants more beside
/// one than the server gives.
const QUESTIONS: [(&str, Rtype); 4] =
    [("console.", Rtype::A), ("x7f3q.", Rtype::A), ("", Rtype::SOA), ("", Rtype::DNSKEY)];

async fn must_agree(what: &str, pdns: &Pdns, request: &ProofRequest, expected: ValidationState) {
    assert_eq!(ours(request).await, expected, "{what}");
    for (label, rtype) in QUESTIONS {
        let seen = state(pdns, &request.anchor, &format!("{label}{CHILD}."), rtype).await;
        assert_eq!(seen, expected, "{what}: {label}{CHILD} {rtype}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_zone_holds_for_both() {
    for nsec3 in [false, true] {
        let pdns = Pdns::start();
        let request = pdns.ready(nsec3);
        must_agree("a healthy zone", &pdns, &request, ValidationState::Secure).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn algorithms_are_seen_alike() {
    // Of algorithm 14 `domain` knows nothing with ring: to it such a zone is unsigned.
    for (algorithm, bits) in [("rsasha256", 2048), ("ecdsa256", 256)] {
        let pdns = Pdns::start();
        let request = pdns.ready(true);
        let path = format!("servers/localhost/zones/{CHILD}./cryptokeys");
        let old: serde_json::Value = serde_json::from_str(&pdns.call("GET", &path, None)).unwrap();
        let made = json!({"keytype": "csk", "active": true, "algorithm": algorithm, "bits": bits});
        pdns.call("POST", &path, Some(made));
        for key in old.as_array().unwrap() {
            pdns.call("DELETE", &format!("{path}/{}", key["id"]), None);
        }
        let ds = pdns.ds(CHILD);
        pdns.delegate(&ds);
        let request = ProofRequest { ds, ..request };
        must_agree(algorithm, &pdns, &request, ValidationState::Secure).await;
    }
}
