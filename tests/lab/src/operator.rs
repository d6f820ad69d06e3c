//! An operator: one database of zones, several nameservers that serve it.

use std::net::SocketAddr;
use std::path::Path;

use pdm_harness::PowerDns;
use pdm_harness::powerdns::contents;
use serde_json::{Value, json};

use crate::block::Block;
use crate::nameserver::Nameserver;

/// RRsets of a zone: label (`@` for the apex), type, contents.
pub type Records<'a> = [(&'a str, &'a str, &'a [&'a str])];

/// What the operators of one lab share.
#[derive(Clone)]
pub struct Ground<'a> {
    /// Addresses.
    pub block: &'a Block,
    /// Where databases lie.
    pub dir: &'a Path,
    /// An empty database.
    pub template: &'a Path,
    /// TTL of everything.
    pub ttl: u32,
    /// Variables of every process.
    pub env: &'a [(String, String)],
}

/// One operator.
pub struct Operator {
    /// Its nameservers; the first carries the API.
    pub servers: Vec<Nameserver>,
    ttl: u32,
}

impl Operator {
    /// Start one with nameservers of these names.
    ///
    /// # Panics
    /// When a server does not start.
    pub async fn start(names: &[&str], title: &str, ground: &Ground<'_>) -> Self {
        let ttl = ground.ttl;
        let file = ground.dir.join(format!("{title}.db"));
        std::fs::copy(ground.template, &file).expect("copy the empty database");
        pdm_harness::child::hand_over(&file);
        let more = format!(
            "default-ttl={ttl}\ndefault-soa-content={} hostmaster.@ 0 14400 3600 604800 {ttl}\n",
            names[0]
        );
        // The first alone brings the database to its journal mode.
        let mut servers =
            vec![Nameserver::start(names[0], ground.block.dns(), &file, &more, ground.env).await];
        for name in &names[1..] {
            servers.push(Nameserver::start(name, ground.block.dns(), &file, &more, ground.env).await);
        }
        Self { servers, ttl }
    }

    /// The server whose API edits the zones.
    #[must_use]
    pub fn editor(&self) -> &PowerDns {
        self.servers[0].server()
    }

    /// Names of its nameservers.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.servers.iter().map(Nameserver::name).collect()
    }

    /// Name and address of each nameserver.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.servers.iter().map(|s| (s.name().to_owned(), s.address())).collect()
    }

    /// An RRset as the API takes it.
    fn rrset(&self, owner: &str, rtype: &str, contents: &[&str]) -> Value {
        let records: Vec<_> = contents.iter().map(|c| json!({"content": c, "disabled": false})).collect();
        json!({"name": owner, "type": rtype, "ttl": self.ttl, "changetype": "REPLACE", "records": records})
    }

    /// Make a zone with this operator's nameservers at its apex. `zone` without the trailing dot; the root is empty.
    ///
    /// # Panics
    /// When PowerDNS refuses.
    pub async fn host(&self, zone: &str, signed: bool, records: &Records<'_>) {
        let rrsets: Vec<_> = records
            .iter()
            .map(|(label, rtype, contents)| self.rrset(&below(label, zone), rtype, contents))
            .collect();
        let nameservers: Vec<_> = self.names().iter().map(|n| format!("{n}.")).collect();
        let body = json!({"name": format!("{zone}."), "kind": "Native", "dnssec": signed, "soa_edit_api": "DEFAULT",
            "nameservers": nameservers, "rrsets": rrsets});
        let answer = self.editor().api().post("/api/v1/servers/localhost/zones", &body).await;
        assert_eq!(answer.status, 201, "{zone}: {answer}");
    }

    /// Replace one RRset; without contents it is removed.
    pub async fn edit(&self, zone: &str, label: &str, rtype: &str, contents: &[&str]) {
        let set = self.rrset(&below(label, zone), rtype, contents);
        self.patch(zone, vec![set]).await;
    }

    /// Replace several RRsets in one change, each given by its dotted owner.
    pub(crate) async fn patch_all(&self, zone: &str, sets: &[(String, &str, Vec<String>)]) {
        let sets = sets
            .iter()
            .map(|(owner, rtype, contents)| {
                let contents: Vec<&str> = contents.iter().map(String::as_str).collect();
                self.rrset(owner, rtype, &contents)
            })
            .collect();
        self.patch(zone, sets).await;
    }

    async fn patch(&self, zone: &str, sets: Vec<Value>) {
        let answer = self.editor().api().patch(&PowerDns::path(zone), &json!({"rrsets": sets})).await;
        assert_eq!(answer.status, 204, "{zone}: {answer}");
    }

    /// Contents of one RRset as they are stored; `owner` without the trailing dot.
    pub async fn contents(&self, zone: &str, owner: &str, rtype: &str) -> Vec<String> {
        let answer = self.editor().api().get(&PowerDns::path(zone)).await;
        contents(&answer.body, owner, rtype)
    }

    /// The DS records (SHA-256) of a zone's keys.
    ///
    /// # Panics
    /// When the zone is not signed.
    pub async fn ds(&self, zone: &str) -> Vec<String> {
        let ds = self.editor().ds_of_keys(zone).await;
        assert!(!ds.is_empty(), "{zone} has no entry-point key");
        ds
    }

    /// Let everybody transfer a zone, or nobody.
    ///
    /// # Panics
    /// When PowerDNS refuses.
    pub async fn allow_transfer(&self, zone: &str, allowed: bool) {
        let path = format!("{}/metadata/ALLOW-AXFR-FROM", PowerDns::path(zone));
        let networks: &[&str] = if allowed { &["127.0.0.0/8"] } else { &[] };
        let answer =
            self.editor().api().put(&path, &json!({"kind": "ALLOW-AXFR-FROM", "metadata": networks})).await;
        assert_eq!(answer.status, 200, "{zone}: {answer}");
    }

    /// Remove a zone: the servers refuse questions about it.
    pub async fn drop_zone(&self, zone: &str) {
        self.editor().remove(zone).await;
    }
}

/// The dotted owner of a label in a zone.
fn below(label: &str, zone: &str) -> String {
    match (label, zone) {
        ("@", zone) => format!("{zone}."),
        (label, "") => format!("{label}."),
        (label, zone) => format!("{label}.{zone}."),
    }
}
