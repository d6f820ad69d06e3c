//! Bodies and queries of the calls under `/v1`. Unknown fields are refused: a misspelt option never passes in silence.

use std::collections::{BTreeMap, BTreeSet};

use pdm_model::{Mode, Refusal, Target};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::failover::FailoverBody;
use crate::target::{LoadBalancerBody, TargetBody};

/// `GET /v1/check`: pool and subdomain, or a whole name.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CheckQuery {
    /// The pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_domain: Option<String>,
    /// The label under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// A whole name instead of both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

/// `POST /v1/reserve`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReserveBody {
    /// `pool`, `byo-manual` or `byo-api`.
    #[schema(example = "pool")]
    pub mode: String,
    /// The pool (mode `pool`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_domain: Option<String>,
    /// The label under it (mode `pool`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// The customer's domain (the other modes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// To whom it is lent; inside the scope of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A label that authorises nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

impl ReserveBody {
    /// The mode.
    ///
    /// # Errors
    /// `unsupported-mode`.
    pub fn mode(&self) -> Result<Mode, Refusal> {
        Mode::from_word(&self.mode).ok_or_else(|| {
            let shown: String = self.mode.chars().take(32).collect();
            Refusal::new("unsupported-mode", format!("{shown:?} is not a mode")).field("mode")
        })
    }

    /// The domain of a reservation in a mode where its owner brings it.
    ///
    /// # Errors
    /// `invalid-body` with the field that is missing or too much.
    pub fn brought(&self) -> Result<&str, Refusal> {
        for (field, given) in [("poolDomain", &self.pool_domain), ("subdomain", &self.subdomain)] {
            if given.is_some() {
                let detail = format!("mode {} takes a domain and no {field}", self.mode);
                return Err(Refusal::new("invalid-body", detail).field(field));
            }
        }
        let missing =
            || Refusal::new("invalid-body", format!("mode {} needs domain", self.mode)).field("domain");
        self.domain.as_deref().ok_or_else(missing)
    }

    /// Pool and label of a reservation in pool mode.
    ///
    /// # Errors
    /// `invalid-body` with the field that is missing or too much.
    pub fn pool_and_label(&self) -> Result<(&str, &str), Refusal> {
        let missing =
            |field: &str| Refusal::new("invalid-body", format!("mode pool needs {field}")).field(field);
        if self.domain.is_some() {
            return Err(Refusal::new("invalid-body", "mode pool takes no domain").field("domain"));
        }
        let pool = self.pool_domain.as_deref().ok_or_else(|| missing("poolDomain"))?;
        Ok((pool, self.subdomain.as_deref().ok_or_else(|| missing("subdomain"))?))
    }
}

/// `POST /v1/reserve/extend`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtendBody {
    /// The reserved name.
    pub fqdn: String,
    /// What reserve answered.
    pub reservation_token: String,
}

/// `POST /v1/commit`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommitBody {
    /// The reserved name.
    pub fqdn: String,
    /// What reserve answered.
    pub reservation_token: String,
    /// At least one.
    pub load_balancers: Vec<LoadBalancerBody>,
    /// What to do when some of them are down; without it, all of them are answered always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<FailoverBody>,
    /// Whose API edits the parent (mode `byo-api`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrar: Option<RegistrarBody>,
}

/// A registrar or DNS host with its credential, which is never answered again.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistrarBody {
    /// Its id, as `GET /v1/registrars` names it.
    pub id: String,
    /// `registry-apex` or `hosted-parent`; by the name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Codes of risks that are accepted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accept: BTreeSet<String>,
    /// The fields of its credential, by name.
    pub credential: BTreeMap<String, String>,
}

/// `PUT /v1/allocations/{fqdn}/credential`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialBody {
    /// The registrar that the name was committed with, and its credential.
    pub registrar: RegistrarBody,
}

/// `POST /v1/registrars/{id}/validate`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialCheckBody {
    /// The domain that it is to be good for.
    pub domain: String,
    /// The fields of the credential, by name.
    pub credential: BTreeMap<String, String>,
}

impl CommitBody {
    /// The target of the commit.
    ///
    /// # Errors
    /// `invalid-target` with the field that is wrong.
    pub fn target(&self) -> Result<Target, Refusal> {
        TargetBody { load_balancers: self.load_balancers.clone(), failover: self.failover.clone() }.parse()
    }
}

/// `POST /v1/release`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseBody {
    /// The name.
    pub fqdn: String,
    /// What reserve answered; not needed with the owner's token or by an admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation_token: Option<String>,
    /// The registrar's credential, when it was forgotten meanwhile (mode `byo-api`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrar: Option<RegistrarBody>,
}

/// `POST /v1/allocations/{fqdn}/suspend`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SuspendBody {
    /// Why; it is shown to the owner.
    pub reason: String,
}

/// `POST /v1/allocations/{fqdn}/resume`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumeBody {
    /// Why, for the reader of the request; optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /v1/allocations/{fqdn}/owner`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnerBody {
    /// The new owner.
    pub owner: String,
}

/// `POST /v1/freeze` and `POST /v1/thaw`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeBody {
    /// One pool; without it, everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_domain: Option<String>,
}

/// A body without fields.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmptyBody {}

/// `POST /v1/validate`: pool and subdomain, or a whole name.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidateBody {
    /// The pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_domain: Option<String>,
    /// The label under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// A whole name instead of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

/// `GET /v1/allocations`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// In this pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_domain: Option<String>,
    /// In this phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Of this owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// `nextCursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// 1 to 500; 100 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `GET /v1/audit-log`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditLogQuery {
    /// About this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// By this actor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// `nextCursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<i64>,
    /// 1 to 500; 100 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn other_modes_and_missing_fields_have_their_codes() {
        let body = |v: Value| serde_json::from_value::<ReserveBody>(v).unwrap();
        let code = |v: Value| body(v).pool_and_label().unwrap_err();
        let refusal = body(json!({"mode": "byo", "domain": "a.example"})).mode().unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), ("unsupported-mode", Some("mode")));
        let refusal = body(json!({"mode": "byo-api", "subdomain": "a"})).brought().unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), ("invalid-body", Some("subdomain")));
        let brought = body(json!({"mode": "byo-api", "domain": "a.example"}));
        assert_eq!((brought.mode().unwrap(), brought.brought().unwrap()), (Mode::ByoApi, "a.example"));
        let refusal = code(json!({"mode": "pool", "poolDomain": "omani.works"}));
        assert_eq!((refusal.code, refusal.field.as_deref()), ("invalid-body", Some("subdomain")));
        let good = body(json!({"mode": "pool", "poolDomain": "omani.works", "subdomain": "omantel"}));
        assert_eq!(good.pool_and_label().unwrap(), ("omani.works", "omantel"));
    }

    #[test]
    fn unknown_fields_are_refused() {
        let commit = json!({"fqdn": "a.b", "reservationToken": "t", "loadBalancers": [{"ipv5": "x"}]});
        assert!(serde_json::from_value::<CommitBody>(commit).is_err());
        assert!(serde_json::from_value::<FreezeBody>(json!({"pool": "x"})).is_err());
    }

    #[test]
    fn a_policy_goes_along() {
        let commit: CommitBody = serde_json::from_value(json!({
            "fqdn": "a.b", "reservationToken": "t", "loadBalancers": [{"ipv4": "8.8.8.8"}], "failover": {}
        }))
        .unwrap();
        assert!(commit.target().unwrap().failover.is_some());
    }
}
