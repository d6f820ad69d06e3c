//! Our verdict on a chain is that of three independent validators on the same servers from the same anchor: NLnet Labs'
//! `domain`, BIND's `delv`, and unbound; on chains that hold, and on every way to break one.

mod others;

use std::collections::BTreeSet;

use pdm_model::DsRecord;
use pdm_ports::DnsProbe;
use pdm_ports::probe::ProofRequest;
use serde_json::{Value, json};

use self::others::{Delv, Unbound, domain_says};
use crate::support::{CHILD, Pdns, prober};

/// What a validator says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Secure,
    Insecure,
    Bogus,
}
use Verdict::{Bogus, Insecure, Secure};

/// Positive answers, one of them of the wildcard; a name without the type, and a wildcard without it.
const QUESTIONS: [(&str, &str); 6] = [
    ("console.", "A"),
    ("x7f3q.", "A"),
    ("", "SOA"),
    ("", "DNSKEY"),
    ("console.", "TXT"),
    ("nothing.at.all.", "MX"),
];

/// Ours: proved, without a chain, or broken.
async fn ours(request: &ProofRequest) -> Verdict {
    match prober().prove(request).await.unwrap() {
        Ok(_) => Secure,
        Err(why) if why.reason == "no-ds" => Insecure,
        Err(why) if why.reason == "bogus" || why.reason == "not-signed" => Bogus,
        Err(why) => panic!("neither holds nor broken: {why:?}"),
    }
}

async fn must_agree(what: &str, pdns: &Pdns, request: &ProofRequest, expected: Verdict) {
    assert_eq!(ours(request).await, expected, "{what}");
    let (delv, unbound) = (Delv::new(pdns, &request.anchor), Unbound::start(pdns, &request.anchor));
    for (label, rtype) in QUESTIONS {
        let name = format!("{label}{CHILD}.");
        let (seen, why) = domain_says(pdns, &request.anchor, &name, rtype).await;
        assert_eq!(seen, expected, "{what}: domain says of {name} {rtype}: {why}");
        let said = delv.says(&name, rtype);
        assert_eq!(said.0, expected, "{what}: delv says of {name} {rtype}: {}", said.1);
        let said = unbound.says(&name, rtype);
        assert_eq!(said.0, expected, "{what}: unbound says of {name} {rtype}: {}", said.1);
    }
}

fn keys(pdns: &Pdns) -> Vec<Value> {
    serde_json::from_str(&pdns.call("GET", &path(""), None)).unwrap()
}

fn path(end: &str) -> String {
    format!("servers/localhost/zones/{CHILD}./cryptokeys{end}")
}

/// Set something of every key that `which` chooses.
fn set_keys(pdns: &Pdns, which: impl Fn(&Value) -> bool, change: &Value) {
    for key in keys(pdns).iter().filter(|key| which(key)) {
        pdns.call("PUT", &path(&format!("/{}", key["id"])), Some(change.clone()));
    }
}

fn wrong_ds(ds: &BTreeSet<DsRecord>) -> BTreeSet<DsRecord> {
    let turned = |ds: &DsRecord| DsRecord { digest: ds.digest.chars().rev().collect(), ..ds.clone() };
    ds.iter().map(turned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chains_that_hold_hold_for_all_four() {
    for nsec3 in [false, true] {
        let pdns = Pdns::start();
        let request = pdns.ready(nsec3);
        must_agree(if nsec3 { "NSEC3" } else { "NSEC" }, &pdns, &request, Secure).await;
    }
}

/// One way to break a chain.
type Break = fn(&Pdns, &BTreeSet<DsRecord>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_chains_are_broken_for_all_four() {
    let breaks: [(&str, Break); 4] = [
        ("a wrong DS", |pdns, ds| pdns.delegate(&wrong_ds(ds))),
        ("the DNSKEY of the DS is missing", |pdns, _| {
            set_keys(pdns, |key| key["flags"] == 257, &json!({"active": true, "published": false}));
        }),
        ("no RRSIG", |pdns, _| set_keys(pdns, |_| true, &json!({"active": false, "published": true}))),
        ("nothing", |_, _| {}),
    ];
    for (what, broken) in breaks {
        // The last row is the control, with a clock that makes every signature an old one.
        let pdns = if what == "nothing" { Pdns::start_off_by("-60d") } else { Pdns::start() };
        let what = if what == "nothing" { "expired signatures" } else { what };
        let mut request = pdns.ready(false);
        broken(&pdns, &request.ds);
        if what == "a wrong DS" {
            request.ds = wrong_ds(&request.ds);
        }
        must_agree(what, &pdns, &request, Bogus).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn algorithms_are_seen_alike() {
    // Of algorithm 14 `domain` knows nothing with ring: to it such a zone is unsigned.
    for (algorithm, bits) in [("rsasha256", 2048), ("ecdsa256", 256)] {
        let pdns = Pdns::start();
        let request = pdns.ready(true);
        let old = keys(&pdns);
        let made = json!({"keytype": "csk", "active": true, "algorithm": algorithm, "bits": bits});
        pdns.call("POST", &path(""), Some(made));
        for key in old {
            pdns.call("DELETE", &path(&format!("/{}", key["id"])), None);
        }
        let ds = pdns.ds(CHILD);
        pdns.delegate(&ds);
        let request = ProofRequest { ds, ..request };
        must_agree(algorithm, &pdns, &request, Secure).await;
    }
}
