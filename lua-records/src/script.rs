//! The script form, for what no single call of PowerDNS can say.
//!
//! ```text
//! ;local o={selector='all',backupSelector='random',timeout='2'}
//! local function up(a) return #ifportup(443,{a,a},o)>1 end
//! local r={{'192.0.2.1'},{'198.51.100.1'}}
//! for i,t in ipairs(r) do local l={} for _,a in ipairs(t) do if up(a) then l[#l+1]=a end end r[i]=l end
//! for _,l in ipairs(r) do if #l>0 then return l end end
//! return {'192.0.2.1','198.51.100.1'}
//! ```
//!
//! (on one line). Before 5.1 (`backupSelector='empty'`) a health function never answers nothing, so its answer alone does
//! not tell up from down.
//! `up` asks about the same address twice: up, the selector `all` returns both; down, the backup selector `random`
//! returns one of them. Both are one check, since PowerDNS keys checks by address, URL and options.
//!
//! `r` holds, for each region that has addresses of this family, first its addresses and then those that are up.

use std::net::IpAddr;

use crate::model::{AllDown, Failover, Region, UntilChecked};
use crate::render::{call, list, options};
use crate::terms::{RecordType, Strategy};

/// Takes each region's addresses, keeps those that are up.
const KEEP_LIVE: &str =
    "for i,t in ipairs(r) do local l={} for _,a in ipairs(t) do if up(a) then l[#l+1]=a end end r[i]=l end ";
/// The first region that is up.
const FIRST_LIVE: &str = "for _,l in ipairs(r) do if #l>0 then return l end end ";

/// The script of the record of one type.
pub(crate) fn script(failover: &Failover, rtype: RecordType) -> String {
    let (front, reserve) = present(failover, rtype);
    let lists: Vec<_> = front.iter().chain(&reserve).map(|region| list(&region.addresses(rtype))).collect();
    let mut code = probe(failover, rtype);
    code.push_str(&format!("local r={{{}}} ", lists.join(",")));
    code.push_str(KEEP_LIVE);
    // Its checks go on, so that it is known how it stands when it is no longer forced.
    for (index, region) in front.iter().chain(&reserve).enumerate().filter(|(_, region)| region.forced_up) {
        code.push_str(&format!("r[{}]={} ", index + 1, list(&region.addresses(rtype))));
    }
    code.push_str(&choose(failover, &front));
    if !reserve.is_empty() {
        let (from, to) = (front.len() + 1, front.len() + reserve.len());
        code.push_str(&format!("for i={from},{to} do if #r[i]>0 then return r[i] end end "));
    }
    code.push_str("return ");
    code.push_str(&list(&when_all_down(failover, rtype)));
    code
}

/// The regions with addresses of this family: in front, and in reserve.
fn present(failover: &Failover, rtype: RecordType) -> (Vec<&Region>, Vec<&Region>) {
    let has = |region: &&Region| !region.addresses(rtype).is_empty();
    (failover.front().iter().filter(has).collect(), failover.reserve().iter().filter(has).collect())
}

/// The function `up`.
fn probe(failover: &Failover, rtype: RecordType) -> String {
    let call = call(failover);
    let options = options(failover, "all", "random");
    // With `failOnIncompleteCheck` the first question about an address is an error. Asking about all of them in one
    // call first starts all checks at once, instead of one more at each failed query.
    let start = match failover.until_checked {
        UntilChecked::Open => String::new(),
        UntilChecked::Fail => format!("{call}{},o) ", list(&failover.addresses(rtype))),
    };
    format!(";local o={options} {start}local function up(a) return #{call}{{a,a}},o)>1 end ")
}

/// Return from the regions in front, if one of them is up.
fn choose(failover: &Failover, front: &[&Region]) -> String {
    match failover.strategy {
        Strategy::Ordered => FIRST_LIVE.to_owned(),
        Strategy::Geo => format!("{}{FIRST_LIVE}", home(failover.front(), front)),
        Strategy::All => pool(front.len(), "f"),
        Strategy::RoundRobin => pool(front.len(), "pickrandom(f)"),
        Strategy::Nearest => pool(front.len(), "pickclosest(f)"),
        Strategy::Hashed if failover.is_by_weight() => by_weight(front, "pickwhashed"),
        Strategy::Hashed => pool(front.len(), "pickhashed(f)"),
        Strategy::Weighted => by_weight(front, "pickwrandom"),
    }
}

/// The healthy addresses of the first `count` regions in one list `f`.
fn pool(count: usize, pick: &str) -> String {
    format!(
        "local f={{}} for i=1,{count} do for _,a in ipairs(r[i]) do f[#f+1]=a end end if #f>0 then return {pick} end "
    )
}

/// One region that is up; the picking function chooses among the numbers of regions, which it returns as a string.
fn by_weight(front: &[&Region], pick: &str) -> String {
    let weights: Vec<_> = front.iter().map(|region| region.weight.unwrap_or(1).to_string()).collect();
    let weights = weights.join(",");
    format!(
        "local w={{}} for i,v in ipairs({{{weights}}}) do if #r[i]>0 then w[#w+1]={{v,i}} end end \
         if #w>0 then return r[tonumber({pick}(w))] end "
    )
}

/// The client's own region, if it has one and that is up: countries first, then continents. One without addresses of this
/// family is nobody's home, and its clients are not those of another.
fn home(all: &[Region], present: &[&Region]) -> String {
    let mut clauses = Vec::new();
    let mut clause = |function: &str, codes: Vec<&str>, region: &Region| {
        let index = present.iter().position(|other| other.name == region.name).map_or(0, |at| at + 1);
        if !codes.is_empty() {
            clauses.push(format!("if {function}({{'{}'}}) then h={index} ", codes.join("','")));
        }
    };
    for region in all {
        clause("country", region.countries.iter().map(|code| code.as_str()).collect(), region);
    }
    for region in all {
        clause("continent", region.continents.iter().map(|code| code.as_str()).collect(), region);
    }
    if clauses.is_empty() {
        return String::new();
    }
    format!("local h=0 {}end if h>0 and #r[h]>0 then return r[h] end ", clauses.join("else"))
}

/// What is answered when no address of this family is up.
pub(crate) fn when_all_down(failover: &Failover, rtype: RecordType) -> Vec<IpAddr> {
    match &failover.all_down {
        AllDown::All => failover.addresses(rtype),
        AllDown::First => {
            let mut regions = failover.regions.iter().map(|region| region.addresses(rtype));
            regions.find(|addresses| !addresses.is_empty()).unwrap_or_default()
        }
        AllDown::Fallback(addresses) => {
            addresses.iter().copied().filter(|address| rtype.holds(*address)).collect()
        }
        AllDown::Empty => Vec::new(),
    }
}
