//! Names and values in the zone that are not as they should be.

use super::*;

fn set_soa(world: &mut World, rdata: Vec<u8>) {
    world.sovereign().set(SOVEREIGN, rtype::SOA, 3600, vec![rdata]);
}

fn raw(labels: &[&str]) -> Vec<u8> {
    let mut wire: Vec<u8> =
        labels.iter().flat_map(|l| [&[u8::try_from(l.len()).unwrap()][..], l.as_bytes()].concat()).collect();
    wire.push(0);
    wire
}

pub(super) const CASES: &[Case] = &[
    case("SYNTAX04", Error, |w| {
        w.zone("openova.io").set("n_s.openova.io.", rtype::A, 60, vec![octets(NS2)]);
        w.sovereign().set(
            SOVEREIGN,
            rtype::NS,
            3600,
            ["ns1", "ns2", "n_s"].map(|n| wire(&format!("{n}.openova.io."))).into(),
        );
        w.intent().rrsets.remove(0);
    }),
    case("SYNTAX05", Warning, |w| {
        set_soa(w, soa_named(&wire("ns1.openova.io."), &raw(&["host@openova", "io"])))
    }),
    case("SYNTAX06", Warning, |w| set_soa(w, soa_named(&wire("ns1.openova.io."), &raw(&["nobody"])))),
    case("SYNTAX07", Warning, |w| {
        set_soa(w, soa_named(&raw(&["n_s", "openova", "io"]), &wire("h.openova.io.")))
    }),
    case("SYNTAX08", Error, |w| {
        w.zone("openova.io").set("m_x.openova.io.", rtype::A, 60, vec![octets(NS1)]);
        add_record(w, "@", number::MX, [vec![0, 1], raw(&["m_x", "openova", "io"])].concat());
    }),
    case("ZONE01", Notice, |w| set_soa(w, soa_named(&wire("hidden.openova.io."), &wire("h.openova.io.")))),
    case("ZONE02", Notice, |w| set_soa(w, soa_with(1, 7200))),
    case("ZONE03", Warning, |w| set_soa(w, soa_with(2, 14_400))),
    case("ZONE04", Notice, |w| set_soa(w, soa_with(2, 60))),
    case("ZONE05", Warning, |w| set_soa(w, soa_with(3, 86_400))),
    case("ZONE06", Warning, |w| set_soa(w, soa_with(4, 200_000))),
    case("ZONE06", Notice, |w| set_soa(w, soa_with(4, 5))),
    case("ZONE07", Warning, |w| {
        w.zone("openova.io").set("m.openova.io.", rtype::CNAME, 60, vec![wire("ns1.openova.io.")]);
        set_soa(w, soa_named(&wire("m.openova.io."), &wire("h.openova.io.")));
    }),
    case("ZONE08", Warning, |w| {
        w.zone("openova.io").set("mx.openova.io.", rtype::CNAME, 60, vec![wire("ns1.openova.io.")]);
        add_record(w, "@", number::MX, [vec![0, 1], wire("mx.openova.io.")].concat());
    }),
    case("ZONE09", Info, |_| {}),
    case("ZONE10", Error, |w| {
        w.sovereign().set(SOVEREIGN, rtype::SOA, 3600, vec![soa(7), soa_with(1, 14_401)]);
    }),
    case("ZONE11", Warning, |w| {
        let text = |t: &str| [&[u8::try_from(t.len()).unwrap()][..], t.as_bytes()].concat();
        w.sovereign().set(SOVEREIGN, rtype::TXT, 300, vec![text("v=spf1 -all"), text("v=spf1 mx -all")]);
        w.hold_what_is_served();
    }),
];
