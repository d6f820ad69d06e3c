//! Dynadot's REST v2: signed calls, an account's list of nameservers, and zones that a careless write replaces.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use crate::{Reply, Request, Vendor};

/// Key and secret of the account with `acme.example`.
pub const GOOD: [&str; 2] = ["dynadot-key-A1b2C3d4E5f6", "dynadot-secret-Z9y8X7w6"];
/// Key and secret of somebody else.
pub const FOREIGN: [&str; 2] = ["dynadot-key-other-000111", "dynadot-secret-other-222333"];

/// A domain.
pub struct Domain {
    /// Its name.
    pub name: String,
    /// `DNS`, `Name Servers`, `Parking`, ...: its DNS setting.
    pub setting: String,
    /// Nameservers, when the setting says so.
    pub servers: Vec<String>,
    /// Keys: `{key_tag, algorithm, digest_type, digest}`.
    pub keys: Vec<Value>,
    /// Records at the apex.
    pub main: Vec<Value>,
    /// Records below it.
    pub sub: Vec<Value>,
    /// The TTL of all of them.
    pub ttl: u64,
    /// Whether the registry takes DS.
    pub dnssec: bool,
    /// Whether it is disabled.
    pub disabled: bool,
    owner: usize,
}

/// The vendor.
pub struct Dynadot {
    /// Domains.
    pub domains: Vec<Domain>,
    /// Nameservers that each account may use.
    pub known: [Vec<String>; 2],
}

const OWN: [&str; 2] = ["ns1.dyna-ns.example", "ns2.dyna-ns.example"];

impl Default for Dynadot {
    fn default() -> Self {
        let record = |kind: &str, value: &str| json!({"record_type": kind, "record_value1": value, "record_value2": ""});
        let mut mail = record("mx", "mail.acme.example");
        mail["record_value2"] = "10".into();
        let mut sub = record("a", "203.0.113.1");
        sub["sub_host"] = "www".into();
        let mut neighbour = record("ns", "ns1.neighbour.example");
        neighbour["sub_host"] = "neighbour".into();
        let domain = |name: &str, owner| Domain {
            name: name.into(),
            setting: "DNS".into(),
            servers: Vec::new(),
            keys: Vec::new(),
            main: vec![record("a", "203.0.113.1"), mail.clone(), record("txt", "v=spf1 mx -all")],
            sub: vec![sub.clone(), neighbour.clone()],
            ttl: 1800,
            dnssec: true,
            disabled: false,
            owner,
        };
        Self {
            domains: vec![domain("acme.example", 0), domain("other.example", 1)],
            known: [Vec::new(), Vec::new()],
        }
    }
}

type Refusal = (u16, &'static str);
const ABSENT: Refusal = (404, "Can not find the domain in the account.");

impl Dynadot {
    fn account(request: &Request) -> Result<usize, Refusal> {
        let key = request.bearer().unwrap_or_default();
        let account = [GOOD, FOREIGN].iter().position(|known| known[0] == key).ok_or((401, "invalid key"))?;
        let secret = [GOOD, FOREIGN][account][1];
        let id = request.header("x-request-id").unwrap_or_default();
        let body = String::from_utf8_lossy(&request.body);
        let text = format!("{key}\n{}\n{id}\n{body}", request.target);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = STANDARD.encode(hmac::sign(&secret, text.as_bytes()));
        if request.header("x-signature") != Some(&signature) {
            return Err((400, "X-Signature invalid"));
        }
        Ok(account)
    }

    fn route(&mut self, request: &Request, account: usize, parts: &[&str]) -> Result<Value, Refusal> {
        let body = request.json().unwrap_or_default();
        let find = |domains: &[Domain], name: &str| {
            domains.iter().position(|domain| domain.name == name && domain.owner == account).ok_or(ABSENT)
        };
        Ok(match (request.method.as_str(), parts) {
            ("GET", ["domains"]) => {
                let mine = self.domains.iter().filter(|domain| domain.owner == account);
                json!({"domain_info_list": mine.map(info).collect::<Vec<_>>()})
            }
            ("GET", ["nameservers"]) => json!({"nameserver_list": self.known[account]}),
            ("POST", ["nameservers", name, "add_external"]) => {
                if self.known[account].iter().any(|known| known == name) {
                    return Err((409, "The name server already exists."));
                }
                if self.domains.iter().any(|domain| below(name, &domain.name)) {
                    return Err((
                        400,
                        "The name server needs to be registered with an ip address before it can be used",
                    ));
                }
                self.known[account].push((*name).to_owned());
                Value::Null
            }
            (method, ["domains", name, rest @ ..]) => {
                let at = find(&self.domains, name)?;
                if method != "GET" && self.domains[at].disabled {
                    return Err((409, "The domain is disabled."));
                }
                self.domain(at, method, rest, &body)?
            }
            _ => return Err((404, "The resource does not exist")),
        })
    }

    fn domain(&mut self, at: usize, method: &str, rest: &[&str], body: &Value) -> Result<Value, Refusal> {
        let known = self.known[self.domains[at].owner].clone();
        let domain = &mut self.domains[at];
        Ok(match (method, rest) {
            ("GET", []) => json!({"domain_info": info(domain)}),
            ("GET", ["nameservers"]) => {
                let servers: Vec<_> =
                    domain.servers.iter().map(|name| json!({"server_name": name})).collect();
                json!({"nameserver_list": servers, "glue_type": domain.setting})
            }
            ("PUT", ["nameservers"]) => {
                let list = body["nameserver_list"].as_array().ok_or((400, "parameter not entered"))?;
                let names: Vec<_> = list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
                if names.len() != list.len() || names.is_empty() || names.len() > 13 {
                    return Err((400, "invalid name servers"));
                }
                if names.iter().any(|name| !known.contains(name)) {
                    return Err((400, "unknown name server: it needs to be added to your account first"));
                }
                domain.servers = names;
                domain.setting = "Name Servers".into();
                Value::Null
            }
            ("GET", ["dnssec"]) if domain.dnssec => json!({"dnssec_info_list": domain.keys}),
            ("PUT", ["dnssec"]) if domain.dnssec => {
                let key = shown_key(body).ok_or((400, "parameter not entered"))?;
                domain.keys.retain(|known| known["key_tag"] != key["key_tag"]);
                domain.keys.push(key);
                Value::Null
            }
            ("DELETE", ["dnssec"]) if domain.dnssec => {
                domain.keys.clear();
                Value::Null
            }
            (_, ["dnssec"]) => return Err((400, "This domain doesn't support DNSSEC.")),
            ("GET", ["records"]) => {
                json!({"glue_info": {"glue_type": domain.setting, "ttl": domain.ttl.to_string(),
                "dns_main_list": domain.main, "dns_sub_list": domain.sub}})
            }
            ("POST", ["records"]) => set_records(domain, body)?,
            _ => return Err((404, "The resource does not exist")),
        })
    }
}

/// Without the flag everything is replaced, and a domain on foreign nameservers comes back to the vendor's DNS.
fn set_records(domain: &mut Domain, body: &Value) -> Result<Value, Refusal> {
    let list = |name: &str| body[name].as_array().cloned().unwrap_or_default();
    let main = list("dns_main_list");
    let sub = if body["dns_sub_list"].is_array() { list("dns_sub_list") } else { list("sub_list") };
    let types = ["a", "aaaa", "caa", "cname", "forward", "mx", "ns", "srv", "stealth", "txt"];
    for record in main.iter().chain(&sub) {
        let kind = record["record_type"].as_str().unwrap_or_default().to_ascii_lowercase();
        if !types.contains(&kind.as_str()) {
            return Err((400, "The value for parameter record_type is invalid."));
        }
        if record["record_value1"].as_str().is_none_or(str::is_empty) {
            return Err((400, "if record_type is entered, record_value1 must be entered"));
        }
    }
    if body["add_dns_to_current_setting"] == true {
        if main.is_empty() && domain.main.is_empty() {
            return Err((403, "the domain doesn't have main dns"));
        }
        domain.main.extend(main);
        domain.sub.extend(sub);
    } else {
        domain.main = main;
        domain.sub = sub;
    }
    if let Some(ttl) = body["ttl"].as_u64() {
        domain.ttl = ttl;
    }
    domain.setting = "DNS".into();
    domain.servers.clear();
    Ok(Value::Null)
}

/// Names and numbers in one text, as it shows them.
fn shown_key(body: &Value) -> Option<Value> {
    let fields = ["key_tag", "digest_type", "digest", "algorithm", "flags", "public_key"];
    if fields.iter().any(|field| body.get(field).is_none()) {
        return None;
    }
    let algorithm = match body["algorithm"].as_str()? {
        "8" => "RSASHA256 (8)",
        "13" => "ECDSAP256SHA256 (13)",
        "15" => "ED25519 (15)",
        _ => return None,
    };
    let digest_type = match body["digest_type"].as_str()? {
        "2" => "SHA-256 (2)",
        "4" => "SHA-384 (4)",
        _ => return None,
    };
    Some(json!({"key_tag": body["key_tag"], "algorithm": algorithm, "digest_type": digest_type,
        "digest": body["digest"].as_str()?.to_ascii_uppercase()}))
}

fn info(domain: &Domain) -> Value {
    json!({"domain_name": domain.name, "expiration_date": "1893456000000", "locked": "yes",
        "disabled": if domain.disabled { "yes" } else { "no" }, "udrp_locked": "no", "hold": "no", "status": "active"})
}

fn below(name: &str, domain: &str) -> bool {
    name == domain || name.ends_with(&format!(".{domain}"))
}

fn number(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let inner = text.rsplit_once('(').map(|(_, rest)| rest.trim_end_matches(')').to_owned());
    inner.unwrap_or(text)
}

impl Vendor for Dynadot {
    fn answer(&mut self, request: &Request) -> Reply {
        let parts = request.below("/restful/v2").unwrap_or_default();
        match Self::account(request).and_then(|account| self.route(request, account, &parts)) {
            Ok(Value::Null) => Reply::json(200, &json!({"code": 200, "message": "Success"})),
            Ok(data) => Reply::json(200, &json!({"code": 200, "message": "Success", "data": data})),
            // An error that is sent as a success.
            Err((404, text)) => Reply::json(
                200,
                &json!({"code": 404, "message": "Not Found", "error": {"description": text}}),
            ),
            Err((status, text)) => self.error(status, text),
        }
    }

    fn busy(&self) -> Reply {
        Reply::json(200, &json!({"code": 429, "message": "Too Many Requests"}))
    }

    fn error(&self, status: u16, words: &str) -> Reply {
        Reply::json(status, &json!({"code": status, "message": "Error", "error": {"description": words}}))
    }

    fn ns(&self, name: &str) -> Vec<String> {
        if let Some(domain) = self.domains.iter().find(|domain| domain.name == name) {
            let own = || OWN.map(str::to_owned).to_vec();
            return if domain.setting == "Name Servers" { domain.servers.clone() } else { own() };
        }
        let (zone, label) = self.place(name);
        let here =
            zone.sub.iter().filter(|record| record["sub_host"] == label && record["record_type"] == "ns");
        here.filter_map(|record| record["record_value1"].as_str().map(str::to_owned)).collect()
    }

    fn put_ns(&mut self, name: &str, hosts: &[&str], _: u32) {
        if let Some(domain) = self.domains.iter_mut().find(|domain| domain.name == name) {
            domain.setting = "Name Servers".into();
            domain.servers = hosts.iter().map(|host| (*host).to_owned()).collect();
            return;
        }
        let label = self.place(name).1;
        let sub = &mut self.domains[0].sub;
        sub.retain(|record| record["sub_host"] != label.as_str() || record["record_type"] != "ns");
        sub.extend(
            hosts.iter().map(|host| json!({"sub_host": label, "record_type": "ns", "record_value1": host})),
        );
    }

    fn ds(&self, name: &str) -> Vec<String> {
        let keys = self.domains.iter().filter(|domain| domain.name == name).flat_map(|domain| &domain.keys);
        keys.map(|key| {
            let part = |field: &str| number(&key[field]);
            format!("{} {} {} {}", part("key_tag"), part("algorithm"), part("digest_type"), part("digest"))
                .to_ascii_lowercase()
        })
        .collect()
    }

    fn rest(&self, name: &str) -> String {
        let mut text = String::new();
        for domain in &self.domains {
            if domain.name != name {
                text +=
                    &format!("{} {} {:?} {:?}\n", domain.name, domain.setting, domain.servers, domain.keys);
            }
            let ours = |record: &&Value| {
                let host = record["sub_host"].as_str().unwrap_or_default();
                format!("{host}.{}", domain.name) == name && record["record_type"] == "ns"
            };
            text += &format!("{} {:?}\n", domain.ttl, domain.main);
            text.extend(domain.sub.iter().filter(|record| !ours(record)).map(|record| format!("{record}\n")));
        }
        text
    }
}

impl Dynadot {
    /// The first zone and the name's label in it.
    fn place(&self, name: &str) -> (&Domain, String) {
        let zone = &self.domains[0];
        (zone, name.strip_suffix(&format!(".{}", zone.name)).unwrap_or(name).to_owned())
    }
}
