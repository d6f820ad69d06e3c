//! PowerDNS's own API for clients that know no other: `X-API-Key` is a token of the role `dns-door`, and what it reads
//! and writes are its own names. See `pdm_engine::door`.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use pdm_api::door::{DoorEdit, DoorPatch, DoorProblem, DoorQuery, DoorServer, DoorVersion, DoorZone};
use pdm_engine::caller::Right;
use pdm_engine::door::{Edit, EditKind};
use pdm_model::Refusal;
use tracing::Instrument as _;

use crate::app::S;
use crate::extract::{Asking, At, JsonOfAnyType, Params};
use crate::problem::{Failure, json};

/// Which versions there are.
#[utoipa::path(
    get, path = "/api", operation_id = "doorVersions", tag = "door", security(()),
    responses((status = 200, body = [DoorVersion]), (status = "default", body = DoorProblem))
)]
pub(crate) async fn versions() -> Response {
    json(StatusCode::OK, &[DoorVersion { url: "/api/v1", version: 1 }])
}

/// The servers: one.
#[utoipa::path(
    get, path = "/api/v1/servers", operation_id = "doorServers", tag = "door", security(("door" = [])),
    responses((status = 200, body = [DoorServer]), (status = "default", body = DoorProblem))
)]
pub(crate) async fn servers(Asking(caller): Asking) -> Result<Response, Failure> {
    caller.must(Right::Door)?;
    Ok(json(StatusCode::OK, &[DoorServer::localhost()]))
}

/// The one server.
#[utoipa::path(
    get, path = "/api/v1/servers/localhost", operation_id = "doorServer", tag = "door", security(("door" = [])),
    responses((status = 200, body = DoorServer), (status = "default", body = DoorProblem))
)]
pub(crate) async fn server(Asking(caller): Asking) -> Result<Response, Failure> {
    caller.must(Right::Door)?;
    Ok(json(StatusCode::OK, &DoorServer::localhost()))
}

/// The token's zone.
#[utoipa::path(
    get, path = "/api/v1/servers/localhost/zones", operation_id = "doorZones", tag = "door", params(DoorQuery),
    security(("door" = [])),
    responses((status = 200, body = [DoorZone]), (status = "default", body = DoorProblem))
)]
pub(crate) async fn zones(
    State(state): State<S>,
    Asking(caller): Asking,
    Params(query): Params<DoorQuery>,
) -> Result<Response, Failure> {
    let zone = state.engine().door_zone(&caller).await?;
    let wanted =
        query.zone.as_deref().is_none_or(|q| q.trim_end_matches('.').eq_ignore_ascii_case(zone.as_str()));
    let list: Vec<DoorZone> = wanted.then(|| DoorZone::new(zone.as_str())).into_iter().collect();
    Ok(json(StatusCode::OK, &list))
}

/// The token's own names in its zone.
#[utoipa::path(
    get, path = "/api/v1/servers/localhost/zones/{zone}", operation_id = "doorZone", tag = "door",
    params(("zone" = String, Path, description = "The zone, with or without the last dot")), security(("door" = [])),
    responses((status = 200, body = DoorZone), (status = "default", body = DoorProblem))
)]
pub(crate) async fn zone(
    State(state): State<S>,
    Asking(caller): Asking,
    At(zone): At<String>,
) -> Result<Response, Failure> {
    let view = state.engine().door_view(&caller, &zone).await?;
    let rrsets = view.rrsets.into_iter().map(Into::into).collect();
    let shown = DoorZone { serial: view.serial, rrsets: Some(rrsets), ..DoorZone::new(view.zone.as_str()) };
    Ok(json(StatusCode::OK, &shown))
}

/// Change the token's own names; all of it or nothing.
#[utoipa::path(
    patch, path = "/api/v1/servers/localhost/zones/{zone}", operation_id = "doorChange", tag = "door",
    params(("zone" = String, Path, description = "The zone, with or without the last dot")), request_body = DoorPatch,
    security(("door" = [])),
    responses((status = 204, description = "Written"), (status = "default", body = DoorProblem))
)]
pub(crate) async fn change(
    State(state): State<S>,
    Asking(caller): Asking,
    At(zone): At<String>,
    JsonOfAnyType(body): JsonOfAnyType<DoorPatch>,
) -> Result<Response, Failure> {
    let edits = body.rrsets.into_iter().enumerate().map(edit).collect::<Result<Vec<_>, Refusal>>()?;
    // The client may hang up, and what was begun is ended all the same.
    let engine = state.engine().clone();
    let change = async move { engine.door_change(&caller, &zone, &edits).await };
    let task = tokio::spawn(change.in_current_span());
    task.await.map_err(|error| Failure::internal(format!("a change through the door: {error}")))??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// PowerDNS's notify: nobody has to be told of a change, so there is nothing to do.
#[utoipa::path(
    put, path = "/api/v1/servers/localhost/zones/{zone}/notify", operation_id = "doorNotify", tag = "door",
    params(("zone" = String, Path, description = "The zone, with or without the last dot")), security(("door" = [])),
    responses((status = 200, description = "Nothing to do"), (status = "default", body = DoorProblem))
)]
pub(crate) async fn notify(Asking(caller): Asking) -> Result<Response, Failure> {
    caller.must(Right::Door)?;
    Ok(json(
        StatusCode::OK,
        &serde_json::json!({ "result": "the zone is native: there is nothing to notify" }),
    ))
}

fn edit((index, edit): (usize, DoorEdit)) -> Result<Edit, Refusal> {
    let invalid = |field: &str, detail: &str| {
        Refusal::new("invalid-rrset", detail).field(format!("rrsets[{index}].{field}"))
    };
    let kind = match edit.changetype.to_ascii_uppercase().as_str() {
        "REPLACE" => EditKind::Replace,
        "DELETE" => EditKind::Delete,
        "EXTEND" => EditKind::Extend,
        "PRUNE" => EditKind::Prune,
        _ => return Err(invalid("changetype", "one of REPLACE, DELETE, EXTEND, PRUNE")),
    };
    if edit.records.iter().any(|record| record.disabled) {
        return Err(invalid("records", "a disabled record is not written"));
    }
    let needs_ttl = matches!(kind, EditKind::Replace | EditKind::Extend) && !edit.records.is_empty();
    if needs_ttl && edit.ttl.is_none() {
        return Err(invalid("ttl", "a TTL is missing"));
    }
    let records = edit.records.into_iter().map(|record| record.content).collect();
    Ok(Edit { name: edit.name, rtype: edit.rtype, kind, ttl: edit.ttl.unwrap_or_default(), records })
}
