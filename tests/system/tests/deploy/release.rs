//! What a release consists of besides the binary.

use std::collections::BTreeSet;
use std::process::Command;

use pdm_harness::child::run;
use pdm_harness::{full, python};
use serde_json::Value;

use crate::render::{fed, list, root, text};

#[test]
fn the_bill_of_materials_is_whole_and_holds_nothing_of_the_tests() {
    let script = root().join("scripts/sbom.py");
    let said = run(Command::new("python3").arg(&script)).unwrap_or_else(|e| panic!("{e}"));
    let judge = "import sys\nfrom cyclonedx.schema import SchemaVersion\nfrom cyclonedx.validation.json import JsonStrictValidator\n\
        print(JsonStrictValidator(SchemaVersion.V1_5).validate_str(sys.stdin.read()))";
    let judge = |text: &str| fed(Command::new(python::program("python")).args(["-c", judge]), text).0;
    assert_eq!(judge(&said).trim(), "None");
    assert_ne!(judge(&said.replace("\"library\"", "\"book\"")).trim(), "None");

    let document: Value = serde_json::from_str(&said).unwrap();
    let names: BTreeSet<_> = list(&document, "/components").iter().map(|c| text(c, "/name")).collect();
    for inside in ["ring", "rustls", "sqlx", "pdm-engine", "pdm-client"] {
        assert!(names.contains(inside), "{inside}");
    }
    for outside in ["pdm-harness", "wiremock", "proptest", "openssl", "aws-lc-rs"] {
        assert!(!names.contains(outside), "{outside}");
    }
    let known: BTreeSet<_> = list(&document, "/dependencies").iter().map(|d| text(d, "/ref")).collect();
    for component in list(&document, "/components") {
        let name = text(component, "/name");
        assert!(known.contains(text(component, "/bom-ref")), "{name}");
        assert!(!list(component, "/licenses").is_empty(), "{name} has no licence");
        let ours = name.starts_with("pdm-");
        assert_eq!(list(component, "/hashes").len(), usize::from(!ours), "{name}");
    }
}

#[test]
fn the_provenance_names_what_was_built_from_what() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hello\n").unwrap();
    let mut script = Command::new("python3");
    script.arg(root().join("scripts/provenance.py")).arg(file.path());
    assert!(run(&mut script).unwrap_err().contains("BUILDER_ID"), "it does not make up a builder");
    script.env("BUILDER_ID", "https://ci.example/runner").env("BUILD_URL", "https://ci.example/7");
    script
        .env("SOURCE_URL", "https://git.example/pdm")
        .env("SOURCE_COMMIT", "0123456789012345678901234567890123456789");
    let statement: Value = serde_json::from_str(&run(&mut script).unwrap()).unwrap();
    assert_eq!(text(&statement, "/predicateType"), "https://slsa.dev/provenance/v1");
    let sum = run(Command::new("sha256sum").arg(file.path())).unwrap();
    assert_eq!(text(&statement, "/subject/0/digest/sha256"), sum.split(' ').next().unwrap());
    let dependencies = list(&statement, "/predicate/buildDefinition/resolvedDependencies");
    assert!(text(&dependencies[0], "/digest/gitCommit").starts_with("0123") && dependencies.len() == 2);
}

/// Builds twice, so in full runs only; there with the quicker profile.
#[test]
fn two_builds_in_two_places_are_the_same() {
    let scripts =
        ["release.sh", "release-build.sh", "reproducible.sh"].map(|s| root().join("scripts").join(s));
    for script in &scripts {
        run(Command::new("sh").arg("-n").arg(script)).unwrap_or_else(|e| panic!("{e}"));
    }
    if full() {
        let said =
            run(Command::new("sh").arg(&scripts[2]).env("PDM_PROFILE", "dev").env_remove("CARGO_TARGET_DIR"));
        assert!(said.as_ref().is_ok_and(|s| s.contains("both builds are the same")), "{said:?}");
    }
}
