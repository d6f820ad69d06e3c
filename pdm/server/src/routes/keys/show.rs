//! `GET /v1/allocations/{fqdn}/keys`: keys, policy and roll of one name, from the store; of a pool too.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use pdm_api::ProblemBody;
use pdm_api::keys::{AtParentView, KeyView, KeysView, RollView};
use pdm_engine::intents::keys::{KeysReport, key_line};
use pdm_model::{DsRecord, Roll, ZoneName};

use crate::app::S;
use crate::extract::{Asking, At};
use crate::problem::{Failure, json};

/// Keys, policy and roll of one name, or of a pool's own zone.
#[utoipa::path(
    get, path = "/v1/allocations/{fqdn}/keys", operation_id = "getKeys", tag = "dnssec",
    params(("fqdn" = String, Path, description = "The name")),
    responses((status = 200, body = KeysView), (status = "default", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn handler(
    State(state): State<S>,
    Asking(caller): Asking,
    At(fqdn): At<String>,
) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &view(&state.engine().keys(&caller, &fqdn).await?)))
}

/// A report as it is shown.
pub(crate) fn view(report: &KeysReport) -> KeysView {
    let KeysReport { fqdn: name, state, intent, policy, ds, parent_ds, waits, at_parent } = report;
    let texts = |set: &BTreeSet<DsRecord>| set.iter().map(ToString::to_string).collect();
    let keys = state.known.iter().filter_map(|age| {
        let line = key_line(name, &age.dnskey)?;
        Some(KeyView {
            tag: line.tag,
            algorithm: line.algorithm,
            role: role(line.entry_point),
            since: Some(age.since),
            active: None,
            published: None,
            ds: line.ds,
            dnskey: age.dnskey.clone(),
        })
    });
    KeysView {
        fqdn: name.clone(),
        policy: policy.clone(),
        own_policy: intent.policy.is_some(),
        insecure: state.insecure,
        keys: keys.collect(),
        ds: texts(ds),
        parent_ds: texts(parent_ds),
        at_parent: at_parent.as_ref().map(AtParentView::from),
        signatures_until: state.signatures_until,
        roll: state.roll.as_ref().map(|roll| roll_view(name, roll)),
        waits: waits.clone(),
        hold: intent.hold.clone(),
        asked: state.open_request(intent).cloned(),
        last: state.last.clone(),
        announced: state.announced.clone(),
    }
}

/// The word for a key's part.
pub(crate) fn role(entry_point: bool) -> String {
    if entry_point { "ksk" } else { "zsk" }.to_owned()
}

fn roll_view(name: &ZoneName, roll: &Roll) -> RollView {
    let tags =
        |texts: &[String]| texts.iter().filter_map(|t| key_line(name, t)).map(|line| line.tag).collect();
    RollView {
        kind: roll.kind.as_str().to_owned(),
        stage: roll.stage.as_str().to_owned(),
        stage_since: roll.stage_since,
        started_at: roll.started_at,
        by: roll.by.clone(),
        reason: roll.reason.clone(),
        old: tags(&roll.old),
        new: tags(&roll.new),
    }
}
