//! The catalogue's manifest.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::render::{documents, file, root, text, yaml};

fn properties() -> serde_json::Map<String, Value> {
    let blueprint = &documents(&file("blueprint/blueprint.yaml"))[0];
    blueprint.pointer("/spec/configSchema/properties").unwrap().as_object().unwrap().clone()
}

/// A text with the defaults of the `configSchema` for its `${name}`.
pub fn with_defaults(text: &str) -> String {
    properties().iter().fold(text.to_owned(), |all, (name, row)| {
        all.replace(&format!("${{{name}}}"), row["default"].as_str().unwrap())
    })
}

#[test]
fn every_setting_of_the_catalogue_is_used_and_nothing_else_is_left_open() {
    let rendered = yaml("blueprint");
    let used: BTreeSet<_> =
        rendered.split("${").skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect();
    let offered: BTreeSet<_> = properties().keys().cloned().collect();
    assert_eq!(used, offered);
    for (name, row) in properties() {
        for member in ["type", "default", "description"] {
            assert!(!text(&row, &format!("/{member}")).is_empty(), "{name} {member}");
        }
    }
    let blueprint = &documents(&file("blueprint/blueprint.yaml"))[0];
    let manifests = text(blueprint, "/spec/manifests/kustomize");
    assert!(root().join("deploy/blueprint").join(manifests).join("kustomization.yaml").is_file());
}
