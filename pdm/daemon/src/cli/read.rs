//! What reads only: get, list, wait, operations, validate, registrars, pools.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::http::Client;
use super::names::{operation_id, show};
use super::output::{self, Output, fields, items, table, text};
use super::watch;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show one name: phase, conditions, delegation, receipt.
    Get {
        /// The full name.
        fqdn: String,
    },
    /// List names.
    List {
        /// In this pool.
        #[arg(long)]
        pool: Option<String>,
        /// In this phase.
        #[arg(long)]
        phase: Option<String>,
        /// Of this owner.
        #[arg(long)]
        owner: Option<String>,
        /// At most so many; all when left out.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Wait for the open operation of a name, or for an operation, showing progress.
    Wait {
        /// The full name, or the operation's id.
        name_or_id: String,
        /// At most so many seconds.
        #[arg(long, default_value_t = 600)]
        timeout: u64,
    },
    /// Show an operation and its steps.
    Operations {
        /// The operation's id, or a full name for its open operation.
        name_or_id: String,
        /// Do not wait for the backoff: try now.
        #[arg(long)]
        retry: bool,
    },
    /// Say what can be done with a domain or a name.
    Validate {
        /// The domain.
        domain: String,
    },
    /// List registrars and the credentials they need, or see what a credential is good for.
    Registrars {
        #[command(subcommand)]
        verb: Option<RegistrarsVerb>,
    },
    /// Pools: list, their DS for the registrar, what a take-over would change.
    #[command(subcommand)]
    Pools(Pools),
}

#[derive(Debug, Subcommand)]
pub enum RegistrarsVerb {
    /// What a credential can do with a domain. Writes nothing.
    Validate {
        /// The registrar.
        id: String,
        /// The registered domain.
        domain: String,
        /// A file with the credential: a JSON object, or lines of `field = value`.
        #[arg(long, value_name = "FILE")]
        credential: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum Pools {
    /// Pools with counts and quotas.
    List,
    /// The DS records to hand to the registrar of each pool.
    Ds {
        /// Only this pool.
        domain: Option<String>,
    },
    /// What preparing a pool zone would change in PowerDNS. Changes nothing.
    Plan {
        /// Only this pool.
        domain: Option<String>,
        /// The daemon's configuration: PowerDNS is asked directly.
        #[arg(long)]
        config: PathBuf,
    },
}

/// Carry out a verb.
///
/// # Errors
/// What was refused.
pub async fn run(verb: Verb, client: &Client) -> Result<(), Failure> {
    match verb {
        Verb::Get { fqdn } => show(client, client.get(&["allocations", &fqdn], &[]).await?.body),
        Verb::List { pool, phase, owner, limit } => list(client, [pool, phase, owner], limit).await,
        Verb::Wait { name_or_id, timeout } => wait(client, &name_or_id, Duration::from_secs(timeout)).await,
        Verb::Operations { name_or_id, retry } => operation(client, &name_or_id, retry).await,
        Verb::Validate { domain } => {
            let body = client.call(Method::POST, &["validate"], &json!({ "domain": domain })).await?.body;
            show(client, body)
        }
        Verb::Registrars { verb: Some(RegistrarsVerb::Validate { id, domain, credential }) } => {
            let credential = super::delegation::read_credential(&credential)?;
            let body = json!({ "domain": domain, "credential": credential });
            show(client, client.call(Method::POST, &["registrars", &id, "validate"], &body).await?.body)
        }
        Verb::Registrars { verb: None } => {
            let body = client.get(&["registrars"], &[]).await?.body;
            let whole = matches!(client.output, Output::Json);
            rows(
                client,
                if whole { &body } else { &body["registrars"] },
                &[("ID", "/id"), ("NAME", "/name"), ("RECIPE", "/recipe"), ("CAPABILITY", "/capability")],
            )
        }
        Verb::Pools(Pools::List) => {
            let body = client.get(&["pools"], &[]).await?.body;
            rows(
                client,
                &body,
                &[
                    ("POOL", "/domain"),
                    ("NAMES", "/counts"),
                    ("QUOTA", "/quota"),
                    ("NAMESERVERS", "/nameservers"),
                ],
            )
        }
        Verb::Pools(Pools::Ds { domain }) => pool_ds(client, domain.as_deref()).await,
        Verb::Pools(Pools::Plan { domain, config }) => {
            super::plan::show(&config, domain.as_deref(), client.output).await
        }
    }
}

/// A list, as it is or as a table.
pub fn rows(client: &Client, body: &Value, columns: &[(&str, &str)]) -> Result<(), Failure> {
    match client.output {
        Output::Json => output::json(body),
        Output::Table | Output::Html => table(columns, &items(body)),
    }
    Ok(())
}

async fn list(
    client: &Client,
    [pool, phase, owner]: [Option<String>; 3],
    limit: Option<usize>,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let given = [("poolDomain", &pool), ("phase", &phase), ("owner", &owner), ("cursor", &cursor)];
        let query: Vec<_> =
            given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        let page = client.get(&["allocations"], &query).await?.body;
        all.extend(items(&page));
        let next = ["/nextCursor", "/cursor", "/next"].iter().map(|p| text(&page, p)).find(|t| !t.is_empty());
        if limit.is_some_and(|limit| all.len() >= limit) || next.is_none() || next == cursor {
            break;
        }
        cursor = next;
    }
    all.truncate(limit.unwrap_or(usize::MAX));
    let columns = [("NAME", "/fqdn"), ("PHASE", "/phase"), ("OWNER", "/owner"), ("RESERVED", "/reservedAt")];
    rows(client, &Value::Array(all), &columns)
}

/// An operation's id as it is, or the open operation of a name.
async fn resolve(client: &Client, name_or_id: &str) -> Result<Option<String>, Failure> {
    if !name_or_id.contains('.') {
        return Ok(Some(name_or_id.to_owned()));
    }
    Ok(operation_id(&client.get(&["allocations", name_or_id], &[]).await?.body))
}

async fn wait(client: &Client, name_or_id: &str, at_most: Duration) -> Result<(), Failure> {
    let Some(id) = resolve(client, name_or_id).await? else {
        eprintln!("{name_or_id} has no open operation");
        return Ok(());
    };
    let closed = watch::until_closed(client, &id, at_most).await?;
    let superseded = text(&closed, "/state") == "superseded";
    show(client, closed)?;
    if superseded { Err(Failure::refused("another operation took its place")) } else { Ok(()) }
}

async fn operation(client: &Client, name_or_id: &str, retry: bool) -> Result<(), Failure> {
    let id = resolve(client, name_or_id).await?;
    let id = id.ok_or_else(|| Failure::Refused(format!("{name_or_id} has no open operation")))?;
    let answer = if retry {
        client.call(Method::POST, &["operations", &id, "retry"], &json!({})).await?
    } else {
        client.get(&["operations", &id], &[]).await?
    };
    show(client, answer.body)
}

async fn pool_ds(client: &Client, domain: Option<&str>) -> Result<(), Failure> {
    let body = client.get(&["pools"], &[]).await?.body;
    let pools: Vec<Value> =
        items(&body).into_iter().filter(|p| domain.is_none_or(|d| text(p, "/domain") == d)).collect();
    if pools.is_empty() {
        return Err(Failure::Refused(format!("{} is not a pool here", domain.unwrap_or("there"))));
    }
    if client.output == Output::Json {
        output::json(&Value::Array(pools));
        return Ok(());
    }
    for pool in &pools {
        let name = text(pool, "/domain");
        let records = pool.get("ds").and_then(Value::as_array).cloned().unwrap_or_default();
        if records.is_empty() {
            return Err(Failure::Refused(format!(
                "the DS of {name} is not known yet: PowerDNS did not answer"
            )));
        }
        for ds in &records {
            output::line(&format!("{name}. IN DS {}", text(ds, "")));
        }
    }
    Ok(())
}

/// Members of an allocation or operation that have tables of their own, or that only JSON shows.
const APART: &[&str] =
    &["steps", "conditions", "receipts", "desired", "observed", "operation", "id", "allocation", "seq"];

/// The last receipt in one line.
fn proof(body: &Value) -> Option<String> {
    // A receipt outlives what it proved; only an active name is still answered so.
    let receipt = body.pointer("/receipts/0").filter(|_| text(body, "/phase") == "active")?;
    let servers = receipt.get("servers").and_then(Value::as_array).map_or(0, Vec::len);
    let view =
        if receipt.get("privateView").and_then(Value::as_bool) == Some(true) { ", private view" } else { "" };
    let (at, queries, anchor) =
        (text(receipt, "/begunAt"), text(receipt, "/queries"), text(receipt, "/anchor"));
    Some(format!("{at} from the {anchor}: {servers} servers and transports, {queries} questions{view}"))
}

/// One object for people: plain members first, then steps and conditions as tables. `--output json` shows all.
pub fn details(body: &Value) {
    let Some(map) = body.as_object() else {
        if !body.is_null() {
            output::line(&text(body, ""));
        }
        return;
    };
    let plain: Vec<(&str, String)> = map
        .iter()
        .filter(|(name, _)| !APART.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), text(value, "")))
        .chain(proof(body).map(|line| ("proved", line)))
        .collect();
    fields(&plain);
    let nested = || body.pointer("/operation/steps");
    if let Some(steps) = map.get("steps").or_else(nested).and_then(Value::as_array) {
        let columns = [
            ("STEP", "/kind"),
            ("STATE", "/state"),
            ("SINCE", "/since"),
            ("ATTEMPTS", "/attempts"),
            ("WAITS FOR", "/waitReason/detail"),
        ];
        output::line("");
        table(&columns, steps);
    }
    if let Some(conditions) = map.get("conditions").and_then(Value::as_array) {
        let columns = [
            ("CONDITION", "/type"),
            ("STATUS", "/status"),
            ("REASON", "/reason"),
            ("SINCE", "/since"),
            ("DETAIL", "/detail"),
        ];
        output::line("");
        table(&columns, conditions);
    }
}
