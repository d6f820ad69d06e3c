//! A zone's keys: reading them, and seeing to it that there are some that sign.
//!
//! Private keys never come here: lists do not carry them, and the one answer that does is not read.

use pdm_model::delegation::SHA256;
use pdm_model::{DsRecord, ZoneName};
use pdm_ports::{Fault, Stamp, ZoneKey};
use reqwest::Method;
use serde::Deserialize;

use crate::answer::{ApiError, garbage};
use crate::backend::PowerDns;
use crate::client::Request;
use crate::retry::Tries;
use crate::wire;

/// A key and its part.
pub(crate) struct KeyAndPart {
    pub(crate) key: ZoneKey,
    /// PowerDNS signs everything with an entry point that has no zone-signing key beside it.
    csk: bool,
}

#[derive(Deserialize)]
struct KeyIn {
    id: u64,
    flags: u16,
    active: bool,
    #[serde(default = "yes")]
    published: bool,
    #[serde(default)]
    keytype: String,
    #[serde(default)]
    dnskey: String,
    #[serde(default)]
    ds: Vec<String>,
}

fn yes() -> bool {
    true
}

impl From<KeyIn> for KeyAndPart {
    fn from(key: KeyIn) -> Self {
        // The algorithm is told as a name; its number is the third field of the RDATA.
        let algorithm =
            key.dnskey.split_ascii_whitespace().nth(2).and_then(|n| n.parse().ok()).unwrap_or_default();
        let ds = key
            .ds
            .iter()
            .filter_map(|text| text.parse::<DsRecord>().ok())
            .find(|ds| ds.digest_type == SHA256 && key.flags & 1 == 1);
        let csk = key.keytype == "csk";
        let KeyIn { id, flags, active, published, dnskey, .. } = key;
        Self { key: ZoneKey { id, flags, algorithm, active, published, ds, dnskey }, csk }
    }
}

/// The keys of a zone; none when it is missing.
pub(crate) async fn read(dns: &PowerDns, name: &ZoneName) -> Result<Option<Vec<KeyAndPart>>, Fault> {
    let request = Request::get("get-keys", format!("/zones/{}/cryptokeys", name.dotted()));
    let reply = match dns.instances.primary().call(request).await {
        Ok(reply) => reply,
        Err(ApiError::Missing) => return Ok(None),
        Err(error) => return Err(error.into_fault()),
    };
    let keys: Vec<KeyIn> =
        serde_json::from_slice(&reply.body).map_err(|error| garbage("list of keys", &error))?;
    Ok(Some(keys.into_iter().map(KeyAndPart::from).collect()))
}

/// The next thing that brings a zone nearer to being signed.
#[derive(Debug, PartialEq, Eq)]
enum Mend {
    /// Let PowerDNS make the keys of its configuration.
    MakeAll,
    /// Switch a key on that is there: a parent may have its DS already.
    Activate(u64),
    /// Make one key, `ksk` or `zsk`, of the algorithm that the others have.
    Make(&'static str, u8),
}

fn next(keys: &[KeyAndPart]) -> Option<Mend> {
    if keys.is_empty() {
        return Some(Mend::MakeAll);
    }
    let algorithm = keys.first().map_or(13, |key| key.key.algorithm.max(1));
    let live = |key: &&KeyAndPart| key.key.active && key.key.published;
    let entry = |key: &&KeyAndPart| key.key.flags & 1 == 1;
    let zone = |key: &&KeyAndPart| key.key.flags & 1 == 0;
    if !keys.iter().filter(entry).any(|key| live(&key)) {
        return Some(
            keys.iter().find(entry).map_or(Mend::Make("ksk", algorithm), |key| Mend::Activate(key.key.id)),
        );
    }
    let signs = |key: &KeyAndPart| live(&key) && (zone(&key) || key.csk);
    if !keys.iter().any(signs) {
        return Some(
            keys.iter().find(zone).map_or(Mend::Make("zsk", algorithm), |key| Mend::Activate(key.key.id)),
        );
    }
    None
}

/// Make sure that a zone of ours is signed. The longest way has three steps (nothing, entry point, zone key).
pub(crate) async fn ensure_signed(dns: &PowerDns, name: &ZoneName, stamp: &Stamp) -> Result<(), Fault> {
    let mut tries = Tries::within(dns.instances.timeout());
    let mut changed = false;
    for _ in 0..6 {
        let Some(head) = dns.owned(name, &stamp.allocation).await? else {
            return Err(ApiError::Missing.into_fault());
        };
        let Some(keys) = read(dns, name).await? else { return Err(ApiError::Missing.into_fault()) };
        let mend = match next(&keys) {
            Some(mend) => mend,
            // Keys without "dnssec" do not happen on 4.7; if a later version separates them, this says so.
            None if !head.dnssec => Mend::MakeAll,
            None => {
                if changed {
                    dns.instances.flush(name, false).await?;
                }
                return Ok(());
            }
        };
        tracing::warn!(zone = %name, ?mend, "a zone of ours lacks keys that sign");
        match apply(dns, name, &mend).await {
            Ok(()) => changed = true,
            Err(ApiError::Busy(fault)) => {
                if !tries.again().await {
                    return Err(fault);
                }
            }
            Err(error) => return Err(error.into_fault()),
        }
    }
    Err(Fault::transient("powerdns-keys", format!("the zone {name} does not stay signed")))
}

async fn apply(dns: &PowerDns, name: &ZoneName, mend: &Mend) -> Result<(), ApiError> {
    let zone = format!("/zones/{}", name.dotted());
    let (call, method, path, body) = match mend {
        Mend::MakeAll => ("sign-zone", Method::PUT, zone, serde_json::json!({ "dnssec": true })),
        Mend::Activate(id) => (
            "activate-key",
            Method::PUT,
            format!("{zone}/cryptokeys/{id}"),
            serde_json::json!({ "active": true, "published": true }),
        ),
        Mend::Make(part, algorithm) => (
            "make-key",
            Method::POST,
            format!("{zone}/cryptokeys"),
            serde_json::json!({
                "keytype": part, "active": true, "published": true, "algorithm": algorithm
            }),
        ),
    };
    let body = wire::to_json(&body).map_err(ApiError::Other)?;
    let _permit = dns.instances.write_permit().await.map_err(ApiError::Other)?;
    dns.instances.primary().call(Request::write(call, method, path, Some(body))).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u64, flags: u16, live: bool, part: &str) -> KeyAndPart {
        let dnskey = format!("{flags} 3 13 AAAA");
        let keytype = part.to_owned();
        KeyIn { id, flags, active: live, published: live, keytype, dnskey, ds: Vec::new() }.into()
    }

    #[test]
    fn every_gap_has_one_next_step() {
        assert_eq!(next(&[]), Some(Mend::MakeAll));
        assert_eq!(next(&[key(2, 256, true, "zsk"), key(1, 257, true, "ksk")]), None);
        assert_eq!(next(&[key(1, 257, true, "csk")]), None);
        assert_eq!(next(&[key(2, 256, true, "zsk")]), Some(Mend::Make("ksk", 13)));
        assert_eq!(next(&[key(2, 256, true, "zsk"), key(1, 257, false, "ksk")]), Some(Mend::Activate(1)));
        assert_eq!(next(&[key(2, 256, false, "zsk"), key(1, 257, true, "ksk")]), Some(Mend::Activate(2)));
        assert_eq!(next(&[key(1, 257, true, "ksk")]), Some(Mend::Make("zsk", 13)));
    }

    #[test]
    fn the_ds_is_the_sha_256_one() {
        let text = format!(
            r#"{{"id":1,"flags":257,"active":true,"dnskey":"257 3 13 AA","ds":["1 13 1 {}","1 13 2 {}"]}}"#,
            "a".repeat(40),
            "b".repeat(64)
        );
        let key: KeyAndPart = serde_json::from_str::<KeyIn>(&text).unwrap().into();
        assert_eq!(key.key.ds.map(|ds| ds.digest_type), Some(2));
        assert_eq!((key.key.algorithm, key.key.published), (13, true));
    }
}
