//! Bodies and queries of the calls under `/v1`. Unknown fields are refused: a misspelt option never passes in silence.

use pdm_model::{Refusal, Target};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

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
    /// `pool`; the other modes are not served in this version.
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
    /// Pool and label of a reservation in pool mode.
    ///
    /// # Errors
    /// `unsupported-mode`, or `invalid-body` with the field that is missing or too much.
    pub fn pool_and_label(&self) -> Result<(&str, &str), Refusal> {
        if self.mode != "pool" {
            let shown: String = self.mode.chars().take(32).collect();
            return Err(Refusal::new("unsupported-mode", format!("{shown:?} is not served in this version"))
                .field("mode"));
        }
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
    /// Not served in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub failover: Option<Value>,
    /// Not served in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub registrar: Option<Value>,
}

impl CommitBody {
    /// The target of the commit.
    ///
    /// # Errors
    /// `invalid-target` or `unsupported-mode` with the field that is wrong.
    pub fn target(&self) -> Result<Target, Refusal> {
        if self.registrar.is_some() {
            return Err(no_registrar());
        }
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
    /// Not served in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub registrar: Option<Value>,
}

impl ReleaseBody {
    /// Refuse what is not served.
    ///
    /// # Errors
    /// `unsupported-mode`.
    pub fn admit(&self) -> Result<(), Refusal> {
        if self.registrar.is_some() { Err(no_registrar()) } else { Ok(()) }
    }
}

fn no_registrar() -> Refusal {
    Refusal::new("unsupported-mode", "registrars are not served in this version; leave it out")
        .field("registrar")
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
    use serde_json::json;

    #[test]
    fn other_modes_and_missing_fields_have_their_codes() {
        let body = |v: Value| serde_json::from_value::<ReserveBody>(v).unwrap();
        let code = |v: Value| body(v).pool_and_label().unwrap_err();
        let refusal = code(json!({"mode": "byo-api", "domain": "a.example"}));
        assert_eq!((refusal.code, refusal.field.as_deref()), ("unsupported-mode", Some("mode")));
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
    fn failover_and_registrar_are_not_served() {
        let mut commit: CommitBody = serde_json::from_value(json!({
            "fqdn": "a.b", "reservationToken": "t", "loadBalancers": [{"ipv4": "8.8.8.8"}], "failover": {}
        }))
        .unwrap();
        assert_eq!(commit.target().unwrap_err().code, "invalid-target");
        commit.registrar = Some(json!({}));
        assert_eq!(commit.target().unwrap_err().code, "unsupported-mode");
    }
}
