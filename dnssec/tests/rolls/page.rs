//! The page of rolls under `docs/generated/` equals the tables. `PDM_WRITE_DOCS=1` writes it anew (`make docs`).

use std::fmt::Write as _;
use std::path::Path;

use pdm_dnssec::roll::{CdsAs, KeyAs, purpose, table};
use pdm_model::keys::RollKind;

const HEAD: &str = "<!-- Generated from the tables in dnssec/src/roll by `make docs`. Do not edit. -->

# Key rolls

Every roll goes through rows of one mold. A row says how the keys stand and what the parent holds; PDM makes it so, then
waits until *every* server of zone and parent answers accordingly, and for the TTL that was measured since the look that
first found them in agreement. Every row is safe to rest in: a roll may be held, and a person may take months.

CDS and CDNSKEY are published, where the policy asks for them, only while the column says so.
";

fn pair(pair: (KeyAs, KeyAs)) -> String {
    match pair {
        (KeyAs::Absent, KeyAs::Absent) => "-".to_owned(),
        (one, two) if one == two => one.as_str().to_owned(),
        (one, two) => format!("KSK: {}; ZSK: {}", one.as_str(), two.as_str()),
    }
}

#[test]
fn the_page_equals_the_tables() {
    let mut text = HEAD.to_owned();
    for kind in RollKind::ALL {
        let rows = table(kind);
        writeln!(text, "\n## `{}`\n\n{}\n\n```mermaid\nstateDiagram-v2", kind.as_str(), purpose(kind))
            .unwrap();
        writeln!(text, "    [*] --> {}", rows[0].stage.as_str()).unwrap();
        for (index, row) in rows.iter().enumerate() {
            let until: Vec<_> = row.until.iter().map(|until| until.as_str()).collect();
            let to = rows.get(index + 1).map_or("[*]", |next| next.stage.as_str());
            writeln!(text, "    {} --> {to}: {}", row.stage.as_str(), until.join("; ")).unwrap();
        }
        text.push_str(
            "```\n\n| stage | old keys | new keys | DS at the parent | CDS |\n|---|---|---|---|---|\n",
        );
        for row in rows {
            let cds = match row.cds {
                CdsAs::AsIs => "as it is",
                CdsAs::Off => "off",
                CdsAs::Publish => "published",
                CdsAs::Delete => "delete",
            };
            let (stage, ds) = (row.stage.as_str(), row.ds.as_str());
            writeln!(text, "| {stage} | {} | {} | {ds} | {cds} |", pair(row.old), pair(row.new)).unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/generated/rolls.md");
    if std::env::var_os("PDM_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "docs/generated/rolls.md differs from the tables; run `make docs`");
}

#[test]
fn every_roll_has_a_runbook() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks/rolls.md");
    let text = std::fs::read_to_string(path).unwrap();
    let there: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`')).collect();
    let kinds: Vec<&str> = RollKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(there, kinds);
}
