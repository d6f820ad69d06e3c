//! Creating a zone: one POST, and what to make of everything but 201.
//!
//! PowerDNS makes the zone's row first and its records in a transaction after it. A crash or a refusal in between
//! leaves a zone with our account and without SOA, records or keys, that answers 409 to every further POST. So 409 is
//! never taken as done; such a half-made zone of ours is removed and made again. What if two of us do it at once? The
//! slower POST fails on the removed row (the schema's foreign keys) and finds the other's zone when it looks again.

use std::time::Duration;

use pdm_model::canonical::Change;
use pdm_model::{RRset, RecordType, ZoneName};
use pdm_ports::zone::Created;
use pdm_ports::{Class, Fault, ZoneBackend, ZoneSpec};
use reqwest::Method;

use crate::answer::ApiError;
use crate::backend::PowerDns;
use crate::client::Request;
use crate::retry::Tries;
use crate::{escapes, head, ownership, wire};

/// How long another POST may lie between its row and its records before we call its zone half-made.
const SETTLE: Duration = Duration::from_millis(300);

/// What lies at the name.
enum Found {
    Nothing,
    HalfMade,
    Zone,
}

/// Create a zone.
pub(crate) async fn create(dns: &PowerDns, spec: &ZoneSpec) -> Result<Created, Fault> {
    let account = ownership::account(&spec.stamp.allocation);
    if account.len() > ownership::ACCOUNT_LIMIT || !account.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Fault::new(Class::Bug, "allocation-id", "an allocation id must fit into 36 characters"));
    }
    // What has escapes is written, and looked at, once the zone is there.
    let (later, now): (Vec<RRset>, Vec<RRset>) = spec.rrsets.iter().cloned().partition(escapes::has);
    let first = ZoneSpec { rrsets: now, ..spec.clone() };
    let body = wire::new_zone(&first, &mname(dns, spec)?, &dns.options.hostmaster)?;
    let mut tries = Tries::within(dns.instances.timeout());
    loop {
        let fault = match post(dns, &body).await {
            Ok(serial) if later.is_empty() => return Ok(Created::New(serial)),
            Ok(_) => {
                let later: Vec<_> = later.into_iter().map(Change::Replace).collect();
                dns.change_zone(&spec.name, &later, &spec.stamp).await?;
                return Ok(Created::New(None));
            }
            Err(ApiError::Conflict) => {
                Fault::transient("powerdns-conflict", format!("the zone {} comes and goes", spec.name))
            }
            Err(ApiError::Busy(fault) | ApiError::Lost(fault)) => fault,
            Err(error) => return Err(error.into_fault()),
        };
        match look(dns, spec).await? {
            Found::Zone => return Ok(Created::Exists),
            Found::Nothing => {}
            Found::HalfMade => {
                tokio::time::sleep(SETTLE).await;
                if matches!(look(dns, spec).await?, Found::HalfMade) {
                    tracing::warn!(zone = %spec.name, "a half-made zone of ours is removed and made again");
                    dns.remove_zone(&spec.name, &spec.stamp.allocation).await?;
                }
            }
        }
        if !tries.again().await {
            return Err(fault);
        }
    }
}

async fn post(dns: &PowerDns, body: &[u8]) -> Result<Option<u32>, ApiError> {
    let _permit = dns.instances.write_permit().await.map_err(ApiError::Other)?;
    // `rrsets=false`: the answer would repeat everything that was just sent.
    let write = Request::write("create-zone", Method::POST, "/zones?rrsets=false", Some(body.to_vec()));
    // It tells the serial; keys are never in it.
    let request = Request { wants_body: true, ..write };
    let reply = dns.instances.primary().call(request).await?;
    // A serial that cannot be read costs one more look at the zone, later; the zone is there all the same.
    Ok(head::read(&reply.body, &mut |_| ()).ok().map(|head| head.serial))
}

async fn look(dns: &PowerDns, spec: &ZoneSpec) -> Result<Found, Fault> {
    Ok(match dns.read_zone(&spec.name).await? {
        None => Found::Nothing,
        Some(zone) => {
            let ours = zone.stamp.is_some_and(|stamp| stamp.allocation == spec.stamp.allocation);
            let whole = zone.rrsets.iter().any(|rrset| rrset.rtype == RecordType::Soa);
            if ours && !whole { Found::HalfMade } else { Found::Zone }
        }
    })
}

/// SOA MNAME: the first of the operator's nameservers that serves this zone.
fn mname(dns: &PowerDns, spec: &ZoneSpec) -> Result<ZoneName, Fault> {
    let apex = spec.name.dotted();
    let ns = spec.rrsets.iter().find(|rrset| rrset.rtype == RecordType::Ns && rrset.owner == apex);
    let names = ns.map(|rrset| &rrset.records);
    let preferred = dns
        .options
        .nameservers
        .iter()
        .find(|name| names.is_some_and(|records| records.contains(&name.dotted())));
    let first = || names.and_then(|records| records.first()).and_then(|record| ZoneName::parse(record).ok());
    preferred.cloned().or_else(first).ok_or_else(|| {
        Fault::new(Class::Bug, "apex-ns-missing", format!("the zone {} has no nameserver", spec.name))
    })
}
