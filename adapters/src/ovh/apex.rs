//! A registered domain: `external` first, then the NS set as a task; DS as keys, also as a task.

use pdm_model::{Timestamp, ZoneName};
use pdm_ports::registrar::{
    Change, Credential, CurrentState, KeyData, Lock, Mode, NsTarget, Operated, TaskId, TaskStatus,
};
use pdm_ports::{Class, Fault};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use crate::admit::ds_of;
use crate::flow::Written;
use crate::kind::{self, Kind};

/// The type of a domain whose nameservers somebody entered.
const EXTERNAL: &str = "external";
/// Functions of tasks that change the delegation start with these.
const DELEGATION: &[&str] = &["DomainDns", "DomainDs"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Domain {
    name_server_type: String,
    state: String,
    #[serde(default)]
    suspension_state: Option<String>,
    #[serde(default)]
    expiration_date: Option<String>,
    #[serde(default)]
    transfer_lock_status: Option<String>,
    #[serde(default)]
    dnssec_state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NameServer {
    host: String,
    /// On its way out: no longer part of the set.
    #[serde(default)]
    to_delete: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    algorithm: u8,
    flags: u16,
    public_key: String,
}

#[derive(Deserialize)]
struct Task {
    id: u64,
    function: String,
    status: String,
    #[serde(default)]
    comment: Option<String>,
}

impl Domain {
    pub(super) fn expires(&self) -> Option<Timestamp> {
        // A date alone is the start of that day.
        let text = self.expiration_date.as_deref()?;
        kind::time(text).or_else(|| kind::time(&format!("{text}T00:00:00Z")))
    }

    /// What blocks every change. A transfer lock does not.
    pub(super) fn obstacle(&self) -> Option<String> {
        let suspended = self.suspension_state.as_deref().filter(|state| *state != "not_suspended");
        let state = suspended.or((self.state != "ok").then_some(self.state.as_str()))?;
        Some(format!("the domain is {} at OVH", kind::excerpt(state)))
    }

    /// OVH signs the zone itself and keeps the DS out of our sight.
    fn signed_by_vendor(&self) -> bool {
        let off = ["disabled", "not_supported"];
        self.name_server_type != EXTERNAL
            && self.dnssec_state.as_deref().is_some_and(|state| !off.contains(&state))
    }
}

/// What a full change calls, to be compared with the rights of a key.
pub(super) fn calls(domain: &ZoneName) -> Vec<(&'static str, String)> {
    [
        ("GET", ""),
        ("PUT", ""),
        ("GET", "/nameServer"),
        ("GET", "/nameServer/1"),
        ("GET", "/dsRecord"),
        ("GET", "/dsRecord/1"),
        ("GET", "/task"),
        ("GET", "/task/1"),
        ("POST", "/nameServers/update"),
        ("POST", "/dsRecord"),
    ]
    .map(|(method, path)| (method, format!("/domain/{domain}{path}")))
    .into()
}

pub(super) async fn domain(
    client: &Client,
    domain: &ZoneName,
    credential: &Credential,
) -> Result<Domain, Fault> {
    client.send(credential, Method::GET, &format!("/domain/{domain}"), None).await?.json()
}

async fn each<T: serde::de::DeserializeOwned>(
    client: &Client,
    path: &str,
    query: &str,
    credential: &Credential,
) -> Result<Vec<T>, Fault> {
    let ids: Vec<u64> =
        client.send(credential, Method::GET, &format!("{path}{query}"), None).await?.json()?;
    let mut found = Vec::new();
    for id in ids {
        found.push(client.send(credential, Method::GET, &format!("{path}/{id}"), None).await?.json()?);
    }
    Ok(found)
}

pub(super) async fn read(
    client: &Client,
    name: &ZoneName,
    credential: &Credential,
) -> Result<CurrentState, Fault> {
    let domain = domain(client, name, credential).await?;
    let path = format!("/domain/{name}");
    let servers: Vec<NameServer> = each(client, &format!("{path}/nameServer"), "", credential).await?;
    let keys: Vec<Key> = each(client, &format!("{path}/dsRecord"), "", credential).await?;
    let mut tasks: Vec<Task> = Vec::new();
    for status in ["todo", "doing"] {
        tasks.extend(each(client, &format!("{path}/task"), &format!("?status={status}"), credential).await?);
    }
    let running = tasks.into_iter().find(|task| {
        let delegation = DELEGATION.iter().any(|start| task.function.starts_with(start));
        delegation && matches!(status(task), TaskStatus::Running { .. })
    });
    let ds = keys.into_iter().map(|key| {
        let key = KeyData { flags: key.flags, algorithm: key.algorithm, public_key: key.public_key };
        ds_of(name, &key).ok_or_else(|| Kind::Garbage.fault("ovh holds a key that is none"))
    });
    let ds = ds.collect::<Result<_, _>>()?;
    Ok(CurrentState {
        ns: servers
            .iter()
            .filter(|server| !server.to_delete)
            .map(|server| kind::host("ovh", &server.host))
            .collect::<Result<_, _>>()?,
        ds: (!domain.signed_by_vendor()).then_some(ds),
        lock: Lock {
            blocks_changes: domain.obstacle(),
            transfer: match domain.transfer_lock_status.as_deref() {
                Some("locked" | "locking") => Some(true),
                Some("unlocked" | "unlocking") => Some(false),
                _ => None,
            },
        },
        expires: domain.expires(),
        hosted: Some(domain.name_server_type == "hosted"),
        operated: if domain.name_server_type == EXTERNAL {
            Operated::Custom
        } else {
            Operated::Vendor(domain.name_server_type)
        },
        task: running.map(|task| TaskId(task.id.to_string())),
        ..CurrentState::untold(Mode::RegistryApex)
    })
}

pub(super) async fn write(
    client: &Client,
    name: &ZoneName,
    change: &Change,
    before: &CurrentState,
    credential: &Credential,
) -> Result<Written, Fault> {
    let vendor = matches!(&before.operated, Operated::Vendor(_));
    let path = format!("/domain/{name}");
    match &change.ns {
        Some(NsTarget::Vendor(kind)) => {
            put_type(client, &path, kind, credential).await?;
            return Ok(Written::default());
        }
        Some(NsTarget::Names { names, .. }) => {
            if before.ds.is_none() {
                let detail =
                    format!("OVH signs {name} now: remove its DS and wait for its TTL before the NS change");
                return Err(Fault::new(Class::Rejected, "ds-first", detail));
            }
            if vendor {
                // Until then changes of single nameservers are refused.
                put_type(client, &path, EXTERNAL, credential).await?;
            }
            let hosts: Vec<_> = names.iter().map(|ns| json!({"host": ns.as_str()})).collect();
            let body = json!({"nameServers": hosts});
            let sent = post(client, &format!("{path}/nameServers/update"), &body, credential).await;
            return sent.map_err(Kind::Refused.means(Kind::InvalidNameserver));
        }
        None => {}
    }
    let Some((entries, _)) = &change.ds else { return Ok(Written::default()) };
    if vendor && entries.is_empty() {
        let path = format!("/domain/zone/{name}/dnssec");
        client.send(credential, Method::DELETE, &path, None).await?;
        return Ok(Written::default());
    }
    let keys: Vec<_> = entries
        .iter()
        .filter_map(|entry| Some((entry, entry.key.as_ref()?)))
        .map(|(entry, key)| {
            json!({"algorithm": key.algorithm, "flags": key.flags, "publicKey": key.public_key, "tag": entry.ds.key_tag})
        })
        .collect();
    post(client, &format!("{path}/dsRecord"), &json!({"keys": keys}), credential).await
}

async fn put_type(client: &Client, path: &str, kind: &str, credential: &Credential) -> Result<(), Fault> {
    client.send(credential, Method::PUT, path, Some(&json!({"nameServerType": kind}))).await.map(|_| ())
}

async fn post(client: &Client, path: &str, body: &Value, credential: &Credential) -> Result<Written, Fault> {
    let task: Task = client.send(credential, Method::POST, path, Some(body)).await?.json()?;
    Ok(Written { task: Some(TaskId(task.id.to_string())), notes: Vec::new() })
}

pub(super) async fn task(
    client: &Client,
    name: &ZoneName,
    task: &TaskId,
    credential: &Credential,
) -> Result<TaskStatus, Fault> {
    let id: u64 = task
        .0
        .parse()
        .map_err(|_| Fault::new(Class::Rejected, "no-such-task", "a task of OVH is a number"))?;
    let task: Task =
        client.send(credential, Method::GET, &format!("/domain/{name}/task/{id}"), None).await?.json()?;
    Ok(status(&task))
}

fn status(task: &Task) -> TaskStatus {
    let comment = task.comment.as_deref().map(kind::excerpt).unwrap_or_default();
    match task.status.as_str() {
        "done" => TaskStatus::Done,
        "todo" | "doing" => TaskStatus::Running { stage: task.status.clone() },
        other => TaskStatus::Failed {
            reason: format!("{} ended as {}: {comment}", task.function, kind::excerpt(other)),
        },
    }
}
