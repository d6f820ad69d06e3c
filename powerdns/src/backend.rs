//! The zones' port. Each writer shows the same lines: whose is it, write once, answer.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use pdm_model::canonical::Change;
use pdm_model::{RecordType, ZoneName};
use pdm_ports::zone::Created;
use pdm_ports::{
    Class, Fault, KeyChange, LuaServer, ObservedZone, Signing, Stamp, Whose, ZoneBackend, ZoneKey, ZoneSpec,
    ZoneSummary,
};
use reqwest::Method;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::answer::{ApiError, garbage};
use crate::client::Request;
use crate::config::{InstanceConfig, Options};
use crate::escapes::{self, Form};
use crate::head::{self, ZoneHead};
use crate::instances::Instances;
use crate::retry::Tries;
use crate::{create, keys, ownership, preflight, signals, signing, wire};

/// How long an answer about health is repeated without asking again.
const HEALTH_FRESH: Duration = Duration::from_secs(3);

/// PowerDNS processes that share one database.
pub struct PowerDns {
    pub(crate) instances: Instances,
    pub(crate) options: Options,
    pub(crate) escapes: escapes::Seen,
    health: Mutex<Option<(Instant, String)>>,
}

impl std::fmt::Debug for PowerDns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let servers: Vec<&str> = self.instances.all().iter().map(|client| client.address()).collect();
        f.debug_struct("PowerDns").field("instances", &servers).finish_non_exhaustive()
    }
}

impl PowerDns {
    /// The processes of one database; the first takes all writes. Nothing is called yet.
    ///
    /// # Errors
    /// `powerdns-url` when the list is empty or a URL or server id cannot be used.
    pub fn new(instances: Vec<InstanceConfig>, options: Options) -> Result<Self, Fault> {
        Ok(Self {
            instances: Instances::new(&instances, &options)?,
            options,
            escapes: escapes::Seen::default(),
            health: Mutex::new(None),
        })
    }

    /// A zone without its records; none when it is missing.
    pub(crate) async fn head(&self, name: &ZoneName) -> Result<Option<ZoneHead>, Fault> {
        let request = Request::get("get-zone-head", format!("/zones/{}?rrsets=false", name.dotted()));
        match self.instances.primary().call(request).await {
            Ok(reply) => head::read(&reply.body, &mut |_| ()).map(Some),
            Err(ApiError::Missing) => Ok(None),
            Err(error) => Err(error.into_fault()),
        }
    }

    /// Every zone of the server, one by one: name without the trailing dot, account, stored serial.
    pub(crate) async fn each_zone(
        &self,
        each: &mut (dyn FnMut(&str, &str, u32) + Send),
    ) -> Result<(), Fault> {
        #[derive(Deserialize)]
        struct Line<'a> {
            #[serde(borrow)]
            name: std::borrow::Cow<'a, str>,
            #[serde(borrow, default)]
            account: std::borrow::Cow<'a, str>,
            #[serde(default)]
            serial: u32,
        }
        // Whether a zone is signed is looked up for each of them: leaving it out is three times faster.
        let request = Request::get("list-zones", "/zones?dnssec=false").patient();
        let reply = self.instances.primary().call(request).await.map_err(ApiError::into_fault)?;
        let lines: Vec<Line<'_>> =
            serde_json::from_slice(&reply.body).map_err(|error| garbage("list of zones", &error))?;
        for line in &lines {
            each(line.name.trim_end_matches('.'), &line.account, line.serial);
        }
        Ok(())
    }

    /// The zone must be there and carry this allocation's mark.
    pub(crate) async fn owned(&self, name: &ZoneName, allocation: &str) -> Result<Option<ZoneHead>, Fault> {
        let Some(head) = self.head(name).await? else { return Ok(None) };
        if head.account == ownership::account(allocation) { Ok(Some(head)) } else { Err(not_ours(name)) }
    }

    /// Write changes of an allocation's zone, contents with escapes in this form.
    pub(crate) async fn write_changes(
        &self,
        name: &ZoneName,
        changes: &[Change],
        stamp: &Stamp,
        form: Form,
    ) -> Result<(), Fault> {
        let body = wire::change(name, changes, stamp, form)?;
        let done = self.while_owned("patch-zone", Method::PATCH, name, &stamp.allocation, Some(body)).await?;
        if done { Ok(()) } else { Err(ApiError::Missing.into_fault()) }
    }

    /// One call on an allocation's zone, again while the server rolls it back; whose the zone is is asked each time.
    /// Whether the zone was there.
    async fn while_owned(
        &self,
        call: &'static str,
        method: Method,
        name: &ZoneName,
        allocation: &str,
        body: Option<Vec<u8>>,
    ) -> Result<bool, Fault> {
        let mut tries = Tries::within(self.instances.timeout());
        let done = loop {
            if self.owned(name, allocation).await?.is_none() {
                break false;
            }
            match self.write_owned(call, method.clone(), name, body.clone()).await {
                Ok(()) => break true,
                Err(ApiError::Missing) => break false,
                Err(ApiError::Busy(fault)) => {
                    if !tries.again().await {
                        return Err(fault);
                    }
                }
                Err(error) => return Err(error.into_fault()),
            }
        };
        self.instances.flush_others(name).await;
        Ok(done)
    }

    pub(crate) async fn write_owned(
        &self,
        call: &'static str,
        method: Method,
        name: &ZoneName,
        body: Option<Vec<u8>>,
    ) -> Result<(), ApiError> {
        let _permit = self.instances.write_permit().await.map_err(ApiError::Other)?;
        let request = Request::write(call, method, format!("/zones/{}", name.dotted()), body);
        self.instances.primary().call(request).await.map(|_| ())
    }
}

/// Somebody else's zone.
pub(crate) fn not_ours(name: &ZoneName) -> Fault {
    Fault::new(
        Class::NotOurs,
        "zone-not-ours",
        format!("the zone {name} does not carry this allocation's mark; it was not touched"),
    )
}

#[async_trait]
impl ZoneBackend for PowerDns {
    async fn create_zone(&self, spec: &ZoneSpec) -> Result<Created, Fault> {
        create::create(self, spec).await
    }

    async fn read_zone(&self, name: &ZoneName) -> Result<Option<ObservedZone>, Fault> {
        let request = Request::get("get-zone", format!("/zones/{}", name.dotted()));
        let reply = match self.instances.primary().call(request).await {
            Ok(reply) => reply,
            Err(ApiError::Missing) => return Ok(None),
            Err(error) => return Err(error.into_fault()),
        };
        let (apex, mut rrsets, mut comments) = (name.dotted(), Vec::new(), Vec::new());
        let head = head::read(&reply.body, &mut |rrset| {
            rrsets.extend(rrset.served());
            if rrset.name == apex && RecordType::from(rrset.rtype.to_string()) == RecordType::Ns {
                comments.extend(rrset.comments.iter().map(|comment| comment.content.to_string()));
            }
        })?;
        let stamp = ownership::stamp(&head.account, comments.iter().map(String::as_str));
        Ok(Some(ObservedZone { rrsets, serial: head.serial, dnssec: head.dnssec, stamp }))
    }

    async fn read_keys(&self, name: &ZoneName) -> Result<Option<Vec<ZoneKey>>, Fault> {
        Ok(keys::read(self, name).await?.map(|keys| keys.into_iter().map(|key| key.key).collect()))
    }

    async fn change_zone(&self, name: &ZoneName, changes: &[Change], stamp: &Stamp) -> Result<(), Fault> {
        escapes::change(self, name, changes, stamp).await
    }

    async fn ensure_signed(&self, name: &ZoneName, stamp: &Stamp) -> Result<(), Fault> {
        keys::ensure_signed(self, name, stamp).await
    }

    async fn read_signing(&self, name: &ZoneName) -> Result<Option<Signing>, Fault> {
        signing::read(self, name).await
    }

    async fn change_signing(&self, name: &ZoneName, whose: &Whose, change: &KeyChange) -> Result<(), Fault> {
        signing::change(self, name, whose, change).await
    }

    async fn change_signals(&self, zone: &ZoneName, changes: &[Change]) -> Result<(), Fault> {
        signals::change(self, zone, changes).await
    }

    async fn remove_zone(&self, name: &ZoneName, allocation: &str) -> Result<(), Fault> {
        self.while_owned("delete-zone", Method::DELETE, name, allocation, None).await.map(|_| ())
    }

    async fn list_zones(&self) -> Result<Vec<ZoneSummary>, Fault> {
        let mut zones = Vec::new();
        self.each_zone(&mut |name, account, serial| {
            let allocation = ownership::allocation(account).map(str::to_owned);
            zones.push(ZoneSummary { name: name.to_owned(), serial, allocation });
        })
        .await?;
        Ok(zones)
    }

    async fn flush(&self, name: &ZoneName) -> Result<(), Fault> {
        self.instances.flush(name, false).await
    }

    async fn lua_server(&self) -> Result<LuaServer, Fault> {
        preflight::lua_server(self).await
    }

    async fn health(&self) -> Result<String, Fault> {
        // Held over the calls: a crowd that asks at once shares one answer.
        let mut known = self.health.lock().await;
        if let Some((at, version)) = known.as_ref()
            && at.elapsed() < HEALTH_FRESH
        {
            return Ok(version.clone());
        }
        *known = None;
        let versions = try_join_all(self.instances.all().iter().map(|client| async move {
            // The server's own page answers without its database; looking for a zone does not.
            client.call(Request::get("health", "/zones?zone=health.invalid.")).await?;
            client.call(Request::get("version", "")).await
        }))
        .await
        .map_err(ApiError::into_fault)?;
        let version = version(versions.first().map(|reply| reply.body.as_slice()).unwrap_or_default())?;
        *known = Some((Instant::now(), version.clone()));
        Ok(version)
    }
}

/// The version in the answer to `GET servers/<id>`.
pub(crate) fn version(body: &[u8]) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Server {
        version: String,
    }
    let server: Server = serde_json::from_slice(body).map_err(|error| garbage("version", &error))?;
    Ok(server.version)
}
