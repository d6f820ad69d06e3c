//! Finds the values in the text of one record. It only collects; whether the text is ours is decided in
//! [`crate::read`] by rendering the result again.

use crate::model::MAX_REGIONS;
use crate::render::{FORCED_UP, MARK};
use crate::spec::CheckSpec;
use crate::terms::RecordType;

/// The values of one record, still unbelieved.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) strategy: String,
    pub(crate) all_down: String,
    pub(crate) check: CheckSpec,
    pub(crate) until_checked: String,
    pub(crate) fallback: Vec<String>,
    pub(crate) regions: Vec<ScannedRegion>,
}

/// One region of the comment, with what the code says of it.
#[derive(Debug, Default)]
pub(crate) struct ScannedRegion {
    pub(crate) name: String,
    pub(crate) reserve: bool,
    pub(crate) forced_up: bool,
    pub(crate) addresses: Vec<String>,
    pub(crate) weight: Option<i64>,
    pub(crate) countries: Vec<String>,
    pub(crate) continents: Vec<String>,
}

/// Type and values of `content`, or `None` when it has not even the outline of our text.
pub(crate) fn scan(content: &str) -> Option<(RecordType, Scanned)> {
    let (rtype, quoted) = content.split_once(' ')?;
    let rtype = RecordType::ALL.into_iter().find(|known| known.as_str() == rtype)?;
    let text = quoted.strip_prefix('"')?.strip_suffix('"')?;
    // The last mark: an expected text may look like one, a region's name cannot.
    let (code, comment) = text.rsplit_once(MARK)?;
    let mut scanned = Scanned::default();
    let counts = scan_comment(comment, &mut scanned)?;
    let (table, addresses) = match between(code, ";local o={", "} ") {
        Some(table) => (table, between(code, "local r={", "} for i,t in ")?),
        None => (between(code, "},{", "})")?, code.split_once(",{")?.1.split_once('}')?.0),
    };
    scan_options(table, &mut scanned)?;
    scan_call(code, &mut scanned.check)?;
    let mut addresses = strings(addresses).into_iter();
    for (region, count) in scanned.regions.iter_mut().zip(counts) {
        region.addresses = addresses.by_ref().take(count).collect();
    }
    if let Some(weights) = between(code, "for i,v in ipairs({", "})") {
        for (region, weight) in present(&mut scanned.regions).zip(weights.split(',')) {
            region.weight = weight.parse().ok();
        }
    }
    if let Some(clauses) = between(code, "local h=0 ", "end if h>0") {
        scan_home(clauses, &mut scanned.regions)?;
    }
    if scanned.all_down == "fallback" {
        scanned.fallback = strings(code.rsplit_once("return {")?.1);
    }
    Some((rtype, scanned))
}

/// Fill in names; the number of addresses of each region.
fn scan_comment(comment: &str, scanned: &mut Scanned) -> Option<Vec<usize>> {
    let mut words = comment.split(' ');
    scanned.strategy = words.next()?.to_owned();
    scanned.all_down = words.next()?.to_owned();
    let mut counts = Vec::new();
    let mut reserve = false;
    for word in words {
        if word == "/" {
            reserve = true;
            continue;
        }
        // More is never ours, and what follows is quadratic in their number.
        if counts.len() == MAX_REGIONS {
            return None;
        }
        let (name, count) = word.split_once(':')?;
        let (count, forced_up) = count.strip_suffix(FORCED_UP).map_or((count, false), |count| (count, true));
        counts.push(count.parse().ok()?);
        let name = name.to_owned();
        scanned.regions.push(ScannedRegion { name, reserve, forced_up, ..ScannedRegion::default() });
    }
    Some(counts)
}

/// Port, or the parts of the URL.
fn scan_call(code: &str, check: &mut CheckSpec) -> Option<()> {
    if let Some(port) = between(code, "ifportup(", ",") {
        check.kind = Some("tcp".to_owned());
        check.port = Some(port.parse().ok()?);
        return Some(());
    }
    let url = between(code, "ifurlup('", "'")?;
    let (scheme, rest) = url.split_once("://")?;
    let slash = rest.find('/')?;
    let (authority, path) = rest.split_at(slash);
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (authority, None),
    };
    check.kind = Some(scheme.to_owned());
    check.host = Some(host.to_owned());
    check.port = port;
    check.path = Some(path.to_owned());
    Some(())
}

/// `name='value',...`; no value holds a comma or a quote.
fn scan_options(table: &str, scanned: &mut Scanned) -> Option<()> {
    scanned.until_checked = "open".to_owned();
    let check = &mut scanned.check;
    for pair in table.split(',') {
        let (name, value) = pair.strip_suffix('\'')?.split_once("='")?;
        match name {
            "timeout" => check.timeout = Some(value.parse().ok()?),
            "interval" => check.interval = Some(value.parse().ok()?),
            "minimumFailures" => check.failures = Some(value.parse().ok()?),
            "httpcode" => check.expect_status = Some(value.parse().ok()?),
            "stringmatch" => check.expect_text = Some(value.to_owned()),
            "useragent" => check.user_agent = Some(value.to_owned()),
            "failOnIncompleteCheck" => scanned.until_checked = "fail".to_owned(),
            // The selectors follow from the strategy; anything else makes the renderings differ.
            _ => {}
        }
    }
    Some(())
}

/// `if country({'DE'}) then h=1 elseif continent({'EU'}) then h=2 `: the number counts regions with addresses. The codes of
/// one without, 0, stand in the record of the other type.
fn scan_home(clauses: &str, regions: &mut [ScannedRegion]) -> Option<()> {
    for clause in clauses.split("else") {
        let codes = strings(clause);
        let number: usize = clause.rsplit_once("h=")?.1.trim_end().parse().ok()?;
        let Some(index) = number.checked_sub(1) else { continue };
        let region = present(regions).nth(index)?;
        if clause.starts_with("if country(") {
            region.countries = codes;
        } else {
            region.continents = codes;
        }
    }
    Some(())
}

/// The regions that the code knows of.
fn present(regions: &mut [ScannedRegion]) -> impl Iterator<Item = &mut ScannedRegion> {
    regions.iter_mut().filter(|region| !region.addresses.is_empty())
}

/// What stands between the first `open` and the next `close`.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    Some(text.split_once(open)?.1.split_once(close)?.0)
}

/// Every single-quoted string.
fn strings(text: &str) -> Vec<String> {
    text.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}
