//! A quick look at one Sovereign at one server: the DS where the server carries the parent, the keys, and every wanted
//! RRset. Content is compared, and everything must validate from the parent's anchor, as at a resolver.

mod known;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use pdm_dnssec::{Answer, Chain, KeySet, Name, SignedSet, Verified, ds_from_rdata, rtype, verify};
use pdm_model::RecordType;
use pdm_ports::audit::{Glance, GlanceRequest, Trusted};
use tokio::time::Instant;

use self::known::{Judged, Known};
use crate::ask::{by_datagram, by_udp};
use crate::audit::facts::texts;
use crate::audit::gather::served_types;
use crate::walk::entry_points;
use crate::walk::reply::readable;
use crate::walk::session::Net;
use crate::wire::{Question, is_truncated};

/// How long a parent's keys are used again; when something does not validate by them they are asked for at once.
const PARENT_KEYS: Duration = Duration::from_secs(60);
/// Parents and servers whose keys are kept; past it all are asked for again.
const MAX_PARENTS: usize = 1024;

/// What is compared.
struct Wanted {
    question: Question,
    /// None when any answer will do (LUA).
    records: Option<BTreeSet<String>>,
}

/// A parent's keys, as one server answered them.
#[derive(Clone)]
pub(crate) struct ParentKeys {
    at: Instant,
    set: Arc<SignedSet>,
}

/// What quick looks remember of one another.
#[derive(Default)]
pub(crate) struct Memory {
    known: Known,
    /// Signatures over keys of parents, above all.
    verified: Verified,
}

/// Everything that one server said about one Sovereign.
struct Said {
    keys: Result<Answer, String>,
    /// None where the server does not carry the parent.
    ds: Option<Result<Answer, String>>,
    wanted: Vec<(Wanted, Result<Answer, String>)>,
}

pub(crate) async fn glance(net: &Net, request: &GlanceRequest) -> Glance {
    let zone = Name::from(&request.fqdn);
    let address = request.server.address;
    let wanted = wanted(request);
    let mut questions = vec![Question::new(zone.clone(), rtype::DNSKEY)];
    questions.extend(request.parent.as_ref().map(|_| Question::new(zone.clone(), rtype::DS)));
    questions.extend(wanted.iter().map(|w| w.question.clone()));
    let count = u32::try_from(questions.len()).unwrap_or(u32::MAX);
    let paced = if net.ours.contains(&address) { 0 } else { count };
    let silent =
        |why: String| Glance { fqdn: request.fqdn.clone(), wrong: Some(why), unasked: true, millis: 0 };
    let pass = match net.gate.enter(address, paced).await {
        Ok(pass) => pass,
        Err(why) => return silent(why),
    };
    let exchange =
        by_datagram(address, &questions, request.patience.unwrap_or(net.patience), &net.random).await;
    drop(pass);
    let millis = u32::try_from(exchange.elapsed.as_millis()).unwrap_or(u32::MAX);
    metrics::counter!("pdm_glance_queries_total").increment(exchange.sent_udp.into());
    if exchange.replies.iter().all(Result::is_err) {
        let why = exchange.replies.into_iter().find_map(Result::err).unwrap_or_default();
        return silent(format!("{address}: {why}"));
    }
    let mut replies = exchange.replies.into_iter().map(read);
    let mut next = || replies.next().unwrap_or_else(|| Err("nothing was asked".to_owned()));
    let said = Said {
        keys: next(),
        ds: request.parent.as_ref().map(|_| next()),
        wanted: wanted.into_iter().map(|w| (w, next())).collect(),
    };
    let wrong = judge(net, request, &zone, &said).await.err();
    Glance {
        fqdn: request.fqdn.clone(),
        wrong: wrong.map(|why| format!("{address}: {why}")),
        unasked: false,
        millis,
    }
}

fn read(reply: Result<Vec<u8>, String>) -> Result<Answer, String> {
    let octets = reply?;
    if is_truncated(&octets) {
        return Err("the answer is truncated".to_owned());
    }
    let answer = readable(&octets)?;
    if !answer.authoritative {
        return Err("the answer has no authority".to_owned());
    }
    Ok(answer)
}

fn wanted(request: &GlanceRequest) -> Vec<Wanted> {
    let mut all = Vec::with_capacity(request.rrsets.len());
    for rrset in &request.rrsets {
        let Some(owner) = Name::parse(&rrset.owner) else { continue };
        let computed = rrset.rtype == RecordType::Lua;
        for kind in served_types(rrset) {
            let records = (!computed).then(|| rrset.records.clone());
            all.push(Wanted { question: Question::new(owner.clone(), kind), records });
        }
    }
    all
}

/// Contents first, because they are what people understand; then the chain.
async fn judge(net: &Net, request: &GlanceRequest, zone: &Name, said: &Said) -> Result<(), String> {
    let keys = said.keys.as_ref().map_err(Clone::clone)?;
    let keys = keys.find(zone, rtype::DNSKEY).ok_or("the zone has no keys")?;
    if !request.ds.is_subset(&entry_points(zone, keys)) {
        return Err("the keys are not those of the DS".to_owned());
    }
    if let Some(answer) = &said.ds {
        let set = answer.as_ref().map_err(Clone::clone)?.find(zone, rtype::DS);
        let records = set.map(|set| set.records.as_slice()).unwrap_or_default();
        let there: BTreeSet<_> = records.iter().filter_map(|rdata| ds_from_rdata(rdata)).collect();
        if there != request.ds {
            return Err("the DS in the parent is not as it should be".to_owned());
        }
    }
    for (Wanted { question, records }, answer) in &said.wanted {
        let answer = answer.as_ref().map_err(|why| format!("{question}: {why}"))?;
        let set = answer.find(&question.name, question.rtype);
        let seen = texts(set.ok_or_else(|| format!("{question} is not answered"))?);
        if records.as_ref().is_some_and(|records| *records != seen) {
            let seen: Vec<String> = seen.into_iter().take(4).collect();
            return Err(format!("{question} is answered with {}", seen.join(", ")));
        }
    }
    let Some(parent) = &request.parent else { return validate(net, request, None, keys, said) };
    let address = request.server.address;
    let kept = kept_keys(net, parent, address);
    if let Some(kept) = &kept
        && validate(net, request, Some((parent, kept)), keys, said).is_ok()
    {
        return Ok(());
    }
    // What was kept may be older than a roll of the parent's keys.
    let fresh = fresh_keys(net, parent, address, request.patience).await?;
    validate(net, request, Some((parent, &fresh)), keys, said)
}

fn kept_keys(net: &Net, parent: &Trusted, address: SocketAddr) -> Option<Arc<SignedSet>> {
    let parents = net.parents.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = parents.get(&(parent.zone.clone(), address))?;
    (kept.at.elapsed() < PARENT_KEYS).then(|| kept.set.clone())
}

async fn fresh_keys(
    net: &Net,
    parent: &Trusted,
    address: SocketAddr,
    patience: Option<Duration>,
) -> Result<Arc<SignedSet>, String> {
    let question = Question::new(Name::from(&parent.zone), rtype::DNSKEY);
    let paced = u32::from(!net.ours.contains(&address));
    let exchange = {
        let _pass = net.gate.enter(address, paced).await?;
        let asked = std::slice::from_ref(&question);
        by_udp(address, asked, patience.unwrap_or(net.patience), &net.random).await
    };
    metrics::counter!("pdm_glance_queries_total").increment((exchange.sent_udp + exchange.sent_tcp).into());
    let reply = exchange.replies.into_iter().next().unwrap_or_else(|| Err("nothing was asked".to_owned()));
    let answer = read(reply).map_err(|why| format!("{question}: {why}"))?;
    let set = answer.find(&question.name, rtype::DNSKEY).ok_or("the parent has no keys")?;
    let kept = ParentKeys { at: Instant::now(), set: Arc::new(set.clone()) };
    let set = kept.set.clone();
    let mut parents = net.parents.lock().unwrap_or_else(PoisonError::into_inner);
    if parents.len() >= MAX_PARENTS {
        parents.clear();
    }
    parents.insert((parent.zone.clone(), address), kept);
    Ok(set)
}

/// The chain from the parent's anchor, or from the DS where the parent is elsewhere, to every answer. A zone that is to
/// have no DS has no chain; its signatures must hold by its own keys.
fn validate(
    net: &Net,
    request: &GlanceRequest,
    parent: Option<(&Trusted, &Arc<SignedSet>)>,
    keys: &SignedSet,
    said: &Said,
) -> Result<(), String> {
    let seconds = (net.clock)().0.div_euclid(1000);
    let now = u32::try_from(seconds.rem_euclid(1 << 32)).unwrap_or_default();
    let mut judged = Judged::new();
    judged.trust(request.ds.iter());
    if let Some((parent, set)) = parent {
        judged.trust(parent.anchor.iter());
        judged.set(set);
    }
    judged.set(keys);
    let answers = || said.ds.iter().chain(said.wanted.iter().map(|(_, answer)| answer)).flatten();
    answers().for_each(|answer| judged.answer(answer));
    let known = judged.finish();
    let mut memory = net.glances.lock().unwrap_or_else(PoisonError::into_inner);
    let Memory { known: before, verified } = &mut *memory;
    if known.is_some_and(|(digest, _)| before.is_good(&digest, now)) {
        return Ok(());
    }
    let sets = said.wanted.iter().filter_map(|(Wanted { question, .. }, answer)| {
        let answer = answer.as_ref().ok()?;
        Some((question, answer, answer.find(&question.name, question.rtype)?))
    });
    if request.ds.is_empty() {
        let own = KeySet::of(keys);
        for (question, _, set) in sets {
            let _ = verify(set, &own, now, verified).map_err(|why| format!("{question}: {why}"))?;
        }
        return Ok(());
    }
    let mut chain = Chain::new(seconds, verified);
    if let (Some((parent, set)), Some(Ok(answer))) = (parent, &said.ds) {
        let about = |why| format!("{}/DS: {why}", request.fqdn);
        let ds = answer.find(&keys.owner, rtype::DS).ok_or("the parent has no DS")?;
        let trusted = chain.keys(&parent.anchor, set).map_err(about)?;
        let _ = chain.delegation(&trusted, ds).map_err(about)?;
    }
    let trusted = chain.keys(&request.ds, keys).map_err(|why| format!("{}/DNSKEY: {why}", request.fqdn))?;
    for (question, answer, set) in sets {
        let _ = chain.positive(&trusted, answer, set).map_err(|why| format!("{question}: {why}"))?;
    }
    if let Some((digest, until)) = known {
        before.keep(digest, until);
    }
    Ok(())
}
