//! From a start (the root, or a zone whose servers are known) down to a name, zone cut by zone cut.
//!
//! Above the zone that is asked for, the first server that says something useful is enough; who wants every server's
//! opinion asks it of the zone that the descent ends in. Every step leads strictly down, names of nameservers are
//! resolved a few descents deep at most, and a walk has a budget of questions, so that no answer can keep it busy.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use pdm_dnssec::{Answer, Name, Verified, rtype};
use pdm_model::DsRecord;
use pdm_ports::Server;

use super::link::{DsSays, Link, ds_says, keys_of};
use super::reply::{Cut, Told, addresses, readable, told};
use super::session::Session;
use crate::wire::Question;

/// Descents inside descents: addresses of nameservers of nameservers.
const MAX_DEPTH: u8 = 3;
/// Servers of one zone tried before giving up.
const MAX_TRIES: usize = 6;
/// Addresses of one zone that are asked.
const MAX_SERVERS: usize = 32;

/// Where a walk may start.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) zone: Name,
    pub(crate) servers: Vec<Server>,
    /// Empty when there is no anchor: then nothing below is secure.
    pub(crate) anchor: BTreeSet<DsRecord>,
}

/// What every walk is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Map {
    /// The root, and zones whose servers are known.
    pub(crate) starts: Vec<Start>,
    /// Configured addresses of nameservers.
    pub(crate) overrides: BTreeMap<Name, Vec<SocketAddr>>,
    /// Anchors of zones that have no chain from above.
    pub(crate) anchors: BTreeMap<Name, BTreeSet<DsRecord>>,
    /// Where nameservers listen whose address was found in the DNS.
    pub(crate) port: u16,
}

/// A zone with its servers and what is known of its keys.
#[derive(Debug, Clone)]
pub(crate) struct Level {
    pub(crate) zone: Name,
    pub(crate) servers: Vec<Server>,
    pub(crate) link: Link,
}

/// One descent, or several over the same session.
pub(crate) struct Descent<'a> {
    pub(crate) session: &'a Session<'a>,
    pub(crate) map: &'a Map,
    verified: Mutex<Verified>,
    /// Seconds.
    now: i64,
}

impl<'a> Descent<'a> {
    pub(crate) fn new(session: &'a Session<'a>, map: &'a Map) -> Self {
        let now = session.begun.0.div_euclid(1000);
        Self { session, map, verified: Mutex::default(), now }
    }

    /// The deepest zone at or above `name`, or why it cannot be found.
    pub(crate) async fn closest(&self, name: &Name) -> Result<Level, String> {
        self.closest_at(name, 0).await
    }

    fn closest_at<'b>(&'b self, name: &'b Name, nested: u8) -> BoxFuture<'b, Result<Level, String>> {
        async move {
            let starts = self.map.starts.iter().filter(|start| name.is_at_or_below(&start.zone));
            let start = starts.max_by_key(|start| start.zone.depth()).ok_or("there is nowhere to start")?;
            let link = self.keys(&start.zone, &start.servers, &start.anchor).await;
            let mut level = Level { zone: start.zone.clone(), servers: start.servers.clone(), link };
            let mut depth = level.zone.depth();
            while depth < name.depth() {
                depth += 1;
                let candidate = name.trimmed(depth);
                match self.step(&level, &candidate).await? {
                    Told::Cut(cut) => {
                        level = self.enter(&level, cut, nested).await?;
                        depth = level.zone.depth();
                    }
                    Told::Inside(_) => {}
                    Told::NoName(_) => break,
                }
            }
            Ok(level)
        }
        .boxed()
    }

    /// Ask the servers of a zone, one after the other, whether a zone begins at `name`.
    async fn step(&self, level: &Level, name: &Name) -> Result<Told, String> {
        let question = Question::new(name.clone(), rtype::NS);
        self.first(&level.servers, &question, |answer| told(answer, &level.zone, name))
            .await
            .map_err(|why| format!("no server of {} says anything about {name}: {why}", level.zone))
    }

    /// The first server with a useful answer; or the last reason why one was of no use.
    async fn first<T>(
        &self,
        servers: &[Server],
        question: &Question,
        read: impl Fn(&Answer) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut last = "it has no server".to_owned();
        for server in servers.iter().take(MAX_TRIES) {
            let heard = self.session.ask_shared(server.address, question).await;
            match heard.reply.and_then(|octets| readable(&octets)).and_then(|answer| read(&answer)) {
                Ok(useful) => return Ok(useful),
                Err(why) => last = format!("{}: {why}", called(server)),
            }
        }
        Err(last)
    }

    /// Go down into a zone.
    async fn enter(&self, above: &Level, cut: Cut, nested: u8) -> Result<Level, String> {
        let mut servers = self.locate(&cut, nested).await;
        if servers.is_empty() && cut.authoritative {
            // Whoever answered serves it: a zone whose nameserver names lead nowhere is looked at all the same.
            servers.clone_from(&above.servers);
        }
        if servers.is_empty() {
            let names: Vec<String> = cut.ns.iter().map(ToString::to_string).collect();
            return Err(format!("no nameserver of {} has an address: {}", cut.zone, names.join(", ")));
        }
        let link = self.link_below(above, &cut.zone, &servers).await;
        Ok(Level { zone: cut.zone, servers, link })
    }

    /// The keys of `zone` below `above`.
    async fn link_below(&self, above: &Level, zone: &Name, servers: &[Server]) -> Link {
        let from_above = match &above.link {
            Link::Secure(keys) => {
                let question = Question::new(zone.clone(), rtype::DS);
                let read = |answer: &Answer| {
                    let useful = answer.authoritative || answer.find(zone, rtype::DS).is_some();
                    useful.then_some(()).ok_or_else(|| "it has no authority for the DS".to_owned())?;
                    Ok(ds_says(self.now, &mut self.verified(), keys, answer, zone))
                };
                match self.first(&above.servers, &question, read).await {
                    Ok(DsSays::Signed(ds)) => return self.keys(zone, servers, &ds).await,
                    Ok(DsSays::None) => Link::Insecure(zone.clone()),
                    Ok(DsSays::Broken(broken)) => Link::Bogus(zone.clone(), broken.to_string()),
                    Err(why) => Link::Unknown(why),
                }
            }
            other => other.clone(),
        };
        match (&from_above, self.map.anchors.get(zone)) {
            (Link::Insecure(_), Some(anchor)) => self.keys(zone, servers, anchor).await,
            _ => from_above,
        }
    }

    /// The keys of a zone, trusted because of `ds`.
    async fn keys(&self, zone: &Name, servers: &[Server], ds: &BTreeSet<DsRecord>) -> Link {
        if ds.is_empty() {
            return Link::Insecure(zone.clone());
        }
        let question = Question::new(zone.clone(), rtype::DNSKEY);
        let broken = Mutex::new(None);
        let read = |answer: &Answer| {
            answer
                .authoritative
                .then_some(())
                .ok_or_else(|| "it has no authority for the zone".to_owned())?;
            keys_of(self.now, &mut self.verified(), ds, answer, zone).map_err(|why| {
                broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why.to_string()).clone()
            })
        };
        match self.first(servers, &question, read).await {
            Ok(keys) => Link::Secure(keys),
            Err(why) => match broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
                Some(why) => Link::Bogus(zone.clone(), why),
                None => Link::Unknown(format!("no keys of {zone}: {why}")),
            },
        }
    }

    /// The addresses of a cut's nameservers: configured, glue, or resolved.
    pub(crate) async fn locate(&self, cut: &Cut, nested: u8) -> Vec<Server> {
        let found = join_all(cut.ns.iter().map(async |name| {
            if let Some(given) = self.map.overrides.get(name) {
                return (name, given.clone());
            }
            if let Some(glue) = cut.glue.get(name) {
                return (name, self.at_port(glue.iter().copied()));
            }
            // Below the cut only glue could tell.
            if nested >= MAX_DEPTH || name.is_at_or_below(&cut.zone) {
                return (name, Vec::new());
            }
            (name, self.resolve(name, nested + 1).await.unwrap_or_default())
        }))
        .await;
        by_address(
            found.into_iter().flat_map(|(name, all)| all.into_iter().map(move |at| (at, name.to_string()))),
        )
    }

    /// The addresses of a host name, by its authoritative servers; empty when it has none.
    pub(crate) async fn resolve(&self, name: &Name, nested: u8) -> Result<Vec<SocketAddr>, String> {
        if let Some(given) = self.map.overrides.get(name) {
            return Ok(given.clone());
        }
        let level = self.closest_at(name, nested).await?;
        let of_type = async |kind| {
            let question = Question::new(name.clone(), kind);
            let read = |answer: &Answer| {
                answer.authoritative.then_some(()).ok_or_else(|| "it has no authority".to_owned())?;
                Ok(answer.find(name, kind).map(|set| addresses(set).collect::<Vec<_>>()).unwrap_or_default())
            };
            self.first(&level.servers, &question, read).await
        };
        let (v4, v6) = tokio::try_join!(of_type(rtype::A), of_type(rtype::AAAA))?;
        let found: BTreeSet<IpAddr> = v4.into_iter().chain(v6).collect();
        Ok(self.at_port(found.into_iter()))
    }

    fn at_port(&self, addresses: impl Iterator<Item = IpAddr>) -> Vec<SocketAddr> {
        addresses.map(|address| SocketAddr::new(address, self.map.port)).collect()
    }

    /// The DS set of `child` as one answer of its parent tells it, judged under the parent's link.
    pub(crate) fn judge_ds(&self, link: &Link, answer: &Answer, child: &Name) -> Link {
        match link {
            Link::Secure(keys) => match ds_says(self.now, &mut self.verified(), keys, answer, child) {
                DsSays::Signed(_) => link.clone(),
                DsSays::None => Link::Insecure(child.clone()),
                DsSays::Broken(broken) => Link::Bogus(child.clone(), broken.to_string()),
            },
            other => other.clone(),
        }
    }

    /// The time by which signatures are judged, in seconds.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    pub(crate) fn verified(&self) -> std::sync::MutexGuard<'_, Verified> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Servers by address, IPv4 first: a host without IPv6 must not spend its tries there.
pub(crate) fn by_address(found: impl Iterator<Item = (SocketAddr, String)>) -> Vec<Server> {
    let mut servers: BTreeMap<SocketAddr, BTreeSet<String>> = BTreeMap::new();
    for (address, name) in found {
        servers.entry(address).or_default().insert(name.strip_suffix('.').unwrap_or(&name).to_owned());
    }
    let server =
        |(address, names): (_, BTreeSet<String>)| Server { names: names.into_iter().collect(), address };
    servers.into_iter().map(server).take(MAX_SERVERS).collect()
}

pub(crate) fn called(server: &Server) -> String {
    if server.names.is_empty() {
        return server.address.to_string();
    }
    format!("{} ({})", server.names.join(", "), server.address)
}
