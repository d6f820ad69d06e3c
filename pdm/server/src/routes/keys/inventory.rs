//! `GET /v1/dnssec/inventory`: every zone's keys as PowerDNS holds them, with what is wrong.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::keys::{Inventory, InventoryQuery, InventoryZone, KeyFinding, KeyView};
use pdm_engine::intents::keys::key_line;
use pdm_model::{Refusal, ZoneName};

use super::show::role;
use crate::app::S;
use crate::extract::{Asking, Params};
use crate::problem::{Failure, json};

/// Every zone's keys, their state, age and DS, and what is wrong with them: the check of a restored database.
#[utoipa::path(
    get, path = "/v1/dnssec/inventory", operation_id = "keyInventory", tag = "dnssec", params(InventoryQuery),
    responses((status = 200, body = Inventory), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    Params(query): Params<InventoryQuery>,
) -> Result<Response, Failure> {
    let unknown = |_| Refusal::new("unsupported-pool", "not a pool here").field("poolDomain");
    let pool = query.pool_domain.as_deref().map(ZoneName::parse).transpose().map_err(unknown)?;
    if let Some(pool) = &pool {
        state.engine().settings().pool(pool)?;
    }
    let zones = state.engine().key_inventory(&caller, pool.as_ref()).await?;
    let zones = zones.into_iter().map(|zone| {
        let keys = zone.keys.iter().map(|key| KeyView {
            tag: key.tag,
            algorithm: key.algorithm,
            role: role(key.entry_point),
            since: key.since,
            active: Some(key.active),
            published: Some(key.published),
            ds: key_line(&zone.zone, &key.dnskey).and_then(|line| line.ds),
            dnskey: key.dnskey.clone(),
        });
        let texts = |set: &std::collections::BTreeSet<pdm_model::DsRecord>| -> Vec<String> {
            set.iter().map(ToString::to_string).collect()
        };
        let finding = |(code, detail): &(&'static str, String)| KeyFinding {
            code: (*code).to_owned(),
            detail: detail.clone(),
        };
        InventoryZone {
            keys: keys.collect(),
            what: if zone.pool { "pool" } else { "sovereign" }.to_owned(),
            roll: zone.roll.map(|(kind, stage)| format!("{} {}", kind.as_str(), stage.as_str())),
            ds: texts(&zone.ds),
            parent_ds: zone.parent.as_ref().map(texts),
            findings: zone.findings.iter().map(finding).collect(),
            zone: zone.zone,
        }
    });
    Ok(json(StatusCode::OK, &Inventory { zones: zones.collect() }))
}
