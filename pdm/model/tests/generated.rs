//! The reference pages under `docs/generated/` equal the tables. `PDM_WRITE_DOCS=1` writes them anew (`make docs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

use std::fmt::Write as _;
use std::path::Path;

use pdm_model::canonical::CANONICAL_LABELS;
use pdm_model::lifecycle::TRANSITIONS;
use pdm_model::operation::plan;
use pdm_model::problem::PROBLEMS;
use pdm_model::reserved::RESERVED_LABELS;
use pdm_model::{OperationKind, Parent, StepKind};

const NOTE: &str = "<!-- Generated from the tables in pdm/model by `make docs`. Do not edit. -->\n\n";

fn same(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/generated").join(file);
    let text = format!("{NOTE}{text}");
    if std::env::var_os("PDM_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "docs/generated/{file} differs from the tables; run `make docs`");
}

#[test]
fn lifecycle() {
    let mut text =
        "# Lifecycle of an allocation\n\n```mermaid\nstateDiagram-v2\n    [*] --> reserved\n".to_owned();
    for t in TRANSITIONS.iter().filter(|t| t.from != t.to) {
        writeln!(text, "    {} --> {}: {:?}", t.from.as_str(), t.to.as_str(), t.event).unwrap();
    }
    text.push_str("    freed --> [*]\n```\n\n| phase | event | next phase |\n|---|---|---|\n");
    for t in TRANSITIONS {
        writeln!(text, "| {} | {:?} | {} |", t.from.as_str(), t.event, t.to.as_str()).unwrap();
    }
    same("lifecycle.md", &text);
}

#[test]
fn steps() {
    let mut text =
        "# Operations and their steps\n\n| parent | operation | steps, in order |\n|---|---|---|\n"
            .to_owned();
    for (parent, word) in [(Parent::Ours, "pool"), (Parent::Foreign, "brought domain")] {
        for kind in OperationKind::ALL {
            let steps: Vec<_> = plan(parent, kind).iter().map(|s| format!("`{}`", s.as_str())).collect();
            writeln!(text, "| {word} | {} | {} |", kind.as_str(), steps.join(", ")).unwrap();
        }
    }
    text.push_str("\n| step | what it does |\n|---|---|\n");
    for step in StepKind::ALL {
        writeln!(text, "| `{}` | {} |", step.as_str(), step.purpose()).unwrap();
    }
    same("operations.md", &text);
}

#[test]
fn problems() {
    let mut text = "# Problem codes\n\nCodes never change meaning.\n\n| code | status | title | who must act | what to do | older paths |\n|---|---|---|---|---|---|\n".to_owned();
    for p in PROBLEMS {
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | `{}` |",
            p.code, p.status, p.title, p.who, p.next, p.legacy
        )
        .unwrap();
    }
    same("problems.md", &text);
}

#[test]
fn names() {
    let mut text = "# Names\n\nEvery Sovereign answers for:".to_owned();
    for label in CANONICAL_LABELS {
        write!(text, " `{label}`").unwrap();
    }
    text.push_str("\n\nNever lent, besides `ns` with a number and labels that start with `_`:\n\n");
    for label in RESERVED_LABELS {
        writeln!(text, "- `{label}`").unwrap();
    }
    same("names.md", &text);
}
