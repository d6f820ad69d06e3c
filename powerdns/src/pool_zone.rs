//! The pool zone itself: made when it is missing, taken over gently when it is there.
//!
//! The settings make the cost of a delegation flat. PowerDNS rectifies the whole zone inside every PATCH unless
//! `api_rectify` is off, and only NSEC3 in narrow mode answers right without it (measured; NSEC breaks the trust chain
//! of insecure children). Records of others stay as they are; what differs and is not ours to change is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use pdm_model::{RRset, RecordType, ZoneName};
use pdm_ports::{Class, Fault};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::answer::{ApiError, garbage};
use crate::client::Request;
use crate::head::{self, ZoneHead};
use crate::ownership::POOL_ACCOUNT;
use crate::parent::{PoolConfig, PoolParent};
use crate::view::View;
use crate::wire::{self, RrsetOut};
use crate::writer::{Memory, Room};

/// One difference between a pool zone and what PDM needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// For people.
    pub what: String,
    /// PDM does it. Otherwise it is the operator's to decide, and PDM works without it.
    pub applies: bool,
}

/// What preparing a pool would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolPlan {
    /// The pool.
    pub zone: ZoneName,
    /// Whether the zone is there.
    pub exists: bool,
    /// Why PDM cannot work with this zone at all.
    pub refused: Option<String>,
    /// The differences, in the order in which they are applied.
    pub steps: Vec<Step>,
    /// Delegations in it.
    pub delegations: usize,
    /// Names with records of others, none of which change.
    pub foreign_names: usize,
}

/// What preparing a pool did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The plan that was carried out.
    pub plan: PoolPlan,
    /// The zone was not there before.
    pub created: bool,
    /// Keys or the way of denying changed. Servers remember both: wait until every instance answers the zone's new
    /// NSEC3PARAM and DNSKEY before the first delegation.
    pub switched: bool,
}

/// A zone as far as the plan needs it.
struct Survey {
    head: ZoneHead,
    metadata: BTreeMap<String, Vec<String>>,
    view: View,
    records: usize,
    apex_ns: BTreeSet<String>,
    addresses: BTreeMap<String, BTreeSet<IpAddr>>,
}

impl PoolParent {
    /// What [`PoolParent::prepare`] would do. Changes nothing.
    ///
    /// # Errors
    /// `pool-unknown`, and what reading brings.
    pub async fn plan(&self, pool: &ZoneName) -> Result<PoolPlan, Fault> {
        let room = self.room(pool)?;
        let survey = survey(room).await?;
        Ok(plan(&room.config, survey.as_ref()))
    }

    /// Make the pool zone, or bring its settings and glue to what PDM needs. The second time changes nothing.
    ///
    /// # Errors
    /// `pool-refused` when PDM cannot work with the zone, `pool-busy` when another process prepares or writes it.
    pub async fn prepare(&self, pool: &ZoneName) -> Result<Prepared, Fault> {
        let room = self.room(pool)?;
        let mut memory = room.memory.lock().await;
        hold(room, &mut memory).await?;
        let outcome = carry_out(room, &mut memory).await;
        memory.stale = true;
        drop(memory);
        if let Err(fault) = room.lease.give_back(pool, &room.holder).await {
            tracing::warn!(pool = %pool, code = fault.code, "the pool's lease was not given back");
        }
        outcome
    }
}

/// Get the zone's lease, waiting for another process that works on it.
async fn hold(room: &Room, memory: &mut Memory) -> Result<(), Fault> {
    let patience = Instant::now() + room.lease_time() * 2;
    while !room.acquire(memory).await? {
        if Instant::now() >= patience {
            let text = format!("another process keeps writing the pool zone {}", room.config.zone);
            return Err(Fault::transient("pool-busy", text));
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    if let Some(until) = memory.pause.take() {
        tokio::time::sleep_until(until.into()).await;
    }
    Ok(())
}

async fn survey(room: &Room) -> Result<Option<Survey>, Fault> {
    let zone = room.config.zone.dotted();
    let client = room.dns.instances.primary();
    let request = Request::get("get-pool", format!("/zones/{zone}")).patient();
    let body = match client.call(request).await {
        Ok(reply) => reply.body,
        Err(ApiError::Missing) => return Ok(None),
        Err(error) => return Err(error.into_fault()),
    };
    let names: BTreeSet<String> = room.usual.iter().map(ZoneName::dotted).collect();
    let mut view = View::new(room.config.zone.clone());
    let (mut records, mut apex_ns, mut addresses) = (0, BTreeSet::new(), BTreeMap::new());
    let head = head::read(&body, &mut |rrset| {
        view.add(rrset);
        let Some(served) = rrset.served() else { return };
        records += 1;
        if served.rtype == RecordType::Ns && served.owner == zone {
            apex_ns = served.records;
        } else if matches!(served.rtype, RecordType::A | RecordType::Aaaa) && names.contains(&served.owner) {
            let known: &mut BTreeSet<IpAddr> = addresses.entry(served.owner).or_default();
            known.extend(served.records.iter().filter_map(|text| text.parse::<IpAddr>().ok()));
        }
    })?;
    drop(body);

    #[derive(Deserialize)]
    struct Line {
        kind: String,
        metadata: Vec<String>,
    }
    let request = Request::get("get-metadata", format!("/zones/{zone}/metadata"));
    let reply = client.call(request).await.map_err(ApiError::into_fault)?;
    let lines: Vec<Line> =
        serde_json::from_slice(&reply.body).map_err(|error| garbage("metadata", &error))?;
    let metadata = lines.into_iter().map(|line| (line.kind, line.metadata)).collect();
    Ok(Some(Survey { head, metadata, view, records, apex_ns, addresses }))
}

/// Compare. Pure.
fn plan(config: &PoolConfig, survey: Option<&Survey>) -> PoolPlan {
    let zone = config.zone.clone();
    let mut plan = PoolPlan {
        zone,
        exists: survey.is_some(),
        refused: None,
        steps: Vec::new(),
        delegations: 0,
        foreign_names: 0,
    };
    let mut step = |code, applies, what: String| plan.steps.push(Step { code, what, applies });
    let Some(found) = survey else {
        step("create-zone", true, format!("create {}, signed, with NSEC3 in narrow mode", config.zone));
        return plan;
    };
    let head = &found.head;
    if half_made(found) {
        step("create-zone", true, "it is empty and carries PDM's own mark: make it again".into());
        return plan;
    }
    let set = |kind: &str| found.metadata.get(kind).and_then(|values| values.first()).map(String::as_str);
    let refused = if matches!(head.kind.to_ascii_lowercase().as_str(), "slave" | "secondary" | "consumer") {
        Some(format!("it is a {} zone: its records come from another server", head.kind))
    } else if set("PRESIGNED") == Some("1") {
        Some("it is signed somewhere else (PRESIGNED): PDM's changes would break its signatures".into())
    } else {
        None
    };
    if !head.dnssec {
        step("sign-zone", true, "sign it; its DS goes to the registrar afterwards".into());
    }
    if !head.dnssec || !head.nsec3narrow || head.nsec3param.is_empty() {
        let now = match (head.dnssec, head.nsec3param.as_str()) {
            (false, _) => "nothing, being unsigned".into(),
            (true, "") => "NSEC".into(),
            (true, param) => format!("NSEC3 ({param})"),
        };
        step("nsec3-narrow", true, format!("deny with NSEC3 in narrow mode; it uses {now} now"));
    }
    if set("API-RECTIFY") != Some("0") {
        step("api-rectify-off", true, "rectify once now instead of the whole zone at every change".into());
    }
    if !matches!(
        head.soa_edit_api.as_str(),
        "DEFAULT" | "INCREASE" | "EPOCH" | "SOA-EDIT" | "SOA-EDIT-INCREASE"
    ) {
        let what = format!(
            "count serials by the day (SOA-EDIT-API DEFAULT): with {:?} the serial never moves",
            head.soa_edit_api
        );
        step("serial-moves", true, what);
    }
    for server in glue(config) {
        let have = found.addresses.get(&server.0.dotted());
        match have {
            None => step("glue-missing", true, format!("add the addresses of {}", server.0)),
            Some(have) if *have != server.1 => {
                step("glue-differs", false, format!("{} has the addresses {have:?} here", server.0));
            }
            Some(_) => {}
        }
    }
    let want: BTreeSet<String> = config.nameservers.iter().map(|server| server.name.dotted()).collect();
    if found.apex_ns != want {
        let what = format!("its NS set is {:?}, configured is {want:?}", found.apex_ns);
        step("nameservers-differ", false, what);
    }
    plan.refused = refused;
    plan.delegations = found.view.len();
    plan.foreign_names = found.view.foreign_count();
    plan
}

/// PowerDNS makes a zone's row before its records; a crash in between leaves this.
fn half_made(found: &Survey) -> bool {
    found.head.account == POOL_ACCOUNT && found.records == 0
}

/// The nameservers whose names lie in the pool, with their addresses.
fn glue(config: &PoolConfig) -> impl Iterator<Item = (&ZoneName, BTreeSet<IpAddr>)> {
    config
        .nameservers
        .iter()
        .filter(|server| server.name.is_at_or_below(&config.zone) && !server.addresses.is_empty())
        .map(|server| (&server.name, server.addresses.iter().copied().collect()))
}

fn glue_rrsets(config: &PoolConfig, name: &ZoneName, addresses: &BTreeSet<IpAddr>) -> Vec<RRset> {
    let (v4, v6): (Vec<&IpAddr>, Vec<&IpAddr>) = addresses.iter().partition(|address| address.is_ipv4());
    [(RecordType::A, v4), (RecordType::Aaaa, v6)]
        .into_iter()
        .filter(|(_, addresses)| !addresses.is_empty())
        .map(|(rtype, addresses)| {
            let texts = addresses.iter().map(ToString::to_string);
            RRset::new(name.dotted(), rtype, config.ttls.apex_ns, texts)
        })
        .collect()
}

async fn carry_out(room: &Room, memory: &mut Memory) -> Result<Prepared, Fault> {
    let survey = survey(room).await?;
    let plan = plan(&room.config, survey.as_ref());
    if let Some(reason) = &plan.refused {
        let text = format!("PDM cannot use {} as a pool: {reason}", plan.zone);
        return Err(Fault::new(Class::Rejected, "pool-refused", text));
    }
    let due = |code: &str| plan.steps.iter().any(|step| step.code == code);
    let created = due("create-zone");
    let switched = created || due("sign-zone") || due("nsec3-narrow");
    if !plan.steps.iter().any(|step| step.applies) {
        return Ok(Prepared { plan, created, switched });
    }
    let zone = format!("/zones/{}", plan.zone.dotted());
    if created {
        if survey.is_some() {
            write(room, "delete-pool", Method::DELETE, &zone, None).await?;
        }
        create(room).await?;
    } else {
        let settings = settings(&plan);
        if !settings.is_empty() {
            let body = wire::to_json(&settings)?;
            write(room, "set-pool", Method::PUT, &zone, Some(body)).await?;
        }
        let missing: Vec<RRset> = glue(&room.config)
            .filter(|(name, _)| {
                survey.as_ref().is_some_and(|found| !found.addresses.contains_key(&name.dotted()))
            })
            .flat_map(|(name, addresses)| glue_rrsets(&room.config, name, &addresses))
            .collect();
        if !missing.is_empty() {
            let rrsets: Vec<RrsetOut<'_>> = missing.iter().map(replace).collect();
            write(room, "patch-pool", Method::PATCH, &zone, Some(wire::patch(&rrsets)?)).await?;
        }
    }
    room.rectify(memory).await?;
    // POST and PUT leave what the servers remember of the name.
    if let Err(fault) = room.dns.instances.flush(&plan.zone, false).await {
        tracing::warn!(pool = %plan.zone, code = fault.code, "an instance keeps its old answers for a while");
    }
    Ok(Prepared { plan, created, switched })
}

/// The zone's settings that differ. PowerDNS leaves alone what is not named.
fn settings(plan: &PoolPlan) -> serde_json::Map<String, serde_json::Value> {
    let mut settings = serde_json::Map::new();
    for step in &plan.steps {
        match step.code {
            "sign-zone" => {
                settings.insert("dnssec".into(), true.into());
            }
            "nsec3-narrow" => {
                settings.insert("nsec3param".into(), "1 0 0 -".into());
                settings.insert("nsec3narrow".into(), true.into());
            }
            "api-rectify-off" => {
                settings.insert("api_rectify".into(), false.into());
            }
            "serial-moves" => {
                settings.insert("soa_edit_api".into(), "DEFAULT".into());
            }
            _ => {}
        }
    }
    settings
}

fn replace(rrset: &RRset) -> RrsetOut<'_> {
    let contents = rrset.records.iter().map(String::as_str);
    RrsetOut::replace(rrset.owner.as_str(), rrset.rtype.as_str(), rrset.ttl, contents)
}

async fn create(room: &Room) -> Result<(), Fault> {
    #[derive(Serialize)]
    struct NewPool<'a> {
        name: String,
        kind: &'static str,
        dnssec: bool,
        nsec3param: &'static str,
        nsec3narrow: bool,
        api_rectify: bool,
        soa_edit_api: &'static str,
        account: &'static str,
        nameservers: [&'static str; 0],
        rrsets: Vec<RrsetOut<'a>>,
    }
    let config = &room.config;
    let Some(first) = config.nameservers.first() else {
        let text = format!("the pool {} has no nameservers", config.zone);
        return Err(Fault::new(Class::Rejected, "pool-nameservers", text));
    };
    let apex = config.zone.dotted();
    let ttl = config.ttls.apex_ns;
    let glue: Vec<RRset> =
        glue(config).flat_map(|(name, addresses)| glue_rrsets(config, name, &addresses)).collect();
    let ns = config.nameservers.iter().map(|server| server.name.dotted());
    let mut rrsets = vec![
        wire::soa(&apex, ttl, &first.name, &room.dns.options.hostmaster, config.ttls.negative),
        RrsetOut { changetype: None, ..RrsetOut::replace(apex.as_str(), "NS", ttl, ns) },
    ];
    rrsets.extend(glue.iter().map(|rrset| RrsetOut { changetype: None, ..replace(rrset) }));
    let body = wire::to_json(&NewPool {
        name: apex.clone(),
        kind: "Native",
        dnssec: true,
        nsec3param: "1 0 0 -",
        nsec3narrow: true,
        api_rectify: false,
        soa_edit_api: "DEFAULT",
        account: POOL_ACCOUNT,
        nameservers: [],
        rrsets,
    })?;
    write(room, "create-pool", Method::POST, "/zones?rrsets=false", Some(body)).await
}

async fn write(
    room: &Room,
    call: &'static str,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<(), Fault> {
    let _permit = room.dns.instances.write_permit().await?;
    let request = Request::write(call, method, path, body).patient();
    room.dns.instances.primary().call(request).await.map(|_| ()).map_err(ApiError::into_fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parent::PoolNameserver;
    use pdm_model::Ttls;

    fn config() -> PoolConfig {
        PoolConfig {
            zone: ZoneName::parse("pool.example").unwrap(),
            nameservers: vec![PoolNameserver {
                name: ZoneName::parse("ns1.pool.example").unwrap(),
                addresses: vec!["192.0.2.1".parse().unwrap()],
            }],
            ttls: Ttls::default(),
        }
    }

    fn found(kind: &str, metadata: &[(&str, &str)]) -> Survey {
        let metadata = metadata.iter().map(|(kind, value)| ((*kind).into(), vec![(*value).into()])).collect();
        Survey {
            head: ZoneHead {
                kind: kind.into(),
                dnssec: true,
                nsec3narrow: true,
                nsec3param: "1 0 0 -".into(),
                soa_edit_api: "DEFAULT".into(),
                ..ZoneHead::default()
            },
            metadata,
            view: View::new(config().zone),
            records: 2,
            apex_ns: ["ns1.pool.example.".to_owned()].into(),
            addresses: [("ns1.pool.example.".to_owned(), ["192.0.2.1".parse().unwrap()].into())].into(),
        }
    }

    fn codes(plan: &PoolPlan) -> Vec<&'static str> {
        plan.steps.iter().map(|step| step.code).collect()
    }

    #[test]
    fn what_is_right_needs_nothing() {
        let plan = plan(&config(), Some(&found("Native", &[("API-RECTIFY", "0")])));
        assert_eq!((codes(&plan), plan.refused), (vec![], None));
    }

    #[test]
    fn every_difference_has_its_step() {
        let mut zone = found("Master", &[]);
        zone.head.dnssec = false;
        zone.head.soa_edit_api = "INCEPTION-EPOCH".into();
        zone.addresses.clear();
        zone.apex_ns.clear();
        let want = [
            "sign-zone",
            "nsec3-narrow",
            "api-rectify-off",
            "serial-moves",
            "glue-missing",
            "nameservers-differ",
        ];
        assert_eq!(codes(&plan(&config(), Some(&zone))), want);
        assert_eq!(codes(&plan(&config(), None)), ["create-zone"]);
    }

    #[test]
    fn zones_that_others_sign_or_send_are_refused() {
        for zone in [found("Slave", &[]), found("Secondary", &[]), found("Native", &[("PRESIGNED", "1")])] {
            assert!(plan(&config(), Some(&zone)).refused.is_some());
        }
    }
}
