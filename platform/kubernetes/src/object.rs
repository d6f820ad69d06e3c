//! One resource as Kubernetes has it.

use pdm_api::declared::{DeclaredStatus, Document, crd, documents};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Put on a name that is to be released when its resource is deleted; the resource stays until that is done.
pub const FINALIZER: &str = "pdm.openova.io/release";

/// The kinds in the order of [`crd::KINDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A pool.
    Pool,
    /// A policy.
    Policy,
    /// A name.
    Sovereign,
}

impl Kind {
    /// Every kind; policies before the names that use them.
    pub const ALL: [Self; 3] = [Self::Pool, Self::Policy, Self::Sovereign];

    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::Pool => crd::KINDS[0],
            Self::Policy => crd::KINDS[1],
            Self::Sovereign => crd::KINDS[2],
        }
    }

    /// As documents name it.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// As paths name it.
    pub fn plural(self) -> &'static str {
        self.row().1
    }
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Of which kind.
    pub kind: Kind,
    /// Where.
    pub namespace: String,
    /// Its name there.
    pub name: String,
}

/// What is looked at of an object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Kubernetes' part.
    pub meta: Meta,
    /// What it declares, or why that cannot be read.
    pub document: Result<Document, String>,
    /// What was written about it last.
    pub status: DeclaredStatus,
}

/// Kubernetes' part of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Its name.
    pub name: String,
    /// Where.
    pub namespace: String,
    /// Identity.
    pub uid: String,
    /// Raised by every change of the spec.
    pub generation: i64,
    /// Of this very state.
    pub resource_version: String,
    /// When it was made, RFC 3339 in seconds, so that texts compare as times.
    pub creation_timestamp: String,
    /// Set when it is being deleted.
    pub deletion_timestamp: Option<String>,
    /// Who has to do something before it is gone.
    #[serde(deserialize_with = "listed")]
    pub finalizers: Vec<String>,
}

/// Null is an empty list.
fn listed<'de, D: Deserializer<'de>>(given: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(given)?.unwrap_or_default())
}

impl Object {
    /// From what the API answers. `kind` is told apart, because items of a list do not say it.
    pub fn read(kind: Kind, mut value: Value) -> Option<Self> {
        let meta: Meta = serde_json::from_value(value["metadata"].take())
            .inspect_err(|error| tracing::warn!(kind = kind.name(), %error, "a resource cannot be read"))
            .ok()?;
        let status = serde_json::from_value(value["status"].take()).unwrap_or_default();
        let document = documents(serde_json::json!({
            "apiVersion": pdm_api::declared::API_VERSION, "kind": kind.name(),
            "metadata": { "name": meta.name }, "spec": value["spec"].take(),
        }));
        let one = document.map(|mut all| all.pop()).transpose();
        Some(Self { meta, document: one.unwrap_or_else(|| Err("nothing is declared".to_owned())), status })
    }

    /// Which it is.
    pub fn key(&self, kind: Kind) -> Key {
        Key { kind, namespace: self.meta.namespace.clone(), name: self.meta.name.clone() }
    }

    /// Whether it waits for us before it is gone.
    pub fn is_held(&self) -> bool {
        self.meta.finalizers.iter().any(|f| f == FINALIZER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_is_read_and_a_bad_one_says_why() {
        let read = |spec: Value| {
            Object::read(
                Kind::Sovereign,
                json!({ "metadata": { "name": "a", "namespace": "n", "generation": 3, "finalizers": [FINALIZER] },
                        "spec": spec, "status": { "phase": "active" } }),
            )
            .unwrap()
        };
        let good = read(json!({ "fqdn": "a.b.c", "loadBalancers": [{ "ipv4": "192.0.2.1" }] }));
        assert!(matches!(&good.document, Ok(Document::SovereignDomain(s)) if s.fqdn == "a.b.c"));
        assert!(good.is_held() && good.meta.generation == 3);
        assert_eq!(good.status.phase.as_deref(), Some("active"));
        assert!(read(json!({ "fqdn": 7 })).document.unwrap_err().contains("SovereignDomain a"));
        assert!(Object::read(Kind::Pool, json!({ "metadata": 7 })).is_none());
        let bare = json!({ "metadata": { "name": "a", "finalizers": null, "labels": null }, "status": null });
        assert!(!Object::read(Kind::Pool, bare).unwrap().is_held());
    }
}
