//! Every overlay renders, fits the schemas, and holds together.

use std::collections::BTreeSet;
use std::process::Command;

use pdm_harness::child::run;
use pdm_harness::daemon::binary;
use pdm_harness::python;
use serde_json::{Value, json};

use crate::render::{
    OVERLAYS, documents, faults, file, list, named, objects, of_kind, root, selects, text, workloads,
};

#[test]
fn every_object_fits_its_schema() {
    for overlay in OVERLAYS {
        let objects = objects(overlay);
        let (faults, unknown) = faults(&objects);
        assert!(faults.is_empty(), "{overlay}: {faults:#?}");
        // No registry has a schema of CloudNativePG.
        assert_eq!(unknown, ["Cluster"], "{overlay}");
    }
    // The schemas do refuse.
    let mut objects = objects("production");
    for object in &mut objects {
        match text(object, "/kind") {
            "Deployment" => object["spec"]["replicass"] = json!(3),
            "ServiceMonitor" => object["spec"]["endpoints"] = json!("http"),
            "ExternalSecret" => object["spec"]["data"][0]["remoteRef"] = json!(null),
            _ => {}
        }
    }
    let (faults, _) = faults(&objects);
    assert_eq!(faults.len(), 7, "{faults:#?}");
}

/// Everything that a pod, a service or a monitor names is there.
#[test]
fn nothing_is_named_that_is_not_there() {
    for overlay in OVERLAYS {
        let objects = objects(overlay);
        let names = |kind| of_kind(&objects, kind).map(|o| text(o, "/metadata/name").to_owned());
        let maps: BTreeSet<_> = names("ConfigMap").collect();
        let mut secrets: BTreeSet<_> =
            names("Cluster").flat_map(|n| [format!("{n}-app"), format!("{n}-ca")]).collect();
        if overlay == "evaluation" {
            // Made by hand: docs/how-to/kubernetes.md says how.
            let how_to = std::fs::read_to_string(root().join("docs/how-to/kubernetes.md")).unwrap();
            for name in ["pdm-secrets", "powerdns-api"] {
                assert!(how_to.contains(&format!("create secret generic {name}")), "{name}");
                secrets.insert(name.to_owned());
            }
        } else {
            secrets
                .extend(of_kind(&objects, "ExternalSecret").map(|o| text(o, "/spec/target/name").to_owned()));
        }
        for workload in workloads(&objects) {
            let (all_maps, all_secrets) = named_by(&workload["spec"]["template"]["spec"]);
            let lost: Vec<_> = all_maps.difference(&maps).chain(all_secrets.difference(&secrets)).collect();
            assert!(lost.is_empty(), "{overlay}: {} names {lost:?}", text(workload, "/metadata/name"));
        }
        for service in of_kind(&objects, "Service") {
            let name = text(service, "/metadata/name");
            let selector = &service["spec"]["selector"];
            let pod = workloads(&objects).find(|w| {
                let mut labels = w["spec"]["template"]["metadata"]["labels"].clone();
                // A StatefulSet adds it to each of its pods.
                let own = text(selector, "/statefulset.kubernetes.io~1pod-name").to_owned();
                if own.starts_with(&format!("{}-", text(w, "/metadata/name"))) {
                    labels["statefulset.kubernetes.io/pod-name"] = own.into();
                }
                selects(selector, &labels)
            });
            let pod = pod.unwrap_or_else(|| panic!("{overlay}: {name} selects nothing"));
            let ports: Vec<_> =
                list(pod, "/spec/template/spec/containers/0/ports").iter().map(|p| &p["name"]).collect();
            for port in list(service, "/spec/ports") {
                assert!(ports.contains(&&port["targetPort"]), "{overlay}: {name} {port}");
            }
        }
        for monitor in of_kind(&objects, "ServiceMonitor") {
            let service = of_kind(&objects, "Service")
                .find(|s| selects(&monitor["spec"]["selector"]["matchLabels"], &s["metadata"]["labels"]))
                .unwrap_or_else(|| panic!("{monitor} selects nothing"));
            let ports: Vec<_> = list(service, "/spec/ports").iter().map(|p| text(p, "/name")).collect();
            assert!(ports.contains(&text(monitor, "/spec/endpoints/0/port")), "{monitor}");
        }
        for budget in of_kind(&objects, "PodDisruptionBudget") {
            let selector = &budget["spec"]["selector"]["matchLabels"];
            let pods =
                workloads(&objects).find(|w| selects(selector, &w["spec"]["template"]["metadata"]["labels"]));
            let replicas = pods.unwrap_or_else(|| panic!("{budget}"))["spec"]["replicas"].as_i64().unwrap();
            let kept = budget["spec"]["minAvailable"].as_i64().unwrap();
            assert!(kept < replicas, "{overlay}: a node could never be drained: {budget}");
        }
    }
}

/// Config maps and secrets that a pod names, anywhere in it.
fn named_by(value: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut maps, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    let mut todo = vec![value];
    while let Some(value) = todo.pop() {
        if let Some(object) = value.as_object() {
            for (key, inner) in object {
                let name = inner.get("name").or_else(|| inner.get("secretName")).and_then(Value::as_str);
                match (key.as_str(), name) {
                    ("configMap" | "configMapRef" | "configMapKeyRef", Some(name)) => {
                        maps.insert(name.to_owned())
                    }
                    ("secret" | "secretRef" | "secretKeyRef", Some(name)) => secrets.insert(name.to_owned()),
                    _ => false,
                };
            }
            todo.extend(object.values());
        }
        todo.extend(value.as_array().into_iter().flatten());
    }
    (maps, secrets)
}

/// `pdm config check` on what a pod would read, with the environment that it would have.
#[test]
fn pdm_takes_the_configuration_that_its_pod_gets() {
    for overlay in OVERLAYS {
        let objects = objects(overlay);
        let dir = tempfile::tempdir().unwrap();
        let secrets = dir.path().display().to_string();
        for (name, content) in [
            ("store.url", "postgresql://pdm:swordfish@pdm-store-rw.pdm:5432/pdm"),
            ("powerdns.key", "swordfish"),
            ("tokens.toml", ""),
            ("token.key", "0123456789012345678901234567890123456789"),
            ("credentials.key", "0123456789012345678901234567890123456789"),
        ] {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        let pod = named(&objects, "Deployment", "pdm").pointer("/spec/template/spec").unwrap();
        let map = |name: &str| &named(&objects, "ConfigMap", name)["data"];
        let toml = text(map(text(pod, "/volumes/0/configMap/name")), "/pdm.toml");
        let config = dir.path().join("pdm.toml");
        std::fs::write(&config, toml.replace("/run/secrets/pdm", &secrets)).unwrap();

        let mut check = Command::new(binary());
        check.args(["config", "check"]).arg(&config);
        let mut variables = 0;
        for variable in list(pod, "/containers/0/env") {
            let value = text(variable, "/value");
            // Kubernetes sets POWERDNS_N_SERVICE_HOST from the Service powerdns-n.
            for n in 0..3 {
                let _ = named(&objects, "Service", &format!("powerdns-{n}"));
            }
            let value = value.split("$(").fold(String::new(), |all, part| match part.split_once(')') {
                Some((name, rest)) if name.ends_with("_SERVICE_HOST") => all + "192.0.2.1" + rest,
                _ => all + part,
            });
            check.env(text(variable, "/name"), value);
            variables += 1;
        }
        assert_eq!(variables, 5);
        let said = run(&mut check).unwrap_or_else(|e| panic!("{overlay}: {e}"));
        assert!(said.contains("3 PowerDNS instances"), "{said}");
    }
}

/// What runs beside an overlay: as locked up as the rest, with the rights that its calls need and no others.
#[test]
fn the_controller_may_do_what_it_does() {
    let made = documents(
        &run(Command::new(python::program("kubectl"))
            .arg("kustomize")
            .arg(root().join("deploy/kubernetes/controller")))
        .unwrap(),
    );
    let (definitions, objects): (Vec<_>, Vec<_>) =
        made.into_iter().partition(|o| o["kind"] == "CustomResourceDefinition");
    let (faults, unknown) = faults(&objects);
    assert!(faults.is_empty() && unknown.is_empty(), "{faults:#?} {unknown:?}");
    let plurals: Vec<_> = definitions.iter().map(|d| text(d, "/spec/names/plural")).collect();
    assert_eq!(plurals.len(), 3);

    let pod = named(&objects, "Deployment", "pdm-controller").pointer("/spec/template/spec").unwrap();
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let locked = json!({ "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } });
    assert_eq!(pod["containers"][0]["securityContext"], locked);
    assert_eq!(
        text(pod, "/containers/0/image"),
        text(
            named(&self::objects("production"), "Deployment", "pdm"),
            "/spec/template/spec/containers/0/image"
        )
    );
    let mut said = Command::new(binary());
    said.args(list(pod, "/containers/0/args").iter().map(|a| a.as_str().unwrap())).arg("--help");
    assert!(run(&mut said).unwrap().contains("--kubernetes"));

    let mut may = BTreeSet::new();
    for rule in list(named(&objects, "ClusterRole", "pdm-controller"), "/rules") {
        for resource in list(rule, "/resources") {
            may.extend(
                list(rule, "/verbs")
                    .iter()
                    .map(|verb| format!("{} {}", verb.as_str().unwrap(), resource.as_str().unwrap())),
            );
        }
    }
    let mut needs: BTreeSet<String> = ["create events".into(), "patch sovereigndomains".into()].into();
    needs.extend(
        plurals.iter().flat_map(|p| [format!("list {p}"), format!("watch {p}"), format!("patch {p}/status")]),
    );
    assert_eq!(may, needs);
    let how_to = std::fs::read_to_string(root().join("docs/how-to/gitops.md")).unwrap();
    assert!(how_to.contains("create secret generic pdm-controller --from-literal=token="), "{how_to}");
}

/// The alerts of deploy/prometheus, as the operator takes them.
#[test]
fn the_alerts_are_the_same_everywhere() {
    let rules = file("prometheus/pdm.rules.yaml");
    let body: String = rules.lines().filter(|l| !l.starts_with('#')).map(|l| format!("  {l}\n")).collect();
    let head = "# The alerts of deploy/prometheus for the Prometheus operator; written by `make docs`.\n\
        apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: pdm\nspec:\n";
    let path = root().join("deploy/kubernetes/base/prometheusrule.yaml");
    if std::env::var_os("PDM_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{body}")).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), format!("{head}{body}"), "run `make docs`");
}

#[test]
fn versions_agree() {
    let cargo = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let cargo: toml::Table = cargo.parse().unwrap();
    let version = cargo["workspace"]["package"]["version"].as_str().unwrap();
    let objects = objects("production");
    let image = |kind, name| text(named(&objects, kind, name), "/spec/template/spec/containers/0/image");
    assert!(image("Deployment", "pdm").ends_with(&format!(":{version}")));
    let blueprint = &crate::render::documents(&file("blueprint/blueprint.yaml"))[0];
    assert_eq!(text(blueprint, "/spec/version"), version);
    // PowerDNS 4.9 gets the file of 4.9.
    assert!(image("StatefulSet", "powerdns").contains("pdns-auth-49:4.9."));
    assert!(file("powerdns/kustomization.yaml").contains("version.conf=4.9.conf"));
    // The tables are made with the client of the server's version.
    let psql = text(named(&objects, "StatefulSet", "powerdns"), "/spec/template/spec/initContainers/1/image");
    for cluster in of_kind(&objects, "Cluster") {
        assert_eq!(text(cluster, "/spec/imageName"), psql);
    }
}
