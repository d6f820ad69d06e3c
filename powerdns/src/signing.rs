//! How a zone is signed: its keys one by one, what scanning parents are told, how names are denied.
//!
//! A key is made hidden, so that one that nobody asked for (a call that was repeated because its answer was lost) does
//! nothing. The answer to `POST cryptokeys` carries the private key in clear: its body is never read.

use pdm_model::ZoneName;
use pdm_model::keys::Denial;
use pdm_ports::{CdsTold, Class, Fault, KeyChange, Signing, Whose};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{ApiError, garbage};
use crate::backend::{PowerDns, not_ours};
use crate::client::Request;
use crate::retry::Tries;
use crate::{keys, ownership, wire};

/// Bits of an RSA key; every other algorithm has one size.
const RSA_BITS: u16 = 2048;
const RSA: [u8; 2] = [8, 10];
const CDS: &str = "PUBLISH-CDS";
const CDNSKEY: &str = "PUBLISH-CDNSKEY";

/// How a zone is signed; none when it is missing.
pub(crate) async fn read(dns: &PowerDns, name: &ZoneName) -> Result<Option<Signing>, Fault> {
    let Some(head) = dns.head(name).await? else { return Ok(None) };
    let Some(keys) = keys::read(dns, name).await? else { return Ok(None) };
    let (cds, cdnskey) = (metadata(dns, name, CDS).await?, metadata(dns, name, CDNSKEY).await?);
    Ok(Some(Signing {
        keys: keys.into_iter().map(|key| key.key).collect(),
        cds: told(&cds, &cdnskey),
        denial: if head.nsec3param.is_empty() { Denial::Nsec } else { Denial::Nsec3 },
    }))
}

/// The first value of a kind of metadata; empty when there is none.
async fn metadata(dns: &PowerDns, name: &ZoneName, kind: &str) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default)]
        metadata: Vec<String>,
    }
    let path = format!("/zones/{}/metadata/{kind}", name.dotted());
    match dns.instances.primary().call(Request::get("get-metadata", path)).await {
        Ok(reply) => {
            let read: Metadata =
                serde_json::from_slice(&reply.body).map_err(|error| garbage("metadata", &error))?;
            Ok(read.metadata.into_iter().next().unwrap_or_default())
        }
        Err(ApiError::Missing) => Ok(String::new()),
        Err(error) => Err(error.into_fault()),
    }
}

fn told(cds: &str, cdnskey: &str) -> CdsTold {
    match (cds, cdnskey) {
        ("", "") => CdsTold::Off,
        ("0", "0") => CdsTold::Delete,
        (digest, "1") => digest.parse().map_or(CdsTold::Mixed, CdsTold::Publish),
        _ => CdsTold::Mixed,
    }
}

/// One call to the API.
struct Write {
    call: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
}

/// Change how a zone is signed.
pub(crate) async fn change(
    dns: &PowerDns,
    name: &ZoneName,
    whose: &Whose,
    change: &KeyChange,
) -> Result<(), Fault> {
    let mut tries = Tries::within(dns.instances.timeout());
    for write in writes(dns, name, change).await? {
        loop {
            must_be(dns, name, whose).await?;
            match send(dns, &write).await {
                Ok(()) => break,
                Err(ApiError::Missing) if write.method == Method::DELETE => break,
                // Rolled back as a whole.
                Err(ApiError::Busy(fault)) => {
                    if !tries.again().await {
                        return Err(fault);
                    }
                }
                Err(error) => return Err(error.into_fault()),
            }
        }
    }
    dns.instances.flush(name, false).await
}

async fn must_be(dns: &PowerDns, name: &ZoneName, whose: &Whose) -> Result<(), Fault> {
    let head = dns.head(name).await?.ok_or_else(|| ApiError::Missing.into_fault())?;
    let ours = match whose {
        Whose::Allocation(id) => head.account == ownership::account(id),
        Whose::Pool => ownership::allocation(&head.account).is_none(),
    };
    if ours { Ok(()) } else { Err(not_ours(name)) }
}

async fn send(dns: &PowerDns, write: &Write) -> Result<(), ApiError> {
    let body = write.body.as_ref().map(wire::to_json).transpose().map_err(ApiError::Other)?;
    let _permit = dns.instances.write_permit().await.map_err(ApiError::Other)?;
    let request = Request::write(write.call, write.method.clone(), write.path.clone(), body);
    dns.instances.primary().call(request).await.map(|_| ())
}

async fn writes(dns: &PowerDns, name: &ZoneName, change: &KeyChange) -> Result<Vec<Write>, Fault> {
    let zone = format!("/zones/{}", name.dotted());
    let write = |call, method, path: String, body| Write { call, method, path, body };
    Ok(match change {
        KeyChange::Make { entry_point, algorithm } => {
            let part = if *entry_point { "ksk" } else { "zsk" };
            let mut body =
                json!({ "keytype": part, "active": false, "published": false, "algorithm": algorithm });
            if RSA.contains(algorithm) {
                body["bits"] = json!(RSA_BITS);
            }
            vec![write("make-key", Method::POST, format!("{zone}/cryptokeys"), Some(body))]
        }
        KeyChange::Set { dnskey, active, published } => {
            let Some(id) = number(dns, name, dnskey).await? else {
                return Err(Fault::new(Class::Rejected, "key-missing", format!("{name} has no such key")));
            };
            let body = json!({ "active": active, "published": published });
            vec![write("set-key", Method::PUT, format!("{zone}/cryptokeys/{id}"), Some(body))]
        }
        KeyChange::Remove { dnskey } => {
            let id = number(dns, name, dnskey).await?;
            let path = |id| format!("{zone}/cryptokeys/{id}");
            id.into_iter().map(|id| write("remove-key", Method::DELETE, path(id), None)).collect()
        }
        KeyChange::Tell(told) => {
            let (cds, cdnskey) = match told {
                // Without any value the server's default would count, so an empty one is written.
                CdsTold::Off | CdsTold::Mixed => (String::new(), ""),
                CdsTold::Publish(digest) => (digest.to_string(), "1"),
                CdsTold::Delete => ("0".to_owned(), "0"),
            };
            let set = |kind: &str, value: &str| {
                let body = json!({ "kind": kind, "metadata": [value] });
                write("set-metadata", Method::PUT, format!("{zone}/metadata/{kind}"), Some(body))
            };
            vec![set(CDS, &cds), set(CDNSKEY, cdnskey)]
        }
        KeyChange::Deny(denial) => {
            let body = match denial {
                Denial::Nsec => json!({ "nsec3param": "" }),
                Denial::Nsec3 => json!({ "nsec3param": "1 0 0 -" }),
            };
            vec![write("set-denial", Method::PUT, zone, Some(body))]
        }
    })
}

async fn number(dns: &PowerDns, name: &ZoneName, dnskey: &str) -> Result<Option<u64>, Fault> {
    let keys = keys::read(dns, name).await?.ok_or_else(|| ApiError::Missing.into_fault())?;
    Ok(keys.into_iter().find(|key| key.key.dnskey == dnskey).map(|key| key.key.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_parents_are_told_reads_back() {
        let table = [
            ("", "", CdsTold::Off),
            ("2", "1", CdsTold::Publish(2)),
            ("4", "1", CdsTold::Publish(4)),
            ("0", "0", CdsTold::Delete),
            ("2", "", CdsTold::Mixed),
            ("", "1", CdsTold::Mixed),
            ("2,4", "1", CdsTold::Mixed),
        ];
        for (cds, cdnskey, want) in table {
            assert_eq!(told(cds, cdnskey), want, "{cds} {cdnskey}");
        }
    }
}
