//! A small internet in memory, signed as it answers: root, top-level zones, reverse zones, two nameservers of ours. Faults
//! are planted in it one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use futures_util::FutureExt as _;
use pdm_dnssec::{Dnskey, DsDigest, Name, Signature, SignedSet, rtype, signed_data};
use pdm_model::audit::Report;
use pdm_model::canonical::desired_rrsets;
use pdm_model::{
    Delegation, DsRecord, LoadBalancer, RRset, RecordType, Timestamp, Transport, Ttl, Ttls, ZoneName,
};
use pdm_ports::Server;
use pdm_ports::audit::{AuditRequest, Editor, Intent, Registration};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::gather::{gather, map_for};
use super::recording::Recording;
use super::report::report;
use crate::types::number;
use crate::walk::descend::{Map, Start};
use crate::walk::session::Session;

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const SOVEREIGN: &str = "omantel.omani.works";
pub(super) const NS1: &str = "14.0.0.1";
pub(super) const NS2: &str = "15.0.0.1";
const HOUR: i64 = 3600;

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A name in wire form.
pub(super) fn wire(text: &str) -> Vec<u8> {
    name(text).wire().to_vec()
}

/// TTL and RDATA by owner and type.
type Records = BTreeMap<(Name, u16), (u32, Vec<Vec<u8>>)>;

#[derive(Clone)]
pub(super) struct Zone {
    pub(super) name: Name,
    pub(super) records: Records,
    /// Seconds from now: the signatures' begin and end.
    pub(super) life: (i64, i64),
    /// PKCS#8 keys, each a CSK; the first signs.
    keys: Vec<Vec<u8>>,
    pub(super) signed: bool,
}

pub(super) fn fresh_key() -> Vec<u8> {
    let random = SystemRandom::new();
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap().as_ref().to_vec()
}

fn pair(pkcs8: &[u8]) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new()).unwrap()
}

pub(super) fn dnskey_of(pkcs8: &[u8]) -> Vec<u8> {
    [&[1u8, 1, 3, 13][..], &pair(pkcs8).public_key().as_ref()[1..]].concat()
}

pub(super) fn soa(serial: u32) -> Vec<u8> {
    let timers = [serial, 14_400, 3600, 604_800, 300].map(u32::to_be_bytes).concat();
    [wire("ns1.openova.io."), wire("hostmaster.openova.io."), timers].concat()
}

impl Zone {
    fn new(text: &str, ns: &[&str]) -> Self {
        let key = fresh_key();
        let mut zone = Self {
            name: name(text),
            records: BTreeMap::new(),
            life: (-HOUR, 14 * 24 * HOUR),
            keys: vec![key],
            signed: true,
        };
        zone.set(text, rtype::SOA, 3600, vec![soa(7)]);
        zone.set(text, rtype::NS, 3600, ns.iter().map(|n| wire(n)).collect());
        zone.publish_keys();
        zone
    }

    pub(super) fn set(&mut self, owner: &str, kind: u16, ttl: u32, rdata: Vec<Vec<u8>>) {
        self.records.insert((name(owner), kind), (ttl, rdata));
    }

    pub(super) fn remove(&mut self, owner: &str, kind: u16) {
        self.records.remove(&(name(owner), kind));
    }

    fn publish_keys(&mut self) {
        let keys = self.keys.iter().map(|key| dnskey_of(key)).collect();
        let apex = self.name.clone();
        self.records.insert((apex, rtype::DNSKEY), (300, keys));
    }

    /// New keys, and the DS above stays.
    pub(super) fn rekey(&mut self) {
        self.keys = vec![fresh_key()];
        self.publish_keys();
    }

    pub(super) fn unsign(&mut self) {
        self.signed = false;
        self.records.remove(&(self.name.clone(), rtype::DNSKEY));
    }

    pub(super) fn ds(&self) -> BTreeSet<DsRecord> {
        let keys = self.keys.iter().filter_map(|key| Dnskey::from_rdata(&dnskey_of(key)));
        keys.map(|key| key.ds(&self.name, DsDigest::Sha256)).collect()
    }

    fn delegate(&mut self, child: &str, ns: &[&str], glue: &[(&str, &str)], ds: &BTreeSet<DsRecord>) {
        self.set(child, rtype::NS, 3600, ns.iter().map(|n| wire(n)).collect());
        for (host, address) in glue {
            self.set(host, rtype::A, 3600, vec![octets(address)]);
        }
        if !ds.is_empty() {
            self.set(child, rtype::DS, 300, ds.iter().map(ds_rdata).collect());
        }
    }

    fn signature(&self, owner: &Name, kind: u16, ttl: u32, rdata: &[Vec<u8>], labels: usize) -> Vec<u8> {
        let time = |offset: i64| u32::try_from(NOW + offset).unwrap();
        let key = Dnskey::from_rdata(&dnskey_of(&self.keys[0])).unwrap();
        let mut records = rdata.to_vec();
        records.sort_unstable();
        let set = SignedSet { owner: owner.clone(), rtype: kind, ttl, records, signatures: Vec::new() };
        let signature = Signature {
            algorithm: 13,
            labels: u8::try_from(labels).unwrap(),
            original_ttl: ttl,
            expiration: time(self.life.1),
            inception: time(self.life.0),
            key_tag: key.key_tag(),
            signer: self.name.clone(),
            octets: Vec::new(),
        };
        let signed = signed_data(owner, &set, &signature);
        let made = pair(&self.keys[0]).sign(&SystemRandom::new(), &signed).unwrap();
        // The head of what is signed is the RDATA without the signature.
        let head = &signed[..18 + self.name.wire().len()];
        [head, made.as_ref()].concat()
    }

    /// NSEC at an owner: the next name and the types.
    fn nsec(&self, owner: &Name) -> Vec<u8> {
        let owners = self.owners();
        let next = owners.iter().find(|other| *other > owner).or(owners.first()).unwrap();
        let mut types: BTreeSet<u16> =
            self.records.keys().filter(|(o, _)| o == owner).map(|(_, kind)| *kind).collect();
        types.extend([rtype::RRSIG, rtype::NSEC]);
        let mut rdata = next.wire().to_vec();
        for window in types.iter().map(|t| t >> 8).collect::<BTreeSet<_>>() {
            let mut bits = [0u8; 32];
            let inside = types.iter().filter(|t| *t >> 8 == window);
            inside.for_each(|t| bits[usize::from((t & 255) / 8)] |= 0x80 >> (t % 8));
            let length = 32 - bits.iter().rev().take_while(|b| **b == 0).count();
            rdata.extend([u8::try_from(window).unwrap(), u8::try_from(length).unwrap()]);
            rdata.extend(&bits[..length]);
        }
        rdata
    }

    fn owners(&self) -> Vec<Name> {
        let cuts = self.cuts();
        let own = |n: &&Name| !cuts.iter().any(|cut| *n != cut && n.is_at_or_below(cut));
        let owners: BTreeSet<Name> =
            self.records.keys().map(|(owner, _)| owner).filter(own).cloned().collect();
        owners.into_iter().collect()
    }

    fn cuts(&self) -> Vec<Name> {
        let keys = self.records.keys().filter(|(owner, kind)| *kind == rtype::NS && *owner != self.name);
        keys.map(|(owner, _)| owner.clone()).collect()
    }

    fn get(&self, owner: &Name, kind: u16) -> Option<&(u32, Vec<Vec<u8>>)> {
        self.records.get(&(owner.clone(), kind))
    }
}

pub(super) fn octets(address: &str) -> Vec<u8> {
    match ip(address) {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

pub(super) fn ds_rdata(ds: &DsRecord) -> Vec<u8> {
    let digest =
        (0..ds.digest.len()).step_by(2).map(|i| u8::from_str_radix(&ds.digest[i..i + 2], 16).unwrap());
    let mut rdata = ds.key_tag.to_be_bytes().to_vec();
    rdata.extend([ds.algorithm, ds.digest_type]);
    rdata.extend(digest);
    rdata
}

/// What a server was asked, and what it would say.
pub(super) struct Asked<'a> {
    pub(super) server: IpAddr,
    pub(super) transport: Transport,
    pub(super) name: Name,
    pub(super) kind: u16,
    pub(super) edns: bool,
    pub(super) query: &'a [u8],
    pub(super) honest: Vec<u8>,
}

/// A server that does not say what it would: `None` to leave it.
pub(super) type Hook = Box<dyn Fn(&Asked<'_>) -> Option<Result<Vec<u8>, String>> + Sync>;

pub(super) struct World {
    pub(super) zones: BTreeMap<Name, Zone>,
    hosts: BTreeMap<IpAddr, Vec<Name>>,
    /// One server's own version of a zone.
    pub(super) versions: BTreeMap<(IpAddr, Name), Zone>,
    pub(super) hooks: Vec<Hook>,
    pub(super) request: AuditRequest,
}

struct Writer {
    octets: Vec<u8>,
    counts: [u16; 3],
}

impl Writer {
    fn put(&mut self, section: usize, owner: &Name, kind: u16, ttl: u32, rdata: &[u8]) {
        self.counts[section] += 1;
        self.octets.extend(owner.wire());
        self.octets.extend([kind.to_be_bytes(), 1u16.to_be_bytes()].concat());
        self.octets.extend(ttl.to_be_bytes());
        self.octets.extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
        self.octets.extend(rdata);
    }

    fn set(&mut self, section: usize, zone: &Zone, owner: &Name, kind: u16, dnssec: bool) -> bool {
        let Some((ttl, rdata)) = zone.get(owner, kind).cloned() else { return false };
        self.put_set(section, zone, owner, kind, ttl, &rdata, owner.signed_depth(), owner, dnssec);
        true
    }

    #[expect(clippy::too_many_arguments, reason = "one place that writes a set, for tests")]
    fn put_set(
        &mut self,
        section: usize,
        zone: &Zone,
        owner: &Name,
        kind: u16,
        ttl: u32,
        rdata: &[Vec<u8>],
        labels: usize,
        signed_as: &Name,
        dnssec: bool,
    ) {
        for one in rdata {
            self.put(section, owner, kind, ttl, one);
        }
        let below = zone.cuts().iter().any(|cut| owner.is_at_or_below(cut))
            && !matches!(kind, rtype::DS | rtype::NSEC);
        if dnssec && zone.signed && !below {
            let rrsig = zone.signature(signed_as, kind, ttl, rdata, labels);
            self.put(section, owner, rtype::RRSIG, ttl, &rrsig);
        }
    }

    fn deny(&mut self, zone: &Zone, names: &[&Name], dnssec: bool) {
        self.set(1, zone, &zone.name, rtype::SOA, dnssec);
        self.nsecs(zone, names, dnssec);
    }

    /// The NSEC that stands at, or before, each name.
    fn nsecs(&mut self, zone: &Zone, names: &[&Name], dnssec: bool) {
        if !dnssec || !zone.signed {
            return;
        }
        let owners = zone.owners();
        let at: BTreeSet<Name> = names
            .iter()
            .map(|n| owners.iter().rev().find(|o| *o <= *n).or(owners.last()).unwrap().clone())
            .collect();
        for owner in at {
            let rdata = zone.nsec(&owner);
            let signed_depth = owner.signed_depth();
            self.put_set(1, zone, &owner, rtype::NSEC, 300, &[rdata], signed_depth, &owner, dnssec);
        }
    }
}

impl World {
    pub(super) fn healthy() -> Self {
        let openova = ["ns1.openova.io.", "ns2.openova.io."];
        let own = [(openova[0], NS1), (openova[1], NS2)];
        let mut sovereign = Zone::new(SOVEREIGN, &openova);
        for label in ["", "*.", "console.", "api.", "gitea.", "harbor."] {
            sovereign.set(&format!("{label}{SOVEREIGN}."), rtype::A, 300, vec![octets("20.0.0.1")]);
        }
        let mut pool = Zone::new("omani.works", &openova);
        pool.delegate(SOVEREIGN, &openova, &[], &sovereign.ds());
        let mut openova_io = Zone::new("openova.io", &openova);
        own.iter().for_each(|(host, at)| openova_io.set(host, rtype::A, 3600, vec![octets(at)]));
        let nic = ["a.nic.works.", "b.nic.works."];
        let nic_glue = [(nic[0], "12.0.0.1"), (nic[1], "13.0.0.1")];
        let mut works = Zone::new("works", &nic);
        works.delegate("omani.works.", &openova, &[], &pool.ds());
        nic_glue.iter().for_each(|(host, at)| works.set(host, rtype::A, 3600, vec![octets(at)]));
        let mut io = Zone::new("io", &["a.nic.works."]);
        io.delegate("openova.io.", &openova, &own, &openova_io.ds());
        let mut root = Zone::new(".", &["a.root.", "b.root."]);
        root.delegate("works.", &nic, &nic_glue, &works.ds());
        root.delegate("io.", &["a.nic.works."], &[], &io.ds());
        root.set("a.root.", rtype::A, 3600, vec![octets("11.0.0.1")]);
        // Reverse names stand in the root itself.
        for (reverse, host) in
            [("1.0.0.14.in-addr.arpa.", openova[0]), ("1.0.0.15.in-addr.arpa.", openova[1])]
        {
            root.set(reverse, number::PTR, 3600, vec![wire(host)]);
        }
        let ours = [sovereign.name.clone(), pool.name.clone(), openova_io.name.clone()];
        let registry = [works.name.clone(), io.name.clone()];
        let hosts = BTreeMap::from([
            (ip("11.0.0.1"), vec![root.name.clone()]),
            (ip("12.0.0.1"), registry.to_vec()),
            (ip("13.0.0.1"), registry.to_vec()),
            (ip(NS1), ours.to_vec()),
            (ip(NS2), ours.to_vec()),
        ]);
        let zones = [sovereign, pool, openova_io, works, io, root];
        let zones: BTreeMap<Name, Zone> = zones.into_iter().map(|zone| (zone.name.clone(), zone)).collect();
        let request = request(&zones[&name(SOVEREIGN)]);
        Self { zones, hosts, versions: BTreeMap::new(), hooks: Vec::new(), request }
    }

    pub(super) fn sovereign(&mut self) -> &mut Zone {
        self.zone(SOVEREIGN)
    }

    pub(super) fn zone(&mut self, text: &str) -> &mut Zone {
        self.zones.get_mut(&name(text)).unwrap()
    }

    pub(super) fn intent(&mut self) -> &mut Intent {
        self.request.intent.as_mut().unwrap()
    }

    /// One server's own version of the Sovereign.
    pub(super) fn version(&mut self, server: &str, change: impl FnOnce(&mut Zone)) {
        let mut zone = self.zones[&name(SOVEREIGN)].clone();
        change(&mut zone);
        self.versions.insert((ip(server), zone.name.clone()), zone);
    }

    pub(super) fn hook(
        &mut self,
        hook: impl Fn(&Asked<'_>) -> Option<Result<Vec<u8>, String>> + Sync + 'static,
    ) {
        self.hooks.push(Box::new(hook));
    }

    /// What PowerDNS holds becomes what the zone has, so that both are wrong in the same way.
    pub(super) fn hold_what_is_served(&mut self) {
        let zone = self.zones[&name(SOVEREIGN)].clone();
        self.intent().held = Some(held(&zone));
    }

    pub(super) fn answer(
        &self,
        server: SocketAddr,
        transport: Transport,
        query: &[u8],
    ) -> Result<Vec<u8>, String> {
        let Some(served) = self.hosts.get(&server.ip()) else { return Err("no reply in time".to_owned()) };
        // A label may hold any octet, also the one that ends the name elsewhere.
        let (asked, length) = Name::from_wire(&query[12..]).unwrap();
        let end = 12 + length;
        let kind = u16::from_be_bytes([query[end], query[end + 1]]);
        let class = query[end + 3];
        let opt = (query[11] == 1).then(|| &query[end + 4..]);
        let honest = self.honest(server.ip(), served, query, end, &asked, kind, class, opt);
        let edns = opt.is_some();
        let told = Asked { server: server.ip(), transport, name: asked, kind, edns, query, honest };
        let hooked = self.hooks.iter().find_map(|hook| hook(&told));
        hooked.unwrap_or(Ok(told.honest))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one query")]
    fn honest(
        &self,
        server: IpAddr,
        served: &[Name],
        query: &[u8],
        end: usize,
        asked: &Name,
        kind: u16,
        class: u8,
        opt: Option<&[u8]>,
    ) -> Vec<u8> {
        let mut out = Writer { octets: query[..end + 4].to_vec(), counts: [0; 3] };
        let version = opt.map_or(0, |opt| opt[6]);
        let dnssec = opt.is_some_and(|opt| opt[7] & 0x80 != 0);
        let fits = |zone: &&Name| {
            asked.is_at_or_below(zone)
                && !(kind == rtype::DS
                    && *asked == **zone
                    && served.iter().any(|o| *zone != o && zone.is_at_or_below(o)))
        };
        let zone = served.iter().filter(fits).max_by_key(|zone| zone.depth());
        let (rcode, aa, extended) = match zone {
            _ if version > 0 => (0, false, 1u8),
            None => (5, false, 0),
            _ if class != 1 || kind == number::AXFR => (5, false, 0),
            Some(zone) => {
                let zone = self.versions.get(&(server, zone.clone())).unwrap_or(&self.zones[zone]);
                let (rcode, aa) = lookup(zone, asked, kind, dnssec, &mut out);
                (rcode, aa, 0)
            }
        };
        if opt.is_some() {
            out.counts[2] += 1;
            out.octets.extend([0, 0, 41, 4, 208, extended, 0, if dnssec { 0x80 } else { 0 }, 0, 0, 0]);
        }
        out.octets[2] = 0x80 | if aa { 4 } else { 0 };
        out.octets[3] = rcode;
        for (section, count) in out.counts.iter().enumerate() {
            out.octets[6 + 2 * section..8 + 2 * section].copy_from_slice(&count.to_be_bytes());
        }
        out.octets
    }

    pub(super) fn map(&self) -> Map {
        let server = Server { names: vec!["a.root".to_owned()], address: "11.0.0.1:53".parse().unwrap() };
        let anchor = self.zones[&Name::root()].ds();
        let starts = vec![Start { zone: Name::root(), servers: vec![server], anchor }];
        Map { starts, port: 53, ..Map::default() }
    }

    pub(super) fn audit(&self) -> Report {
        self.run().0
    }

    /// Audit, and see that the recording makes the same report.
    pub(super) fn audit_and_replay(&self) -> Report {
        let (made, recording) = self.run();
        let again = super::replay(&recording.write().unwrap()).unwrap();
        assert_eq!(serde_json::to_string(&made).unwrap(), serde_json::to_string(&again).unwrap());
        made
    }

    pub(super) fn facts(&self) -> super::facts::Facts {
        let script = |server, transport, query: &[u8]| self.answer(server, transport, query);
        let session = Session::scripted(Timestamp(NOW * 1000), &script);
        gather(&session, &map_for(&self.map(), &self.request), &self.request).now_or_never().unwrap()
    }

    fn run(&self) -> (Report, Recording) {
        let script = |server, transport, query: &[u8]| self.answer(server, transport, query);
        let session = Session::scripted(Timestamp(NOW * 1000), &script);
        let map = map_for(&self.map(), &self.request);
        let facts = gather(&session, &map, &self.request).now_or_never().unwrap();
        let (begun, heard) = (session.begun, session.into_heard());
        let made = report(&facts, &heard);
        (made, Recording { begun, request: self.request.clone(), map, heard })
    }
}

/// Answer from one zone: response code and authority.
fn lookup(zone: &Zone, asked: &Name, kind: u16, dnssec: bool, out: &mut Writer) -> (u8, bool) {
    let cut = zone.cuts().into_iter().find(|cut| asked.is_at_or_below(cut));
    if let Some(cut) = cut.filter(|cut| !(kind == rtype::DS && cut == asked)) {
        out.set(1, zone, &cut, rtype::NS, false);
        if !out.set(1, zone, &cut, rtype::DS, dnssec) {
            out.nsecs(zone, &[&cut], dnssec);
        }
        let ns = zone.get(&cut, rtype::NS).map(|(_, rdata)| rdata.clone()).unwrap_or_default();
        for host in ns.iter().filter_map(|rdata| Name::from_wire(rdata)) {
            out.set(2, zone, &host.0, rtype::A, false);
            out.set(2, zone, &host.0, rtype::AAAA, false);
        }
        return (0, false);
    }
    let exists = zone.records.keys().any(|(owner, _)| owner.is_at_or_below(asked));
    if exists {
        let found = out.set(0, zone, asked, kind, dnssec) || out.set(0, zone, asked, rtype::CNAME, dnssec);
        if !found {
            out.deny(zone, &[asked], dnssec);
        }
        return (0, true);
    }
    let encloser = (0..asked.depth())
        .rev()
        .map(|depth| asked.trimmed(depth))
        .find(|n| zone.records.keys().any(|(owner, _)| owner.is_at_or_below(n)))
        .unwrap_or_else(Name::root);
    let star = encloser.wildcard().unwrap();
    if !zone.records.keys().any(|(owner, _)| *owner == star) {
        out.deny(zone, &[asked, &star], dnssec);
        return (3, true);
    }
    match zone.get(&star, kind).cloned() {
        Some((ttl, rdata)) => {
            out.put_set(0, zone, asked, kind, ttl, &rdata, encloser.depth(), &star, dnssec);
            out.nsecs(zone, &[asked], dnssec);
        }
        None => out.deny(zone, &[asked, &star], dnssec),
    }
    (0, true)
}

/// The zone as PowerDNS would list it.
fn held(zone: &Zone) -> Vec<RRset> {
    let hidden = [rtype::DNSKEY, number::CDS, number::CDNSKEY];
    let sets = zone.records.iter().filter(|((_, kind), _)| !hidden.contains(kind));
    sets.map(|((owner, kind), (ttl, rdata))| {
        let texts = rdata.iter().map(|rdata| crate::present::presented(*kind, rdata));
        let kind = RecordType::from(crate::types::TypeName(*kind).to_string());
        RRset::new(owner.to_string(), kind, Ttl::new(*ttl), texts)
    })
    .collect()
}

/// The network of an address.
fn network(text: &str) -> ipnet::IpNet {
    ipnet::IpNet::new(ip(text), 16).unwrap().trunc()
}

fn request(sovereign: &Zone) -> AuditRequest {
    let fqdn = ZoneName::parse(SOVEREIGN).unwrap();
    let ns = ["ns1.openova.io", "ns2.openova.io"].map(|n| ZoneName::parse(n).unwrap());
    let (ttls, address) = (Ttls::default(), "20.0.0.1".parse().unwrap());
    let balancer = LoadBalancer { ipv4: Some(address), ..LoadBalancer::default() };
    let target = pdm_model::Target::plain(vec![balancer]);
    let ds = sovereign.ds();
    let set: BTreeSet<ZoneName> = ns.iter().cloned().collect();
    let parent = Delegation { ns: set.clone(), ds: ds.clone(), ns_ttl: None, ds_ttl: None };
    let intent = Intent {
        editor: Editor::Pool,
        active: true,
        ns: set,
        ds,
        rrsets: desired_rrsets(&fqdn, &ns, Some(&target), &ttls),
        soa: ("ns1.openova.io.".to_owned(), "hostmaster.openova.io.".to_owned()),
        ttls,
        held: Some(held(sovereign)),
        parent_held: Some(parent),
        kept: Vec::new(),
        proved_ago: None,
        ca: vec!["letsencrypt.org".to_owned()],
    };
    let server = |n: usize, at: &str| Server {
        names: vec![format!("ns{n}.openova.io")],
        address: SocketAddr::new(ip(at), 53),
    };
    AuditRequest {
        id: "1".to_owned(),
        fqdn,
        intent: Some(intent),
        pool: None,
        above: None,
        public: false,
        servers: vec![server(1, NS1), server(2, NS2)],
        undelegated: false,
        random_label: "x7f3q".to_owned(),
        excused: BTreeMap::new(),
        registration: Registration::Known {
            expires: Some((NOW + 300 * 24 * HOUR) * 1000),
            status: BTreeSet::from(["client transfer prohibited".to_owned()]),
        },
        networks: BTreeMap::from([(network(NS1), 64_501), (network(NS2), 64_502)]),
    }
}
