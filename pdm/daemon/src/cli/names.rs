//! The life of a name: check, reserve, extend, commit, target, release.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::delegation::Registrar;
use super::http::{Answer, Client};
use super::output::{self, Output, fields, text};
use super::watch;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Say whether a name is free.
    Check {
        /// The full name, as in omantel.omani.works.
        fqdn: String,
    },
    /// Hold a name and print its reservation token.
    Reserve {
        /// The full name.
        fqdn: String,
        /// For whom; the token's owner when left out.
        #[arg(long)]
        owner: Option<String>,
        /// byo-manual or byo-api for a domain of yours; a pool's name otherwise.
        #[arg(long, default_value = "pool")]
        mode: String,
    },
    /// Hold a reservation longer.
    Extend(Held),
    /// Point a reserved name at its load balancer; build zone, signatures and delegation.
    Commit(Commit),
    /// Point a committed name somewhere else.
    Target(Target),
    /// Give the registrar's credential of a brought domain; what waits for it goes on.
    Credential {
        /// The domain.
        fqdn: String,
        #[command(flatten)]
        registrar: Registrar,
    },
    /// Give a name back: DS out, wait, NS and zone out.
    Release(Release),
}

#[derive(Debug, Args)]
pub struct Held {
    /// The full name.
    fqdn: String,
    /// The reservation token that `pdm reserve` printed.
    #[arg(long, env = "PDM_RESERVATION_TOKEN", hide_env_values = true)]
    token: String,
}

#[derive(Debug, Args)]
#[group(id = "addresses", required = true, multiple = true)]
pub struct Addresses {
    /// IPv4 address of a load balancer; repeat for several.
    #[arg(long)]
    ipv4: Vec<Ipv4Addr>,
    /// IPv6 address of a load balancer; repeat for several.
    #[arg(long)]
    ipv6: Vec<Ipv6Addr>,
    /// JSON with loadBalancers and failover; see `pdm lua explain`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ipv4", "ipv6"])]
    policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Waiting {
    /// Wait until it is done, showing progress; at most so many seconds.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "600")]
    wait: Option<u64>,
}

impl Waiting {
    /// For how long; none when nobody waits.
    pub fn seconds(&self) -> Option<u64> {
        self.wait
    }
}

#[derive(Debug, Args)]
pub struct Commit {
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    addresses: Addresses,
    #[command(flatten)]
    registrar: Registrar,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
pub struct Target {
    /// The full name.
    fqdn: String,
    #[command(flatten)]
    addresses: Addresses,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
pub struct Release {
    /// The full name.
    fqdn: String,
    /// The reservation token, where the bearer token alone does not suffice.
    #[arg(long, env = "PDM_RESERVATION_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

/// Carry out a verb.
///
/// # Errors
/// What was refused.
pub async fn run(verb: Verb, client: &Client) -> Result<(), Failure> {
    match verb {
        Verb::Check { fqdn } => check(client, &fqdn).await,
        Verb::Reserve { fqdn, owner, mode } => reserve(client, &fqdn, owner, &mode).await,
        Verb::Credential { fqdn, registrar } => {
            let registrar = registrar.body()?;
            let body =
                registrar.ok_or_else(|| Failure::Usage("give --registrar and --credential".to_owned()))?;
            let body = json!({ "registrar": body });
            client.call(Method::PUT, &["allocations", &fqdn, "credential"], &body).await?;
            Ok(())
        }
        Verb::Extend(held) => {
            let body = json!({ "fqdn": held.fqdn, "reservationToken": held.token });
            show(client, client.call(Method::POST, &["reserve", "extend"], &body).await?.body)
        }
        Verb::Commit(commit) => {
            let mut body = target_body(&commit.addresses)?;
            body["fqdn"] = commit.held.fqdn.as_str().into();
            body["reservationToken"] = commit.held.token.as_str().into();
            if let Some(registrar) = commit.registrar.body()? {
                body["registrar"] = registrar;
            }
            let answer = client.call(Method::POST, &["commit"], &body).await?;
            settle(client, &commit.held.fqdn, answer, &commit.waiting).await
        }
        Verb::Target(target) => {
            let body = target_body(&target.addresses)?;
            let answer = client.call(Method::PUT, &["allocations", &target.fqdn, "target"], &body).await?;
            settle(client, &target.fqdn, answer, &target.waiting).await
        }
        Verb::Release(release) => {
            let mut body = Map::from_iter([("fqdn".to_owned(), Value::from(release.fqdn.as_str()))]);
            body.extend(release.token.map(|token| ("reservationToken".to_owned(), Value::from(token))));
            let answer = client.call(Method::POST, &["release"], &Value::Object(body)).await?;
            settle(client, &release.fqdn, answer, &release.waiting).await
        }
    }
}

/// The target as it was typed, or as the file has it.
fn target_body(addresses: &Addresses) -> Result<Value, Failure> {
    let Some(path) = &addresses.policy else {
        return Ok(json!({ "loadBalancers": load_balancers(addresses) }));
    };
    let shown = path.display();
    let told =
        std::fs::read_to_string(path).map_err(|e| Failure::Usage(format!("cannot read {shown}: {e}")))?;
    let body: Value =
        serde_json::from_str(&told).map_err(|e| Failure::Usage(format!("{shown} is not JSON: {e}")))?;
    if body.is_object() { Ok(body) } else { Err(Failure::Usage(format!("{shown} is not a JSON object"))) }
}

/// The first v4 address goes with the first v6 address: one load balancer with both.
fn load_balancers(addresses: &Addresses) -> Vec<Value> {
    let many = addresses.ipv4.len().max(addresses.ipv6.len());
    let one = |i: usize| {
        let mut one = Map::new();
        one.extend(addresses.ipv4.get(i).map(|ip| ("ipv4".to_owned(), Value::from(ip.to_string()))));
        one.extend(addresses.ipv6.get(i).map(|ip| ("ipv6".to_owned(), Value::from(ip.to_string()))));
        Value::Object(one)
    };
    (0..many).map(one).collect()
}

fn split(fqdn: &str) -> Result<(&str, &str), Failure> {
    let fqdn = fqdn.trim_end_matches('.');
    fqdn.split_once('.').ok_or_else(|| {
        Failure::Usage(format!("{fqdn:?} is no full name: write LABEL.POOL, as in omantel.omani.works"))
    })
}

async fn check(client: &Client, fqdn: &str) -> Result<(), Failure> {
    let (label, pool) = split(fqdn)?;
    let body = client.get(&["check"], &[("poolDomain", pool), ("subdomain", label)]).await?.body;
    let free = body.get("available").and_then(Value::as_bool).unwrap_or(false);
    match client.output {
        Output::Json => output::json(&body),
        Output::Table | Output::Html => fields(&[
            ("name", text(&body, "/fqdn")),
            ("available", if free { "yes" } else { "no" }.to_owned()),
            ("code", text(&body, "/code")),
            ("detail", text(&body, "/detail")),
            ("until", text(&body, "/until")),
            ("free instead", text(&body, "/suggestions")),
        ]),
    }
    if free { Ok(()) } else { Err(Failure::Refused(format!("{fqdn} is not available"))) }
}

async fn reserve(client: &Client, fqdn: &str, owner: Option<String>, mode: &str) -> Result<(), Failure> {
    let mut body = Map::from_iter([("mode".to_owned(), Value::from(mode))]);
    if mode == "pool" {
        let (label, pool) = split(fqdn)?;
        body.insert("poolDomain".to_owned(), Value::from(pool));
        body.insert("subdomain".to_owned(), Value::from(label));
    } else {
        body.insert("domain".to_owned(), Value::from(fqdn));
    }
    body.extend(owner.map(|owner| ("owner".to_owned(), Value::from(owner))));
    let body = client.call(Method::POST, &["reserve"], &Value::Object(body)).await?.body;
    if client.output == Output::Json {
        output::json(&body);
        return Ok(());
    }
    let token = text(&body, "/reservationToken");
    fields(&[
        ("name", text(&body, "/fqdn")),
        ("phase", text(&body, "/phase")),
        ("expires", text(&body, "/expiresAt")),
        ("nameservers", text(&body, "/nameservers")),
        ("publish", text(&body, "/ownership/name")),
        ("as TXT", text(&body, "/ownership/value")),
        ("or delegate to", text(&body, "/ownership/nameservers")),
        ("token", token.clone()),
    ]);
    eprintln!("next: pdm commit {} --token {token} --ipv4 ADDRESS --wait", text(&body, "/fqdn"));
    Ok(())
}

/// After a call that opens an operation: watch it when asked to, then show the name.
///
/// # Errors
/// What was refused, or an operation that another took the place of.
pub async fn settle(client: &Client, fqdn: &str, answer: Answer, waiting: &Waiting) -> Result<(), Failure> {
    let id = operation_id(&answer.body);
    for warning in answer.body.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        eprintln!("warning: {}", text(warning, ""));
    }
    let (Some(seconds), Some(id)) = (waiting.wait, &id) else {
        show(client, answer.body)?;
        if answer.status == 202
            && let Some(id) = id
        {
            eprintln!("accepted; it goes on by itself: pdm wait {id}");
        }
        return Ok(());
    };
    let closed = watch::until_closed(client, id, Duration::from_secs(seconds)).await?;
    if text(&closed, "/state") == "superseded" {
        return Err(Failure::Refused(format!("another operation took its place; see: pdm get {fqdn}")));
    }
    match client.get(&["allocations", fqdn], &[]).await {
        Ok(answer) => show(client, answer.body),
        // A released name may be gone for this token.
        Err(_) => show(client, closed),
    }
}

/// The operation in an answer: an object, an id, or the answer itself.
pub fn operation_id(body: &Value) -> Option<String> {
    let places = ["/operation/id", "/openOperation/id", "/operation", "/openOperation", "/operationId"];
    let found = places.iter().find_map(|place| body.pointer(place).and_then(Value::as_str));
    let own = || body.get("steps").and_then(|_| body.get("id")).and_then(Value::as_str);
    found.or_else(own).map(str::to_owned)
}

/// Show an allocation or an operation.
///
/// # Errors
/// None today; the shape of the verbs.
pub fn show(client: &Client, body: Value) -> Result<(), Failure> {
    match client.output {
        Output::Json => output::json(&body),
        Output::Table | Output::Html => super::read::details(&body),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_pair_up() {
        let addresses = Addresses {
            ipv4: vec!["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()],
            ipv6: vec!["2001:db8::1".parse().unwrap()],
            policy: None,
        };
        let expected = json!([{ "ipv4": "192.0.2.1", "ipv6": "2001:db8::1" }, { "ipv4": "192.0.2.2" }]);
        assert_eq!(Value::from(load_balancers(&addresses)), expected);
    }

    #[test]
    fn an_operation_is_found_in_every_shape_of_answer() {
        for body in [
            json!({ "operation": { "id": "x" } }),
            json!({ "operation": "x" }),
            json!({ "id": "x", "steps": [] }),
        ] {
            assert_eq!(operation_id(&body).as_deref(), Some("x"));
        }
        assert_eq!(operation_id(&json!({ "id": "x", "phase": "active" })), None);
    }
}
