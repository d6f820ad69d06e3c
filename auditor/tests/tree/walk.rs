//! The delegation tree, walked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pdm_auditor::{WalkSettings, Walker};
use pdm_model::RecordType;
use pdm_ports::walk::{DelegationWalk, ParentView, Security};
use tokio::net::UdpSocket;

use crate::{OURS, TLD, Tree, delegation, name, walker};

async fn parent(walker: &Walker, child: &str) -> ParentView {
    walker.parent(&name(child)).await.unwrap()
}

#[tokio::test]
async fn the_parent_is_found_and_every_server_of_it_is_asked() {
    let tree = Tree::start();
    let walker = tree.walker();
    let view = parent(&walker, "omani.works").await;
    assert_eq!((view.parent.as_str(), &view.security), ("works", &Security::Secure));
    let asked: Vec<String> = view.answers.iter().map(|a| a.server.address.ip().to_string()).collect();
    assert_eq!(asked, TLD);
    for answer in &view.answers {
        let (ns, ttl) = answer.ns.clone().unwrap();
        assert_eq!((ns.len(), ttl.seconds()), (2, 3600));
        let (ds, ttl) = answer.ds.clone().unwrap();
        assert_eq!((ds, ttl.seconds()), (tree.ours.ds("omani.works"), 300));
        assert_eq!(answer.error, None);
    }
    // Not delegated, at any depth; the parent is the closest zone that is there.
    let view = parent(&walker, "not.there.works").await;
    assert_eq!(
        (view.parent.as_str(), view.security),
        ("works", Security::Insecure { zone: name("not.there.works") })
    );
    assert!(
        view.answers
            .iter()
            .all(|a| a.ns.as_ref().is_some_and(|(ns, ttl)| ns.is_empty() && ttl.seconds() == 300))
    );
    // A delegation without DS is proved to have none.
    let view = parent(&walker, "plain.works").await;
    assert_eq!(view.security, Security::Insecure { zone: name("plain.works") });
    let view = parent(&walker, "below.omani.works").await;
    assert_eq!(view.parent.as_str(), "omani.works");
    assert!(matches!(view.security, Security::Insecure { zone } if zone == name("below.omani.works")));
    assert_eq!(walker.parent(&name("works")).await.unwrap_err().code, "walk-parent");
}

#[tokio::test]
async fn a_nameserver_below_the_cut_has_its_address_from_glue() {
    let tree = Tree::start();
    let walker = tree.walker();
    let view = parent(&walker, "openova.io").await;
    assert_eq!(view.answers.len(), 1);
    assert_eq!(view.answers[0].glue[&name("ns2.openova.io")], BTreeSet::from([OURS[1].parse().unwrap()]));
    let names = BTreeSet::from([name("ns1.openova.io"), name("ns2.openova.io"), name("ns9.openova.io")]);
    let servers = walker.addresses(&names).await.unwrap();
    let found: Vec<_> = servers.iter().map(|s| (s.names[0].as_str(), s.address.ip().to_string())).collect();
    assert_eq!(found, [("ns1.openova.io", OURS[0].to_owned()), ("ns2.openova.io", OURS[1].to_owned())]);

    let children = walker.child(&name("omani.works"), &servers).await;
    for child in &children {
        assert!(child.authoritative && child.serial.is_some() && child.error.is_none(), "{child:?}");
        assert_eq!(child.keys.clone().unwrap().0, tree.ours.ds("omani.works"));
        assert_eq!(child.ns.clone().unwrap().0.len(), 2);
    }
    let strangers = walker.child(&name("elsewhere.test"), &servers).await;
    assert!(strangers.iter().all(|c| !c.authoritative && c.error.is_some() && c.keys.is_none()));
    let text = walker.rrset("omani.works.", &RecordType::Txt, &servers[..1]).await;
    assert_eq!(text[0].contents.clone().unwrap().0, BTreeSet::from(["\"v=spf1 -all\"".to_owned()]));
    let gone = walker.rrset("_pdm-challenge.omani.works.", &RecordType::Txt, &servers[..1]).await;
    assert!(gone[0].nxdomain && gone[0].authoritative && gone[0].contents.clone().unwrap().0.is_empty());
}

#[tokio::test]
async fn a_broken_link_is_named() {
    let tree = Tree::start();
    let stranger = WalkSettings { root_anchor: tree.tld.ds("works"), ..tree.settings() };
    let view = parent(&walker(stranger), "omani.works").await;
    assert!(
        matches!(&view.security, Security::Bogus { why, .. } if why.contains("matches one of its keys")),
        "{view:?}"
    );
    let unanchored = WalkSettings { root_anchor: BTreeSet::new(), ..tree.settings() };
    let view = parent(&walker(unanchored), "omani.works").await;
    assert!(matches!(view.security, Security::Insecure { .. }));
    // An anchor of its own makes a pool secure whatever is above.
    let island = WalkSettings {
        root_anchor: BTreeSet::new(),
        anchors: BTreeMap::from([(name("omani.works"), tree.ours.ds("omani.works"))]),
        ..tree.settings()
    };
    let view = parent(&walker(island), "x.omani.works").await;
    assert_eq!(view.security, Security::Insecure { zone: name("x.omani.works") });
    // A key of works that the root does not vouch for.
    let foreign = delegation("works.", &[("ns1.nic.works.", TLD[0])], &tree.ours.ds("omani.works"));
    tree.root.patch("", &foreign);
    let view = parent(&tree.walker(), "omani.works").await;
    assert!(matches!(&view.security, Security::Bogus { zone, .. } if *zone == name("works")), "{view:?}");
}

#[tokio::test]
async fn addresses_that_nobody_allowed_are_not_asked() {
    let tree = Tree::start();
    let settings = WalkSettings { allowed: vec!["127.9.0.0/24".parse().unwrap()], ..tree.settings() };
    let view = parent(&walker(settings), "omani.works").await;
    assert!(matches!(view.security, Security::Unknown { .. }));
    for answer in view.answers {
        assert!(answer.ns.is_none() && answer.error.is_some_and(|why| why.contains("is not allowed")));
    }
}

/// A server of the root that refers every name to `to`, whose nameserver is itself.
async fn referrer(to: &'static [u8]) -> SocketAddr {
    let socket = UdpSocket::bind("127.9.0.9:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0u8; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            let end = 12 + query[12..length].iter().position(|b| *b == 0).unwrap() + 5;
            let mut reply = query[..end].to_vec();
            reply[2] = 0x80;
            reply[6..12].copy_from_slice(&[0, 0, 0, 1, 0, 1]);
            let owner: Vec<u8> = if to.is_empty() { vec![0xc0, 12] } else { to.to_vec() };
            let ns = [b"\x02ns".as_slice(), &owner].concat();
            let record = |owner: &[u8], kind: u8, rdata: &[u8]| {
                [owner, &[0, kind, 0, 1, 0, 0, 0, 60, 0, u8::try_from(rdata.len()).unwrap()], rdata].concat()
            };
            reply.extend(record(&owner, 2, &ns));
            reply.extend(record(&ns, 1, &[127, 9, 0, 9]));
            let _ = socket.send_to(&reply, from).await;
        }
    });
    address
}

#[tokio::test]
async fn referrals_that_never_end_or_lead_astray_end_the_walk() {
    for to in [&b""[..], b"\x00", b"\x04evil\x00"] {
        let hint = referrer(to).await;
        let settings = WalkSettings {
            allowed: vec!["127.9.0.0/16".parse().unwrap()],
            patience: Duration::from_millis(200),
            root_hints: vec![hint],
            ..WalkSettings::default()
        };
        let deep = ["a"; 100].join(".");
        let begun = Instant::now();
        let outcome = walker(settings).parent(&name(&deep)).await;
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        if to.is_empty() {
            // Each step leads down, so that it ends by itself; nothing of it is secure.
            assert!(outcome.is_ok_and(|view| view.security != Security::Secure));
        } else {
            assert_eq!(outcome.unwrap_err().code, "walk-failed");
        }
    }
}
