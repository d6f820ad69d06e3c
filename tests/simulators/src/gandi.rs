//! Gandi v5: the domain API, whose changes show only after a while and have no task, and LiveDNS, whose records are
//! replaced per name and type. Kept as it is known from the documents and from `go-gandi`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Reply, Request, Vendor, dnssec};

const OWN: [&str; 3] = ["ns-1-a.gandi.net", "ns-2-b.gandi.net", "ns-3-c.gandi.net"];

/// Looks at a domain before a change shows: as many as one reading of everything takes.
const LOOKS: u32 = 3;

/// RRsets by name and type: TTL and values.
pub type Records = BTreeMap<(String, String), (u32, Vec<String>)>;

/// One domain of the account.
#[derive(Debug, Clone)]
pub struct Domain {
    /// EPP statuses.
    pub status: Vec<&'static str>,
    /// The LiveDNS zone; none when there is none.
    pub records: Option<Records>,
    held: Held,
    later: Option<(u32, Held)>,
}

/// What the registry holds.
#[derive(Debug, Clone)]
struct Held {
    ns: Vec<String>,
    current: &'static str,
    keys: Vec<Value>,
}

/// The simulator.
pub struct Gandi {
    /// The token of the account, and of a stranger without domains.
    pub tokens: [String; 2],
    domains: BTreeMap<String, Domain>,
    last_id: u64,
}

type Answered = Result<Reply, Reply>;

/// An account with one domain, and a stranger's without.
impl Default for Gandi {
    fn default() -> Self {
        let record = |name: &str, rtype: &str, value: &str| {
            ((name.to_owned(), rtype.to_owned()), (10_800, vec![value.to_owned()]))
        };
        let records = [
            record("@", "A", "192.0.2.1"),
            record("@", "MX", "10 spool.mail.gandi.net."),
            record("@", "TXT", "\"v=spf1 mx -all\""),
            record("www", "CNAME", "webredir.vip.gandi.net."),
        ];
        let domain = Domain {
            status: vec!["clientTransferProhibited"],
            records: Some(records.into()),
            held: Held { ns: OWN.map(str::to_owned).into(), current: "livedns", keys: Vec::new() },
            later: None,
        };
        Self {
            tokens: ["acme-token-0123", "other-token-4567"].map(str::to_owned),
            domains: [("acme.example".to_owned(), domain)].into(),
            last_id: 0,
        }
    }
}

impl Gandi {
    /// A domain, to look at or to change by hand.
    pub fn domain(&mut self, name: &str) -> Option<&mut Domain> {
        self.domains.get_mut(name)
    }

    fn zone_of(&self, name: &str) -> Option<(String, String)> {
        let below = |zone: &&String| name.strip_suffix(zone.as_str()).is_some_and(|head| head.ends_with('.'));
        let zone = self.domains.keys().find(below)?;
        Some((zone.clone(), name[..name.len() - zone.len() - 1].to_owned()))
    }

    fn serve(&mut self, request: &Request) -> Answered {
        let known = |token: &str| self.tokens.iter().position(|known| known == token);
        match request.bearer().and_then(known) {
            None => return Err(failure(401, "The server could not verify that you authorized this access")),
            Some(0) => {}
            Some(_) => return Err(failure(403, "Access was denied to this resource.")),
        }
        let parts = request.below("/v5/").unwrap_or_default();
        match parts.as_slice() {
            ["domain", "domains", name, rest @ ..] => self.on_domain(request, name, rest),
            ["livedns", "domains"] if request.method == "GET" => {
                let names: Vec<_> =
                    self.domains.iter().filter(|(_, domain)| domain.records.is_some()).collect();
                let list: Vec<_> = names.iter().map(|(name, _)| json!({ "fqdn": name })).collect();
                Ok(Reply::json(200, &json!(list)).with("total-count", &list.len().to_string()))
            }
            ["livedns", "domains", name, rest @ ..] => self.on_zone(request, name, rest),
            _ => Err(failure(404, "The resource could not be found.")),
        }
    }

    fn on_domain(&mut self, request: &Request, name: &str, rest: &[&str]) -> Answered {
        self.last_id += 1;
        let id = self.last_id;
        let domain = self.domains.get_mut(name).ok_or_else(|| failure(404, "The domain doesn't exist."))?;
        if request.method == "GET" {
            domain.look();
        }
        let done = || Reply::json(202, &json!({ "message": "Confirmed. The change is under way." }));
        match (request.method.as_str(), rest) {
            ("GET", []) => Ok(Reply::json(
                200,
                &json!({ "fqdn": name, "fqdn_unicode": name, "nameservers": domain.held.ns, "status": domain.status,
                    "services": ["gandilivedns"], "tld": "example",
                    "dates": { "registry_ends_at": "2031-01-02T03:04:05Z", "created_at": "2020-01-02T03:04:05Z" } }),
            )),
            ("GET", ["nameservers"]) => Ok(Reply::json(200, &json!(domain.held.ns))),
            ("GET", ["livedns"]) => {
                Ok(Reply::json(200, &json!({ "current": domain.held.current, "nameservers": OWN })))
            }
            ("GET", ["dnskeys"]) => Ok(Reply::json(200, &json!(domain.held.keys))),
            ("PUT", ["nameservers"]) => {
                let body = request.json().unwrap_or_default();
                let names: Vec<_> =
                    body["nameservers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let wrong =
                    names.iter().position(|name| name.ends_with('.') || name.contains("unregistered"));
                if names.len() < 2 || wrong.is_some() {
                    let field = format!("nameservers.{}", wrong.unwrap_or(0));
                    return Err(wrong_body(&field, "is not a nameserver that the registry takes"));
                }
                let names = names.into_iter().map(str::to_owned).collect();
                domain.change(|held| (held.ns, held.current) = (names, "other"))?;
                Ok(done())
            }
            ("POST", ["livedns"]) => {
                domain.change(|held| (held.ns, held.current) = (OWN.map(str::to_owned).into(), "livedns"))?;
                Ok(done())
            }
            ("POST", ["dnskeys"]) => {
                let mut key = request.json().unwrap_or_default();
                let ds = ds(name, &key).ok_or_else(|| wrong_body("public_key", "is not a key"))?;
                let words: Vec<_> = ds.split(' ').collect();
                (key["id"], key["keytag"]) = (json!(id), json!(words[0].parse::<u16>().unwrap_or(0)));
                (key["digest_type"], key["digest"]) = (json!(2), json!(words[3]));
                if domain.newest().keys.iter().any(|held| held["digest"] == key["digest"]) {
                    return Err(failure(409, "The key exists."));
                }
                domain.change(|held| held.keys.push(key))?;
                Ok(done())
            }
            ("DELETE", ["dnskeys", wanted]) => {
                let wanted = wanted.parse::<u64>().ok();
                if domain.newest().keys.iter().all(|key| key["id"].as_u64() != wanted) {
                    return Err(failure(404, "The key doesn't exist."));
                }
                domain.change(|held| held.keys.retain(|key| key["id"].as_u64() != wanted))?;
                Ok(done())
            }
            _ => Err(failure(405, "The method is not allowed for this resource.")),
        }
    }

    fn on_zone(&mut self, request: &Request, name: &str, rest: &[&str]) -> Answered {
        let unknown = || failure(404, "Unknown domain");
        let records =
            self.domains.get_mut(name).and_then(|domain| domain.records.as_mut()).ok_or_else(unknown)?;
        let shown = |((label, rtype), (ttl, values)): (&(String, String), &(u32, Vec<String>))| {
            json!({ "rrset_name": label, "rrset_type": rtype, "rrset_ttl": ttl, "rrset_values": values,
                "rrset_href": format!("https://api.gandi.net/v5/livedns/domains/{name}/records/{label}/{rtype}") })
        };
        let number = |name: &str, default: usize| {
            request.param(name).and_then(|text| text.parse().ok()).unwrap_or(default).max(1)
        };
        match (request.method.as_str(), rest) {
            ("GET", []) => Ok(Reply::json(200, &json!({ "fqdn": name, "automatic_snapshots": true }))),
            ("GET", ["records"]) => {
                let (page, size) = (number("page", 1), number("per_page", 100));
                let sets: Vec<_> = records.iter().skip((page - 1) * size).take(size).map(shown).collect();
                Ok(Reply::json(200, &json!(sets)).with("total-count", &records.len().to_string()))
            }
            ("GET", ["records", label]) => {
                let sets: Vec<_> = records.iter().filter(|set| set.0.0 == *label).map(shown).collect();
                if sets.is_empty() {
                    return Err(failure(404, "Can't find the DNS record"));
                }
                Ok(Reply::json(200, &json!(sets)))
            }
            ("POST", ["records"]) => {
                let body = request.json().unwrap_or_default();
                let text = |part: &str| body[part].as_str().unwrap_or_default().to_owned();
                let key = (text("rrset_name"), text("rrset_type"));
                if records.contains_key(&key) {
                    return Err(failure(409, "A DNS Record already exists with same value"));
                }
                let values = body["rrset_values"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let ttl =
                    body["rrset_ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(10_800);
                records.insert(key, (ttl, values.map(str::to_owned).collect()));
                Ok(Reply::json(201, &json!({ "message": "DNS Record Created" })))
            }
            ("PUT", ["records", label, rtype]) => {
                let body = request.json().unwrap_or_default();
                let values = body["rrset_values"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let values: Vec<_> = values.map(str::to_owned).collect();
                let ttl = body["rrset_ttl"].as_u64().unwrap_or(10_800);
                let dotted = *rtype != "NS" || values.iter().all(|value| value.ends_with('.'));
                if values.is_empty() || !dotted || !(300..=2_592_000).contains(&ttl) {
                    return Err(wrong_body("rrset_values", "is not what this type takes"));
                }
                let ttl = u32::try_from(ttl).unwrap_or(10_800);
                records.insert(((*label).to_owned(), (*rtype).to_owned()), (ttl, values));
                Ok(Reply::json(201, &json!({ "message": "DNS Record Created" })))
            }
            ("DELETE", ["records", label, rtype]) => {
                records
                    .remove(&((*label).to_owned(), (*rtype).to_owned()))
                    .ok_or_else(|| failure(404, "Can't find the DNS record"))?;
                Ok(Reply::empty(204))
            }
            _ => Err(failure(405, "The method is not allowed for this resource.")),
        }
    }
}

impl Domain {
    /// Somebody looks, and time passes.
    fn look(&mut self) {
        match self.later.take() {
            Some((0, held)) => self.held = held,
            Some((looks, held)) => self.later = Some((looks - 1, held)),
            None => {}
        }
    }

    fn newest(&self) -> &Held {
        self.later.as_ref().map_or(&self.held, |(_, held)| held)
    }

    fn change(&mut self, change: impl FnOnce(&mut Held)) -> Result<(), Reply> {
        if self.status.contains(&"clientUpdateProhibited") {
            return Err(failure(409, "The domain is locked."));
        }
        let mut held = self.newest().clone();
        change(&mut held);
        self.later = Some((LOOKS, held));
        Ok(())
    }
}

impl Vendor for Gandi {
    fn answer(&mut self, request: &Request) -> Reply {
        self.serve(request).unwrap_or_else(|refused| refused)
    }

    fn busy(&self) -> Reply {
        failure(429, "Rate limit exceeded")
    }

    fn error(&self, status: u16, words: &str) -> Reply {
        failure(status, words)
    }

    fn ns(&self, name: &str) -> Vec<String> {
        if let Some(domain) = self.domains.get(name) {
            return domain.held.ns.clone();
        }
        self.values(name, "NS")
    }

    fn put_ns(&mut self, name: &str, hosts: &[&str], ttl: u32) {
        if let Some(domain) = self.domains.get_mut(name) {
            domain.held.ns = hosts.iter().map(|host| (*host).to_owned()).collect();
            (domain.held.current, domain.later) = ("other", None);
            return;
        }
        let Some((zone, label)) = self.zone_of(name) else { return };
        let records = self.domains.get_mut(&zone).and_then(|domain| domain.records.as_mut());
        let values = hosts.iter().map(|host| format!("{host}.")).collect();
        records.into_iter().for_each(|records| {
            drop(records.insert((label.clone(), "NS".into()), (ttl, Vec::clone(&values))))
        });
    }

    fn ds(&self, name: &str) -> Vec<String> {
        if let Some(domain) = self.domains.get(name) {
            return domain.held.keys.iter().filter_map(|key| ds(name, key)).collect();
        }
        self.values(name, "DS").iter().map(|text| text.to_ascii_lowercase()).collect()
    }

    fn rest(&self, name: &str) -> String {
        let mut text = String::new();
        for (zone, domain) in &self.domains {
            let ours =
                |label: &str, rtype: &str| format!("{label}.{zone}") == name && ["NS", "DS"].contains(&rtype);
            let records = domain.records.iter().flatten().filter(|((label, rtype), _)| !ours(label, rtype));
            text.push_str(&format!("{zone} {:?} {:?}\n", domain.status, records.collect::<Vec<_>>()));
        }
        text
    }
}

impl Gandi {
    fn values(&self, name: &str, rtype: &str) -> Vec<String> {
        let Some((zone, label)) = self.zone_of(name) else { return Vec::new() };
        let records = self.domains.get(&zone).and_then(|domain| domain.records.as_ref());
        records
            .and_then(|records| records.get(&(label, rtype.to_owned())))
            .map(|set| set.1.clone())
            .unwrap_or_default()
    }
}

fn ds(name: &str, key: &Value) -> Option<String> {
    let flags = if key["type"] == "ksk" { 257 } else { 256 };
    let algorithm = u8::try_from(key["algorithm"].as_u64()?).ok()?;
    dnssec::ds(name, flags, algorithm, key["public_key"].as_str()?)
}

fn failure(status: u16, words: &str) -> Reply {
    let body = json!({ "code": status, "message": words, "object": "HTTPError", "cause": "Error" });
    Reply::json(status, &body)
}

fn wrong_body(name: &str, words: &str) -> Reply {
    let errors = [json!({ "location": "body", "name": name, "description": words })];
    Reply::json(400, &json!({ "status": "error", "errors": errors }))
}
