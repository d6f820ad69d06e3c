//! One fault at a time, planted in a healthy world: the right check says so, with its severity, its party and its fix, and
//! nothing else speaks up at warning or above.

mod contents;
mod delegation;
mod elsewhere;
mod hostile;
mod intent;
mod servers;
mod signing;

use std::collections::BTreeSet;

use pdm_dnssec::{Name, rtype};
use pdm_model::audit::{Outcome, Party, Report, Severity};
use pdm_model::{RRset, RecordType, Transport, Ttl, ZoneName};
use pdm_ports::audit::{Editor, PoolFacts, Registration};

use super::world::*;
use crate::checks::CHECKS;
use crate::types::number;

use Severity::{Critical, Error, Info, Notice, Warning};

fn loud(report: &Report) -> Vec<String> {
    let loud = report.findings.iter().filter(|f| f.severity >= Warning);
    loud.map(|f| format!("{} {:?} {} ({})", f.code, f.severity, f.detail, f.subject)).collect()
}

#[test]
fn a_healthy_zone_has_nothing_at_warning_or_above() {
    let report = World::healthy().audit_and_replay();
    assert_eq!(loud(&report), Vec::<String>::new());
    let silent: Vec<_> =
        report.checks.iter().filter(|(_, o)| matches!(o, Outcome::CouldNotAsk { .. })).collect();
    assert!(silent.is_empty(), "{silent:?}");
    assert_eq!(report.verdict, "omantel.omani.works is as it should be.");
    assert_eq!(report.chain.iter().map(|l| l.security.as_str()).collect::<Vec<_>>(), ["secure", "secure"]);
    assert!(report.matrix.iter().all(|row| row.served.iter().all(|s| s.as_ref() == row.intent.as_ref())));
    assert_eq!(report.servers.len(), 2);
}

struct Case {
    code: &'static str,
    severity: Severity,
    plant: fn(&mut World),
}

const fn case(code: &'static str, severity: Severity, plant: fn(&mut World)) -> Case {
    Case { code, severity, plant }
}

/// A reply with only a header and the question.
fn bare(asked: &Asked<'_>, flags: u8, rcode: u8) -> Vec<u8> {
    let end = 12 + asked.name.wire().len() + 4;
    let mut reply = asked.query[..end].to_vec();
    reply[2] = 0x80 | flags;
    reply[3] = rcode;
    reply[6..12].fill(0);
    reply
}

fn ours(asked: &Asked<'_>) -> bool {
    asked.name.is_at_or_below(&name(SOVEREIGN))
}

fn add_record(world: &mut World, owner: &str, kind: u16, rdata: Vec<u8>) {
    let owner = if owner == "@" { format!("{SOVEREIGN}.") } else { format!("{owner}.{SOVEREIGN}.") };
    world.sovereign().set(&owner, kind, 300, vec![rdata]);
    world.hold_what_is_served();
}

fn soa_with(field: usize, value: u32) -> Vec<u8> {
    let mut rdata = soa(7);
    let at = rdata.len() - 20 + 4 * field;
    rdata[at..at + 4].copy_from_slice(&value.to_be_bytes());
    rdata
}

fn soa_named(mname: &[u8], rname: &[u8]) -> Vec<u8> {
    let whole = soa(7);
    [mname, rname, &whole[whole.len() - 20..]].concat()
}

/// The parent (the pool's servers) says something else; the parent and the zone are on the same servers here.
fn change_pool(world: &mut World, kind: u16, rdata: Vec<Vec<u8>>) {
    let ttl = if kind == rtype::DS { 300 } else { 3600 };
    world.zone("omani.works").set(SOVEREIGN, kind, ttl, rdata);
}

/// Give the nameservers of the Sovereign other names, with addresses at home.
fn rename_ns(world: &mut World, names: &[&str]) {
    let wires: Vec<Vec<u8>> = names.iter().map(|n| wire(n)).collect();
    world.sovereign().set(SOVEREIGN, rtype::NS, 3600, wires.clone());
    change_pool(world, rtype::NS, wires);
    let set: BTreeSet<ZoneName> = names.iter().filter_map(|n| ZoneName::parse(n).ok()).collect();
    let intent = world.intent();
    intent.ns.clone_from(&set);
    if let Some(held) = &mut intent.parent_held {
        held.ns.clone_from(&set);
    }
    intent.rrsets[0].records = names.iter().map(|n| (*n).to_owned()).collect();
    world.hold_what_is_served();
}

/// All of them.
fn cases() -> impl Iterator<Item = &'static Case> {
    [delegation::CASES, signing::CASES, servers::CASES, contents::CASES, intent::CASES].into_iter().flatten()
}

/// Who must act, where it is not the operator.
const OTHERS: &[(&str, Party)] = &[("BYO01", Party::Customer), ("BYO03", Party::Customer)];

#[test]
fn each_fault_is_found_by_its_check_and_by_no_other() {
    let mut wrong = Vec::new();
    for Case { code, severity, plant } in cases() {
        let mut world = World::healthy();
        plant(&mut world);
        let report = if *severity == Critical { world.audit_and_replay() } else { world.audit() };
        let found: Vec<_> =
            report.findings.iter().filter(|f| f.code == *code && f.severity == *severity).collect();
        let others: Vec<_> =
            report.findings.iter().filter(|f| f.severity >= Warning && f.code != *code).collect();
        let party = OTHERS.iter().find(|(c, _)| c == code).map_or(Party::Operator, |(_, party)| *party);
        if found.is_empty() || (!others.is_empty() && *code != "BASIC03") {
            wrong.push(format!("{code} {severity:?}: {:?}; {:?}", loud(&report), report.checks.get(*code)));
            continue;
        }
        let check = CHECKS.iter().find(|c| c.id == *code).unwrap();
        for finding in found {
            assert_eq!(finding.who, party, "{code}");
            let fix = finding.fix.as_ref().unwrap_or_else(|| panic!("{code}"));
            assert!(!fix.what.is_empty(), "{code}");
            let offers = fix.command.is_some();
            assert!(!offers || check.repair, "{code}");
            if offers && world.request.pool.is_none() {
                assert!(!fix.difference.is_empty(), "{code} says what it would write");
                assert_eq!(fix.command.clone(), Some(format!("pdm audit {SOVEREIGN} --fix {code}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_check_has_a_planted_fault() {
    for check in CHECKS {
        let planted = cases().any(|case| case.code == check.id);
        assert!(planted != elsewhere::ELSEWHERE.contains(&check.id), "{}", check.id);
    }
}

#[test]
fn what_could_not_be_asked_is_neither_good_nor_bad() {
    let mut world = World::healthy();
    world.hook(|_| Some(Err("no reply in time".to_owned())));
    let report = world.audit();
    let is_silent = |code: &str| matches!(report.checks[code], Outcome::CouldNotAsk { .. });
    assert!(
        is_silent("BASIC01") && is_silent("DNSSEC02") && is_silent("CONSISTENCY01"),
        "{:?}",
        report.checks
    );
    // Its own data is known all the same.
    assert!(matches!(report.checks["SOV06"], Outcome::Passed));
    assert!(!report.findings.iter().any(|f| f.code.starts_with("DNSSEC")));
}

#[test]
fn a_test_before_the_delegation_asks_as_if_it_were_there() {
    let mut world = World::healthy();
    world.zone("omani.works").remove(SOVEREIGN, rtype::NS);
    world.zone("omani.works").remove(SOVEREIGN, rtype::DS);
    world.request.undelegated = true;
    let report = world.audit_and_replay();
    assert_eq!(loud(&report), Vec::<String>::new());
    assert!(
        report.undelegated
            && report.findings.iter().all(|f| f.fix.as_ref().is_none_or(|fix| fix.command.is_none()))
    );
    world.version(NS2, |zone| zone.unsign());
    assert!(world.audit().findings.iter().any(|f| f.code == "DNSSEC11"));
}

#[test]
fn a_profile_excuses_by_name_and_reason() {
    let mut world = World::healthy();
    world.sovereign().rekey();
    world.request.excused.insert("DNSSEC02".to_owned(), "not here".to_owned());
    let report = world.audit();
    assert_eq!(report.checks["DNSSEC02"], Outcome::Skipped { why: "not here".to_owned() });
}
