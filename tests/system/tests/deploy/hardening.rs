//! No pod can do more than it has to, and no manifest holds a secret.

use serde_json::{Value, json};

use crate::render::{OVERLAYS, list, objects, of_kind, text, workloads, yaml};

#[test]
fn pods_may_do_nothing_that_they_need_not() {
    for overlay in OVERLAYS {
        let objects = objects(overlay);
        assert_eq!(workloads(&objects).count(), 3);
        for workload in workloads(&objects) {
            let name = format!("{overlay}: {}", text(workload, "/metadata/name"));
            let pod = &workload["spec"]["template"]["spec"];
            assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
            assert!(pod["securityContext"]["runAsUser"].as_i64().unwrap() > 0, "{name}");
            assert_eq!(text(pod, "/securityContext/seccompProfile/type"), "RuntimeDefault", "{name}");
            for never in ["hostNetwork", "hostPID", "hostIPC"] {
                assert_eq!(pod[never], Value::Null, "{name} {never}");
            }
            for volume in list(pod, "/volumes") {
                assert_eq!(volume["hostPath"], Value::Null, "{name}");
            }
            let containers = list(pod, "/containers");
            for container in containers.iter().chain(list(pod, "/initContainers")) {
                let locked = json!({
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
                });
                assert_eq!(container["securityContext"], locked, "{name}");
                let image = text(container, "/image");
                let tag = image.rsplit(':').next().unwrap();
                assert!(image.contains(':') && tag.starts_with(char::is_numeric), "{name}: {image}");
            }
            for container in containers {
                assert!(!text(container, "/resources/limits/memory").is_empty(), "{name}");
                for probe in ["readinessProbe", "livenessProbe"] {
                    assert!(container[probe].is_object(), "{name} {probe}");
                }
            }
        }
        let namespace = of_kind(&objects, "Namespace").next().unwrap();
        assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    }
}

#[test]
fn what_serves_has_three_replicas_that_outlive_a_node() {
    let objects = objects("production");
    for workload in workloads(&objects) {
        let name = text(workload, "/metadata/name");
        assert_eq!(workload["spec"]["replicas"], 3, "{name}");
        let spread = list(workload, "/spec/template/spec/topologySpreadConstraints");
        assert_eq!(text(&spread[0], "/topologyKey"), "kubernetes.io/hostname", "{name}");
        let budget = of_kind(&objects, "PodDisruptionBudget").find(|b| text(b, "/metadata/name") == name);
        assert_eq!(budget.unwrap()["spec"]["minAvailable"], 2, "{name}");
    }
    for cluster in of_kind(&objects, "Cluster") {
        assert_eq!(cluster["spec"]["instances"], 3);
        assert_eq!(cluster["spec"]["postgresql"]["synchronous"], json!({"method": "any", "number": 1}));
    }
    assert_eq!(
        text(
            of_kind(&objects, "Service").find(|s| text(s, "/metadata/name") == "dnsdist").unwrap(),
            "/spec/externalTrafficPolicy"
        ),
        "Local",
        "the limit is by source"
    );
}

#[test]
fn no_manifest_holds_a_secret() {
    for overlay in OVERLAYS {
        assert_eq!(of_kind(&objects(overlay), "Secret").count(), 0, "{overlay}");
        for line in yaml(overlay).lines() {
            let line = line.trim();
            if line.starts_with('#') || line.starts_with("--") {
                continue;
            }
            let (name, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
            let (name, value) =
                (name.trim_start_matches(['-', ' ']).trim(), value.trim().trim_matches(['"', '\'']));
            let secret = ["key", "password", "token", "secret"].iter().any(|word| name.ends_with(word));
            let reference = ["file:", "env:", "{{", "pdm/"].iter().any(|start| value.starts_with(start));
            let names = [
                "",
                "{",
                "uri",
                "key",
                "cnpg.io/cluster",
                "token_key",
                "tokens",
                "credentials_key",
                "password",
            ]
            .contains(&value);
            let place = [".key", ".crt", ".conf", ".toml"].iter().any(|end| value.ends_with(end));
            assert!(!secret || reference || names || place || name == "topologyKey", "{overlay}: {line}");
        }
    }
}
