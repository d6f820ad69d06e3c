//! OpenBao: the key-value engine version 2 at `secret/`, logins by JWT, Kubernetes and certificate, and tokens that end.
//!
//! Held to `recorded/openbao.json`, and to the suite that another server of the same API passes too.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::{Reply, Request, Vendor};

/// The token that may do everything and never ends.
pub const ROOT: &str = "s.root-token-000000000000";

/// The server.
pub struct OpenBao {
    /// Nothing is answered before somebody unseals it.
    pub sealed: bool,
    /// Roles of `auth/jwt` and `auth/kubernetes`, and the JWT that each takes.
    pub roles: BTreeMap<String, String>,
    /// How long a token holds.
    pub ttl: u64,
    /// How long it can be renewed.
    pub max_ttl: u64,
    /// Paths below `secret/` that tokens of logins may not touch.
    pub forbidden: Vec<String>,
    secrets: BTreeMap<String, Vec<Version>>,
    tokens: BTreeMap<String, Token>,
    logins: usize,
}

struct Version {
    data: Map<String, Value>,
    deleted: bool,
}

struct Token {
    until: Option<Instant>,
    end: Option<Instant>,
}

impl Default for OpenBao {
    fn default() -> Self {
        Self {
            sealed: false,
            roles: BTreeMap::from([("pdm".to_owned(), "ey.workload.jwt".to_owned())]),
            ttl: 3600,
            max_ttl: 86_400,
            forbidden: Vec::new(),
            secrets: BTreeMap::new(),
            tokens: BTreeMap::from([(ROOT.to_owned(), Token { until: None, end: None })]),
            logins: 0,
        }
    }
}

impl OpenBao {
    /// Logins that succeeded.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.logins
    }

    /// End every token of a login.
    pub fn revoke_all(&mut self) {
        self.tokens.retain(|name, _| name == ROOT);
    }

    /// Write a new version by hand: `put("pdm/pdns", json!({"key": "x"}))`.
    pub fn put(&mut self, path: &str, data: &Value) {
        let data = data.as_object().cloned().unwrap_or_default();
        self.secrets.entry(path.to_owned()).or_default().push(Version { data, deleted: false });
    }

    /// Everything at a path, in all its versions.
    #[must_use]
    pub fn versions(&self, path: &str) -> usize {
        self.secrets.get(path).map_or(0, Vec::len)
    }

    /// The paths in use.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.secrets.keys().map(String::as_str)
    }

    fn log_in(&mut self, method: &str, body: &Value) -> Reply {
        let role = body["role"].as_str().or_else(|| body["name"].as_str()).unwrap_or_default();
        let Some(expected) = self.roles.get(role) else {
            return errors(400, &format!("role {role:?} could not be found"));
        };
        if method != "cert" && body["jwt"].as_str() != Some(expected) {
            return match method {
                "kubernetes" => errors(403, "permission denied"),
                _ => errors(
                    400,
                    "error validating token: no known key successfully validated the token signature",
                ),
            };
        }
        self.logins += 1;
        let name = format!("s.login-{:016}", self.logins);
        let now = Instant::now();
        let token = Token {
            until: Some(now + Duration::from_secs(self.ttl)),
            end: Some(now + Duration::from_secs(self.max_ttl)),
        };
        self.tokens.insert(name.clone(), token);
        self.auth(&name, self.ttl, json!({ "role": role }))
    }

    fn auth(&self, token: &str, lease: u64, metadata: Value) -> Reply {
        let mut whole = envelope();
        whole["auth"] = json!({
            "client_token": token, "accessor": "B6oixijqmeR4bsLOJH88Ska9", "policies": ["default", "pdm"],
            "token_policies": ["default", "pdm"], "metadata": metadata, "lease_duration": lease, "renewable": true,
            "entity_id": "", "token_type": "service", "orphan": true, "num_uses": 0,
        });
        Reply::json(200, &whole)
    }

    fn of_token(&mut self, method: &str, what: &str, token: &str) -> Reply {
        let now = Instant::now();
        // Whole seconds, as the server cuts them.
        let left =
            |until: Option<Instant>| until.map_or(0, |until| until.saturating_duration_since(now).as_secs());
        match (method, what) {
            ("GET", "lookup-self") => {
                let until = self.tokens.get(token).and_then(|t| t.until);
                let mut whole = envelope();
                whole["data"] = json!({
                    "accessor": "8609694a-cdbc-db9b-d345-e782dbb562ed", "creation_ttl": 0, "id": token,
                    "policies": ["root"], "renewable": until.is_some(), "ttl": left(until),
                });
                Reply::json(200, &whole)
            }
            ("POST" | "PUT", "renew-self") => {
                let (ttl, token_state) = (Duration::from_secs(self.ttl), self.tokens.get_mut(token));
                let Some(held) = token_state.filter(|held| held.until.is_some()) else {
                    return errors(400, "lease is not renewable");
                };
                held.until = Some((now + ttl).min(held.end.unwrap_or(now + ttl)));
                let lease = left(held.until);
                self.auth(token, lease, json!({ "role": "pdm" }))
            }
            ("POST" | "PUT", "revoke-self") => {
                self.tokens.remove(token);
                Reply::empty(204)
            }
            _ => errors(405, "unsupported operation"),
        }
    }

    fn data(&mut self, request: &Request, path: &str) -> Reply {
        match request.method.as_str() {
            "GET" => match self.secrets.get(path).and_then(|all| Some((all.last()?, all.len()))) {
                None => Reply::json(404, &json!({ "errors": [] })),
                Some((version, number)) => {
                    let mut whole = envelope();
                    let data =
                        if version.deleted { Value::Null } else { Value::Object(version.data.clone()) };
                    whole["data"] = json!({ "data": data, "metadata": metadata(number, version.deleted) });
                    Reply::json(if version.deleted { 404 } else { 200 }, &whole)
                }
            },
            "POST" | "PUT" => {
                match request.json().as_ref().and_then(|body| body["data"].as_object().cloned()) {
                    None => errors(400, "no data provided"),
                    Some(data) => {
                        let all = self.secrets.entry(path.to_owned()).or_default();
                        all.push(Version { data, deleted: false });
                        let mut whole = envelope();
                        whole["data"] = metadata(all.len(), false);
                        Reply::json(200, &whole)
                    }
                }
            }
            "DELETE" => {
                if let Some(last) = self.secrets.get_mut(path).and_then(|all| all.last_mut()) {
                    last.deleted = true;
                }
                Reply::empty(204)
            }
            _ => errors(405, "unsupported operation"),
        }
    }
}

impl Vendor for OpenBao {
    fn answer(&mut self, request: &Request) -> Reply {
        let Some(parts) = request.below("/v1/") else {
            return Reply::text(404, "text/plain", "404 page not found\n");
        };
        if self.sealed {
            return self.busy();
        }
        if let ["auth", method @ ("jwt" | "kubernetes" | "cert"), "login"] = parts.as_slice() {
            return self.log_in(method, &request.json().unwrap_or_default());
        }
        let now = Instant::now();
        let known =
            |token: &&str| self.tokens.get(*token).is_some_and(|t| t.until.is_none_or(|until| now < until));
        let Some(token) = request.header("x-vault-token").filter(known) else {
            return errors(403, "permission denied");
        };
        let joined = parts.get(2..).unwrap_or_default().join("/");
        if token != ROOT && self.forbidden.contains(&joined) {
            return errors(403, "1 error occurred:\n\t* permission denied\n\n");
        }
        match parts.as_slice() {
            ["auth", "token", what] => self.of_token(&request.method, what, token),
            ["secret", "data", ..] if !joined.is_empty() => self.data(request, &joined),
            ["secret", "metadata", ..] if request.method == "DELETE" => {
                self.secrets.remove(&joined);
                Reply::empty(204)
            }
            _ => errors(404, &format!("no handler for route {:?}. route entry not found.", parts.join("/"))),
        }
    }

    /// What a sealed server says to everything.
    fn busy(&self) -> Reply {
        errors(503, "Vault is sealed")
    }

    fn error(&self, status: u16, words: &str) -> Reply {
        errors(status, words)
    }

    /// A vault delegates nothing: it holds no names.
    fn ns(&self, _name: &str) -> Vec<String> {
        Vec::new()
    }

    fn put_ns(&mut self, _name: &str, _hosts: &[&str], _ttl: u32) {}

    fn ds(&self, _name: &str) -> Vec<String> {
        Vec::new()
    }

    fn rest(&self, _name: &str) -> String {
        String::new()
    }
}

fn errors(status: u16, words: &str) -> Reply {
    Reply::json(status, &json!({ "errors": [words] }))
}

fn envelope() -> Value {
    json!({
        "request_id": "f00341c1-fad5-f6e6-13fd-235617f858a1", "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": null, "wrap_info": null, "warnings": null, "auth": null,
    })
}

fn metadata(version: usize, deleted: bool) -> Value {
    json!({
        "created_time": "2018-03-22T02:24:06.945319214Z", "custom_metadata": null,
        "deletion_time": if deleted { "2018-03-22T02:36:43.986212308Z" } else { "" },
        "destroyed": false, "version": version,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

    use super::*;

    fn ask(bao: &mut OpenBao, method: &str, path: &str, token: Option<&str>, body: Value) -> Reply {
        let headers = token.map(|t| ("x-vault-token".to_owned(), t.to_owned())).into_iter().collect();
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let (method, target, path) = (method.to_owned(), format!("/v1/{path}"), format!("/v1/{path}"));
        bao.answer(&Request { method, target, path, query: Vec::new(), headers, body })
    }

    /// Every field that was recorded is there and of the same kind. What people attach to a secret or a login is theirs.
    fn same_shape(recorded: &Value, ours: &Value, path: &str) {
        match (recorded, ours) {
            (Value::Object(a), Value::Object(b)) => {
                for (key, value) in a {
                    let found = b.get(key).unwrap_or_else(|| panic!("{path}/{key} is missing in {ours}"));
                    let attached = key == "custom_metadata" || (key == "metadata" && path.ends_with("/auth"));
                    if !attached {
                        same_shape(value, found, &format!("{path}/{key}"));
                    }
                }
            }
            (Value::Array(a), Value::Array(b)) => assert_eq!(a.is_empty(), b.is_empty(), "{path}"),
            (Value::Null, Value::Null)
            | (Value::Bool(_), Value::Bool(_))
            | (Value::Number(_), Value::Number(_)) => {}
            (Value::String(a), Value::String(b)) => assert_eq!(a.is_empty(), b.is_empty(), "{path}"),
            (a, b) => panic!("{path}: {a} was recorded, {b} is answered"),
        }
    }

    #[test]
    fn it_answers_as_was_recorded() {
        let recorded: Value = serde_json::from_str(include_str!("../recorded/openbao.json")).unwrap();
        let mut bao = OpenBao::default();
        let root = Some(ROOT);
        let login = json!({ "role": "pdm", "jwt": "ey.workload.jwt" });
        let foo = json!({ "data": { "foo": "bar" } });
        let mut seen = Vec::new();
        let mut tell = |name: &'static str, reply: Reply| {
            let expected = &recorded[name];
            assert_eq!(u64::from(reply.status), expected["status"].as_u64().unwrap(), "{name}");
            let body = serde_json::from_slice(&reply.body).unwrap_or_default();
            if name == "refused token" || name == "sealed" {
                assert_eq!(expected["body"], body, "{name}");
            }
            same_shape(&expected["body"], &body, name);
            seen.push(name);
            body
        };
        tell("read of nothing", ask(&mut bao, "GET", "secret/data/a/b", root, Value::Null));
        tell("write", ask(&mut bao, "POST", "secret/data/a/b", root, foo));
        tell("read", ask(&mut bao, "GET", "secret/data/a/b", root, Value::Null));
        ask(&mut bao, "DELETE", "secret/data/a/b", root, Value::Null);
        tell("read of a deleted version", ask(&mut bao, "GET", "secret/data/a/b", root, Value::Null));
        tell("removal", ask(&mut bao, "DELETE", "secret/metadata/a/b", root, Value::Null));
        tell("read of nothing", ask(&mut bao, "GET", "secret/data/a/b", root, Value::Null));
        tell("refused token", ask(&mut bao, "GET", "secret/data/a/b", Some("s.other"), Value::Null));
        let body = tell("login", ask(&mut bao, "POST", "auth/kubernetes/login", None, login));
        let token = body["auth"]["client_token"].as_str().unwrap().to_owned();
        tell("lookup", ask(&mut bao, "GET", "auth/token/lookup-self", Some(&token), Value::Null));
        tell("renewal", ask(&mut bao, "POST", "auth/token/renew-self", Some(&token), json!({})));
        bao.sealed = true;
        tell("sealed", ask(&mut bao, "GET", "secret/data/a/b", root, Value::Null));
        let all = recorded.as_object().unwrap().keys().filter(|name| *name != "source");
        for name in all {
            assert!(seen.contains(&name.as_str()), "{name} was recorded and not compared");
        }
    }
}
