//! Faults in keys, signatures, DS and CDS.

use super::*;

pub(super) const CASES: &[Case] = &[
    case("DNSSEC01", Error, |w| {
        let good: Vec<Vec<u8>> = w.zones[&name(SOVEREIGN)].ds().iter().map(ds_rdata).collect();
        let mut sha1 = good[0][..4].to_vec();
        sha1[3] = 1;
        sha1.extend([7; 20]);
        change_pool(w, rtype::DS, [good, vec![sha1]].concat());
    }),
    case("DNSSEC02", Critical, |w| {
        w.sovereign().rekey();
    }),
    case("DNSSEC03", Warning, |w| {
        w.sovereign().set(SOVEREIGN, number::NSEC3PARAM, 0, vec![vec![1, 0, 0, 10, 0]]);
    }),
    case("DNSSEC04", Error, |w| w.sovereign().life = (-20 * 86400, -86400)),
    case("DNSSEC04", Warning, |w| w.sovereign().life = (-20 * 86400, 6 * 3600)),
    case("DNSSEC04", Warning, |w| w.sovereign().life = (-3600, 300 * 86400)),
    case("DNSSEC06", Error, |w| {
        let mut zone = w.zones[&name(SOVEREIGN)].clone();
        zone.signed = false;
        w.versions.insert((ip(NS2), zone.name.clone()), zone);
    }),
    case("DNSSEC07", Error, |w| w.zone("omani.works").remove(SOVEREIGN, rtype::DS)),
    case("DNSSEC08", Error, |w| {
        w.hook(|a| {
            // Another signature over the keys.
            let hit = a.server == ip(NS2) && a.name == name(SOVEREIGN) && a.kind == rtype::DNSKEY && a.edns;
            let mut reply = a.honest.clone();
            let at = reply.len() - 20;
            reply[at] ^= 1;
            hit.then_some(Ok(reply))
        });
    }),
    case("DNSSEC09", Error, |w| {
        w.hook(|a| {
            let hit = a.server == ip(NS2) && a.name == name(SOVEREIGN) && a.kind == rtype::SOA && a.edns;
            let mut reply = a.honest.clone();
            let at = reply.len() - 20;
            reply[at] ^= 1;
            (hit && reply[3] == 0 && reply[7] == 2).then_some(Ok(reply))
        });
    }),
    case("DNSSEC10", Error, |w| {
        w.hook(|a| {
            let hit = a.server == ip(NS2) && a.name == name(SOVEREIGN) && a.kind == number::HINFO;
            hit.then(|| Ok([bare(a, 4, 0), Vec::new()].concat()))
        });
    }),
    case("DNSSEC11", Critical, |w| {
        w.sovereign().unsign();
    }),
    case("DNSSEC12", Error, |w| {
        let good: Vec<Vec<u8>> = w.zones[&name(SOVEREIGN)].ds().iter().map(ds_rdata).collect();
        let mut other = good[0].clone();
        other[2] = 14;
        change_pool(w, rtype::DS, [good, vec![other]].concat());
    }),
    case("DNSSEC15", Warning, |w| {
        let cds = w.zones[&name(SOVEREIGN)].ds().iter().map(ds_rdata).collect();
        w.sovereign().set(SOVEREIGN, number::CDS, 300, cds);
    }),
    case("DNSSEC16", Warning, |w| {
        let mut cds: Vec<Vec<u8>> = w.zones[&name(SOVEREIGN)].ds().iter().map(ds_rdata).collect();
        cds[0][10] ^= 1;
        let keys = w.zones[&name(SOVEREIGN)].records[&(name(SOVEREIGN), rtype::DNSKEY)].1.clone();
        w.sovereign().set(SOVEREIGN, number::CDS, 300, cds);
        w.sovereign().set(SOVEREIGN, number::CDNSKEY, 300, keys);
    }),
    case("DNSSEC17", Warning, |w| {
        let cds = w.zones[&name(SOVEREIGN)].ds().iter().map(ds_rdata).collect();
        w.sovereign().set(SOVEREIGN, number::CDS, 300, cds);
        w.sovereign().set(SOVEREIGN, number::CDNSKEY, 300, vec![dnskey_of(&fresh_key())]);
    }),
    case("DNSSEC18", Warning, |w| {
        let cds = w.zones[&name(SOVEREIGN)].ds().iter().map(ds_rdata).collect();
        let keys = w.zones[&name(SOVEREIGN)].records[&(name(SOVEREIGN), rtype::DNSKEY)].1.clone();
        w.sovereign().set(SOVEREIGN, number::CDS, 300, cds);
        w.sovereign().set(SOVEREIGN, number::CDNSKEY, 300, keys);
        w.hook(|a| {
            let hit = a.name == name(SOVEREIGN) && a.kind == number::CDS;
            let mut reply = a.honest.clone();
            let at = reply.len() - 20;
            reply[at] ^= 1;
            hit.then_some(Ok(reply))
        });
    }),
    case("KEY01", Warning, |w| w.sovereign().life = (-20 * 86400, 2 * 86400)),
];
