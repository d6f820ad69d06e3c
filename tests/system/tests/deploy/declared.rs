//! `pdm apply` and its documents, against a daemon; the definitions, against Kubernetes' own schema; the provisioner's steps.

use std::collections::BTreeMap;
use std::process::Command;

use pdm_harness::child::run;
use pdm_harness::daemon::{binary, verb};
use pdm_harness::{Plan, StoreKind, World, dns, python, until};
use serde_json::{Value, json};

use crate::render::{documents, faults, fed, file, list, named, root, text};

/// The verb with the admin's token: its rows by name, and whether everything is as declared.
fn apply(world: &World, args: &[&str]) -> (BTreeMap<String, String>, bool, String) {
    let mut command = Command::new(binary());
    command.args(["apply", "--output", "json"]).args(args);
    command.env("PDM_URL", world.api().base()).env("PDM_TOKEN", world.token());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut values = serde_json::Deserializer::from_str(&said).into_iter::<Value>();
    let plan = values.next().and_then(Result::ok).unwrap_or_else(|| panic!("{said}{errors}"));
    let rows = list(&plan, "/rows").iter();
    let rows = rows.map(|r| (text(r, "/name").to_owned(), text(r, "/act").to_owned())).collect();
    (rows, output.status.success(), errors)
}

fn rows(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, act)| ((*name).to_owned(), (*act).to_owned())).collect()
}

async fn points(world: &World, name: &str, address: &str) {
    until(&format!("{name} to be {address}"), || async {
        let seen = dns::short(world.dns().dns(), name, "A");
        if seen == [address] { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

#[tokio::test]
async fn names_become_what_files_say_and_a_second_run_changes_nothing() {
    let world =
        Plan::new(StoreKind::Sqlite).pool("drift = \"report\"").pool("quarantine = \"0s\"").start().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let parts: Vec<String> = file("crds/example.yaml")
        .split("---\n")
        .map(|p| p.replace("quarantine: 200d", "quarantine: 0s"))
        .collect();
    for (name, part) in ["pool.yaml", "policy.yaml", "omantel.yaml", "other.yaml"].iter().zip(&parts) {
        write(name, part);
    }
    let (omantel, other, pool) = ("omantel.omani.works", "other.omani.works", "omani.works");

    let (plan, good, _) = apply(&world, &["-f", &path, "--plan"]);
    assert_eq!((plan, good), (rows(&[(pool, "nothing"), (omantel, "create"), (other, "create")]), false));
    assert!(world.dns().zone(omantel).await.is_none(), "a plan does nothing");
    let (_, good, errors) = apply(&world, &["-f", &path, "--wait", "120"]);
    assert!(good, "{errors}");
    points(&world, other, "203.0.113.30").await;
    let detail = world.api().get(&format!("/v1/allocations/{omantel}")).await.expect(&[200]).body;
    assert_eq!((text(&detail, "/phase"), text(&detail, "/owner")), ("active", "acme"));
    assert_eq!(text(&detail, "/failover/strategy"), "ordered");

    let same = rows(&[(pool, "nothing"), (omantel, "nothing"), (other, "nothing")]);
    let generation = detail["generation"].clone();
    let (second, good, errors) = apply(&world, &["-f", &path]);
    assert_eq!((second, good), (same.clone(), true), "{errors}");
    let again = world.api().get(&format!("/v1/allocations/{omantel}")).await.body;
    assert_eq!(again["generation"], generation, "the second time changes nothing");

    // Another address, and a pool that is not as its document says: that one is told, not written.
    write("other.yaml", &parts[3].replace("203.0.113.30", "203.0.113.31"));
    write("pool.yaml", &parts[0].replace("quota: 0", "quota: 7"));
    let (plan, good, _) = apply(&world, &["-f", &path, "--wait", "120"]);
    assert_eq!((plan, good), (rows(&[(pool, "differs"), (omantel, "nothing"), (other, "retarget")]), false));
    points(&world, other, "203.0.113.31").await;
    write("pool.yaml", &parts[0]);

    // Somebody writes past PDM: the report says so.
    let _ = world.dns().edit(other, &format!("console.{other}"), "A", 60, &["198.51.100.1"]).await;
    until("the drift to be told", || async {
        let (plan, good, _) = apply(&world, &["-f", &path, "--plan"]);
        if !good && plan[other] == "differs" { Ok(()) } else { Err(format!("{plan:?}")) }
    })
    .await;
    let _ = world.dns().edit(other, &format!("console.{other}"), "A", 1, &["203.0.113.31"]).await;

    // No longer declared: kept, then released when it is asked for; never all of them by an empty directory.
    std::fs::remove_file(dir.path().join("other.yaml")).unwrap();
    let (plan, _, errors) = apply(&world, &["-f", &path]);
    assert_eq!(plan[other], "release");
    assert!(errors.contains("say --prune"), "{errors}");
    let empty = tempfile::tempdir().unwrap();
    let (_, good, errors) =
        apply(&world, &["-f", &empty.path().display().to_string(), "--prune", "--prune-limit", "9"]);
    assert!(!good && errors.contains("nothing was done"), "{errors}");
    let (_, good, errors) = apply(&world, &["-f", &path, "--set", "another", "--prune"]);
    assert!(good, "another set prunes nothing of this one: {errors}");
    assert!(world.dns().zone(other).await.is_some());
    let (_, good, errors) = apply(&world, &["-f", &path, "--prune", "--wait", "120"]);
    assert!(good, "{errors}");
    assert!(world.dns().zone(other).await.is_none());
    assert!(world.dns().zone(omantel).await.is_some());
}

#[tokio::test]
async fn a_run_that_died_between_reserve_and_commit_is_taken_up() {
    let world = World::new(StoreKind::Sqlite).await;
    let held = json!({ "mode": "pool", "poolDomain": "omani.works", "subdomain": "other", "owner": "acme",
        "createdBy": "apply:default" });
    let _ = world.api().post("/v1/reserve", &held).await.expect(&[201]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.yaml"), file("crds/example.yaml").split("---\n").last().unwrap())
        .unwrap();
    let (plan, good, errors) = apply(&world, &["-f", &dir.path().display().to_string(), "--wait", "120"]);
    assert!(good, "{errors}");
    assert_eq!(plan, rows(&[("other.omani.works", "renew")]));
    points(&world, "other.omani.works", "203.0.113.30").await;
}

#[test]
fn the_definitions_are_kubernetes_own_kind_and_take_the_example() {
    let definitions = documents(&verb(&["crds"], &[]).unwrap());
    let (faults, unknown) = faults(&definitions);
    assert!(faults.is_empty() && unknown.is_empty(), "{faults:#?} {unknown:?}");
    let judge = |objects: &[Value]| {
        let script = "import json, sys, jsonschema\nfor schema, object in json.load(sys.stdin):\n    \
            for e in jsonschema.Draft4Validator(schema).iter_errors(object): print(e.json_path, e.message)\nprint('end')";
        let pairs: Vec<_> = objects
            .iter()
            .map(|object| {
                let name = format!(
                    "{}.pdm.openova.io",
                    match text(object, "/kind") {
                        "FailoverPolicy" => "failoverpolicies".to_owned(),
                        kind => kind.to_ascii_lowercase() + "s",
                    }
                );
                let definition = named(&definitions, "CustomResourceDefinition", &name);
                json!([definition.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap(), object])
            })
            .collect();
        fed(Command::new(python::program("python")).args(["-c", script]), &json!(pairs).to_string()).0
    };
    let mut examples = documents(&file("crds/example.yaml"));
    assert_eq!(judge(&examples).trim(), "end");
    examples[2]["spec"]["loadBalancers"] = json!([]);
    examples[3]["spec"]["fqdn"] = json!(7);
    examples[0]["spec"]["quarantine"] = json!("soon");
    assert_eq!(judge(&examples).lines().count(), 4, "{}", judge(&examples));
}

/// The two commands of the provisioner's module, with what it would set around them.
#[tokio::test]
async fn the_steps_of_the_provisioner_lend_move_and_give_back() {
    let hcl = "import hcl2, json, sys; json.dump(hcl2.load(open(sys.argv[1])), sys.stdout)";
    let path = root().join("deploy/provisioner/main.tf");
    let said = run(Command::new(python::program("python")).args(["-c", hcl]).arg(path))
        .unwrap_or_else(|e| panic!("{e}"));
    let module: Value = serde_json::from_str(&said).unwrap();
    let command = |resource: usize, name: &str| {
        let step = &module["resource"][resource]["\"terraform_data\""][format!("\"{name}\"")];
        let exec = &step["provisioner"][0]["\"local-exec\""];
        let command = exec["command"].as_str().unwrap().trim_matches('"').replace("\\\"", "\"");
        assert!(command.contains("pdm "), "{command}");
        command
    };
    let (give_back, point) = (command(0, "name"), command(1, "target"));

    let world = World::new(StoreKind::Sqlite).await;
    let token = world.make_token("provisioner", "provisioner", &["--owner", "acme"]);
    let api = world.stranger().with_token(&token);
    until("the token to be known", || api.try_get("/v1/pools")).await;
    let step = |command: &str, variable: &str, value: &str| {
        let programs = binary().parent().unwrap().display().to_string();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap()));
        shell.env("PDM_URL", api.base()).env("PDM_TOKEN", &token).env(variable, value);
        run(&mut shell).unwrap_or_else(|e| panic!("{e}"))
    };
    let document = |ipv4: &str| {
        json!({ "apiVersion": "pdm.openova.io/v1alpha1", "kind": "SovereignDomain", "metadata": { "name": "omantel-omani-works" },
            "spec": { "fqdn": "omantel.omani.works", "owner": "acme", "loadBalancers": [{ "ipv4": ipv4 }] } })
        .to_string()
    };
    for ipv4 in ["203.0.113.10", "203.0.113.10", "203.0.113.11"] {
        let _ = step(&point, "DOCUMENT", &document(ipv4));
        points(&world, "omantel.omani.works", ipv4).await;
    }
    let _ = step(&give_back, "FQDN", "omantel.omani.works");
    assert!(world.dns().zone("omantel.omani.works").await.is_none());
}
