//! An audit as it was heard: the request and every question with its answer. The same report can be made of it again,
//! bit for bit, without a network.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pdm_model::{Timestamp, Transport};
use pdm_ports::audit::AuditRequest;
use pdm_ports::{Class, Fault};
use serde::{Deserialize, Serialize};

use crate::walk::session::{Heard, Key};

/// Grows when the format changes; older recordings stay readable or are refused by name.
const FORMAT: u32 = 1;

/// The whole of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    format: u32,
    begun: i64,
    request: AuditRequest,
    overrides: BTreeMap<String, Vec<std::net::SocketAddr>>,
    starts: Vec<StoredStart>,
    port: u16,
    heard: Vec<Line>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredStart {
    zone: String,
    servers: Vec<pdm_ports::Server>,
    anchor: Vec<pdm_model::DsRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    server: std::net::SocketAddr,
    transport: Transport,
    query: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    at: i64,
    millis: u32,
}

/// What a recording holds, ready to be gone over.
pub(crate) struct Recording {
    pub(crate) begun: Timestamp,
    pub(crate) request: AuditRequest,
    pub(crate) map: crate::walk::descend::Map,
    pub(crate) heard: BTreeMap<Key, Heard>,
}

fn bad(detail: impl Into<String>) -> Fault {
    Fault::new(Class::Protocol, "bad-recording", detail)
}

impl Recording {
    /// As octets to keep.
    pub(crate) fn write(&self) -> Result<Vec<u8>, Fault> {
        let lines = self.heard.iter().map(|(key, heard)| Line {
            server: key.server,
            transport: key.transport,
            query: STANDARD.encode(&key.query),
            reply: heard.reply.as_ref().ok().map(|octets| STANDARD.encode(octets)),
            error: heard.reply.as_ref().err().cloned(),
            at: heard.at.0,
            millis: heard.millis,
        });
        let starts = self.map.starts.iter().map(|start| StoredStart {
            zone: start.zone.to_string(),
            servers: start.servers.clone(),
            anchor: start.anchor.iter().cloned().collect(),
        });
        let overrides = self.map.overrides.iter().map(|(name, at)| (name.to_string(), at.clone()));
        let stored = Stored {
            format: FORMAT,
            begun: self.begun.0,
            request: self.request.clone(),
            overrides: overrides.collect(),
            starts: starts.collect(),
            port: self.map.port,
            heard: lines.collect(),
        };
        serde_json::to_vec(&stored).map_err(|e| bad(e.to_string()))
    }

    /// From kept octets.
    pub(crate) fn read(octets: &[u8]) -> Result<Self, Fault> {
        let stored: Stored = serde_json::from_slice(octets).map_err(|e| bad(e.to_string()))?;
        if stored.format != FORMAT {
            return Err(bad(format!("its format is {}, this version reads {FORMAT}", stored.format)));
        }
        let name =
            |text: &str| pdm_dnssec::Name::parse(text).ok_or_else(|| bad(format!("{text:?} is not a name")));
        let octets = |text: &str| STANDARD.decode(text).map_err(|e| bad(e.to_string()));
        let mut map = crate::walk::descend::Map { port: stored.port, ..Default::default() };
        for (text, at) in stored.overrides {
            map.overrides.insert(name(&text)?, at);
        }
        for start in stored.starts {
            let anchor = start.anchor.into_iter().collect();
            let start =
                crate::walk::descend::Start { zone: name(&start.zone)?, servers: start.servers, anchor };
            map.starts.push(start);
        }
        let mut heard = BTreeMap::new();
        for line in stored.heard {
            let reply = match (&line.reply, line.error) {
                (Some(text), _) => Ok(octets(text)?),
                (None, error) => Err(error.unwrap_or_else(|| "no reply".to_owned())),
            };
            let key = Key { server: line.server, transport: line.transport, query: octets(&line.query)? };
            heard.insert(key, Heard { reply, at: Timestamp(line.at), millis: line.millis });
        }
        Ok(Self { begun: Timestamp(stored.begun), request: stored.request, map, heard })
    }
}
