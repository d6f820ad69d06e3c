//! Audits of a Sovereign on real servers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use pdm_auditor::{Walker, profile, replay};
use pdm_model::audit::{Report, Severity};
use pdm_model::canonical::desired_rrsets;
use pdm_model::{Delegation, LoadBalancer, RRset, RecordType, Target, Ttl, Ttls, ZoneName};
use pdm_ports::audit::{AuditRequest, Auditor, Editor, GlanceRequest, Intent, Registration, Trusted};
use pdm_ports::probe::Server;
use tokio::net::UdpSocket;

use crate::{OURS, Tree, delegation, name};

const SOVEREIGN: &str = "omantel.omani.works";

fn nameservers() -> [ZoneName; 2] {
    ["ns1.openova.io", "ns2.openova.io"].map(name)
}

/// What PDM would write.
fn desired() -> Vec<RRset> {
    let ipv4 = Some("192.0.2.10".parse().unwrap());
    let balancer = LoadBalancer { ipv4, ..LoadBalancer::default() };
    let target = Target::plain(vec![balancer]);
    desired_rrsets(&name(SOVEREIGN), &nameservers(), Some(&target), &Ttls::default())
}

fn servers(tree: &Tree) -> Vec<Server> {
    let server = |(n, at): (usize, &&str)| crate::support::server(n + 1, at, tree.ours.dns);
    OURS.iter().enumerate().map(server).collect()
}

/// A Sovereign in the pool, delegated with DS, and what is to be seen.
fn sovereign(tree: &Tree, held: Vec<RRset>) -> AuditRequest {
    tree.ours.create(SOVEREIGN, true, false, &held);
    let ds = tree.ours.ds(SOVEREIGN);
    let names = [("ns1.openova.io.", ""), ("ns2.openova.io.", "")];
    tree.ours.patch("omani.works", &delegation(&format!("{SOVEREIGN}."), &names, &ds));
    tree.ours.call("PUT", "servers/localhost/zones/omani.works./rectify", None);
    let ns: BTreeSet<ZoneName> = nameservers().into();
    let intent = Intent {
        editor: Editor::Pool,
        active: true,
        ns: ns.clone(),
        ds: ds.clone(),
        rrsets: desired(),
        soa: ("ns1.openova.io.".to_owned(), "hostmaster.openova.io.".to_owned()),
        ttls: Ttls::default(),
        held: Some(held),
        parent_held: Some(Delegation { ns, ds, ns_ttl: None, ds_ttl: None }),
        kept: Vec::new(),
        proved_ago: None,
        ca: vec!["letsencrypt.org".to_owned()],
    };
    AuditRequest {
        id: "a1".to_owned(),
        fqdn: name(SOVEREIGN),
        intent: Some(intent),
        pool: None,
        above: None,
        public: false,
        servers: servers(tree),
        undelegated: false,
        random_label: "x7f3q".to_owned(),
        excused: profile::read(profile::LOOPBACK).unwrap(),
        registration: Registration::Unknown("no registry is asked".to_owned()),
        networks: BTreeMap::new(),
    }
}

fn loud(report: &Report) -> Vec<(String, Severity)> {
    let loud = report.findings.iter().filter(|f| f.severity >= Severity::Warning);
    loud.map(|f| (f.code.clone(), f.severity)).collect()
}

async fn audit(tree: &Tree, request: &AuditRequest) -> Report {
    tree.walker().audit(request.clone()).await.unwrap().report
}

#[tokio::test]
async fn a_healthy_sovereign_has_nothing_at_warning_or_above_and_is_replayed_bit_for_bit() {
    let tree = Tree::start();
    let request = sovereign(&tree, desired());
    let walker = tree.walker();
    let audited = walker.audit(request.clone()).await.unwrap();
    assert_eq!(loud(&audited.report), [], "{:#?}", audited.report.findings);
    assert_eq!(
        audited.report.verdict,
        format!("{SOVEREIGN} is as it should be."),
        "{:?}",
        audited.report.checks
    );
    assert_eq!(audited.report.servers.len(), 2);
    let again = replay(&audited.recording).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&audited.report).unwrap());
    assert_eq!(replay(b"{}").unwrap_err().code, "bad-recording");

    // As the operator's own servers, which are asked without a pace.
    let ours = servers(&tree).iter().map(|s| s.address).collect();
    let walker = crate::walker(pdm_auditor::WalkSettings { ours, ..tree.settings() });
    let mut times = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        let report = walker.audit(request.clone()).await.unwrap().report;
        times.push(begun.elapsed());
        assert_eq!(loud(&report), []);
    }
    times.sort();
    println!("a full audit: median {:?}, {} questions", times[4], audited.report.queries);
    // The machine may do other things too; `tests/bench` measures it by itself.
    assert!(times[4] < Duration::from_secs(10), "{times:?}");
}

#[tokio::test]
async fn what_everybody_sees_leaves_configured_addresses_aside() {
    let tree = Tree::start();
    let request = sovereign(&tree, desired());
    // PDM is told one address for both nameservers; the DNS tells two.
    let one = |name| (name, vec![servers(&tree)[0].address]);
    let overrides = nameservers().into_iter().map(one).collect();
    let walker = crate::walker(pdm_auditor::WalkSettings { overrides, ..tree.settings() });
    let mut private = walker.audit(request.clone()).await.unwrap().report;
    assert!(private.private_view && private.chain.len() == 2, "{:#?}", private.chain);
    let public = AuditRequest { public: true, servers: Vec::new(), ..request };
    let public = walker.audit(public).await.unwrap();
    assert_eq!((loud(&public.report), public.report.private_view), (Vec::new(), false));
    assert_eq!(public.report.servers.len(), 2);
    assert_eq!(replay(&public.recording).unwrap(), public.report);
    private.put_beside(public.report);
    assert!(private.public.unwrap().findings.iter().all(|f| f.subject.starts_with("public view")));
}

#[tokio::test]
async fn faults_on_real_servers_are_found() {
    let tree = Tree::start_with("disable-axfr=no\nallow-axfr-ips=127.0.0.0/8");
    let mut held = desired();
    held.push(RRset::new(
        format!("_acme-challenge.axon.{SOVEREIGN}."),
        RecordType::Txt,
        Ttl::new(60),
        ["\"x\""],
    ));
    let mut request = sovereign(&tree, held);
    let report = audit(&tree, &request).await;
    let (axfr, shadow) =
        (("NAMESERVER03".to_owned(), Severity::Warning), ("SOV02".to_owned(), Severity::Warning));
    assert_eq!(loud(&report), [axfr.clone(), axfr.clone(), shadow.clone()], "{:#?}", report.findings);

    // A TTL, an address, and the DS, each by hand.
    let api = format!("api.{SOVEREIGN}.");
    let change = |ttl, address| [RRset::new(api.clone(), RecordType::A, Ttl::new(ttl), [address])];
    tree.ours.patch(SOVEREIGN, &change(60, "192.0.2.10"));
    let report = audit(&tree, &request).await;
    assert!(loud(&report).contains(&("SOV05".to_owned(), Severity::Warning)), "{:?}", loud(&report));
    tree.ours.patch(SOVEREIGN, &change(300, "192.0.2.66"));
    let report = audit(&tree, &request).await;
    let finding = report.findings.iter().find(|f| f.code == "SOV01").unwrap();
    assert_eq!(finding.severity, Severity::Critical);
    let wanted = [format!("- {api} A 192.0.2.66"), format!("+ {api} A 192.0.2.10")];
    assert_eq!(finding.fix.as_ref().unwrap().difference, wanted);
    assert!(
        finding.evidence[0].answer.contains("192.0.2.66")
            && finding.evidence[0].reproduce.starts_with("dig @")
    );

    tree.ours.patch(SOVEREIGN, &change(300, "192.0.2.10"));
    let wrong = delegation(
        &format!("{SOVEREIGN}."),
        &[("ns1.openova.io.", ""), ("ns2.openova.io.", "")],
        &tree.tld.ds("io"),
    );
    tree.ours.patch("omani.works", &wrong);
    request.intent.as_mut().unwrap().parent_held.as_mut().unwrap().ds = tree.tld.ds("io");
    let report = audit(&tree, &request).await;
    assert_eq!(report.findings[0].code, "DNSSEC02");
    assert_eq!(loud(&report), [("DNSSEC02".to_owned(), Severity::Critical), axfr.clone(), axfr, shadow]);
    assert_eq!(report.chain.last().unwrap().security, "bogus");
}

/// The last octet of the first signature of an answer to one question: PowerDNS shuffles the records of an answer, so it
/// may stand anywhere.
fn signature_end(reply: &[u8]) -> usize {
    let after_name = |mut at: usize| loop {
        match reply[at] {
            0 => break at + 1,
            pointer if pointer >= 0xc0 => break at + 2,
            label => at += 1 + usize::from(label),
        }
    };
    let number = |at: usize| u16::from_be_bytes([reply[at], reply[at + 1]]);
    let mut at = after_name(12) + 4;
    loop {
        let fixed = after_name(at);
        at = fixed + 10 + usize::from(number(fixed + 8));
        if number(fixed) == 46 {
            break at - 1;
        }
    }
}

/// In front of a server: the last octet of the signature in answers of one type is another; type 0 for none. Of A it is
/// one of the six names.
async fn spoiler(truth: SocketAddr) -> (Server, Arc<AtomicU16>) {
    let front = UdpSocket::bind("127.9.3.9:0").await.unwrap();
    let address = front.local_addr().unwrap();
    let which = Arc::new(AtomicU16::new(0));
    let spoiled = which.clone();
    tokio::spawn(async move {
        let mut octets = [0u8; 4096];
        while let Ok((length, from)) = front.recv_from(&mut octets).await {
            let query = &octets[..length];
            let end = 12 + query[12..].iter().position(|octet| *octet == 0).unwrap();
            let kind = u16::from_be_bytes([query[end + 1], query[end + 2]]);
            let hit = kind == spoiled.load(Ordering::SeqCst) && (kind != 1 || query[13..16] == *b"api");
            let back = UdpSocket::bind("127.9.3.9:0").await.unwrap();
            back.send_to(query, truth).await.unwrap();
            let mut reply = [0u8; 4096];
            let (length, _) = back.recv_from(&mut reply).await.unwrap();
            if hit {
                reply[signature_end(&reply[..length])] ^= 1;
            }
            front.send_to(&reply[..length], from).await.unwrap();
        }
    });
    (Server { names: vec!["ns1.openova.io".to_owned()], address }, which)
}

#[tokio::test]
async fn a_glance_sees_what_is_wrong_and_is_quick() {
    let tree = Tree::start();
    let request = sovereign(&tree, desired());
    let intent = request.intent.as_ref().unwrap();
    let glance = GlanceRequest {
        fqdn: name(SOVEREIGN),
        ds: intent.ds.clone(),
        rrsets: desired(),
        server: servers(&tree)[0].clone(),
        parent: Some(Trusted { zone: name("omani.works"), anchor: tree.ours.ds("omani.works") }),
        patience: None,
    };
    let settings = pdm_auditor::WalkSettings {
        ours: servers(&tree).iter().map(|s| s.address).collect(),
        ..tree.settings()
    };
    let walker = crate::walker(settings);
    assert_eq!(walker.glance(&glance).await.wrong, None);
    let other = GlanceRequest { ds: tree.tld.ds("io"), ..glance.clone() };
    assert!(walker.glance(&other).await.wrong.unwrap().contains("not those of the DS"));
    let mut changed = glance.clone();
    changed.rrsets[2] =
        RRset::new(changed.rrsets[2].owner.clone(), RecordType::A, Ttl::new(300), ["192.0.2.66"]);
    assert!(walker.glance(&changed).await.wrong.unwrap().contains("192.0.2.10"));
    // Without a DS there is no chain; what is served must be signed all the same, and the pool must have none.
    let without = GlanceRequest { ds: BTreeSet::new(), parent: None, ..glance.clone() };
    assert_eq!(walker.glance(&without).await.wrong, None);
    let without = GlanceRequest { parent: glance.parent.clone(), ..without };
    assert!(walker.glance(&without).await.wrong.unwrap().contains("the DS in the parent"));
    let dead = GlanceRequest { server: crate::support::server(9, OURS[0], 1), ..glance.clone() };
    assert!(walker.glance(&dead).await.unasked);
    let later = || pdm_model::Timestamp(crate::support::now().0 + 90 * 86_400_000);
    let tomorrow = Walker::new(tree.settings(), Arc::new(later));
    assert!(tomorrow.glance(&glance).await.wrong.unwrap().contains("expired"));
    let anchor = tree.tld.ds("io");
    let elsewhere = Some(Trusted { zone: name("omani.works"), anchor });
    let mistrusted = walker.glance(&GlanceRequest { parent: elsewhere, ..glance.clone() }).await;
    assert!(mistrusted.wrong.unwrap().contains("/DS: no DS of omani.works. "));

    // A signature that was good a moment ago is spoiled; what else is right does not hide it.
    let (spoiled, which) = spoiler(glance.server.address).await;
    let behind = GlanceRequest { server: spoiled, ..glance.clone() };
    for number in [0, 1, 43, 48, 2, 0] {
        which.store(number, Ordering::SeqCst);
        let wrong = walker.glance(&behind).await.wrong;
        assert_eq!(wrong.is_some(), number != 0, "type {number}: {wrong:?}");
        let why = wrong.unwrap_or_default();
        assert!(number == 0 || why.contains("does not verify"), "type {number}: {why}");
    }

    let (begun, count) = (Instant::now(), 400);
    for _ in 0..count / 40 {
        let all = futures_util::future::join_all((0..40).map(|_| walker.glance(&glance))).await;
        assert!(all.iter().all(|g| g.wrong.is_none()), "{:?}", all.iter().find(|g| g.wrong.is_some()));
    }
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    println!("glances: {rate:.0} a second, not optimised");
    assert!(rate > 5.0, "{rate}");
}
