//! Documents that declare what is wanted: files for `pdm apply`, and Kubernetes resources of the same shape.

pub mod crd;
mod status;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::failover::FailoverBody;
use crate::target::{LoadBalancerBody, TargetBody};

pub use status::{DeclaredCondition, DeclaredStatus};

/// Group and version of every document.
pub const API_VERSION: &str = "pdm.openova.io/v1alpha1";

/// A pool as it should be. Pools are the daemon's configuration, so this is compared and never written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolDomainSpec {
    /// The pool's zone.
    pub domain: String,
    /// Nameservers of every zone lent from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nameservers: Option<Vec<String>>,
    /// How long a reservation holds a name, as in 90m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^([0-9]+(ms|s|m|h|d|w))+$")]
    pub reservation_ttl: Option<String>,
    /// How long a released name is kept from other owners, as in 200d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^([0-9]+(ms|s|m|h|d|w))+$")]
    pub quarantine: Option<String>,
    /// Live names one owner may have; 0 is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u32>,
}

/// A failover policy that several names use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailoverPolicySpec {
    /// The policy, as in a commit.
    pub failover: FailoverBody,
}

/// One name and where it points.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SovereignDomainSpec {
    /// The full name.
    #[schema(example = "omantel.omani.works")]
    pub fqdn: String,
    /// `pool` (when left out) or `byo-manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// To whom it is lent; the token's owner when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// At least one.
    #[schema(min_items = 1)]
    pub load_balancers: Vec<LoadBalancerBody>,
    /// What to do when some of them are down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<FailoverBody>,
    /// The name of a FailoverPolicy in place of `failover`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover_policy: Option<String>,
    /// What the controller does when the resource is deleted: `keep` (when left out) the name, or `release` it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^(keep|release)$")]
    pub when_deleted: Option<String>,
}

/// One document.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// A pool.
    PoolDomain(PoolDomainSpec),
    /// A policy, by its name.
    FailoverPolicy(String, FailoverPolicySpec),
    /// A name.
    SovereignDomain(SovereignDomainSpec),
}

/// What every document has around its `spec`; what Kubernetes adds is not looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    api_version: String,
    kind: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    items: Vec<Value>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
}

/// The documents in a value: one, or the items of a `List` as `kubectl get -o yaml` writes it.
///
/// # Errors
/// Which document is wrong, and where.
pub fn documents(value: Value) -> Result<Vec<Document>, String> {
    let envelope: Envelope =
        serde_json::from_value(value).map_err(|e| format!("this is no document: {e}"))?;
    let (kind, name) = (envelope.kind.as_str(), envelope.metadata.name);
    if kind == "List" {
        return Ok(envelope.items.into_iter().map(documents).collect::<Result<Vec<_>, _>>()?.concat());
    }
    if envelope.api_version != API_VERSION {
        return Err(format!(
            "{kind} {name}: apiVersion is {:?} and not {API_VERSION:?}",
            envelope.api_version
        ));
    }
    if name.is_empty() {
        return Err(format!("a {kind} has no metadata.name"));
    }
    let wrong = |e: serde_json::Error| format!("{kind} {name}: {e}");
    let document = match kind {
        "PoolDomain" => Document::PoolDomain(serde_json::from_value(envelope.spec).map_err(wrong)?),
        "SovereignDomain" => Document::SovereignDomain(serde_json::from_value(envelope.spec).map_err(wrong)?),
        "FailoverPolicy" => {
            let spec = serde_json::from_value(envelope.spec).map_err(wrong)?;
            Document::FailoverPolicy(name, spec)
        }
        other => {
            return Err(format!(
                "{other} {name}: the kinds are PoolDomain, FailoverPolicy and SovereignDomain"
            ));
        }
    };
    Ok(vec![document])
}

impl SovereignDomainSpec {
    /// The target, with the policy that it names.
    ///
    /// # Errors
    /// Both or an unknown policy; an address or number that is none.
    pub fn target(&self, policy: impl Fn(&str) -> Option<FailoverBody>) -> Result<TargetBody, String> {
        let failover = match (&self.failover, &self.failover_policy) {
            (Some(_), Some(_)) => return Err("give failover or failoverPolicy, not both".to_owned()),
            (own, None) => own.clone(),
            (None, Some(name)) => {
                Some(policy(name).ok_or_else(|| format!("there is no FailoverPolicy {name:?}"))?)
            }
        };
        let typed = TargetBody { load_balancers: self.load_balancers.clone(), failover };
        // Written as the daemon would show it, so that both can be compared.
        let parsed = typed.parse().map_err(|r| match &r.field {
            Some(field) => format!("{field}: {}", r.detail),
            None => r.detail.clone(),
        })?;
        Ok(TargetBody::from(&parsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sovereign(spec: Value) -> Value {
        json!({ "apiVersion": API_VERSION, "kind": "SovereignDomain", "metadata": { "name": "omantel" }, "spec": spec })
    }

    #[test]
    fn documents_are_read_alone_and_in_lists_with_what_kubernetes_adds() {
        let mut one = sovereign(json!({ "fqdn": "a.b.c", "loadBalancers": [{ "ipv4": "192.0.2.1" }] }));
        one["metadata"]["uid"] = json!("x");
        one["status"] = json!({});
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": [one.clone(), one.clone()] });
        assert_eq!(documents(one).unwrap().len(), 1);
        assert_eq!(documents(list).unwrap().len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |value| documents(value).unwrap_err();
        assert!(error(sovereign(json!({ "fqdn": "a.b.c", "loadBalancer": [] }))).contains("loadBalancer"));
        assert!(
            error(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "x" } }))
                .contains("apiVersion")
        );
        let mut other = sovereign(json!({}));
        other["kind"] = json!("Sovereign");
        assert!(error(other).contains("the kinds are"));
        assert!(error(json!(7)).contains("no document"));
    }

    #[test]
    fn a_policy_is_taken_by_name() {
        let spec = |more: Value| {
            let mut spec = json!({ "fqdn": "a.b.c", "loadBalancers": [{ "ipv4": "192.0.2.1" }] });
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<SovereignDomainSpec>(spec).unwrap()
        };
        let known = |name: &str| (name == "two").then(FailoverBody::default);
        assert!(spec(json!({})).target(known).unwrap().failover.is_none());
        assert!(spec(json!({ "failoverPolicy": "two" })).target(known).unwrap().failover.is_some());
        assert!(spec(json!({ "failoverPolicy": "three" })).target(known).unwrap_err().contains("three"));
        assert!(spec(json!({ "failoverPolicy": "two", "failover": {} })).target(known).is_err());
        let bad = spec(json!({ "loadBalancers": [{ "ipv4": "x" }] })).target(known).unwrap_err();
        assert!(bad.contains("loadBalancers[0].ipv4"), "{bad}");
    }
}
