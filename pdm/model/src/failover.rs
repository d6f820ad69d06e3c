//! A failover policy as it is asked for and stored, what somebody forced by hand, and what nameservers were seen to
//! answer. What a policy means, whether it is acceptable and what a nameserver runs of it is for `pdm-lua-records` to
//! say: nothing here is believed yet.
//!
//! Numbers are wider and words are plain strings on purpose: a value outside its range is then refused by us, with
//! its field and code, and not by the JSON reader with neither.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::rrset::RecordType;
use crate::time::Timestamp;

/// The `failover` part of a body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailoverSpec {
    /// `ordered` (default), `all`, `roundRobin`, `weighted`, `hashed`, `nearest` or `geo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Regions that answer, in this order, only when no other region is up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserve: Vec<String>,
    /// The health check; TCP to port 443 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckSpec>,
    /// `all` (default), `first`, `fallback` or `empty`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_all_down: Option<String>,
    /// The addresses of `whenAllDown: fallback`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
    /// Before the first check has ended: `open` (default) answers as if all were down, `fail` answers SERVFAIL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_checked: Option<String>,
    /// Seconds that resolvers keep an answer, 1 to 3600; 5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
}

/// The `check` part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckSpec {
    /// `tcp` (default), `http` or `https`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Port; 443 for `tcp`, the scheme's own for a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Host of the URL (Host header and SNI): the Sovereign's name or below; its name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Path and query of the URL; `/` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Text that the page must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_text: Option<String>,
    /// Status that the answer must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_status: Option<i64>,
    /// Seconds between two checks, 1 to 3600; the server's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    /// Seconds that one check may take, 1 to 10; 2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// Failed checks in a row before an address is down, 1 to 10; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<i64>,
    /// User agent of the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// What a region counts as, whatever its checks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Force {
    /// It answers as if every check of it succeeded.
    Up,
    /// It does not answer.
    Down,
}

impl Force {
    /// The word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A region that somebody forced up or down, until a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// The region.
    pub region: String,
    /// What it counts as.
    pub force: Force,
    /// When its checks count again.
    pub until: Timestamp,
    /// Who asked for it.
    pub by: String,
}

/// How one nameserver's answer stands to the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As with every region up.
    Preferred,
    /// Something else that the policy can give.
    FailedOver,
    /// What the policy gives when no address is up, or before the first check has ended.
    AllDown,
    /// Nothing that the policy can give: LUA records are off there, or somebody changed them.
    NotComputed,
    /// No answer.
    Silent,
}

impl Verdict {
    /// The word in the API and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preferred => "preferred",
            Self::FailedOver => "failed-over",
            Self::AllDown => "all-down",
            Self::NotComputed => "not-computed",
            Self::Silent => "silent",
        }
    }
}

/// What one nameserver answers for a policy, and how often that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opinion {
    /// Address and port that was asked.
    pub server: String,
    /// Nameserver names behind it.
    pub names: Vec<String>,
    /// How the answer stands to the policy.
    pub verdict: Verdict,
    /// The addresses that it gives out, in order; of a policy that picks at random, all that it gave of late.
    pub addresses: Vec<IpAddr>,
    /// Since when it has given these.
    pub since: Timestamp,
    /// How often they changed.
    pub flips: u64,
    /// Looks in a row at which an address of a random policy was not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<(IpAddr, u8)>,
}

/// Every answer that a computed RRset can give: any addresses of one of `within`, or one of `exactly` as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possible {
    /// A or AAAA.
    pub rtype: RecordType,
    /// Any part of one of these but the empty one.
    pub within: Vec<BTreeSet<IpAddr>>,
    /// One of these.
    pub exactly: Vec<BTreeSet<IpAddr>>,
}

impl Possible {
    /// Whether `addresses` is among them.
    #[must_use]
    pub fn admits(&self, addresses: &BTreeSet<IpAddr>) -> bool {
        let part = !addresses.is_empty() && self.within.iter().any(|all| addresses.is_subset(all));
        part || self.exactly.contains(addresses)
    }
}
