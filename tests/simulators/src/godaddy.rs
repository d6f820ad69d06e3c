//! GoDaddy: v1 for domains and records, v2 for DS and actions. Changes at the registry go on behind the call.
//!
//! Kept as it is known from the published documents and from `GoDaddyPy`: 204 without a body, 203 with part of the
//! data, 403 for accounts that may not, 404 for a zone that moved away, 409 while another change runs, 422 with the
//! fields that are wrong, no way to delete NS, and paths that replace far more than a name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Reply, Request, Vendor};

/// What GoDaddy's own nameservers are called.
const OWN_DNS: &str = ".domaincontrol.com";

/// One domain of the account.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Status while nothing runs.
    pub status: String,
    /// The registry's NS set.
    pub ns: Vec<String>,
    /// The registry's DS records, as v2 writes them.
    pub ds: Vec<Value>,
    /// Records of the zone: type, name, data, ttl.
    pub records: Vec<(String, String, String, u32)>,
    running: Option<Running>,
    /// The last action of each type that ended: status and reason.
    ended: BTreeMap<String, Value>,
}

#[derive(Debug, Clone)]
struct Running {
    kind: &'static str,
    /// Looks until it is over.
    looks: u32,
    fails: bool,
    ns: Option<Vec<String>>,
    ds: Option<Vec<Value>>,
}

/// The simulator.
pub struct GoDaddy {
    /// `key:secret` of the account, and of a stranger without domains.
    pub keys: [String; 2],
    /// Tokens of the same.
    pub tokens: [String; 2],
    /// What the tokens may do.
    pub scopes: Vec<&'static str>,
    /// The customer number.
    pub shopper: String,
    /// Whether an account with a key may use v1 at all.
    pub eligible: bool,
    /// Whether it may use v2.
    pub reseller: bool,
    domains: BTreeMap<String, Domain>,
    fail_next: bool,
}

const CUSTOMER: &str = "295e3bc3-b3b9-4d95-aae5-ede41a994d13";
/// How often a change that goes on is seen going on.
const LOOKS: u32 = 2;

type Answered = Result<Reply, Reply>;

/// An account with one domain, and a stranger's without.
impl Default for GoDaddy {
    fn default() -> Self {
        let empty = Self {
            keys: ["acme-key-0123:acme-secret-0123", "other-key-4567:other-secret-4567"].map(str::to_owned),
            tokens: ["acme-token-0123", "other-token-4567"].map(str::to_owned),
            scopes: vec!["domains.domain:read", "domains.nameserver:update", "domains.dns:update"],
            shopper: "123456789".into(),
            eligible: true,
            reseller: true,
            domains: BTreeMap::new(),
            fail_next: false,
        };
        empty.with_domain("acme.example")
    }
}

impl GoDaddy {
    /// With a domain on GoDaddy's own DNS that has mail and a web site.
    #[must_use]
    pub fn with_domain(mut self, name: &str) -> Self {
        let record = |rtype: &str, name: &str, data: &str| (rtype.into(), name.into(), data.into(), 3600);
        let own = ["ns01.domaincontrol.com", "ns02.domaincontrol.com"];
        let mut records = vec![
            record("A", "@", "192.0.2.1"),
            record("CNAME", "www", "@"),
            record("MX", "@", "mail.example.net"),
            record("TXT", "@", "v=spf1 mx -all"),
        ];
        records.extend(own.map(|ns| record("NS", "@", ns)));
        let domain = Domain {
            status: "ACTIVE".into(),
            ns: own.map(str::to_owned).into(),
            ds: Vec::new(),
            records,
            running: None,
            ended: BTreeMap::new(),
        };
        self.domains.insert(name.into(), domain);
        self
    }

    /// A domain, to look at or to change by hand.
    pub fn domain(&mut self, name: &str) -> Option<&mut Domain> {
        self.domains.get_mut(name)
    }

    fn zone_of(&self, name: &str) -> Option<(String, String)> {
        let zone = self
            .domains
            .keys()
            .find(|zone| name.strip_suffix(zone.as_str()).is_some_and(|h| h.ends_with('.')))?;
        Some((zone.clone(), name[..name.len() - zone.len() - 1].to_owned()))
    }

    fn admit(&self, request: &Request, scope: &str) -> Result<(), Reply> {
        let unknown = || failure(401, "UNABLE_TO_AUTHENTICATE", "Could not authenticate API key/secret");
        let denied = || failure(403, "ACCESS_DENIED", "Authenticated user is not allowed access");
        let strange = || failure(404, "UNKNOWN_DOMAIN", "The given domain is not registered here");
        if let Some(token) = request.bearer() {
            let update = scope.replace(":read", ":update");
            let may = self.scopes.iter().any(|known| *known == scope || *known == update);
            return match self.tokens.iter().position(|known| known == token) {
                None => Err(unknown()),
                Some(_) if !may => Err(denied()),
                Some(0) => Ok(()),
                Some(_) => Err(strange()),
            };
        }
        let Some(pair) = request.header("authorization").and_then(|text| text.strip_prefix("sso-key "))
        else {
            return Err(failure(401, "MALFORMED_CREDENTIALS", "Unauthorized: Credentials must be specified"));
        };
        if request.path.starts_with("/v3/") {
            return Err(failure(401, "MALFORMED_CREDENTIALS", "v3 takes tokens only"));
        }
        match self.keys.iter().position(|known| known == pair) {
            None => Err(unknown()),
            Some(_) if !self.eligible => Err(denied()),
            Some(0) => Ok(()),
            Some(_) => Err(strange()),
        }
    }

    fn serve(&mut self, request: &Request) -> Answered {
        let parts = request.below("/").unwrap_or_default();
        let method = request.method.as_str();
        match (method, parts.as_slice()) {
            ("GET", ["v1", "domains"]) => {
                self.admit(request, "domains.domain:read")?;
                let list: Vec<_> = self.domains.keys().map(|name| self.shown(name)).collect();
                Ok(Reply::json(200, &json!(list)))
            }
            (_, ["v1", "domains", name]) => self.on_domain(request, name),
            (_, ["v1", "domains", name, "records", rest @ ..]) => self.on_records(request, name, rest),
            ("GET", ["v1", "shoppers", number]) => {
                self.admit(request, "domains.domain:read")?;
                if *number != self.shopper {
                    return Err(failure(404, "NOT_FOUND", "The shopper is not there"));
                }
                Ok(Reply::json(200, &json!({ "shopperId": number, "customerId": CUSTOMER })))
            }
            (_, ["v2", "customers", customer, "domains", name, rest @ ..]) => {
                self.admit(request, "domains.domain:read")?;
                if !self.reseller || *customer != CUSTOMER {
                    return Err(failure(403, "ACCESS_DENIED", "Authenticated user is not allowed access"));
                }
                self.on_customer(request, name, rest)
            }
            (_, ["v3", "domains", "zones", name, "dns-records", rest @ ..]) => {
                self.on_v3_records(request, name, rest)
            }
            _ => Err(failure(404, "NOT_FOUND", "there is no such resource")),
        }
    }

    /// v3 knows records by ids; here the place in the list.
    fn on_v3_records(&mut self, request: &Request, zone: &str, rest: &[&str]) -> Answered {
        self.admit(request, if request.method == "GET" { "domains.dns:read" } else { "domains.dns:update" })?;
        let domain = self.domains.get_mut(zone).ok_or_else(|| not_found(zone))?;
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                let wanted =
                    |name: &str, value: &str| request.param(name).is_none_or(|wanted| wanted == value);
                let items: Vec<_> = domain
                    .records
                    .iter()
                    .filter(|record| wanted("type", &record.0) && wanted("name", &record.1))
                    .map(|record| {
                        let (rtype, name, data, ttl) = record;
                        json!({ "recordId": id(record), "type": rtype, "name": name, "data": data, "ttl": ttl })
                    })
                    .collect();
                Ok(Reply::json(
                    200,
                    &json!({ "totalItems": items.len(), "items": items, "totalPages": 1, "links": [] }),
                ))
            }
            ("DELETE", [wanted]) => {
                let found = domain.records.iter().position(|record| id(record) == *wanted);
                let at = found.ok_or_else(|| failure(404, "NOT_FOUND", "there is no such record"))?;
                if domain.records[at].1 == "@" && ["NS", "SOA"].contains(&&*domain.records[at].0) {
                    return Err(failure(409, "dns_record_not_mutable", "the record is managed"));
                }
                domain.records.remove(at);
                Ok(Reply::empty(204))
            }
            _ => Err(failure(405, "METHOD_NOT_ALLOWED", "no such method")),
        }
    }

    fn on_domain(&mut self, request: &Request, name: &str) -> Answered {
        match request.method.as_str() {
            "GET" => {
                self.admit(request, "domains.domain:read")?;
                let domain = self.domains.get_mut(name).ok_or_else(|| not_found(name))?;
                domain.look();
                // While something runs, part of the data is missing.
                let status = if domain.running.is_some() { 203 } else { 200 };
                Ok(Reply::json(status, &self.shown(name)))
            }
            "PATCH" => {
                self.admit(request, "domains.nameserver:update")?;
                let fails = std::mem::take(&mut self.fail_next);
                let domain = self.domains.get_mut(name).ok_or_else(|| not_found(name))?;
                let body =
                    request.json().ok_or_else(|| failure(400, "INVALID_BODY", "the body is no JSON"))?;
                let Some(names) = body["nameServers"].as_array() else { return Ok(Reply::empty(204)) };
                let names: Vec<String> = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                check_names(&names)?;
                domain.start(Running {
                    kind: "DOMAIN_UPDATE_NAME_SERVERS",
                    looks: LOOKS,
                    fails,
                    ns: Some(names),
                    ds: None,
                })?;
                Ok(Reply::empty(204))
            }
            _ => Err(failure(405, "METHOD_NOT_ALLOWED", "no such method")),
        }
    }

    fn shown(&self, name: &str) -> Value {
        let Some(domain) = self.domains.get(name) else { return Value::Null };
        let running = domain.running.is_some();
        json!({
            "domain": name, "domainId": 1, "nameServers": domain.ns, "locked": true, "renewAuto": true,
            "status": if running { "PENDING_DNS_ACTIVE" } else { &domain.status }, "expires": "2031-01-02T03:04:05.000Z",
            "expirationProtected": false, "transferProtected": false, "holdRegistrar": false, "privacy": true,
        })
    }

    fn on_records(&mut self, request: &Request, zone: &str, rest: &[&str]) -> Answered {
        self.admit(request, if request.method == "GET" { "domains.dns:read" } else { "domains.dns:update" })?;
        let moved = || {
            failure(404, "UNKNOWN_DOMAIN", "The given domain is not registered, or does not have a zone file")
        };
        let domain = self.domains.get_mut(zone).ok_or_else(moved)?;
        if !domain.ns.iter().all(|ns| ns.ends_with(OWN_DNS)) {
            return Err(moved());
        }
        let rtype = rest.first().copied();
        let name = rest.get(1).copied();
        let meant = |record: &(String, String, String, u32)| {
            rtype.is_none_or(|rtype| record.0.eq_ignore_ascii_case(rtype))
                && name.is_none_or(|name| record.1.eq_ignore_ascii_case(name))
        };
        match request.method.as_str() {
            "GET" => {
                let number = |name: &str| request.param(name).and_then(|text| text.parse::<usize>().ok());
                // The offset counts pages, from one.
                let limit = number("limit").unwrap_or(usize::MAX);
                let skip = number("offset").unwrap_or(1).saturating_sub(1).saturating_mul(limit);
                let found = domain.records.iter().filter(|record| meant(record)).skip(skip).take(limit);
                let list: Vec<_> = found
                    .map(|(rtype, name, data, ttl)| json!({ "type": rtype, "name": name, "data": data, "ttl": ttl }))
                    .collect();
                Ok(Reply::json(200, &json!(list)))
            }
            "PUT" | "PATCH" => {
                let body =
                    request.json().ok_or_else(|| failure(400, "INVALID_BODY", "the body is no JSON"))?;
                let records = body.as_array().ok_or_else(|| failure(400, "INVALID_BODY", "no list"))?;
                let records: Vec<_> = records
                    .iter()
                    .enumerate()
                    .map(|(at, record)| parse(at, record, rtype, name))
                    .collect::<Result<_, _>>()?;
                let apex_ns = |records: &[(String, String, String, u32)]| {
                    records.iter().any(|record| record.0 == "NS" && record.1 == "@")
                };
                if request.method == "PATCH" {
                    domain.records.extend(records);
                    return Ok(Reply::empty(200));
                }
                // The shorter the path, the more is replaced.
                let all_ns = name.is_none() && rtype.is_none_or(|rtype| rtype == "NS");
                if all_ns && !apex_ns(&records) {
                    return Err(failure(422, "MISSING_NAME_SERVER", "a zone needs its nameservers"));
                }
                domain.records.retain(|record| !meant(record));
                domain.records.extend(records);
                Ok(Reply::empty(200))
            }
            "DELETE" if matches!(rtype, Some("NS" | "SOA")) => Err(failure(
                422,
                "INVALID_VALUE_ENUM",
                "NS and SOA are not among the types that can be deleted",
            )),
            "DELETE" => {
                domain.records.retain(|record| !meant(record));
                Ok(Reply::empty(204))
            }
            _ => Err(failure(405, "METHOD_NOT_ALLOWED", "no such method")),
        }
    }

    fn on_customer(&mut self, request: &Request, name: &str, rest: &[&str]) -> Answered {
        let fails = self.fail_next;
        let domain = self.domains.get_mut(name).ok_or_else(|| not_found(name))?;
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                let actions: Vec<_> =
                    domain.running.iter().map(|running| action(running.kind, "PENDING")).collect();
                Ok(Reply::json(
                    200,
                    &json!({ "domain": name, "dnssecRecords": domain.ds, "actions": actions }),
                ))
            }
            ("GET", ["actions", kind]) => {
                domain.look();
                match (&domain.running, domain.ended.get(*kind)) {
                    (Some(running), _) if running.kind == *kind => {
                        Ok(Reply::json(200, &action(kind, "PENDING")))
                    }
                    (_, Some(ended)) => Ok(Reply::json(200, ended)),
                    _ => Err(failure(404, "NOT_FOUND", "there is no such action")),
                }
            }
            ("PATCH" | "DELETE", ["dnssecRecords"]) => {
                self.fail_next = false;
                let body =
                    request.json().ok_or_else(|| failure(400, "INVALID_BODY", "the body is no JSON"))?;
                let given = body.as_array().cloned().unwrap_or_default();
                let named = |ds: &Value| {
                    ds["algorithm"].as_str().is_some_and(|name| name.contains(char::is_alphabetic))
                };
                if given.is_empty() || !given.iter().all(named) {
                    return Err(failure(422, "INVALID_BODY", "algorithm must be one of the names"));
                }
                let mut after: Vec<_> =
                    domain.ds.iter().filter(|held| !given.iter().any(|ds| same(ds, held))).cloned().collect();
                let adds = request.method == "PATCH";
                if adds {
                    after.extend(given);
                }
                let kind = if adds { "DNSSEC_CREATE" } else { "DNSSEC_DELETE" };
                domain.start(Running { kind, looks: LOOKS, fails, ns: None, ds: Some(after) })?;
                Ok(Reply::empty(202))
            }
            _ => Err(failure(404, "NOT_FOUND", "there is no such resource")),
        }
    }
}

impl Domain {
    fn start(&mut self, running: Running) -> Result<(), Reply> {
        if self.running.is_some() {
            return Err(failure(409, "CONFLICT", "Another update of the domain is under way"));
        }
        if self.status != "ACTIVE" {
            return Err(failure(
                409,
                "CONFLICTING_STATUS",
                "The domain is not eligible to have its nameservers changed",
            ));
        }
        self.ended.remove(running.kind);
        self.running = Some(running);
        Ok(())
    }

    /// Somebody looks, and time passes.
    fn look(&mut self) {
        let Some(running) = &mut self.running else { return };
        if running.looks > 0 {
            running.looks -= 1;
            return;
        }
        let Some(running) = self.running.take() else { return };
        if running.fails {
            let mut ended = action(running.kind, "FAILED");
            ended["reason"] =
                json!({ "code": "REGISTRY_REFUSED", "message": "the registry refused the change" });
            self.ended.insert(running.kind.into(), ended);
            return;
        }
        self.ended.insert(running.kind.into(), action(running.kind, "SUCCESS"));
        self.ns = running.ns.unwrap_or_else(|| std::mem::take(&mut self.ns));
        self.ds = running.ds.unwrap_or_else(|| std::mem::take(&mut self.ds));
    }
}

impl Vendor for GoDaddy {
    fn answer(&mut self, request: &Request) -> Reply {
        self.serve(request).unwrap_or_else(|refused| refused)
    }

    fn busy(&self) -> Reply {
        let words = "Too many requests received within interval";
        let body = json!({ "code": "TOO_MANY_REQUESTS", "message": words, "retryAfterSec": 30 });
        Reply::json(429, &body)
    }

    fn error(&self, status: u16, words: &str) -> Reply {
        let code = match status {
            401 => "UNABLE_TO_AUTHENTICATE",
            403 => "ACCESS_DENIED",
            404 => "NOT_FOUND",
            429 => "TOO_MANY_REQUESTS",
            500.. => "SERVER_ERROR",
            _ => "INVALID_BODY",
        };
        failure(status, code, words)
    }

    fn ns(&self, name: &str) -> Vec<String> {
        if let Some(domain) = self.domains.get(name) {
            return domain.ns.clone();
        }
        let Some((zone, label)) = self.zone_of(name) else { return Vec::new() };
        let records = &self.domains[&zone].records;
        records
            .iter()
            .filter(|record| record.0 == "NS" && record.1 == label)
            .map(|record| record.2.clone())
            .collect()
    }

    fn put_ns(&mut self, name: &str, hosts: &[&str], ttl: u32) {
        let hosts = hosts.iter().map(|host| (*host).to_owned());
        if let Some(domain) = self.domains.get_mut(name) {
            domain.ns = hosts.collect();
            return;
        }
        let Some((zone, label)) = self.zone_of(name) else { return };
        let Some(domain) = self.domains.get_mut(&zone) else { return };
        domain.records.retain(|record| !(record.0 == "NS" && record.1 == label));
        domain.records.extend(hosts.map(|host| ("NS".to_owned(), label.clone(), host, ttl)));
    }

    fn ds(&self, name: &str) -> Vec<String> {
        let held = self.domains.get(name).map(|domain| domain.ds.as_slice()).unwrap_or_default();
        held.iter()
            .map(|ds| {
                let number = |name: &str, table: &[(&str, u8)]| {
                    table.iter().find(|(known, _)| ds[name] == *known).map_or(0, |(_, number)| *number)
                };
                let algorithm =
                    number("algorithm", &[("RSASHA256", 8), ("ECDSAP256SHA256", 13), ("ED25519", 15)]);
                let digest = number("digestType", &[("SHA1", 1), ("SHA256", 2), ("SHA384", 4)]);
                format!("{} {algorithm} {digest} {}", ds["keyTag"], ds["digest"].as_str().unwrap_or_default())
                    .to_ascii_lowercase()
            })
            .collect()
    }

    fn rest(&self, name: &str) -> String {
        let mut text = String::new();
        for (zone, domain) in &self.domains {
            let mut records: Vec<_> = domain
                .records
                .iter()
                .filter(|record| !(record.0 == "NS" && format!("{}.{zone}", record.1) == name))
                .collect();
            records.sort();
            let ns = if zone == name { &Vec::new() } else { &domain.ns };
            text.push_str(&format!("{zone} {} {ns:?} {records:?}\n", domain.status));
        }
        text
    }

    fn fail_next(&mut self) {
        self.fail_next = true;
    }
}

/// An id that stays while the record does.
fn id((rtype, name, data, _): &(String, String, String, u32)) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("{rtype}-{name}-{data}").chars().map(plain).collect()
}

fn action(kind: &str, status: &str) -> Value {
    json!({ "type": kind, "origination": "USER", "createdAt": "2026-01-02T03:04:05.000Z", "status": status })
}

fn same(a: &Value, b: &Value) -> bool {
    ["keyTag", "algorithm", "digestType", "digest"].iter().all(|part| a[part] == b[part])
}

fn check_names(names: &[String]) -> Result<(), Reply> {
    if !(2..=13).contains(&names.len()) {
        return Err(field(422, "nameServers", "between 2 and 13 nameservers are needed"));
    }
    for (at, name) in names.iter().enumerate() {
        if name.ends_with('.') || !name.contains('.') || name.contains("unregistered") {
            return Err(field(
                422,
                &format!("nameServers[{at}]"),
                "is not a nameserver that the registry takes",
            ));
        }
    }
    Ok(())
}

fn parse(
    at: usize,
    record: &Value,
    rtype: Option<&str>,
    name: Option<&str>,
) -> Result<(String, String, String, u32), Reply> {
    let text = |part: &str| record[part].as_str();
    let (rtype, name) = (rtype.or(text("type")), name.or(text("name")));
    let (Some(rtype), Some(name), Some(data)) = (rtype, name, text("data")) else {
        return Err(field(422, &format!("records[{at}]"), "lacks a part"));
    };
    if !["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"].contains(&rtype) {
        return Err(field(422, &format!("records[{at}].type"), "is not a type that zones here have"));
    }
    let ttl = record["ttl"].as_u64().unwrap_or(3600);
    if !(600..=86_400).contains(&ttl) || (rtype == "NS" && data.ends_with('.')) {
        return Err(field(422, &format!("records[{at}]"), "has a value out of range"));
    }
    Ok((rtype.to_owned(), name.to_owned(), data.to_owned(), u32::try_from(ttl).unwrap_or(3600)))
}

fn not_found(name: &str) -> Reply {
    failure(404, "NOT_FOUND", &format!("The domain {name} is not in this account"))
}

fn failure(status: u16, code: &str, words: &str) -> Reply {
    Reply::json(status, &json!({ "code": code, "message": words }))
}

fn field(status: u16, path: &str, words: &str) -> Reply {
    let fields = [json!({ "path": path, "code": "UNEXPECTED_VALUE", "message": words })];
    Reply::json(
        status,
        &json!({ "code": "INVALID_BODY", "message": "Request body doesn't fulfill schema", "fields": fields }),
    )
}
