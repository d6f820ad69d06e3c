//! `docs/generated/registrars.md` equals the tables, and every code has its problem. `PDM_WRITE_DOCS=1` (`make docs`)
//! writes the page anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pdm_adapters::{Evidence, REGISTRARS};
use pdm_model::problem::PROBLEMS;
use pdm_ports::registrar::{Cannot, DsForm, Glue, ModeCapability, Registrar};

use crate::suite::adapter;

const NOTE: &str =
    "<!-- Generated from the table in adapters/src/lib.rs by `make docs`. Do not edit. -->\n\n";

fn ns(mode: &Result<ModeCapability, Cannot>) -> String {
    let Ok(can) = mode else { return "no".into() };
    let how = if can.asynchronous { ", as a task" } else { "" };
    format!("{} to {}{how}", can.ns_min, can.ns_max)
}

fn ds(mode: &Result<ModeCapability, Cannot>) -> &'static str {
    match mode.map(|can| can.ds) {
        Err(_) | Ok(DsForm::None) => "no",
        Ok(DsForm::Ds) => "yes",
        Ok(DsForm::Dnskey) => "yes, as DNSKEY",
        Ok(DsForm::CdsScanned) => "by CDS",
    }
}

fn back(mode: &Result<ModeCapability, Cannot>) -> &'static str {
    match mode {
        Err(_) => "-",
        Ok(can) if can.withdraw_cannot.is_some() => "by hand",
        Ok(_) => "yes",
    }
}

fn glue(mode: &Result<ModeCapability, Cannot>) -> &'static str {
    match mode.map(|can| can.glue) {
        Err(_) => "-",
        Ok(Glue::None) => "no",
        Ok(Glue::Ipv4) => "IPv4",
        Ok(Glue::Both) => "yes",
    }
}

fn limits(text: &mut String, how: &str, mode: &Result<ModeCapability, Cannot>) {
    let mut say = |what: &str, why: Cannot| {
        writeln!(text, "* {how}, {what}: {}. Way out: {}.", why.reason, why.way_out).unwrap();
    };
    match mode {
        Err(why) => say("not at all", *why),
        Ok(can) => {
            if let Some(why) = can.ds_cannot {
                say("no DS", why);
            }
            if let Some(why) = can.withdraw_cannot {
                say("not taken back", why);
            }
            for caveat in can.caveats {
                writeln!(text, "* {how}, to be accepted as `{}`: {}.", caveat.code, caveat.text).unwrap();
            }
        }
    }
}

fn section(registrar: &dyn Registrar, evidence: &Evidence) -> String {
    let can = registrar.capability();
    let mut text = format!("\n## {} (`{}`)\n\n", registrar.name(), registrar.id());
    for field in registrar.credential_fields() {
        let kind = if field.secret { "secret" } else { "not secret" };
        let may = if field.optional { ", optional" } else { "" };
        writeln!(text, "* `{}` ({kind}{may}): {}; {}.", field.name, field.label, field.help).unwrap();
    }
    writeln!(text, "* Rights: {}", registrar.recipe()).unwrap();
    let (calls, parallel) = (can.calls_per_minute, can.parallel);
    writeln!(text, "* At most {calls} calls a minute with one credential, {parallel} at a time.").unwrap();
    limits(&mut text, "registry", &can.registry_apex);
    limits(&mut text, "zone", &can.hosted_parent);
    writeln!(text, "* Open until a live account is tried: {}.", evidence.open).unwrap();
    text
}

#[test]
fn the_page_equals_the_table() {
    let mut text = format!(
        "{NOTE}# Registrars\n\nTwo ways: the *registry* gets another NS set for a registered domain, or a name \
         inside a *zone* that the vendor serves gets NS (and DS).\n\n\
         | registrar | registry: NS | DS | glue | back | zone: NS | DS | glue | back |\n|---|---|---|---|---|---|---|---|---|\n"
    );
    let mut tried = "\nWhat that was tried against. Every adapter is written from the vendor's documents and held to one \
         conformance suite; nobody had a live account.\n\n\
         | registrar | documents | suite against | independent client of the simulator | live account |\n|---|---|---|---|---|\n"
        .to_owned();
    let mut sections = String::new();
    for entry in REGISTRARS {
        let registrar = adapter(entry.id, None);
        let (apex, hosted) = (&registrar.capability().registry_apex, &registrar.capability().hosted_parent);
        let cells = [
            registrar.name().to_owned(),
            ns(apex),
            ds(apex).to_owned(),
            glue(apex).to_owned(),
            back(apex).to_owned(),
            ns(hosted),
            ds(hosted).to_owned(),
            glue(hosted).to_owned(),
            back(hosted).to_owned(),
        ];
        writeln!(text, "| {} |", cells.join(" | ")).unwrap();
        let seen = &entry.evidence;
        let (client, live) = (seen.client.unwrap_or("none"), seen.live.unwrap_or("none"));
        writeln!(tried, "| {} | yes | {} | {client} | {live} |", registrar.name(), seen.suite).unwrap();
        sections += &section(&*registrar, seen);
    }
    let text = text + &tried + &sections;
    must_be("docs/generated/registrars.md", &text);
}

/// Compare a file of the repository with what it should be, or write it.
fn must_be(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if std::env::var_os("PDM_WRITE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "{file} differs from the table; run `make docs`");
}

/// One way of a registrar in a few words.
fn in_short(mode: &Result<ModeCapability, Cannot>) -> String {
    let Ok(can) = mode else { return "no".into() };
    let ds = match can.ds {
        DsForm::None => "no DS",
        DsForm::Ds => "DS",
        DsForm::Dnskey => "DS from DNSKEY",
        DsForm::CdsScanned => "DS by CDS",
    };
    let back = if can.withdraw_cannot.is_some() { ", back by hand" } else { "" };
    let risk = if can.caveats.is_empty() { "" } else { ", a risk to accept" };
    format!("NS, {ds}{back}{risk}")
}

/// The block of the README between its two marks.
#[test]
fn the_readme_shows_the_table() {
    const MARKS: [&str; 2] =
        ["<!-- registrars: written by `make docs` -->\n", "<!-- end of registrars -->\n"];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let there = std::fs::read_to_string(path).unwrap();
    let (before, rest) = there.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    let mut table =
        "| registrar | a registered domain | a name in its zone | tried against |\n|---|---|---|---|\n"
            .to_owned();
    for entry in REGISTRARS {
        let registrar = adapter(entry.id, None);
        let (can, seen) = (registrar.capability(), &entry.evidence);
        let tried: Vec<_> = [Some(seen.suite), seen.client, seen.live].into_iter().flatten().collect();
        let (apex, hosted) = (in_short(&can.registry_apex), in_short(&can.hosted_parent));
        writeln!(table, "| {} | {apex} | {hosted} | {} |", registrar.name(), tried.join("; ")).unwrap();
    }
    must_be("README.md", &[before, MARKS[0], &table, MARKS[1], after].concat());
}

#[test]
fn the_table_is_sorted_and_its_ids_are_those_of_the_adapters() {
    assert!(REGISTRARS.is_sorted_by(|a, b| a.id < b.id));
    for entry in REGISTRARS {
        let registrar = adapter(entry.id, None);
        assert_eq!(registrar.id(), entry.id);
        assert!(registrar.credential_fields().iter().any(|field| field.secret));
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// What somebody can meet has a row in the table of problems. Mistakes of ours (`Class::Bug`) read as `internal`.
#[test]
fn every_code_has_its_problem() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../pdm/ports/src/registrar.rs"));
    let mut codes = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for marker in ["Class::", "rejected(", "cannot(", "transient("] {
            for (at, _) in text.match_indices(marker) {
                let after = &text[at + marker.len()..];
                let statement = &after[..after.find(';').unwrap_or(after.len()).min(80)];
                let literal = statement.split('"').nth(1).unwrap_or_default();
                let kebab = literal.contains('-')
                    && literal.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                if kebab && !after.starts_with("Bug") {
                    codes.push(literal.to_owned());
                }
            }
        }
    }
    codes.sort();
    codes.dedup();
    assert!(codes.len() > 30, "the search still finds them: {codes:?}");
    codes.retain(|code| PROBLEMS.iter().all(|problem| problem.code != code));
    assert_eq!(codes, Vec::<String>::new(), "without a row in pdm/model/src/problem.rs");
}
