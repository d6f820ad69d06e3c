//! What only PDM can know: its intent, what is held, whose the name is, what points where.

use super::*;

fn byo(world: &mut World) {
    world.intent().editor = Editor::ByoManual;
    world.intent().parent_held = None;
}

fn lua(content: &str) -> RRset {
    RRset::new(format!("app.{SOVEREIGN}."), RecordType::Lua, Ttl::new(300), [content])
}

/// A policy, held and served as this address.
fn policy(world: &mut World, held: &str) {
    world.sovereign().set(&format!("app.{SOVEREIGN}."), rtype::A, 300, vec![octets("20.0.0.1")]);
    world.intent().rrsets.push(lua("A \"ifportup(443, {'20.0.0.1', '20.0.0.2'})\""));
    world.intent().held.as_mut().unwrap().push(lua(held));
}

fn registration(world: &mut World, days: i64, status: &str) {
    let expires = Some((NOW + days * 86_400) * 1000);
    world.request.registration = Registration::Known { expires, status: BTreeSet::from([status.to_owned()]) };
}

pub(super) const CASES: &[Case] = &[
    case("POOL01", Error, |w| w.intent().parent_held.as_mut().unwrap().ds.clear()),
    case("POOL02", Error, |w| w.intent().held = Some(Vec::new())),
    case("POOL02", Warning, |w| {
        w.request.pool =
            Some(PoolFacts { orphan_zones: vec!["lost.omani.works".to_owned()], ..PoolFacts::default() });
    }),
    case("POOL02", Error, |w| {
        let orphan_delegations = vec!["lost.omani.works".to_owned()];
        w.request.pool = Some(PoolFacts { orphan_delegations, ..PoolFacts::default() });
    }),
    case("POOL02", Notice, |w| {
        let foreign_zones = vec!["somebody.omani.works".to_owned()];
        w.request.pool = Some(PoolFacts { foreign_zones, ..PoolFacts::default() });
    }),
    case("POOL02", Error, |w| {
        let missing_zones = vec!["lost.omani.works".to_owned()];
        w.request.pool = Some(PoolFacts { missing_zones, ..PoolFacts::default() });
    }),
    case("POOL02", Error, |w| {
        let missing_delegations = vec!["lost.omani.works".to_owned()];
        w.request.pool = Some(PoolFacts { missing_delegations, ..PoolFacts::default() });
    }),
    case("POOL03", Notice, |w| w.request.pool = Some(PoolFacts::default())),
    case("SOV01", Error, |w| {
        w.version(NS2, |z| z.set(&format!("api.{SOVEREIGN}."), rtype::A, 300, vec![octets("20.0.0.9")]));
    }),
    case("SOV01", Critical, |w| {
        w.sovereign().set(&format!("api.{SOVEREIGN}."), rtype::A, 300, vec![octets("20.0.0.9")]);
    }),
    case("SOV02", Warning, |w| add_record(w, "_acme-challenge.axon", rtype::TXT, vec![1, b'x'])),
    case("SOV02", Error, |w| {
        w.hook(|a| {
            let random = a.name == name(&format!("x7f3q.{SOVEREIGN}"));
            random.then(|| Ok(bare(a, 4, 3)))
        });
    }),
    case("SOV03", Warning, |w| {
        policy(w, "A \"ifportup(443, {'20.0.0.1', '20.0.0.2'})\"");
        w.version(NS2, |z| z.set(&format!("app.{SOVEREIGN}."), rtype::A, 300, vec![octets("20.0.0.2")]));
    }),
    case("SOV03", Error, |w| {
        policy(w, "A \"ifportup(443, {'20.0.0.1', '20.0.0.2'})\"");
        w.version(NS2, |z| z.set(&format!("app.{SOVEREIGN}."), rtype::A, 300, vec![octets("20.0.0.3")]));
    }),
    case("SOV04", Error, |w| policy(w, "A \"ifportup(80, {'20.0.0.1', '20.0.0.2'})\"")),
    case("SOV05", Warning, |w| {
        w.sovereign().set(&format!("api.{SOVEREIGN}."), rtype::A, 60, vec![octets("20.0.0.1")]);
        w.hold_what_is_served();
    }),
    case("SOV06", Error, |w| {
        w.sovereign().set(&format!("api.{SOVEREIGN}."), rtype::A, 300, vec![octets("20.0.0.9")]);
        w.hold_what_is_served();
    }),
    case("SOV06", Notice, |w| add_record(w, "own", rtype::A, octets("20.0.0.7"))),
    case("BYO01", Critical, |w| {
        byo(w);
        let other = dnskey_of(&fresh_key());
        let other = pdm_dnssec::Dnskey::from_rdata(&other).unwrap();
        let ds = other.ds(&name(SOVEREIGN), pdm_dnssec::DsDigest::Sha256);
        change_pool(w, rtype::DS, vec![ds_rdata(&ds)]);
    }),
    case("BYO02", Error, |w| {
        byo(w);
        let mx = RRset::new(
            format!("{SOVEREIGN}."),
            RecordType::from("MX".to_owned()),
            Ttl::new(300),
            ["10 mx.old.example."],
        );
        w.intent().kept = vec![mx];
    }),
    case("BYO02", Notice, |w| {
        byo(w);
        add_record(w, "@", number::MX, [vec![0, 5], wire("ns1.openova.io.")].concat());
        let kind = RecordType::from("MX".to_owned());
        w.intent().kept =
            vec![RRset::new(format!("{SOVEREIGN}."), kind, Ttl::new(300), ["10 mx.old.example."])];
    }),
    case("BYO03", Warning, |w| {
        byo(w);
        w.intent().proved_ago = Some(30 * 86_400);
    }),
    case("ACME01", Error, |w| add_record(w, "@", number::CAA, b"\x00\x05issueother.example".to_vec())),
    case("ACME02", Warning, |w| {
        add_record(w, "_acme-challenge", rtype::CNAME, wire("ns1.openova.io."));
    }),
    case("REG01", Warning, |w| registration(w, 20, "client transfer prohibited")),
    case("REG01", Error, |w| registration(w, 3, "client transfer prohibited")),
    case("REG01", Critical, |w| registration(w, -1, "client transfer prohibited")),
    case("REG02", Warning, |w| registration(w, 300, "active")),
    case("TAKE01", Error, |w| add_record(w, "shop", rtype::CNAME, wire("gone.openova.io."))),
    case("TAKE01", Error, |w| {
        let set = |owner: &str, to: &str| {
            RRset::new(owner, RecordType::from("CNAME".to_owned()), Ttl::new(300), [to])
        };
        let pointing =
            vec![set("shop.omani.works.", "gone.openova.io."), set("www.omani.works.", "ns1.openova.io.")];
        w.request.pool = Some(PoolFacts { pointing, ..PoolFacts::default() });
    }),
    case("TAKE01", Error, |w| {
        let referenced = vec![("www.omani.works. CNAME".to_owned(), "gone.omani.works".to_owned())];
        w.request.pool = Some(PoolFacts { referenced, ..PoolFacts::default() });
    }),
    case("TAKE02", Error, |w| add_record(w, "sub", rtype::NS, wire("gone.openova.io."))),
    case("TAKE02", Error, |w| {
        let ns = RRset::new("else.omani.works.", RecordType::Ns, Ttl::new(300), ["gone.openova.io."]);
        w.request.pool = Some(PoolFacts { elsewhere: vec![ns], ..PoolFacts::default() });
    }),
];
