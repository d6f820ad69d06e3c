//! An overlay as objects.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pdm_harness::child::run;
use pdm_harness::{node, python};
use serde_json::Value;

pub const OVERLAYS: [&str; 3] = ["production", "evaluation", "blueprint"];

/// The top of the source tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of `deploy/`.
pub fn file(path: &str) -> String {
    let path = root().join("deploy").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// YAML as kubectl would send it.
pub fn yaml(overlay: &str) -> String {
    let dir = root().join("deploy/kubernetes/overlays").join(overlay);
    run(Command::new(python::program("kubectl")).arg("kustomize").arg(dir)).unwrap_or_else(|e| panic!("{e}"))
}

/// Documents of YAML.
pub fn documents(yaml: &str) -> Vec<Value> {
    let script = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
    let (json, _) = fed(Command::new(python::program("python")).args(["-c", script]), yaml);
    serde_json::from_str(&json).unwrap()
}

/// Everything an overlay makes; what the catalogue fills in has its default.
pub fn objects(overlay: &str) -> Vec<Value> {
    let yaml = yaml(overlay);
    documents(&if overlay == "blueprint" { crate::blueprint::with_defaults(&yaml) } else { yaml })
}

/// The output of a program that reads `input`, and whether it was content.
pub fn fed(command: &mut Command, input: &str) -> (String, bool) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // It may answer before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    assert!(!output.stdout.is_empty() || output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout) + &text(&output.stderr), output.status.success())
}

/// What the schemas of Kubernetes and of the operators say about objects; the second list is what none of them knows.
pub fn faults(objects: &[Value]) -> (Vec<String>, Vec<String>) {
    let mut text = String::new();
    for object in objects {
        text += &format!("---\n{object}\n");
    }
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let mut validate = Command::new(python::program("kubernetes-validate"));
    let (said, _) = fed(validate.arg("--strict").arg(file.path()), "");
    let mut faults: Vec<_> = said.lines().filter(|l| l.starts_with("ERROR")).map(str::to_owned).collect();
    let unknown = said.lines().filter(|l| l.starts_with("WARN")).count();

    let custom: Vec<_> = objects
        .iter()
        .filter(|o| o["apiVersion"].as_str().unwrap().contains('.'))
        .filter(|o| is_custom(o))
        .collect();
    assert_eq!(custom.len(), unknown, "what has no schema in Kubernetes is what is custom: {said}");
    let mut script = Command::new("node");
    script.arg(root().join("tests/npm/custom-resources.mjs")).env("NODE_DIR", node::dir());
    let (said, good) = fed(&mut script, &serde_json::to_string(&custom).unwrap());
    assert!(good, "{said}");
    let (unknown, wrong): (Vec<_>, Vec<_>) = said.lines().partition(|l| l.starts_with("unknown: "));
    faults.extend(wrong.into_iter().map(str::to_owned));
    let mut unknown: Vec<_> = unknown.iter().map(|l| l.trim_start_matches("unknown: ").to_owned()).collect();
    unknown.sort();
    unknown.dedup();
    (faults, unknown)
}

fn is_custom(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().unwrap().split('/').next().unwrap().to_owned();
    !group.ends_with("k8s.io")
}

/// A text by JSON pointer.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// A list by JSON pointer; empty when it is missing.
pub fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub fn of_kind<'a>(objects: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |o| o["kind"] == kind)
}

pub fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    of_kind(objects, kind)
        .find(|o| text(o, "/metadata/name") == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// Deployments and StatefulSets.
pub fn workloads(objects: &[Value]) -> impl Iterator<Item = &Value> {
    objects.iter().filter(|o| ["Deployment", "StatefulSet"].contains(&text(o, "/kind")))
}

/// True when every label of a selector stands in `labels`.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    selector.as_object().is_some_and(|all| all.iter().all(|(name, value)| &labels[name] == value))
}
