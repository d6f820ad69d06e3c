//! OVHcloud's API 1.0: signed calls, rights by rule, domains whose changes are tasks, zones that wait for a refresh.
//!
//! A task takes a step each time somebody looks at it, so no test waits for a clock.

use std::time::{Duration, Instant};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use crate::{Reply, Request, Vendor, dnssec};

/// Seconds since the epoch at the vendor when it starts: far from anybody's own clock.
const START: i64 = 1_700_000_000;
/// How far a signature's time may be off.
const SKEW: i64 = 30;

/// A consumer key with its application and its rights.
pub struct Consumer {
    /// Application key, application secret, consumer key.
    pub keys: [&'static str; 3],
    /// Method and path; a star at the end stands for anything.
    pub rules: Vec<(&'static str, String)>,
    owner: u8,
}

/// The keys that may do everything with `acme.example`.
pub const GOOD: [&str; 3] =
    ["app-key-0123456789", "app-secret-9f8e7d6c5b4a3210", "consumer-key-00112233445566"];
/// Somebody else's keys.
pub const FOREIGN: [&str; 3] =
    ["app-key-other-456", "app-secret-other-0a1b2c3d", "consumer-key-other-778899"];
/// Keys of the first account with rights to read alone.
pub const READER: [&str; 3] =
    ["app-key-0123456789", "app-secret-9f8e7d6c5b4a3210", "consumer-key-reader-5566"];

/// A nameserver of a domain.
pub struct Server {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub host: String,
    /// On its way out.
    pub to_delete: bool,
}

/// A registered domain with its zone.
pub struct Domain {
    /// Its name.
    pub name: String,
    /// `hosted`, `external`, ...
    pub kind: String,
    /// `ok`, `expired`, ...
    pub state: String,
    /// `enabled` or `disabled`: whether the vendor signs the zone.
    pub dnssec: String,
    /// The registry's NS set.
    pub servers: Vec<Server>,
    /// Keys at the registry: `{id, algorithm, flags, publicKey, tag}`.
    pub keys: Vec<Value>,
    /// The zone as it is edited.
    pub records: Vec<Value>,
    /// The zone as it is served.
    pub served: Vec<Value>,
    tasks: Vec<Task>,
    owner: u8,
}

struct Task {
    id: u64,
    function: &'static str,
    steps: usize,
    fails: bool,
    effect: Option<Effect>,
}

enum Effect {
    Servers(Vec<String>),
    Keys(Vec<Value>),
}

/// The vendor.
pub struct Ovh {
    /// Consumers.
    pub consumers: Vec<Consumer>,
    /// Domains.
    pub domains: Vec<Domain>,
    clock: (i64, Instant),
    last: u64,
    fail_next: bool,
}

type Refusal = (u16, &'static str, String);

fn refuse<T>(status: u16, class: &'static str, message: &str) -> Result<T, Refusal> {
    Err((status, class, message.to_owned()))
}

fn absent() -> Refusal {
    (404, "Client::NotFound", "This service does not exist".to_owned())
}

impl Default for Ovh {
    fn default() -> Self {
        let all = |method: &'static str| (method, "/*".to_owned());
        let every = ["GET", "POST", "PUT", "DELETE"].map(all);
        let mut vendor = Self {
            consumers: vec![
                Consumer { keys: GOOD, rules: every.to_vec(), owner: 1 },
                Consumer { keys: FOREIGN, rules: every.to_vec(), owner: 2 },
                Consumer { keys: READER, rules: vec![all("GET")], owner: 1 },
            ],
            domains: Vec::new(),
            clock: (START, Instant::now()),
            last: 100,
            fail_next: false,
        };
        vendor.add("acme.example", 1);
        vendor.add("other.example", 2);
        for (kind, sub, target) in [
            ("A", "", "203.0.113.1"),
            ("A", "www", "203.0.113.1"),
            ("MX", "", "10 mail.acme.example."),
            ("NS", "neighbour", "ns1.neighbour.example."),
            ("TXT", "", "\"v=spf1 mx -all\""),
        ] {
            let id = vendor.id();
            let record = json!({"id": id, "zone": "acme.example", "fieldType": kind, "subDomain": sub,
                "target": target, "ttl": 0});
            vendor.domains[0].records.push(record);
        }
        vendor.domains[0].served = vendor.domains[0].records.clone();
        vendor
    }
}

impl Ovh {
    fn id(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn add(&mut self, name: &str, owner: u8) {
        let mut domain = Domain {
            name: name.into(),
            kind: "hosted".into(),
            state: "ok".into(),
            dnssec: "disabled".into(),
            servers: Vec::new(),
            keys: Vec::new(),
            records: Vec::new(),
            served: Vec::new(),
            tasks: Vec::new(),
            owner,
        };
        self.set_servers(&mut domain, &["dns10.vendor.example", "ns10.vendor.example"]);
        self.domains.push(domain);
    }

    /// The new set, beside the old one that is still being removed.
    fn set_servers(&mut self, domain: &mut Domain, hosts: &[&str]) {
        domain.servers.retain(|server| !server.to_delete);
        for server in &mut domain.servers {
            server.to_delete = true;
        }
        for host in hosts {
            let id = self.id();
            domain.servers.push(Server { id, host: (*host).to_owned(), to_delete: false });
        }
    }

    /// Let time pass at the vendor.
    pub fn skip(&mut self, time: Duration) {
        self.clock.0 += i64::try_from(time.as_secs()).unwrap_or(0);
    }

    fn now(&self) -> i64 {
        self.clock.0 + i64::try_from(self.clock.1.elapsed().as_secs()).unwrap_or(0)
    }

    /// Who calls, if the call is signed well and granted.
    fn caller(&self, request: &Request, path: &str) -> Result<u8, (u16, &'static str, &'static str)> {
        let header = |name| request.header(name).unwrap_or_default();
        let (application, consumer) = (header("x-ovh-application"), header("x-ovh-consumer"));
        if !self.consumers.iter().any(|known| known.keys[0] == application) {
            return Err((403, "INVALID_KEY", "This application key is invalid"));
        }
        let known =
            self.consumers.iter().find(|known| known.keys[0] == application && known.keys[2] == consumer);
        let known = known.ok_or((403, "INVALID_CREDENTIAL", "This credential is not valid"))?;
        let time: i64 = header("x-ovh-timestamp").parse().unwrap_or(0);
        if (time - self.now()).abs() > SKEW {
            return Err((400, "QUERY_TIME_OUT", "Query out of time"));
        }
        let body = String::from_utf8_lossy(&request.body);
        let text = format!("{}+{consumer}+{}+{}+{body}+{time}", known.keys[1], request.method, request.url());
        let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        if header("x-ovh-signature") != format!("$1${hex}") {
            return Err((400, "", "Invalid signature"));
        }
        let granted = known.rules.iter().any(|(method, rule)| {
            *method == request.method
                && rule.strip_suffix('*').map_or(rule == path, |start| path.starts_with(start))
        });
        if !granted {
            return Err((403, "NOT_GRANTED_CALL", "This call has not been granted"));
        }
        Ok(known.owner)
    }

    fn owned(&self, name: &str, owner: u8) -> Result<usize, Refusal> {
        self.domains.iter().position(|domain| domain.name == name && domain.owner == owner).ok_or_else(absent)
    }

    fn route(&mut self, request: &Request, owner: u8, parts: &[&str]) -> Result<Value, Refusal> {
        let body = request.json().unwrap_or_default();
        Ok(match (request.method.as_str(), parts) {
            ("GET", ["auth", "currentCredential"]) => {
                let consumer = request.header("x-ovh-consumer").unwrap_or_default();
                let rules = self.consumers.iter().find(|known| known.keys[2] == consumer).map(|known| {
                    known
                        .rules
                        .iter()
                        .map(|(method, path)| json!({"method": method, "path": path}))
                        .collect::<Vec<_>>()
                });
                json!({"status": "validated", "rules": rules, "expiration": "2030-01-01T00:00:00+01:00",
                    "allowedIPs": null, "applicationId": 7, "credentialId": 9, "ovhSupport": false})
            }
            ("GET", ["domain"] | ["domain", "zone"]) => {
                let mine = self.domains.iter().filter(|domain| domain.owner == owner);
                mine.map(|domain| Value::from(domain.name.as_str())).collect()
            }
            (_, ["domain", "zone", name, rest @ ..]) => {
                let at = self.owned(name, owner)?;
                self.zone(at, request, &body, rest)?
            }
            (_, ["domain", name, rest @ ..]) => {
                let at = self.owned(name, owner)?;
                self.domain(at, request, &body, rest)?
            }
            _ => return refuse(404, "Client::NotFound", "Got an invalid (or empty) URL"),
        })
    }

    fn domain(
        &mut self,
        at: usize,
        request: &Request,
        body: &Value,
        rest: &[&str],
    ) -> Result<Value, Refusal> {
        let domain = &mut self.domains[at];
        Ok(match (request.method.as_str(), rest) {
            ("GET", []) => {
                json!({"domain": domain.name, "nameServerType": domain.kind, "state": domain.state,
                "suspensionState": "not_suspended", "dnssecSupported": true, "dnssecState": domain.dnssec,
                "hostSupported": true, "glueRecordIpv6Supported": true, "transferLockStatus": "locked",
                "expirationDate": "2029-05-01", "nameServers": []})
            }
            ("PUT", []) => {
                let kind = body["nameServerType"].as_str().unwrap_or_default().to_owned();
                if !["external", "hosted"].contains(&kind.as_str()) {
                    return refuse(400, "Client::BadRequest", "Invalid value for nameServerType");
                }
                if kind == "hosted" && domain.kind != "hosted" {
                    domain.servers.clear();
                    let mut domain = self.domains.remove(at);
                    self.set_servers(&mut domain, &["dns10.vendor.example", "ns10.vendor.example"]);
                    self.domains.insert(at, domain);
                }
                self.domains[at].kind = kind;
                Value::Null
            }
            ("GET", ["serviceInfos"]) => {
                json!({"domain": domain.name, "expiration": "2029-05-01", "status": "ok"})
            }
            ("GET", ["nameServer"]) => domain.servers.iter().map(|server| Value::from(server.id)).collect(),
            ("GET", ["nameServer", id]) => {
                let server =
                    domain.servers.iter().find(|server| server.id.to_string() == *id).ok_or_else(absent)?;
                json!({"id": server.id, "host": server.host, "ip": null, "isUsed": !server.to_delete,
                    "toDelete": server.to_delete})
            }
            ("POST", ["nameServers", "update"]) => {
                let hosts = hosts(body)?;
                if domain.kind != "external" {
                    return refuse(
                        400,
                        "Client::BadRequest",
                        "nameServerType must be external to edit name servers",
                    );
                }
                self.start(at, "DomainDnsUpdate", Effect::Servers(hosts))?
            }
            ("GET", ["dsRecord"]) => domain.keys.iter().map(|key| key["id"].clone()).collect(),
            ("GET", ["dsRecord", id]) => domain
                .keys
                .iter()
                .find(|key| key["id"].as_u64() == id.parse().ok())
                .cloned()
                .ok_or_else(absent)?,
            ("POST", ["dsRecord"]) => {
                let keys = body["keys"].as_array().cloned().unwrap_or_default();
                if domain.kind != "external" {
                    return refuse(
                        400,
                        "Client::BadRequest",
                        "DS records of a hosted domain are managed by its zone",
                    );
                }
                let fits = |key: &Value| {
                    Some(fingerprint("x", key)?.split(' ').next()?.parse() == Ok(key["tag"].as_u64()?))
                };
                if keys.len() > 4 || !keys.iter().all(|key| fits(key) == Some(true)) {
                    return refuse(400, "Client::BadRequest", "The keys are not valid");
                }
                self.start(at, "DomainDsUpdate", Effect::Keys(keys))?
            }
            ("GET", ["task"]) => {
                let (status, function) = (request.param("status"), request.param("function"));
                let tasks = domain.tasks.iter().filter(|task| {
                    status.is_none_or(|status| task.status() == status)
                        && function.is_none_or(|function| task.function == function)
                });
                tasks.map(|task| Value::from(task.id)).collect()
            }
            ("GET", ["task", id]) => {
                let at_task =
                    domain.tasks.iter().position(|task| task.id.to_string() == *id).ok_or_else(absent)?;
                self.advance(at, at_task)
            }
            _ => return refuse(404, "Client::NotFound", "Got an invalid (or empty) URL"),
        })
    }

    fn start(&mut self, at: usize, function: &'static str, effect: Effect) -> Result<Value, Refusal> {
        if self.domains[at].tasks.iter().any(|task| matches!(task.status(), "todo" | "doing")) {
            return refuse(409, "Client::Conflict", "A task is in progress on this domain");
        }
        let (id, fails) = (self.id(), std::mem::take(&mut self.fail_next));
        let task = Task { id, function, steps: 0, fails, effect: Some(effect) };
        let shown = task.shown();
        self.domains[at].tasks.push(task);
        Ok(shown)
    }

    /// What the task is now; its next step follows.
    fn advance(&mut self, at: usize, at_task: usize) -> Value {
        let task = &mut self.domains[at].tasks[at_task];
        let shown = task.shown();
        task.steps += 1;
        if task.status() != "done" {
            return shown;
        }
        match task.effect.take() {
            Some(Effect::Servers(hosts)) => {
                let mut domain = self.domains.remove(at);
                self.set_servers(&mut domain, &hosts.iter().map(String::as_str).collect::<Vec<_>>());
                self.domains.insert(at, domain);
            }
            Some(Effect::Keys(mut keys)) => {
                for key in &mut keys {
                    key["id"] = self.id().into();
                    key["status"] = "ok".into();
                }
                self.domains[at].keys = keys;
            }
            None => {}
        }
        shown
    }

    fn zone(&mut self, at: usize, request: &Request, body: &Value, rest: &[&str]) -> Result<Value, Refusal> {
        let new = self.last + 1;
        let domain = &mut self.domains[at];
        let find = |domain: &Domain, id: &str| {
            domain
                .records
                .iter()
                .position(|record| record["id"].as_u64() == id.parse().ok())
                .ok_or_else(absent)
        };
        Ok(match (request.method.as_str(), rest) {
            ("GET", []) => json!({"name": domain.name, "dnssecSupported": true, "hasDnsAnycast": false,
                "nameServers": ["dns10.vendor.example", "ns10.vendor.example"], "lastUpdate": "2024-01-01T00:00:00Z"}),
            ("GET", ["status"]) => {
                json!({"isDeployed": domain.records == domain.served, "errors": [], "warnings": []})
            }
            ("GET", ["dnssec"]) => json!({"status": domain.dnssec}),
            ("DELETE", ["dnssec"]) => {
                domain.dnssec = "disabled".into();
                Value::Null
            }
            ("POST", ["refresh"]) => {
                domain.served = domain.records.clone();
                Value::Null
            }
            ("GET", ["record"]) => {
                let (kind, sub) = (request.param("fieldType"), request.param("subDomain"));
                let records = domain.records.iter().filter(|record| {
                    kind.is_none_or(|kind| record["fieldType"] == kind)
                        && sub.is_none_or(|sub| record["subDomain"] == sub)
                });
                records.map(|record| record["id"].clone()).collect()
            }
            ("GET", ["record", id]) => domain.records[find(domain, id)?].clone(),
            ("POST", ["record"]) => {
                let mut record = json!({"id": new, "zone": domain.name, "subDomain": "", "ttl": 0});
                for field in ["fieldType", "subDomain", "target", "ttl"] {
                    if let Some(value) = body.get(field) {
                        record[field] = value.clone();
                    }
                }
                check(&record)?;
                self.last = new;
                domain.records.push(record.clone());
                record
            }
            ("PUT", ["record", id]) => {
                let at = find(domain, id)?;
                let mut record = domain.records[at].clone();
                for field in ["subDomain", "target", "ttl"] {
                    if let Some(value) = body.get(field) {
                        record[field] = value.clone();
                    }
                }
                check(&record)?;
                domain.records[at] = record;
                Value::Null
            }
            ("DELETE", ["record", id]) => {
                let at = find(domain, id)?;
                domain.records.remove(at);
                Value::Null
            }
            _ => return refuse(404, "Client::NotFound", "Got an invalid (or empty) URL"),
        })
    }
}

impl Task {
    fn status(&self) -> &'static str {
        match (self.steps, self.fails) {
            (0, _) => "todo",
            (1 | 2, _) => "doing",
            (_, false) => "done",
            (_, true) => "error",
        }
    }

    fn shown(&self) -> Value {
        let comment = if self.status() == "error" { "The zonecheck failed: ns1 does not answer" } else { "" };
        json!({"id": self.id, "function": self.function, "status": self.status(), "comment": comment,
            "canAccelerate": false, "canCancel": false, "canRelaunch": false})
    }
}

fn hosts(body: &Value) -> Result<Vec<String>, Refusal> {
    let list = body["nameServers"].as_array().cloned().unwrap_or_default();
    let hosts: Vec<_> = list.iter().filter_map(|server| server["host"].as_str().map(str::to_owned)).collect();
    let bad = hosts.iter().any(|host| host.ends_with('.') || host.ends_with(".invalid"));
    if bad || hosts.len() != list.len() || !(2..=8).contains(&hosts.len()) {
        return refuse(400, "Client::BadRequest", "Invalid name servers");
    }
    Ok(hosts)
}

fn check(record: &Value) -> Result<(), Refusal> {
    let types = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"];
    let ttl = record["ttl"].as_u64().unwrap_or(0);
    if !record["fieldType"].as_str().is_some_and(|kind| types.contains(&kind)) {
        return refuse(400, "Client::BadRequest", "Invalid value for fieldType");
    }
    if record["target"].as_str().is_none_or(str::is_empty) || (ttl != 0 && ttl < 60) {
        return refuse(400, "Client::BadRequest", "Invalid record");
    }
    Ok(())
}

fn fingerprint(owner: &str, key: &Value) -> Option<String> {
    let number = |name: &str| key[name].as_u64().and_then(|number| u16::try_from(number).ok());
    let text = key["publicKey"].as_str().or(key["publickey"].as_str())?;
    dnssec::ds(owner, number("flags")?, u8::try_from(number("algorithm")?).ok()?, text)
}

/// The target as resolvers see it: without a dot at the end the zone's name follows.
fn absolute(record: &Value, zone: &str) -> String {
    let target = record["target"].as_str().unwrap_or_default();
    target.strip_suffix('.').map_or_else(|| format!("{target}.{zone}"), str::to_owned)
}

impl Vendor for Ovh {
    fn answer(&mut self, request: &Request) -> Reply {
        let path = request.path.strip_prefix("/1.0").unwrap_or_default().to_owned();
        if path == "/auth/time" {
            return Reply::json(200, &self.now().into());
        }
        let owner = match self.caller(request, &path) {
            Ok(owner) => owner,
            Err((status, "", message)) => {
                return Reply::json(status, &json!({"class": "Client::BadRequest", "message": message}));
            }
            Err((status, code, message)) => {
                let body =
                    json!({"errorCode": code, "httpCode": format!("{status} Error"), "message": message});
                return Reply::json(status, &body);
            }
        };
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        match self.route(request, owner, &parts) {
            Ok(value) => Reply::json(200, &value).with("x-ovh-queryid", "EU.ext-1.sim"),
            Err((status, class, message)) => {
                Reply::json(status, &json!({"class": class, "message": message}))
            }
        }
    }

    fn busy(&self) -> Reply {
        Reply::json(429, &json!({"class": "Client::TooManyRequests", "message": "Too many requests"}))
    }

    fn error(&self, status: u16, words: &str) -> Reply {
        let class = if status >= 500 { "Server::InternalServerError" } else { "Client::Error" };
        Reply::json(status, &json!({"class": class, "message": words}))
    }

    fn ns(&self, name: &str) -> Vec<String> {
        if let Some(domain) = self.domains.iter().find(|domain| domain.name == name) {
            let used = domain.servers.iter().filter(|server| !server.to_delete);
            return used.map(|server| server.host.clone()).collect();
        }
        let zone = &self.domains[0];
        let ours =
            zone.served.iter().filter(|record| at(record, &zone.name, name) && record["fieldType"] == "NS");
        ours.map(|record| absolute(record, &zone.name)).collect()
    }

    fn put_ns(&mut self, name: &str, hosts: &[&str], ttl: u32) {
        if let Some(index) = self.domains.iter().position(|domain| domain.name == name) {
            let mut domain = self.domains.remove(index);
            domain.kind = "external".into();
            domain.tasks.clear();
            self.set_servers(&mut domain, hosts);
            self.domains.insert(index, domain);
            return;
        }
        let zone = self.domains[0].name.clone();
        let mut records = std::mem::take(&mut self.domains[0].records);
        records.retain(|record| !at(record, &zone, name) || record["fieldType"] != "NS");
        let sub = name.strip_suffix(&format!(".{zone}")).unwrap_or(name);
        for host in hosts {
            records.push(json!({"id": self.id(), "zone": zone, "fieldType": "NS", "subDomain": sub,
                "target": format!("{host}."), "ttl": ttl}));
        }
        self.domains[0].served = records.clone();
        self.domains[0].records = records;
    }

    fn ds(&self, name: &str) -> Vec<String> {
        let domain = self.domains.iter().find(|domain| domain.name == name);
        let keys = domain.into_iter().flat_map(|domain| &domain.keys);
        keys.filter_map(|key| fingerprint(name, key)).collect()
    }

    fn rest(&self, name: &str) -> String {
        let mut text = String::new();
        for domain in &self.domains {
            if domain.name != name {
                let servers: Vec<_> = domain.servers.iter().map(|server| &server.host).collect();
                text += &format!("{} {} {servers:?} {:?}\n", domain.name, domain.kind, domain.keys);
            }
            for records in [&domain.records, &domain.served] {
                let ours = |record: &&Value| at(record, &domain.name, name) && record["fieldType"] == "NS";
                text.extend(
                    records.iter().filter(|record| !ours(record)).map(|record| format!("{record}\n")),
                );
            }
        }
        text
    }

    fn fail_next(&mut self) {
        self.fail_next = true;
    }
}

fn at(record: &Value, zone: &str, name: &str) -> bool {
    record["subDomain"].as_str().is_some_and(|sub| format!("{sub}.{zone}") == name)
}
