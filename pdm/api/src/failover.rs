//! Failover: the policy as it is typed, what nameservers answer, what would happen.
//!
//! Numbers are read as any JSON value: what is no whole number is then refused with the field it stands in.

use pdm_model::{CheckSpec, Drain, FailoverSpec, Refusal, Timestamp, ZoneName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::allocation::ConditionView;

/// What to do when some load balancers are down.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailoverBody {
    /// `ordered` (when left out), `all`, `roundRobin`, `weighted`, `hashed`, `nearest` or `geo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ordered")]
    pub strategy: Option<String>,
    /// Regions that answer, in this order, only when no other region is up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserve: Vec<String>,
    /// The health check; TCP to port 443 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckBody>,
    /// `all` (when left out), `first` or `fallback`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_all_down: Option<String>,
    /// The addresses of `whenAllDown: fallback`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
    /// Before the first check has ended: `open` (when left out) answers as if all were down, `fail` answers SERVFAIL to the
    /// question that begins the checks, and then as if all were down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_checked: Option<String>,
    /// Seconds that resolvers keep an answer, 1 to 3600; 5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub ttl: Option<Value>,
}

/// How to tell whether an address is up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckBody {
    /// `tcp` (when left out); `http` or `https` where the pool admits them.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(example = "tcp")]
    pub kind: Option<String>,
    /// Port; 443 for `tcp`, the scheme's own for a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub port: Option<Value>,
    /// Host of the URL: the name itself (when left out) or a name below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Path and query of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Text that the page must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_text: Option<String>,
    /// Status that the answer must have (PowerDNS 5.0 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub expect_status: Option<Value>,
    /// Seconds between two checks (PowerDNS 5.0 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub interval: Option<Value>,
    /// Seconds that one check may take, 1 to 10; 2 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub timeout: Option<Value>,
    /// Failed checks in a row before an address is down (more than 1: PowerDNS 5.0 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub failures: Option<Value>,
    /// User agent of the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// A whole number, or a refusal that names its field.
pub(crate) fn whole(given: Option<&Value>, code: &'static str, field: &str) -> Result<Option<i64>, Refusal> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::new(code, "a whole number").field(field)),
        },
    }
}

impl FailoverBody {
    /// As it is stored. What it means is the engine's to judge.
    ///
    /// # Errors
    /// Something that should be a number is none.
    pub fn parse(&self) -> Result<FailoverSpec, Refusal> {
        Ok(FailoverSpec {
            strategy: self.strategy.clone(),
            reserve: self.reserve.clone(),
            check: self.check.as_ref().map(CheckBody::parse).transpose()?,
            when_all_down: self.when_all_down.clone(),
            fallback: self.fallback.clone(),
            until_checked: self.until_checked.clone(),
            ttl: whole(self.ttl.as_ref(), "invalid-strategy", "failover.ttl")?,
        })
    }
}

impl CheckBody {
    fn parse(&self) -> Result<CheckSpec, Refusal> {
        let number = |given: &Option<Value>, name: &str| {
            whole(given.as_ref(), "invalid-check", &format!("failover.check.{name}"))
        };
        Ok(CheckSpec {
            kind: self.kind.clone(),
            port: number(&self.port, "port")?,
            host: self.host.clone(),
            path: self.path.clone(),
            expect_text: self.expect_text.clone(),
            expect_status: number(&self.expect_status, "expectStatus")?,
            interval: number(&self.interval, "interval")?,
            timeout: number(&self.timeout, "timeout")?,
            failures: number(&self.failures, "failures")?,
            user_agent: self.user_agent.clone(),
        })
    }
}

impl From<&FailoverSpec> for FailoverBody {
    fn from(spec: &FailoverSpec) -> Self {
        Self {
            strategy: spec.strategy.clone(),
            reserve: spec.reserve.clone(),
            check: spec.check.as_ref().map(CheckBody::from),
            when_all_down: spec.when_all_down.clone(),
            fallback: spec.fallback.clone(),
            until_checked: spec.until_checked.clone(),
            ttl: spec.ttl.map(Value::from),
        }
    }
}

impl From<&CheckSpec> for CheckBody {
    fn from(spec: &CheckSpec) -> Self {
        Self {
            kind: spec.kind.clone(),
            port: spec.port.map(Value::from),
            host: spec.host.clone(),
            path: spec.path.clone(),
            expect_text: spec.expect_text.clone(),
            expect_status: spec.expect_status.map(Value::from),
            interval: spec.interval.map(Value::from),
            timeout: spec.timeout.map(Value::from),
            failures: spec.failures.map(Value::from),
            user_agent: spec.user_agent.clone(),
        }
    }
}

/// `POST /v1/allocations/{fqdn}/failover/drain`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrainBody {
    /// The region.
    pub region: String,
    /// `down`: it does not answer. `up`: it answers as if its checks succeeded. `auto`: its checks decide again.
    #[schema(example = "down")]
    pub force: String,
    /// For how long, at most 30 days; not with `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, example = 7200)]
    pub seconds: Option<Value>,
}

/// `GET /v1/allocations/{fqdn}/failover/rehearsal`.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RehearsalQuery {
    /// The regions that go down together, separated by commas.
    pub down: String,
}

/// What a policy is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailoverView {
    /// The name.
    #[schema(value_type = String)]
    pub fqdn: ZoneName,
    /// The policy with every default written out.
    pub failover: FailoverBody,
    /// Regions that the policy chooses from, without those that are forced down.
    pub regions: Vec<RegionView>,
    /// All nameservers together, as of now: the condition `FailoverIdle`.
    pub state: ConditionView,
    /// What each nameserver answers now.
    pub nameservers: Vec<NameserverView>,
    /// What is forced by hand.
    pub drains: Vec<DrainView>,
    /// What the checks cost.
    pub load: LoadView,
    /// When clients see a change.
    pub bounds: BoundsView,
    /// How the servers compute; missing until they told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<ServersView>,
}

/// One region of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegionView {
    /// Its short name.
    pub region: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// It answers only when no region outside the reserve is up.
    pub reserve: bool,
    /// It answers whatever its checks say.
    pub forced_up: bool,
}

/// One nameserver's opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameserverView {
    /// Names behind the address.
    pub names: Vec<String>,
    /// Address and port that was asked.
    pub server: String,
    /// `preferred`, `failed-over`, `all-down`, `not-computed` or `silent`.
    pub verdict: String,
    /// The addresses that it gives.
    pub addresses: Vec<String>,
    /// The regions that these belong to.
    pub regions: Vec<String>,
    /// Since when it has given these.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// How often they changed.
    pub flips: u64,
}

/// A region that is forced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrainView {
    /// The region.
    pub region: String,
    /// `up` or `down`.
    pub force: String,
    /// When its checks decide again.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Who asked for it.
    pub by: String,
}

/// What the checks of a policy cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadView {
    /// Addresses that are checked.
    pub addresses: usize,
    /// Nameservers that check, each on its own.
    pub nameservers: u32,
    /// Seconds between two checks of one address by one nameserver.
    pub interval: u32,
    /// Checks that one address receives.
    pub per_address_per_second: f64,
    /// Checks that all addresses receive.
    pub per_second: f64,
}

/// Seconds after which every client has the new answer, at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundsView {
    /// A nameserver knows that an address is down.
    pub detected: u32,
    /// Clients see it.
    pub clients: u32,
    /// Clients see it when the address is silent.
    pub clients_if_silent: u32,
    /// Clients see that it is back.
    pub recovery: u32,
}

/// How the servers compute answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServersView {
    /// The oldest version among them.
    pub version: String,
    /// They compute at all.
    pub enabled: bool,
    /// They know where clients are.
    pub geoip: bool,
    /// Seconds between two rounds of checks.
    pub interval: u16,
    /// Seconds that checks go on after the last question.
    pub expire: u32,
}

/// What would happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RehearsalView {
    /// The name.
    #[schema(value_type = String)]
    pub fqdn: ZoneName,
    /// The regions that go down.
    pub down: Vec<String>,
    /// What clients get with every region up.
    pub before: Vec<ClientAnswerView>,
    /// What they get afterwards.
    pub after: Vec<ClientAnswerView>,
    /// When.
    pub bounds: BoundsView,
}

/// What one kind of client gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientAnswerView {
    /// `any`, or where the client is.
    pub client: String,
    /// The type that is asked for.
    #[serde(rename = "type")]
    pub rtype: String,
    /// The answer in words, such as `192.0.2.1` or `one of 192.0.2.1 | 192.0.2.2`.
    pub answer: String,
}

impl From<&Drain> for DrainView {
    fn from(drain: &Drain) -> Self {
        Self {
            region: drain.region.clone(),
            force: drain.force.as_str().to_owned(),
            until: drain.until,
            by: drain.by.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_whole_number_names_its_field() {
        for bad in [json!("443"), json!(1.5), json!(1e30), json!([1]), json!({}), json!(true)] {
            let body: FailoverBody = serde_json::from_value(json!({"check": {"port": bad}})).unwrap();
            let refusal = body.parse().unwrap_err();
            let at = (refusal.code, refusal.field.as_deref());
            assert_eq!(at, ("invalid-check", Some("failover.check.port")), "{bad}");
            let body: FailoverBody = serde_json::from_value(json!({"ttl": bad})).unwrap();
            assert_eq!(body.parse().unwrap_err().field.as_deref(), Some("failover.ttl"), "{bad}");
        }
    }

    #[test]
    fn a_policy_comes_back_as_it_went_in() {
        let text = json!({
            "strategy": "weighted", "reserve": ["c"], "whenAllDown": "fallback", "fallback": ["192.0.2.9"], "ttl": 7,
            "untilChecked": "fail", "check": {"type": "https", "port": 1, "host": "a.b", "path": "/", "expectText": "x",
            "expectStatus": 200, "interval": 3, "timeout": 1, "failures": 2, "userAgent": "u"},
        });
        let body: FailoverBody = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(serde_json::to_value(FailoverBody::from(&body.parse().unwrap())).unwrap(), text);
        assert!(serde_json::from_value::<FailoverBody>(json!({"lua": "os.execute()"})).is_err());
    }
}
