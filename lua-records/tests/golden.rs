//! What is rendered, or refused, for every policy under `tests/policies` and every version; and their truth tables.
//! A change of these files is a change of what nameservers run. `UPDATE_GOLDEN=1` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail a test")]

mod common;

use std::fmt::Write;
use std::path::Path;

use common::{VERSIONS, policies, server};
use pdm_lua_records::{FEATURES, render, split_brain, truth_table};

fn compare(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(expected == found, "{} differs:\n{found}", path.display());
}

#[test]
fn every_version_renders_or_refuses_as_written_down() {
    for version in VERSIONS {
        let mut text = format!("# PowerDNS {version}\n");
        for (name, failover) in policies() {
            writeln!(text, "\n## {name}").unwrap();
            match render(&failover, &server(version)) {
                Ok(records) => {
                    records.iter().for_each(|r| writeln!(text, "{} LUA {}", r.ttl, r.content).unwrap());
                }
                Err(lacks) => lacks.iter().for_each(|lack| writeln!(text, "refused: {lack}").unwrap()),
            }
        }
        let minor: Vec<_> = version.split('.').take(2).collect();
        compare(&format!("{}.txt", minor.join(".")), &text);
    }
}

/// Ends the part of the how-to that people write.
const MARK: &str = "<!-- From here on generated from lua-records by `make docs`. Do not edit. -->\n";

/// The tables at the end of `docs/how-to/failover.md`. `PDM_WRITE_DOCS=1` writes them anew, as for the other pages.
#[test]
fn the_tables_of_the_how_to_are_as_computed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/how-to/failover.md");
    let there = std::fs::read_to_string(&path).unwrap();
    let (written, _) = there.split_once(MARK).unwrap();
    let mut text = format!("{written}{MARK}\n## When nameservers disagree\n\n{}", split_brain::markdown());
    text.push_str(
        "\n## What a policy uses of PowerDNS\n\n| function or option | from | needs geoip | known from |\n|---|---|---|---|\n",
    );
    for feature in FEATURES {
        let (major, minor) = feature.since;
        let geoip = if feature.geoip { "yes" } else { "" };
        writeln!(text, "| `{}` | {major}.{minor} | {geoip} | {} |", feature.name, feature.source).unwrap();
    }
    text.push_str(
        "\n## Truth tables\n\nOne for each policy under `lua-records/tests/policies`, by its file. The tests run \
         each text in an embedded Lua, and compare each row of `A` with what real nameservers answer.\n",
    );
    for (name, failover) in policies() {
        write!(text, "\n### {name}\n\n{}", truth_table(&failover)).unwrap();
    }
    if std::env::var_os("PDM_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap();
    assert!(there == text, "docs/how-to/failover.md differs from the tables; run `make docs`");
}
