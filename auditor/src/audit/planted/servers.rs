//! Nameservers that answer as no nameserver should.

use super::*;

pub(super) const CASES: &[Case] = &[
    case("NAMESERVER01", Error, |w| {
        w.hook(|a| {
            let hit = a.server == ip(NS2) && a.name == name("recursion-test.invalid");
            let mut reply = bare(a, 1, 3);
            reply[3] |= 0x80;
            hit.then_some(Ok(reply))
        });
    }),
    case("NAMESERVER02", Warning, |w| {
        w.hook(|a| {
            // What is behind the question stays, the OPT record at the end goes.
            let hit = a.server == ip(NS2) && a.edns && a.name == name(SOVEREIGN) && a.kind == rtype::SOA;
            let mut reply = a.honest.clone();
            reply.truncate(reply.len() - 11);
            reply[11] = reply[11].saturating_sub(1);
            (hit && a.query.len() > 12 && reply[3] == 0).then_some(Ok(reply))
        });
    }),
    case("NAMESERVER03", Warning, |w| {
        w.hook(|a| {
            let mut reply = bare(a, 4, 0);
            reply[7] = 1;
            reply.extend(
                [&[0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 9, 0][..], &[u8::try_from(soa(7).len()).unwrap()], &soa(7)]
                    .concat(),
            );
            (a.server == ip(NS2) && a.kind == number::AXFR).then_some(Ok(reply))
        });
    }),
    case("NAMESERVER04", Error, |w| {
        w.hook(|a| {
            let hit = a.server == ip(NS2) && ours(a) && a.transport == Transport::Udp && a.kind != rtype::DS;
            let anywhere = a.edns && a.query[a.query.len() - 8..a.query.len() - 6] == 1231u16.to_be_bytes();
            let why = if anywhere { "the reply came from 15.0.0.9:53" } else { "no reply in time" };
            hit.then(|| Err(why.to_owned()))
        });
    }),
    case("NAMESERVER05", Error, |w| {
        w.hook(|a| (a.server == ip(NS2) && ours(a) && a.kind == rtype::AAAA).then(|| Ok(bare(a, 0, 4))));
    }),
    case("NAMESERVER06", Error, |w| {
        rename_ns(w, &["ns1.openova.io.", "ns2.openova.io.", "ns9.openova.io."]);
    }),
    case("NAMESERVER07", Warning, |w| {
        w.hook(|a| {
            let mut reply = bare(a, 0, 0);
            reply[9] = 1;
            reply.extend([0, 0, 2, 0, 1, 0, 0, 0, 9, 0, 3, 1, b'a', 0]);
            (a.server == ip(NS2) && a.name == Name::root() && a.kind == rtype::NS).then_some(Ok(reply))
        });
    }),
    case("NAMESERVER08", Error, |w| {
        w.hook(|a| {
            let odd = a.query[12..].iter().any(u8::is_ascii_uppercase);
            (a.server == ip(NS2) && odd).then(|| Ok(bare(a, 4, 3)))
        });
    }),
    case("NAMESERVER09", Warning, |w| {
        w.hook(|a| {
            let odd = a.query[12..].iter().any(u8::is_ascii_uppercase);
            let mut reply = a.honest.clone();
            reply.iter_mut().skip(12).take(28).for_each(u8::make_ascii_lowercase);
            (a.server == ip(NS2) && odd).then_some(Ok(reply))
        });
    }),
    case("NAMESERVER10", Warning, |w| {
        w.hook(|a| {
            let mut reply = a.honest.clone();
            let at = reply.len() - 6;
            let hit = a.server == ip(NS2) && a.edns && reply[at] == 1 && a.kind == rtype::SOA;
            reply[at] = 0;
            hit.then_some(Ok(reply))
        });
    }),
    case("NAMESERVER11", Warning, |w| {
        w.hook(|a| {
            let option = a.query.ends_with(&[0, 137, 0, 0]);
            (a.server == ip(NS2) && option).then(|| Ok(bare(a, 0, 1)))
        });
    }),
    case("NAMESERVER12", Warning, |w| {
        w.hook(|a| {
            let flags = a.edns && a.query[a.query.len() - 3] == 4;
            let mut reply = a.honest.clone();
            let at = reply.len() - 3;
            reply[at] = 4;
            (a.server == ip(NS2) && flags).then_some(Ok(reply))
        });
    }),
    case("NAMESERVER13", Warning, |w| {
        w.hook(|a| {
            let small = a.edns && a.query[a.query.len() - 8..a.query.len() - 6] == [2, 0];
            (a.server == ip(NS2) && small).then(|| Ok(bare(a, 6, 0)))
        });
    }),
    case("NAMESERVER15", Notice, |w| {
        w.hook(|a| {
            let mut reply = bare(a, 4, 0);
            reply[7] = 1;
            reply.extend([0xc0, 12, 0, 16, 0, 3, 0, 0, 0, 0, 0, 2, 1, b'x']);
            (a.server == ip(NS2) && a.name == name("version.bind")).then_some(Ok(reply))
        });
    }),
];
