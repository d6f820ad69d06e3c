//! A small tree of real servers: a root, two top-level zones, and the operator's servers. It is walked and audited from the
//! root's anchor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod announce;
mod audit;
mod evil;
#[path = "../support/mod.rs"]
mod support;
mod walk;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pdm_auditor::{WalkSettings, Walker};
use pdm_model::{DsRecord, RRset, RecordType, Ttl, ZoneName};
use support::{Pdns, free_port, now};

const ROOT: [&str; 1] = ["127.9.0.1"];
const TLD: [&str; 2] = ["127.9.1.1", "127.9.1.2"];
const OURS: [&str; 2] = ["127.9.2.1", "127.9.2.2"];

fn name(text: &str) -> ZoneName {
    ZoneName::parse(text).unwrap()
}

fn set(owner: &str, rtype: RecordType, records: &[&str]) -> RRset {
    RRset::new(owner, rtype, Ttl::new(3600), records)
}

/// Delegations with glue where the nameserver lies below.
fn delegation(child: &str, servers: &[(&str, &str)], ds: &BTreeSet<DsRecord>) -> Vec<RRset> {
    let names: Vec<&str> = servers.iter().map(|(name, _)| *name).collect();
    let mut all = vec![set(child, RecordType::Ns, &names)];
    let glue = servers.iter().filter(|(_, address)| !address.is_empty());
    all.extend(glue.map(|(name, address)| set(name, RecordType::A, &[address])));
    if !ds.is_empty() {
        all.push(RRset::new(child, RecordType::Ds, Ttl::new(300), ds.iter().map(ToString::to_string)));
    }
    all
}

struct Tree {
    root: Pdns,
    tld: Pdns,
    ours: Pdns,
}

impl Tree {
    /// `omani.works` is signed, `plain.works` is not; the operator's nameservers are named below `io`.
    fn start() -> Self {
        Self::start_with("disable-axfr=yes")
    }

    /// Our servers with further lines of configuration.
    fn start_with(more: &str) -> Self {
        let all = [&ROOT[..], &TLD, &OURS].concat();
        for _ in 0..5 {
            let port = free_port(&all);
            let start = |addresses: &[&str], more| Pdns::start_at(addresses, port, more);
            let (Some(root), Some(tld), Some(ours)) = (start(&ROOT, ""), start(&TLD, ""), start(&OURS, more))
            else {
                continue;
            };
            let tree = Self { root, tld, ours };
            tree.fill();
            return tree;
        }
        panic!("the servers do not start");
    }

    fn fill(&self) {
        let ns = [("ns1.openova.io.", OURS[0]), ("ns2.openova.io.", OURS[1])];
        let bare = ns.map(|(name, _)| (name, ""));
        let nic = [("ns1.nic.works.", TLD[0]), ("ns2.nic.works.", TLD[1])];
        let none = BTreeSet::new();
        self.ours.create("openova.io", true, false, &delegation("openova.io.", &ns, &none));
        for zone in ["omani.works", "plain.works"] {
            let mut records = delegation(&format!("{zone}."), &bare, &none);
            records.push(set(&format!("{zone}."), RecordType::Txt, &["\"v=spf1 -all\""]));
            let signed = zone == "omani.works";
            self.ours.create(zone, signed, signed, &records);
        }
        let works = [
            delegation("works.", &nic, &none),
            delegation("omani.works.", &bare, &self.ours.ds("omani.works")),
            delegation("plain.works.", &bare, &none),
        ];
        self.tld.create("works", true, true, &works.concat());
        let nic_io = [("ns1.nic.io.", TLD[0])];
        let io =
            [delegation("io.", &nic_io, &none), delegation("openova.io.", &ns, &self.ours.ds("openova.io"))];
        self.tld.create("io", true, false, &io.concat());
        let root = [
            delegation(".", &[("ns.root.", ROOT[0])], &none),
            delegation("works.", &nic, &self.tld.ds("works")),
            delegation("io.", &nic_io, &self.tld.ds("io")),
        ];
        self.root.create("", true, false, &root.concat());
    }

    fn settings(&self) -> WalkSettings {
        WalkSettings {
            allowed: vec!["127.9.0.0/16".parse().unwrap()],
            patience: Duration::from_secs(2),
            root_hints: vec![SocketAddr::new(ROOT[0].parse().unwrap(), self.root.dns)],
            root_anchor: self.root.ds(""),
            ..WalkSettings::default()
        }
    }

    fn walker(&self) -> Walker {
        walker(self.settings())
    }
}

fn walker(settings: WalkSettings) -> Walker {
    Walker::new(settings, Arc::new(now))
}
