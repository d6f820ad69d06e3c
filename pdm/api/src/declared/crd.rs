//! Kubernetes' CustomResourceDefinitions of the documents, from the same types. Kubernetes wants structural schemas: no
//! references, and `nullable` in place of a second type.

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{API_VERSION, DeclaredStatus, FailoverPolicySpec, PoolDomainSpec, SovereignDomainSpec};

/// One column of `kubectl get`: its header, and where it is.
type Column = (&'static str, &'static str);

const READY: Column = ("Ready", ".status.conditions[?(@.type==\"Ready\")].status");
const REASON: Column = ("Reason", ".status.conditions[?(@.type==\"Ready\")].reason");

/// The kinds, and what Kubernetes calls many of them.
pub const KINDS: [(&str, &str); 3] = [
    ("PoolDomain", "pooldomains"),
    ("FailoverPolicy", "failoverpolicies"),
    ("SovereignDomain", "sovereigndomains"),
];

/// Every definition, by the name of its file.
#[must_use]
pub fn definitions() -> Vec<(&'static str, Value)> {
    vec![
        (
            "pooldomains",
            definition::<PoolDomainSpec>(
                "PoolDomain",
                &[("Domain", ".spec.domain"), ("Quota", ".spec.quota"), READY, REASON],
            ),
        ),
        (
            "failoverpolicies",
            definition::<FailoverPolicySpec>(
                "FailoverPolicy",
                &[("Strategy", ".spec.failover.strategy"), READY, REASON],
            ),
        ),
        (
            "sovereigndomains",
            definition::<SovereignDomainSpec>(
                "SovereignDomain",
                &[
                    ("Name", ".spec.fqdn"),
                    ("Owner", ".spec.owner"),
                    ("Phase", ".status.phase"),
                    READY,
                    REASON,
                ],
            ),
        ),
    ]
}

fn definition<T: ToSchema>(kind: &str, columns: &[Column]) -> Value {
    let (group, version) = API_VERSION.split_once('/').unwrap_or((API_VERSION, "v1alpha1"));
    let singular = kind.to_ascii_lowercase();
    let plural = KINDS.iter().find(|(k, _)| *k == kind).map_or(kind, |(_, plural)| plural);
    let columns: Vec<_> = columns
        .iter()
        .map(|(name, path)| json!({ "name": name, "type": "string", "jsonPath": path }))
        .collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{group}") },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": { "kind": kind, "plural": plural, "singular": singular },
            "versions": [{
                "name": version, "served": true, "storage": true,
                "additionalPrinterColumns": columns,
                "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "required": ["spec"],
                    "properties": { "spec": schema::<T>(), "status": schema::<DeclaredStatus>() },
                } },
            }],
        },
    })
}

/// The structural schema of a type.
fn schema<T: ToSchema>() -> Value {
    let mut parts: Vec<(String, RefOr<Schema>)> = Vec::new();
    T::schemas(&mut parts);
    let parts: Map<String, Value> = parts
        .into_iter()
        .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()))
        .collect();
    let own = serde_json::to_value(<T as PartialSchema>::schema()).unwrap_or_default();
    structural(&own, &parts)
}

fn structural(schema: &Value, parts: &Map<String, Value>) -> Value {
    let Some(schema) = schema.as_object() else { return schema.clone() };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let name = target.rsplit('/').next().unwrap_or(target);
        return structural(parts.get(name).unwrap_or(&Value::Null), parts);
    }
    // An optional part: null or a reference.
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        let some = choices.iter().find(|c| c.get("type") != Some(&json!("null")));
        let mut inner = structural(some.unwrap_or(&Value::Null), parts);
        if let Some(help) = schema.get("description") {
            inner["description"] = help.clone();
        }
        inner["nullable"] = json!(true);
        return inner;
    }
    let mut out = Map::new();
    for (key, value) in schema {
        match key.as_str() {
            // Unknown fields are pruned or refused by Kubernetes itself; what is left out stays left out.
            "example" | "examples" | "additionalProperties" | "default" => {}
            "properties" => {
                let all = value.as_object().into_iter().flatten();
                let all = all.map(|(name, inner)| (name.clone(), structural(inner, parts)));
                out.insert(key.clone(), Value::Object(all.collect()));
            }
            "items" => {
                out.insert(key.clone(), structural(value, parts));
            }
            "type" if value.is_array() => {
                let some = value.as_array().into_iter().flatten().find(|t| *t != "null");
                out.insert(key.clone(), some.cloned().unwrap_or_default());
                out.insert("nullable".to_owned(), json!(true));
            }
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Kubernetes refuses in a structural schema.
    fn unstructured(schema: &Value, place: &str, found: &mut Vec<String>) {
        let Some(map) = schema.as_object() else { return };
        if !map.get("type").is_some_and(Value::is_string) {
            found.push(format!("{place} has no type"));
        }
        for bad in ["$ref", "oneOf", "anyOf", "allOf", "example", "examples", "additionalProperties"] {
            if map.contains_key(bad) {
                found.push(format!("{place} has {bad}"));
            }
        }
        for (name, inner) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            unstructured(inner, &format!("{place}.{name}"), found);
        }
        if let Some(items) = map.get("items") {
            unstructured(items, &format!("{place}[]"), found);
        }
    }

    #[test]
    fn every_schema_is_structural_and_whole() {
        for (file, definition) in definitions() {
            let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap();
            let mut found = Vec::new();
            unstructured(schema, file, &mut found);
            assert!(found.is_empty(), "{found:#?}");
            assert_eq!(definition["metadata"]["name"], format!("{file}.pdm.openova.io"));
        }
        let sovereign = definitions().pop().unwrap().1;
        let spec = sovereign.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
        assert_eq!(spec["required"], json!(["fqdn", "loadBalancers"]));
        assert_eq!(
            spec.pointer("/properties/failover/properties/check/properties/port/type"),
            Some(&json!("integer"))
        );
    }
}
