//! NS records inside a zone. Records are changed one by one and published all at once by a refresh; until then the
//! state is unfinished, whoever left it so.

use pdm_model::{Ttl, ZoneName};
use pdm_ports::Fault;
use pdm_ports::registrar::{Change, Credential, CurrentState, Mode, NsTarget, TaskId, TaskStatus};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::client::Client;
use crate::admit::ns_difference;
use crate::flow::Written;
use crate::kind::{self, Kind, label};

/// The task of a zone whose records are not all served yet.
pub(super) const REFRESH: &str = "refresh";
/// Records at one name that are read.
const MOST: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: u64,
    field_type: String,
    sub_domain: Option<String>,
    target: String,
    ttl: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    is_deployed: bool,
}

#[derive(Deserialize)]
struct Zone {
    #[serde(rename = "name")]
    _name: String,
}

/// What a full change calls, to be compared with the rights of a key.
pub(super) fn calls(zone: &ZoneName) -> Vec<(&'static str, String)> {
    [
        ("GET", ""),
        ("GET", "/record"),
        ("GET", "/record/1"),
        ("GET", "/status"),
        ("POST", "/record"),
        ("PUT", "/record/1"),
        ("DELETE", "/record/1"),
        ("POST", "/refresh"),
    ]
    .map(|(method, path)| (method, format!("/domain/zone/{zone}{path}")))
    .into()
}

pub(super) async fn exists(client: &Client, zone: &ZoneName, credential: &Credential) -> Result<(), Fault> {
    let answer = client.send(credential, Method::GET, &format!("/domain/zone/{zone}"), None).await?;
    answer.json::<Zone>().map(|_| ())
}

async fn records(
    client: &Client,
    zone: &ZoneName,
    child: &ZoneName,
    credential: &Credential,
) -> Result<Vec<Record>, Fault> {
    let (path, label) = (format!("/domain/zone/{zone}/record"), label(zone, child));
    let ids = client.send(credential, Method::GET, &format!("{path}?subDomain={label}"), None).await?;
    let ids: Vec<u64> = ids.json()?;
    if ids.len() > MOST {
        return Err(Kind::Conflict.fault(format!("{child} has {} records", ids.len())));
    }
    let mut records = Vec::new();
    for id in ids {
        let record: Record =
            client.send(credential, Method::GET, &format!("{path}/{id}"), None).await?.json()?;
        // The filter is documented as "like".
        if record.sub_domain.as_deref().is_some_and(|sub| sub.eq_ignore_ascii_case(label)) {
            records.push(record);
        }
    }
    Ok(records)
}

impl Record {
    /// Without a dot at the end the target lies in the zone.
    fn host(&self, zone: &ZoneName) -> Result<ZoneName, Fault> {
        match self.target.strip_suffix('.') {
            Some(host) => kind::host("ovh", host),
            None => kind::host("ovh", &format!("{}.{zone}", self.target)),
        }
    }
}

async fn deployed(client: &Client, zone: &ZoneName, credential: &Credential) -> Result<bool, Fault> {
    let answer = client.send(credential, Method::GET, &format!("/domain/zone/{zone}/status"), None).await?;
    Ok(answer.json::<Status>()?.is_deployed)
}

pub(super) async fn read(
    client: &Client,
    zone: &ZoneName,
    child: &ZoneName,
    credential: &Credential,
) -> Result<CurrentState, Fault> {
    let records = records(client, zone, child, credential).await?;
    let ns = || records.iter().filter(|record| record.field_type == "NS");
    // All that were read are at the name.
    let owners = records.iter().map(|record| (label(zone, child), record.field_type.as_str()));
    Ok(CurrentState {
        ns: ns().map(|record| record.host(zone)).collect::<Result<_, _>>()?,
        // Zero is the zone's default, which is told elsewhere.
        ns_ttl: ns().map(|record| record.ttl).max().filter(|ttl| *ttl != 0).map(Ttl::new),
        other_types: kind::hidden_by(label(zone, child), owners),
        task: (!deployed(client, zone, credential).await?).then(|| TaskId(REFRESH.into())),
        ..CurrentState::untold(Mode::HostedParent)
    })
}

/// Changed and new ones first, superfluous ones last, so that a half-done change published by somebody else's
/// refresh still is a delegation.
pub(super) async fn write(
    client: &Client,
    zone: &ZoneName,
    child: &ZoneName,
    change: &Change,
    credential: &Credential,
) -> Result<Written, Fault> {
    let path = format!("/domain/zone/{zone}");
    if let Some(NsTarget::Names { names, ttl, .. }) = &change.ns {
        let label = label(zone, child);
        let mut records = records(client, zone, child, credential).await?;
        records.retain(|record| record.field_type == "NS");
        let difference =
            ns_difference(&records, names, *ttl, |record| Ok((record.host(zone)?, Some(record.ttl))))?;
        for record in difference.changed {
            let body = json!({"subDomain": label, "target": record.target, "ttl": ttl.seconds()});
            let path = format!("{path}/record/{}", record.id);
            client.send(credential, Method::PUT, &path, Some(&body)).await?;
        }
        for ns in difference.missing {
            let body =
                json!({"fieldType": "NS", "subDomain": label, "target": ns.dotted(), "ttl": ttl.seconds()});
            client.send(credential, Method::POST, &format!("{path}/record"), Some(&body)).await?;
        }
        for record in difference.spare {
            let path = format!("{path}/record/{}", record.id);
            client.send(credential, Method::DELETE, &path, None).await?;
        }
    }
    client.send(credential, Method::POST, &format!("{path}/refresh"), None).await?;
    Ok(Written::default())
}

pub(super) async fn task(
    client: &Client,
    zone: &ZoneName,
    credential: &Credential,
) -> Result<TaskStatus, Fault> {
    if deployed(client, zone, credential).await? {
        return Ok(TaskStatus::Done);
    }
    Ok(TaskStatus::Running { stage: "records wait for the zone's refresh".into() })
}
