//! Faults in the delegation, in addresses and between nameservers.

use super::*;

fn silent(
    server: &'static str,
    transport: Option<Transport>,
) -> impl Fn(&Asked<'_>) -> Option<Result<Vec<u8>, String>> + Sync {
    move |asked| {
        let hit = asked.server == ip(server) && ours(asked) && transport.is_none_or(|t| t == asked.transport);
        // The parent's part of the same server goes on.
        (hit && asked.kind != rtype::DS).then(|| Err("no reply in time".to_owned()))
    }
}

pub(super) const CASES: &[Case] = &[
    case("BASIC01", Critical, |w| {
        w.request.intent.as_mut().unwrap().parent_held = None;
        // Neither delegated nor served where the parent is asked.
        w.zone("omani.works").remove(SOVEREIGN, rtype::NS);
        w.zone("omani.works").remove(SOVEREIGN, rtype::DS);
        w.hook(|a| (ours(a) && a.kind == rtype::NS).then(|| Ok(bare(a, 4, 3))));
        w.hook(|a| (ours(a) && a.kind == rtype::DS).then(|| Ok(bare(a, 4, 3))));
    }),
    case("BASIC02", Critical, |w| {
        w.hook(silent(NS1, None));
        w.hook(silent(NS2, None));
        // The parent still delegates.
        w.hooks.insert(
            0,
            Box::new(|a| {
                (ours(a) && a.kind == rtype::NS && a.query.len() < 70).then(|| Ok(a.honest.clone()))
            }),
        );
    }),
    case("BASIC03", Notice, |w| {
        w.hook(|a| {
            let address = ours(a) && a.kind == rtype::AAAA;
            let mut reply = a.honest.clone();
            reply[2] &= !4;
            (address).then_some(Ok(reply))
        });
        w.sovereign().set(SOVEREIGN, rtype::AAAA, 300, vec![octets("2a00::1")]);
        w.hook(|a| {
            (ours(a) && a.kind != rtype::DS && !(a.kind == rtype::NS && a.edns)).then(|| Ok(bare(a, 0, 5)))
        });
    }),
    case("ADDRESS01", Error, |w| {
        w.zone("openova.io").set("ns2.openova.io.", rtype::A, 3600, vec![octets(NS2), octets("10.0.0.1")]);
        w.hook(|a| {
            (a.name == name("ns2.openova.io") && a.server == ip("12.0.0.1")).then(|| Ok(a.honest.clone()))
        });
    }),
    case("ADDRESS02", Notice, |w| w.zone(".").remove("1.0.0.14.in-addr.arpa.", number::PTR)),
    case("ADDRESS03", Notice, |w| {
        w.zone(".").set("1.0.0.14.in-addr.arpa.", number::PTR, 60, vec![wire("other.example.")]);
    }),
    case("CONNECTIVITY01", Error, |w| w.hook(silent(NS2, Some(Transport::Udp)))),
    case("CONNECTIVITY02", Error, |w| w.hook(silent(NS2, Some(Transport::Tcp)))),
    case("CONNECTIVITY03", Warning, |w| w.request.networks.values_mut().for_each(|system| *system = 64_501)),
    case("CONSISTENCY01", Warning, |w| w.version(NS2, |z| z.set(SOVEREIGN, rtype::SOA, 3600, vec![soa(6)]))),
    case("CONSISTENCY02", Notice, |w| {
        w.version(NS2, |z| {
            let rdata = soa_named(&wire("ns1.openova.io."), &wire("other.openova.io."));
            z.set(SOVEREIGN, rtype::SOA, 3600, vec![rdata]);
        });
    }),
    case("CONSISTENCY03", Notice, |w| {
        w.version(NS2, |z| z.set(SOVEREIGN, rtype::SOA, 3600, vec![soa_with(1, 20_000)]))
    }),
    case("CONSISTENCY04", Error, |w| {
        w.version(NS2, |z| z.set(SOVEREIGN, rtype::NS, 3600, vec![wire("ns1.openova.io.")]));
        let rrsets = &mut w.intent().rrsets;
        rrsets.remove(0);
    }),
    case("CONSISTENCY06", Notice, |w| {
        w.version(NS2, |z| {
            let rdata = soa_named(&wire("ns2.openova.io."), &wire("hostmaster.openova.io."));
            z.set(SOVEREIGN, rtype::SOA, 3600, vec![rdata]);
        });
    }),
    case("DELEGATION01", Error, |w| rename_ns(w, &["ns1.openova.io."])),
    case("DELEGATION02", Warning, |w| {
        w.zone("openova.io").set("ns2.openova.io.", rtype::A, 3600, vec![octets(NS1)]);
        w.zone("io").set("ns2.openova.io.", rtype::A, 3600, vec![octets(NS1)]);
    }),
    case("DELEGATION04", Error, |w| {
        w.hook(|a| {
            (a.server == ip(NS2)
                && ours(a)
                && !matches!(a.kind, rtype::DS)
                && !(a.kind == rtype::NS && a.edns))
                .then(|| Ok(bare(a, 0, 5)))
        });
    }),
    case("DELEGATION05", Error, |w| {
        w.zone("openova.io").set("alias.openova.io.", rtype::CNAME, 3600, vec![wire("ns2.openova.io.")]);
        rename_ns(w, &["ns1.openova.io.", "alias.openova.io.", "ns2.openova.io."]);
    }),
    case("DELEGATION06", Error, |w| {
        w.hook(|a| {
            (a.server == ip(NS2) && a.name == name(SOVEREIGN) && a.kind == rtype::SOA)
                .then(|| Ok(bare(a, 4, 0)))
        });
    }),
    case("DELEGATION07", Warning, |w| {
        let extra = ["ns1", "ns2", "ns3"].map(|n| ZoneName::parse(&format!("{n}.openova.io")).unwrap());
        w.intent().parent_held.as_mut().unwrap().ns = extra.into();
    }),
];
