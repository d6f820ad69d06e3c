//! What is rendered, or refused, for every policy under `tests/policies` and every version; and their truth tables.
//! A change of these files is a change of what nameservers run. `UPDATE_GOLDEN=1` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail a test")]

mod common;

use std::fmt::Write;
use std::path::Path;

use common::{VERSIONS, policies, server};
use pdm_lua_records::{render, truth_table};

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

#[test]
fn truth_tables_are_as_written_down() {
    let mut text = "# Truth tables of the policies under tests/policies\n".to_owned();
    for (name, failover) in policies() {
        write!(text, "\n## {name}\n\n{}", truth_table(&failover)).unwrap();
    }
    compare("truth.md", &text);
}
