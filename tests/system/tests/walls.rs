//! The walls between the crates: who may import whom, read from every manifest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Crate, what it may never import, and why. Crates of ours are also refused through other crates of ours; a library
/// only directly: the engine sees `pdm-dnssec`, which validates with hickory, and that is the wall at work.
const WALLS: &[(&str, &[&str], &str)] = &[
    (
        "pdm-model",
        &[
            "tokio",
            "sqlx",
            "reqwest",
            "rand",
            "getrandom",
            "axum",
            "pdm-ports",
            "pdm-engine",
            "pdm-lua-records",
        ],
        "pure",
    ),
    ("pdm-dnssec", &["tokio", "sqlx", "reqwest", "rand", "axum", "pdm-ports", "pdm-engine"], "pure"),
    ("pdm-carry-over", &["tokio", "sqlx", "reqwest", "rand", "axum", "pdm-ports", "pdm-engine"], "pure"),
    ("pdm-lua-records", &["tokio", "sqlx", "reqwest", "rand", "axum", "pdm-ports", "pdm-engine"], "pure"),
    (
        "pdm-ports",
        &[
            "sqlx",
            "reqwest",
            "axum",
            "pdm-store",
            "pdm-powerdns",
            "pdm-auditor",
            "pdm-engine",
            "pdm-lua-records",
        ],
        "a trait names no technology",
    ),
    (
        "pdm-engine",
        &[
            "sqlx",
            "reqwest",
            "axum",
            "hickory-proto",
            "async-nats",
            "pdm-powerdns",
            "pdm-adapters",
            "pdm-store",
            "pdm-auditor",
            "pdm-server",
        ],
        "it runs whole on fakes",
    ),
    (
        "pdm-powerdns",
        &["pdm-engine", "pdm-server", "pdm-store", "pdm-auditor", "sqlx", "axum"],
        "replaceable",
    ),
    (
        "pdm-adapters",
        &["pdm-engine", "pdm-server", "pdm-store", "pdm-powerdns", "pdm-auditor", "sqlx", "axum"],
        "replaceable one by one",
    ),
    (
        "pdm-auditor",
        &["pdm-engine", "pdm-server", "pdm-store", "pdm-powerdns", "sqlx", "axum"],
        "replaceable",
    ),
    (
        "pdm-store",
        &["pdm-engine", "pdm-server", "pdm-powerdns", "pdm-auditor", "reqwest", "axum"],
        "replaceable",
    ),
    (
        "pdm-server",
        &[
            "pdm-store",
            "pdm-powerdns",
            "pdm-adapters",
            "pdm-auditor",
            "pdm-nats",
            "pdm-oidc",
            "pdm-openbao",
            "pdm-spiffe",
            "pdm-telemetry",
            "pdm-webhook",
            "sqlx",
        ],
        "handlers stay thin",
    ),
    ("pdm-kubernetes", PLATFORM, "replaceable"),
    ("pdm-nats", PLATFORM, "replaceable"),
    ("pdm-oidc", PLATFORM, "replaceable"),
    ("pdm-openbao", PLATFORM, "replaceable"),
    ("pdm-spiffe", PLATFORM, "replaceable"),
    ("pdm-telemetry", PLATFORM, "replaceable"),
    ("pdm-webhook", PLATFORM, "replaceable"),
    (
        "pdm-client",
        &["pdm-engine", "pdm-ports", "pdm-server", "pdm-store", "axum", "sqlx"],
        "programs of others link it; policies it may read",
    ),
    ("pdm-api", &["pdm-engine", "pdm-ports", "axum", "sqlx", "tokio"], "clients use it alone"),
];

/// What wraps one service of the platform knows that service and the ports.
const PLATFORM: &[&str] =
    &["pdm-engine", "pdm-server", "pdm-store", "pdm-powerdns", "pdm-auditor", "sqlx", "axum"];

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn manifest(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every member with what it imports; what only its tests import is left out.
fn imports() -> Graph {
    let workspace = manifest(&root().join("Cargo.toml"));
    let members = workspace["workspace"]["members"].as_array().unwrap().clone();
    let mut graph = Graph::new();
    for member in members {
        let file = manifest(&root().join(member.as_str().unwrap()).join("Cargo.toml"));
        let name = file["package"]["name"].as_str().unwrap().to_owned();
        let table = file.get("dependencies").and_then(toml::Value::as_table);
        graph.insert(name, table.map(|t| t.keys().cloned().collect()).unwrap_or_default());
    }
    graph
}

/// What a crate reaches through crates of ours.
fn reach(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = graph[from].clone();
    loop {
        let more: BTreeSet<String> =
            found.iter().filter_map(|name| graph.get(name)).flatten().cloned().collect();
        if more.is_subset(&found) {
            return found;
        }
        found.extend(more);
    }
}

#[test]
fn no_wall_is_crossed() {
    let graph = imports();
    let mut crossed = Vec::new();
    for (name, never, why) in WALLS {
        let Some(_) = graph.get(*name) else { panic!("the table names {name}, which is no member") };
        let (direct, reached) = (&graph[*name], reach(&graph, name));
        let imported = |n: &&&str| direct.contains(**n) || (graph.contains_key(**n) && reached.contains(**n));
        crossed.extend(never.iter().filter(imported).map(|n| format!("{name} imports {n} ({why})")));
    }
    assert!(crossed.is_empty(), "{}", crossed.join("\n"));
}

#[test]
fn nobody_imports_the_daemon_and_no_product_crate_imports_the_tests() {
    for (name, imports) in imports() {
        assert!(!imports.contains("pool-domain-manager"), "{name} imports the daemon");
        let measures = ["pdm-system-tests", "pdm-bench", "pdm-lab"].contains(&name.as_str());
        assert!(measures || !imports.contains("pdm-harness"), "{name} imports the harness");
        assert!(measures || !imports.contains("pdm-lab"), "{name} imports the lab");
        assert!(measures || !imports.contains("pdm-simulators"), "{name} imports the simulators");
    }
}

#[test]
fn every_member_of_ours_has_its_walls_or_is_an_outer_room() {
    let outer =
        ["pool-domain-manager", "pdm-harness", "pdm-lab", "pdm-simulators", "pdm-system-tests", "pdm-bench"];
    for name in imports().keys() {
        let walled = WALLS.iter().any(|(crate_name, _, _)| crate_name == name);
        assert!(walled || outer.contains(&name.as_str()), "{name} has no row in the table of walls");
    }
}

#[test]
fn one_crypto_library() {
    let lock = manifest(&root().join("Cargo.lock"));
    let packages = lock["package"].as_array().unwrap();
    for banned in ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"] {
        assert!(packages.iter().all(|p| p["name"].as_str() != Some(banned)), "{banned} is in Cargo.lock");
    }
}

#[test]
fn files_stay_small() {
    let mut long = Vec::new();
    let mut todo = vec![root()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                todo.push(path);
            } else if name.ends_with(".rs") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                if lines > 1000 {
                    long.push(format!("{} has {lines} lines", path.display()));
                }
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
