//! Porkbun's API v3: every call is a POST with the keys in its body.

use serde_json::{Value, json};

use crate::{Reply, Request, Vendor};

/// Key and secret of the account with `acme.example`.
pub const GOOD: [&str; 2] = ["pk1_0123456789abcdef0123", "sk1_fedcba9876543210fedc"];
/// Key and secret of somebody else.
pub const FOREIGN: [&str; 2] = ["pk1_other_000011112222", "sk1_other_333344445555"];

const OWN: [&str; 4] = [
    "curitiba.ns.porkbun.com",
    "fortaleza.ns.porkbun.com",
    "maceio.ns.porkbun.com",
    "salvador.ns.porkbun.com",
];
const READS: &[&str] = &["ping", "listAll", "getNs", "getDnssecRecords", "retrieve", "retrieveByNameType"];

/// A domain.
pub struct Domain {
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `EXPIRED`, ...
    pub status: String,
    /// Whether its owner switched API access on.
    pub opted_in: bool,
    /// The registry's NS set.
    pub ns: Vec<String>,
    /// Keys: `{keyTag, alg, digestType, digest}`, all texts.
    pub keys: Vec<Value>,
    /// The zone.
    pub records: Vec<Value>,
    owner: usize,
}

/// The vendor.
pub struct Porkbun {
    /// Domains.
    pub domains: Vec<Domain>,
    last: u64,
}

impl Default for Porkbun {
    fn default() -> Self {
        let domain = |name: &str, owner| Domain {
            name: name.into(),
            status: "ACTIVE".into(),
            opted_in: true,
            ns: OWN.map(str::to_owned).into(),
            keys: Vec::new(),
            records: Vec::new(),
            owner,
        };
        let mut vendor =
            Self { domains: vec![domain("acme.example", 0), domain("other.example", 1)], last: 1000 };
        for (kind, name, content) in [
            ("A", "acme.example", "203.0.113.1"),
            ("CNAME", "www.acme.example", "acme.example"),
            ("MX", "acme.example", "mail.acme.example"),
            ("TXT", "acme.example", "v=spf1 mx -all"),
            ("NS", "neighbour.acme.example", "ns1.neighbour.example"),
        ] {
            vendor.insert(kind, name, content, 600);
        }
        vendor
    }
}

type Refusal = (u16, &'static str);

impl Porkbun {
    fn insert(&mut self, kind: &str, name: &str, content: &str, ttl: u64) -> u64 {
        self.last += 1;
        let record = json!({"id": self.last.to_string(), "name": name, "type": kind, "content": content,
            "ttl": ttl.to_string(), "prio": "0", "notes": null});
        self.domains[0].records.push(record);
        self.last
    }

    fn route(&mut self, request: &Request) -> Result<Value, Refusal> {
        if request.method != "POST" {
            return Err((400, "All HTTP request must use POST."));
        }
        let body = request.json().ok_or((400, "Invalid JSON."))?;
        let field = |name: &str| body[name].as_str().unwrap_or_default();
        let pair = [field("apikey"), field("secretapikey")];
        let owner = [GOOD, FOREIGN].iter().position(|known| *known == pair);
        let owner = owner.ok_or((400, "Invalid API key. (002)"))?;
        let parts = request.below("/api/json/v3").unwrap_or_default();
        if let ["domain", "listAll"] = parts[..] {
            let start: usize = field("start").parse().unwrap_or(0);
            let mine = self.domains.iter().filter(|domain| domain.owner == owner).skip(start).take(1000);
            let shown = mine.map(|domain| {
                json!({"domain": domain.name, "status": domain.status, "tld": "example", "securityLock": "1",
                    "createDate": "2020-01-01 00:00:00", "expireDate": "2030-01-01 00:00:00", "autoRenew": 1})
            });
            return Ok(json!({"domains": shown.collect::<Vec<_>>()}));
        }
        let [area, verb, name, rest @ ..] = parts.as_slice() else { return Err((400, "Invalid endpoint.")) };
        let at = self.domains.iter().position(|domain| domain.name == *name && domain.owner == owner);
        let at = at.ok_or((400, "Invalid domain."))?;
        if !self.domains[at].opted_in {
            return Err((400, "Domain is not opted in to API access."));
        }
        self.domain(at, area, verb, rest, &body)
    }

    fn domain(
        &mut self,
        at: usize,
        area: &str,
        verb: &str,
        rest: &[&str],
        body: &Value,
    ) -> Result<Value, Refusal> {
        let new = self.last + 1;
        let domain = &mut self.domains[at];
        Ok(match (area, verb, rest) {
            ("domain", "getNs", []) => json!({"ns": domain.ns}),
            ("domain", "updateNs", []) => {
                let hosts = body["ns"].as_array().cloned().unwrap_or_default();
                let hosts: Vec<_> =
                    hosts.iter().filter_map(|host| host.as_str().map(str::to_owned)).collect();
                if hosts.len() < 2 || hosts.iter().any(|host| host.ends_with(".invalid")) {
                    return Err((400, "We were unable to update your name servers."));
                }
                domain.ns = hosts;
                json!({})
            }
            // An empty map is a list.
            ("dns", "getDnssecRecords", []) if domain.keys.is_empty() => json!({"records": []}),
            ("dns", "getDnssecRecords", []) => {
                let keys = domain
                    .keys
                    .iter()
                    .map(|key| (key["keyTag"].as_str().unwrap_or_default().to_owned(), key.clone()));
                json!({"records": keys.collect::<serde_json::Map<_, _>>()})
            }
            ("dns", "createDnssecRecord", []) => {
                let part = |name: &str| body[name].as_str().ok_or((400, "Missing DNSSEC field."));
                let key = json!({"keyTag": part("keyTag")?, "alg": part("alg")?, "digestType": part("digestType")?,
                    "digest": part("digest")?.to_ascii_uppercase()});
                if domain.keys.iter().any(|known| known["keyTag"] == key["keyTag"]) {
                    return Err((400, "A record with this key tag exists."));
                }
                domain.keys.push(key);
                json!({})
            }
            ("dns", "deleteDnssecRecord", [tag]) => {
                let before = domain.keys.len();
                domain.keys.retain(|key| key["keyTag"] != **tag);
                if domain.keys.len() == before {
                    return Err((400, "Could not find the record."));
                }
                json!({})
            }
            ("dns", "retrieve", []) => json!({"cloudflare": "enabled", "records": domain.records}),
            ("dns", "create", []) => {
                let mut record = checked(body, &domain.name)?;
                record["id"] = new.to_string().into();
                domain.records.push(record);
                self.last = new;
                json!({"id": new})
            }
            ("dns", "edit", [id]) => {
                let mut record = checked(body, &domain.name)?;
                let old = domain.records.iter_mut().find(|record| record["id"] == **id);
                let old = old.ok_or((400, "Could not find the record."))?;
                record["id"] = old["id"].clone();
                *old = record;
                json!({})
            }
            ("dns", "delete", [id]) => {
                let found = domain.records.iter().position(|record| record["id"] == **id);
                domain.records.remove(found.ok_or((400, "Could not find the record."))?);
                json!({})
            }
            _ => return Err((400, "Invalid endpoint.")),
        })
    }
}

fn checked(body: &Value, zone: &str) -> Result<Value, Refusal> {
    let field = |name: &str| body[name].as_str().unwrap_or_default();
    let types = ["A", "AAAA", "ALIAS", "CAA", "CNAME", "HTTPS", "MX", "NS", "SRV", "SVCB", "TLSA", "TXT"];
    let ttl: u64 = field("ttl").parse().unwrap_or(600);
    if !types.contains(&field("type")) || field("content").is_empty() || ttl < 600 {
        return Err((400, "Edit error: We were unable to edit the DNS record."));
    }
    let name = if field("name").is_empty() { zone.to_owned() } else { format!("{}.{zone}", field("name")) };
    Ok(
        json!({"name": name, "type": field("type"), "content": field("content"), "ttl": ttl.to_string(), "prio": "0",
        "notes": null}),
    )
}

impl Vendor for Porkbun {
    fn answer(&mut self, request: &Request) -> Reply {
        match self.route(request) {
            Ok(mut value) => {
                value["status"] = "SUCCESS".into();
                Reply::json(200, &value)
            }
            Err((status, text)) => self.error(status, text),
        }
    }

    /// Reads are POSTs too.
    fn writes(&self, request: &Request) -> bool {
        !request.below("/api/json/v3").unwrap_or_default().iter().any(|part| READS.contains(part))
    }

    fn busy(&self) -> Reply {
        self.error(429, "Too many requests.")
    }

    fn error(&self, status: u16, words: &str) -> Reply {
        Reply::json(status, &json!({"status": "ERROR", "message": words}))
    }

    fn ns(&self, name: &str) -> Vec<String> {
        if let Some(domain) = self.domains.iter().find(|domain| domain.name == name) {
            return domain.ns.clone();
        }
        let here =
            self.domains[0].records.iter().filter(|record| record["name"] == name && record["type"] == "NS");
        here.filter_map(|record| record["content"].as_str().map(str::to_owned)).collect()
    }

    fn put_ns(&mut self, name: &str, hosts: &[&str], ttl: u32) {
        if let Some(domain) = self.domains.iter_mut().find(|domain| domain.name == name) {
            domain.ns = hosts.iter().map(|host| (*host).to_owned()).collect();
            return;
        }
        self.domains[0].records.retain(|record| record["name"] != name || record["type"] != "NS");
        for host in hosts {
            self.insert("NS", name, host, u64::from(ttl));
        }
    }

    fn ds(&self, name: &str) -> Vec<String> {
        let keys = self.domains.iter().filter(|domain| domain.name == name).flat_map(|domain| &domain.keys);
        keys.map(|key| {
            let part = |field: &str| key[field].as_str().unwrap_or_default();
            let text =
                format!("{} {} {} {}", part("keyTag"), part("alg"), part("digestType"), part("digest"));
            text.to_ascii_lowercase()
        })
        .collect()
    }

    fn rest(&self, name: &str) -> String {
        let mut text = String::new();
        for domain in &self.domains {
            if domain.name != name {
                text += &format!("{} {:?} {:?}\n", domain.name, domain.ns, domain.keys);
            }
            let others =
                domain.records.iter().filter(|record| record["name"] != name || record["type"] != "NS");
            text.extend(others.map(|record| format!("{record}\n")));
        }
        text
    }
}
