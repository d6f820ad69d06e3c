//! Faults that the small internet cannot have, planted in facts after they were gathered.

use super::*;
use crate::audit::facts::{Above, Facts, Reply};
use crate::audit::found::Found;
use crate::audit::probe::Probe;

/// Checks whose fault cannot be planted in this world; each has a test of its own or is told here.
pub(super) const ELSEWHERE: &[&str] = &[
    // Names that cannot be asked for are refused at the door; the rule is tested on names as such.
    "SYNTAX01",
    "SYNTAX02",
    "SYNTAX03",
    // Need glue, a referral, networks or keys that this world does not have.
    "CONSISTENCY05",
    "DELEGATION03",
    "CONNECTIVITY04",
    "DNSSEC05",
    "DNSSEC13",
    "DNSSEC14",
];

/// The checks of [`ELSEWHERE`] on facts that are changed after they were gathered.
#[test]
fn what_this_world_does_not_have_is_found_in_changed_facts() {
    let facts = World::healthy().facts();
    let found = |code: &str, change: &dyn Fn(&mut Facts)| {
        let mut facts = facts.clone();
        change(&mut facts);
        let check = CHECKS.iter().find(|c| c.id == code).unwrap();
        let mut found = Found::new(check, &facts);
        (check.run)(&facts, &mut found);
        found.findings.iter().map(|f| f.severity).max()
    };
    let set = |facts: &mut Facts, probe: &Probe, change: &dyn Fn(&mut Reply)| {
        facts.servers.iter_mut().for_each(|child| change(child.heard.get_mut(probe).unwrap()));
    };
    for code in ELSEWHERE {
        assert_eq!(found(code, &|_| {}), None, "{code} in a healthy zone");
    }
    for (code, label) in [("SYNTAX01", "a_b."), ("SYNTAX02", "-a."), ("SYNTAX03", "ab--c.")] {
        assert_eq!(found(code, &|f| f.zone = name(&format!("{label}omani.works."))), Some(Error), "{code}");
    }
    let glue = |f: &mut Facts| {
        f.names.get_mut(&name("ns1.openova.io.")).unwrap().glue = BTreeSet::from([ip("9.9.9.9")]);
    };
    assert_eq!(found("CONSISTENCY05", &glue), Some(Error));
    let truncated = |f: &mut Facts| {
        let Above::Seen(parent) = &mut f.parent else { panic!() };
        parent.truncated = vec![parent.answers[0].server.clone()];
    };
    assert_eq!(found("DELEGATION03", &truncated), Some(Warning));
    let together = |f: &mut Facts| {
        for (n, child) in f.servers.iter_mut().enumerate() {
            child.server.address.set_ip(ip(&format!("14.0.0.{}", n + 1)));
        }
    };
    assert_eq!(found("CONNECTIVITY04", &together), Some(Warning));
    let keys = |rdata: Vec<u8>| {
        move |reply: &mut Reply| {
            let answer = reply.answer.as_mut().unwrap();
            answer.answers[0].records.push(rdata.clone());
        }
    };
    // RSA: exponent 3, then the modulus.
    let rsa =
        |algorithm: u8, bits: usize| [&[1u8, 0, 3, algorithm, 1, 3][..], &vec![0xff; bits / 8]].concat();
    for (bits, severity) in [(512, Some(Error)), (1024, Some(Warning)), (2048, None)] {
        assert_eq!(found("DNSSEC14", &|f| set(f, &Probe::Dnskey, &keys(rsa(8, bits)))), severity);
    }
    for (algorithm, severity) in [(5, Error), (10, Notice), (99, Warning)] {
        assert_eq!(
            found("DNSSEC05", &|f| set(f, &Probe::Dnskey, &keys(rsa(algorithm, 2048)))),
            Some(severity)
        );
    }
    assert_eq!(found("DNSSEC13", &|f| set(f, &Probe::Dnskey, &keys(rsa(8, 2048)))), Some(Warning));
}
