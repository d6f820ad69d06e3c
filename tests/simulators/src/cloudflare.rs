//! Cloudflare's API v4: zones, DNS records one by one and in batches, token verification.

use serde_json::{Value, json};

use crate::{Reply, Request, Vendor};

/// A user's token for the zones of account `1`, without the right to see others.
pub const TOKEN: &str = "user-token-0f9a8b7c6d5e4f30";
/// A token that belongs to account `1` itself.
pub const ACCOUNT_TOKEN: &str = "cfat_account-token-77aa88bb99cc";
/// Somebody else's token: valid, for other zones.
pub const FOREIGN: &str = "other-token-1234567890abcdef";
/// A token of account `1` that may read and not edit.
pub const READER: &str = "reader-token-fedcba0987654321";

const TYPES: &[&str] = &["A", "AAAA", "CAA", "CNAME", "DS", "MX", "NS", "SRV", "TXT"];

/// A zone.
pub struct Zone {
    /// Its id.
    pub id: String,
    /// Its apex.
    pub name: String,
    /// `active`, `pending`, `moved`, ...
    pub status: String,
    /// `full`, `partial`, `secondary`.
    pub kind: String,
    /// Its records.
    pub records: Vec<Value>,
    /// Whether it is signed: `active` or `disabled`.
    pub dnssec: String,
    owner: &'static str,
}

/// The vendor.
pub struct Cloudflare {
    /// Its zones.
    pub zones: Vec<Zone>,
    last: u32,
}

impl Default for Cloudflare {
    fn default() -> Self {
        let mut vendor = Self { zones: Vec::new(), last: 0 };
        vendor.zone("acme.example", TOKEN);
        vendor.zone("other.example", FOREIGN);
        for (kind, name, content) in [
            ("A", "acme.example", "203.0.113.1"),
            ("A", "www.acme.example", "203.0.113.1"),
            ("MX", "acme.example", "mail.acme.example"),
            ("TXT", "acme.example", "v=spf1 mx -all"),
            ("NS", "neighbour.acme.example", "ns1.neighbour.example"),
        ] {
            let mut record = json!({"type": kind, "name": name, "content": content, "ttl": 1});
            if kind == "MX" {
                record["priority"] = 10.into();
            }
            vendor.insert(0, record);
        }
        vendor
    }
}

type Refusal = (u16, i64, &'static str);
const NO_ZONE: Refusal =
    (404, 7003, "Could not route to the zone, perhaps your object identifier is invalid?");

impl Cloudflare {
    fn zone(&mut self, name: &str, owner: &'static str) {
        self.zones.push(Zone {
            id: format!("{:032x}", 0xc10f_u32 + u32::try_from(self.zones.len()).unwrap_or(0)),
            name: name.into(),
            status: "active".into(),
            kind: "full".into(),
            records: Vec::new(),
            dnssec: "active".into(),
            owner,
        });
    }

    fn insert(&mut self, zone: usize, mut record: Value) -> Value {
        self.last += 1;
        record["id"] = format!("{:032x}", self.last).into();
        record["proxied"] = record.get("proxied").cloned().unwrap_or(false.into());
        record["proxiable"] = matches!(record["type"].as_str(), Some("A" | "AAAA" | "CNAME")).into();
        self.zones[zone].records.push(record.clone());
        record
    }

    fn may(&self, zone: &Zone, token: &str) -> bool {
        zone.owner == token || (zone.owner == TOKEN && matches!(token, READER | ACCOUNT_TOKEN))
    }

    fn shown(zone: &Zone) -> Value {
        json!({"id": zone.id, "name": zone.name, "status": zone.status, "type": zone.kind, "paused": false,
            "name_servers": ["ada.ns.cloudflare.example", "bob.ns.cloudflare.example"],
            "original_name_servers": ["ns1.registrar.example"], "original_registrar": "Registrar Example Ltd",
            "account": {"id": "acc1", "name": "Acme"}, "plan": {"legacy_id": "free"}})
    }

    fn zones(&self, request: &Request, token: &str) -> Reply {
        let wanted = request.param("name");
        let zones: Vec<_> = self
            .zones
            .iter()
            .filter(|zone| self.may(zone, token) && wanted.is_none_or(|name| name == zone.name))
            .map(Self::shown)
            .collect();
        page(request, &zones)
    }

    fn below_zone(&mut self, request: &Request, token: &str, parts: &[&str]) -> Result<Reply, Refusal> {
        let (id, rest) = parts.split_first().ok_or(NO_ZONE)?;
        let at = self.zones.iter().position(|zone| zone.id == *id).ok_or(NO_ZONE)?;
        if !self.may(&self.zones[at], token) {
            return Err((403, 9109, "Unauthorized to access requested resource"));
        }
        if request.method != "GET" && token == READER {
            return Err((403, 10_000, "Authentication error"));
        }
        let zone = &self.zones[at];
        Ok(match (request.method.as_str(), rest) {
            // A PATCH is told to have worked; the nameservers are not the client's to choose.
            ("GET" | "PATCH", []) => success(&Self::shown(zone)),
            ("GET", ["dnssec"]) => success(&json!({"status": zone.dnssec})),
            ("GET", ["pagerules"]) => success(&json!([])),
            ("GET", ["dns_records"]) => list(zone, request),
            ("POST", ["dns_records"]) => {
                let record = request.json().ok_or((400, 1004, "DNS Validation Error"))?;
                success(&self.create(at, record)?)
            }
            ("POST", ["dns_records", "batch"]) => {
                let batch = request.json().ok_or((400, 1004, "DNS Validation Error"))?;
                self.batch(at, &batch)?
            }
            ("GET", ["dns_records", id]) => {
                let found = zone.records.iter().find(|record| record["id"] == **id);
                success(found.ok_or((404, 81_044, "Record does not exist."))?)
            }
            ("PUT" | "PATCH", ["dns_records", id]) => {
                let record = request.json().ok_or((400, 1004, "DNS Validation Error"))?;
                success(&self.change(at, id, &record)?)
            }
            ("DELETE", ["dns_records", id]) => {
                self.delete(at, id)?;
                success(&json!({"id": id}))
            }
            _ => return Err((404, 7000, "No route for that URI")),
        })
    }

    fn batch(&mut self, zone: usize, batch: &Value) -> Result<Reply, Refusal> {
        let saved = self.zones[zone].records.clone();
        let done = self.transact(zone, batch);
        if done.is_err() {
            self.zones[zone].records = saved;
        }
        done
    }

    fn transact(&mut self, zone: usize, batch: &Value) -> Result<Reply, Refusal> {
        let steps = |name: &str| batch[name].as_array().cloned().unwrap_or_default();
        let mut done = json!({"deletes": [], "patches": [], "puts": [], "posts": []});
        for name in ["deletes", "patches", "puts", "posts"] {
            for step in steps(name) {
                let id = step["id"].as_str().unwrap_or_default().to_owned();
                let result = match name {
                    "deletes" => self.delete(zone, &id).map(|()| json!({"id": id}))?,
                    "posts" => self.create(zone, step)?,
                    _ => self.change(zone, &id, &step)?,
                };
                if let Some(list) = done[name].as_array_mut() {
                    list.push(result);
                }
            }
        }
        Ok(success(&done))
    }

    fn create(&mut self, zone: usize, record: Value) -> Result<Value, Refusal> {
        let record = normal(record)?;
        self.check(zone, &record, None)?;
        Ok(self.insert(zone, record))
    }

    fn change(&mut self, zone: usize, id: &str, change: &Value) -> Result<Value, Refusal> {
        let records = &self.zones[zone].records;
        let at = records.iter().position(|record| record["id"] == id);
        let at = at.ok_or((404, 81_044, "Record does not exist."))?;
        let mut record = records[at].clone();
        for (name, value) in change.as_object().into_iter().flatten() {
            record[name] = value.clone();
        }
        let record = normal(record)?;
        self.check(zone, &record, Some(id))?;
        self.zones[zone].records[at] = record.clone();
        Ok(record)
    }

    fn delete(&mut self, zone: usize, id: &str) -> Result<(), Refusal> {
        let records = &mut self.zones[zone].records;
        let at = records.iter().position(|record| record["id"] == id);
        let gone = records.remove(at.ok_or((404, 81_044, "Record does not exist."))?);
        let has = |kind: &str| records.iter().any(|r| r["name"] == gone["name"] && r["type"] == kind);
        if gone["type"] == "NS" && !has("NS") && has("DS") {
            records.push(gone);
            return Err((400, 1004, "DNS Validation Error: a DS needs NS at the same name"));
        }
        Ok(())
    }

    fn check(&self, zone: usize, new: &Value, id: Option<&str>) -> Result<(), Refusal> {
        let zone = &self.zones[zone];
        let (kind, name) =
            (new["type"].as_str().unwrap_or_default(), new["name"].as_str().unwrap_or_default());
        let others = || zone.records.iter().filter(|record| Some(record["id"].as_str().unwrap_or("")) != id);
        let here = |kinds: &[&str]| {
            others().any(|record| {
                record["name"] == name && record["type"].as_str().is_some_and(|k| kinds.contains(&k))
            })
        };
        if name != zone.name && !name.ends_with(&format!(".{}", zone.name)) {
            return Err((400, 1004, "DNS Validation Error: the name is outside of the zone"));
        }
        if others().any(|r| r["name"] == name && r["type"] == kind && r["content"] == new["content"]) {
            return Err((400, 81_058, "An identical record already exists."));
        }
        match kind {
            "NS" if new["proxied"] == true => Err((400, 9004, "This record type cannot be proxied.")),
            "NS" if ["ada.ns.cloudflare.example", "bob.ns.cloudflare.example"]
                .iter()
                .any(|own| new["content"] == *own) =>
            {
                Err((400, 1004, "DNS Validation Error: these are the zone's own nameservers"))
            }
            "NS" if here(&["A", "AAAA", "CNAME"]) => {
                Err((400, 81_053, "An A, AAAA, or CNAME record with that host already exists."))
            }
            "DS" if !here(&["NS"]) => {
                Err((400, 1004, "DNS Validation Error: a DS needs NS at the same name"))
            }
            "NS" | "DS" => Ok(()),
            _ if others()
                .any(|r| r["type"] == "NS" && hides(r["name"].as_str().unwrap_or(""), name, kind)) =>
            {
                Err((400, 89_018, "This record is below a delegation."))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a delegation at `cut` hides a record of this kind.
fn hides(cut: &str, name: &str, kind: &str) -> bool {
    name == cut || (name.ends_with(&format!(".{cut}")) && !matches!(kind, "A" | "AAAA"))
}

/// The record as it is kept: lower case, no dot at the end, the text beside the data.
fn normal(mut record: Value) -> Result<Value, Refusal> {
    let kind = record["type"].as_str().unwrap_or_default().to_owned();
    if !TYPES.contains(&kind.as_str()) {
        return Err((400, 1004, "DNS Validation Error: unknown type"));
    }
    let ttl = record["ttl"].as_u64().unwrap_or(1);
    if ttl != 1 && !(60..=86_400).contains(&ttl) {
        return Err((400, 9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic."));
    }
    record["ttl"] = ttl.into();
    let name = record["name"].as_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    record["name"] = name.into();
    if kind == "DS" {
        let data = &record["data"];
        let part = |name: &str| data[name].as_u64().ok_or((400, 1004, "DNS Validation Error: bad DS data"));
        let digest = data["digest"].as_str().ok_or((400, 1004, "DNS Validation Error: bad DS data"))?;
        let text = format!(
            "{} {} {} {}",
            part("key_tag")?,
            part("algorithm")?,
            part("digest_type")?,
            digest.to_ascii_uppercase()
        );
        record["content"] = text.into();
    }
    if matches!(kind.as_str(), "NS" | "CNAME" | "MX") {
        let content = record["content"].as_str().unwrap_or_default();
        record["content"] = content.trim_end_matches('.').to_ascii_lowercase().into();
    }
    if record["content"].as_str().is_none_or(str::is_empty) {
        return Err((400, 9005, "Content for this record is invalid."));
    }
    Ok(record)
}

fn list(zone: &Zone, request: &Request) -> Reply {
    let name = request.param("name").or(request.param("name.exact")).map(str::to_ascii_lowercase);
    let end = request.param("name.endswith").map(str::to_ascii_lowercase);
    let ends = |record: &Value, end: &str| record["name"].as_str().is_some_and(|name| name.ends_with(end));
    let kind = request.param("type");
    let found = zone.records.iter().filter(|record| {
        name.as_ref().is_none_or(|name| record["name"] == **name)
            && end.as_ref().is_none_or(|end| ends(record, end))
            && kind.is_none_or(|kind| record["type"] == kind)
    });
    page(request, &found.cloned().collect::<Vec<_>>())
}

/// One page. Past the end there is an empty one: clients go on until they meet it.
fn page(request: &Request, all: &[Value]) -> Reply {
    let number =
        |name: &str, default: usize| request.param(name).and_then(|n| n.parse().ok()).unwrap_or(default);
    let (page, size) = (number("page", 1).max(1), number("per_page", 100).clamp(1, 5000));
    let part: Vec<_> = all.iter().skip((page - 1) * size).take(size).cloned().collect();
    let info = json!({"page": page, "per_page": size, "count": part.len(), "total_count": all.len(),
        "total_pages": all.len().div_ceil(size)});
    Reply::json(
        200,
        &json!({"success": true, "errors": [], "messages": [], "result": part, "result_info": info}),
    )
}

fn success(result: &Value) -> Reply {
    Reply::json(200, &json!({"success": true, "errors": [], "messages": [], "result": result}))
}

fn failure((status, code, message): (u16, i64, &str)) -> Reply {
    let error = json!({"code": code, "message": message});
    Reply::json(status, &json!({"success": false, "errors": [error], "messages": [], "result": null}))
}

impl Vendor for Cloudflare {
    fn answer(&mut self, request: &Request) -> Reply {
        let Some(token) = request.bearer() else {
            return failure((400, 6003, "Invalid request headers"));
        };
        if ![TOKEN, ACCOUNT_TOKEN, FOREIGN, READER].contains(&token) {
            return failure((403, 9109, "Invalid access token"));
        }
        let parts = request.below("/client/v4").unwrap_or_default();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["user", "tokens", "verify"]) if token == ACCOUNT_TOKEN => {
                failure((401, 1000, "Invalid API Token"))
            }
            ("GET", ["accounts", "acc1", "tokens", "verify"]) if token != ACCOUNT_TOKEN => {
                failure((401, 1000, "Invalid API Token"))
            }
            ("GET", ["user", "tokens", "verify"] | ["accounts", "acc1", "tokens", "verify"]) => {
                success(&json!({"id": "tok1", "status": "active", "expires_on": "2030-01-01T00:00:00Z"}))
            }
            ("GET", ["accounts"]) if token == ACCOUNT_TOKEN => failure((400, 1001, "Invalid request")),
            ("GET", ["zones"]) => self.zones(request, token),
            (_, ["zones", rest @ ..]) => self.below_zone(request, token, rest).unwrap_or_else(failure),
            _ => failure((404, 7000, "No route for that URI")),
        }
    }

    fn busy(&self) -> Reply {
        failure((429, 971, "Please wait and consider throttling your request speed"))
            .with("retry-after", "120")
    }

    fn error(&self, status: u16, words: &str) -> Reply {
        failure((status, 99_999, words))
    }

    fn ns(&self, name: &str) -> Vec<String> {
        self.contents(name, "NS")
    }

    fn put_ns(&mut self, name: &str, hosts: &[&str], ttl: u32) {
        self.zones[0].records.retain(|record| record["name"] != name || record["type"] != "NS");
        for host in hosts {
            self.insert(0, json!({"type": "NS", "name": name, "content": host, "ttl": ttl}));
        }
    }

    fn ds(&self, name: &str) -> Vec<String> {
        self.contents(name, "DS").iter().map(|text| text.to_ascii_lowercase()).collect()
    }

    fn rest(&self, name: &str) -> String {
        let ours =
            |record: &&Value| record["name"] == name && matches!(record["type"].as_str(), Some("NS" | "DS"));
        let records = self.zones.iter().flat_map(|zone| &zone.records).filter(|record| !ours(record));
        records.map(|record| format!("{record}\n")).collect()
    }
}

impl Cloudflare {
    fn contents(&self, name: &str, kind: &str) -> Vec<String> {
        let all = self.zones.iter().flat_map(|zone| &zone.records);
        let ours = all.filter(|record| record["name"] == name && record["type"] == kind);
        ours.filter_map(|record| record["content"].as_str().map(str::to_owned)).collect()
    }
}
