//! Model to the content of LUA records, the same for every version: an upgrade of a nameserver changes no text, and so
//! begins no check anew.
//!
//! Two forms. Where one call of PowerDNS says exactly what the model means, that call:
//!
//! ```text
//! A "ifportup(443,{'192.0.2.1','192.0.2.2'},{selector='all',backupSelector='all',timeout='2'}) -- pdm1 ..."
//! ```
//!
//! Otherwise a short script ([`crate::script`]) that asks for the state of every address and chooses itself. What both
//! hold to: one string on one line; only numbers, addresses printed by the standard library, fixed words and
//! [`PlainText`](crate::PlainText) are written; every address is checked at every query, so that a standby is known
//! to be up before it is needed; every call in one record has the same options, because PowerDNS keeps one check for
//! each (address, URL, options) and would otherwise check twice.
//!
//! The comment at the end names strategy, all-down rule and regions with their number of addresses: Lua has no need
//! of it, [`read`](crate::read()) has.

use std::fmt::Write;
use std::net::IpAddr;

use crate::check::Probe;
use crate::model::{AllDown, Failover, UntilChecked};
use crate::script;
use crate::terms::{RecordType, Strategy};
use crate::version::{Lack, Server, lacks};

/// Begins the comment; the number changes when the text changes its meaning.
pub(crate) const MARK: &str = " -- pdm1 ";

/// Stands behind the number of addresses of a region that is forced up.
pub(crate) const FORCED_UP: &str = ":up";

/// One LUA record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The type that it answers.
    pub rtype: RecordType,
    /// Content of the LUA record: the type, a space, one quoted string.
    pub content: String,
    /// Seconds.
    pub ttl: u32,
}

/// The LUA records of `failover`: one for each address family that its regions have.
///
/// # Errors
/// Everything that `server` lacks for this policy.
pub fn render(failover: &Failover, server: &Server) -> Result<Vec<Rendered>, Vec<Lack>> {
    let lacks = lacks(failover, server);
    if !lacks.is_empty() {
        return Err(lacks);
    }
    let types = failover.record_types().into_iter();
    Ok(types.map(|rtype| Rendered { rtype, content: content(failover, rtype), ttl: failover.ttl }).collect())
}

/// Content of the record of one type.
pub(crate) fn content(failover: &Failover, rtype: RecordType) -> String {
    let code = match single_call(failover, rtype) {
        Some(call) => call,
        None => script::script(failover, rtype),
    };
    format!("{rtype} \"{code}{MARK}{}\"", comment(failover, rtype))
}

/// The whole policy as one call, where there is one that means the same.
fn single_call(failover: &Failover, rtype: RecordType) -> Option<String> {
    let forced = failover.regions.iter().any(|region| region.forced_up);
    if forced || !failover.reserve().is_empty() || failover.is_by_weight() {
        return None;
    }
    let backup = match &failover.all_down {
        AllDown::All => "all",
        AllDown::Empty | AllDown::First | AllDown::Fallback(_) => return None,
    };
    let selector = match failover.strategy {
        Strategy::All => "all",
        Strategy::RoundRobin => "random",
        Strategy::Hashed => "hashed",
        Strategy::Nearest => "pickclosest",
        Strategy::Ordered | Strategy::Weighted | Strategy::Geo => return None,
    };
    let addresses = list(&failover.addresses(rtype));
    Some(format!("{}{addresses},{})", call(failover), options(failover, selector, backup)))
}

/// The health function up to its list of addresses.
pub(crate) fn call(failover: &Failover) -> String {
    match &failover.check.probe {
        Probe::Tcp { port } => format!("ifportup({port},"),
        Probe::Http(http) => format!("ifurlup('{}',", http.url()),
    }
}

/// The options table. Values are strings, as PowerDNS documents them.
pub(crate) fn options(failover: &Failover, selector: &str, backup: &str) -> String {
    let check = &failover.check;
    let mut table = format!("{{selector='{selector}',backupSelector='{backup}',timeout='{}'", check.timeout);
    let mut put = |name: &str, value: &dyn std::fmt::Display| {
        // Writing to a String cannot fail.
        let _ = write!(table, ",{name}='{value}'");
    };
    if let Some(interval) = check.interval {
        put("interval", &interval);
    }
    if check.failures > 1 {
        put("minimumFailures", &check.failures);
    }
    if failover.until_checked == UntilChecked::Fail {
        put("failOnIncompleteCheck", &"true");
    }
    match &check.probe {
        Probe::Tcp { .. } => {}
        Probe::Http(http) => {
            if let Some(text) = &http.expect_text {
                put("stringmatch", text);
            }
            if let Some(agent) = &http.user_agent {
                put("useragent", agent);
            }
            if let Some(status) = http.expect_status {
                put("httpcode", &status);
            }
        }
    }
    table.push('}');
    table
}

/// A Lua list of addresses.
pub(crate) fn list(addresses: &[IpAddr]) -> String {
    let quoted: Vec<_> = addresses.iter().map(|address| format!("'{address}'")).collect();
    format!("{{{}}}", quoted.join(","))
}

/// Strategy, all-down rule, then each region with its number of addresses; `/` stands before the reserve, `:up` behind
/// what is forced up.
fn comment(failover: &Failover, rtype: RecordType) -> String {
    let mut words = vec![failover.strategy.as_str().to_owned(), failover.all_down.as_str().to_owned()];
    for (index, region) in failover.regions.iter().enumerate() {
        if index == failover.front {
            words.push("/".to_owned());
        }
        let forced = if region.forced_up { FORCED_UP } else { "" };
        words.push(format!("{}:{}{forced}", region.name, region.addresses(rtype).len()));
    }
    words.join(" ")
}
