//! The full walk of one zone: everything the checks need, asked once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use futures_util::future::join_all;
use pdm_dnssec::{Answer, NXDOMAIN, Name, rtype};
use pdm_model::rrset::owner_in;
use pdm_model::{RRset, RecordType};
use pdm_ports::Server;
use pdm_ports::audit::AuditRequest;
use pdm_ports::walk::{ParentAnswer, Security};

use super::facts::{Above, Below, Child, Facts, NsName, ParentSeen, Reply, Target, exchanges, texts};
use super::probe::Probe;
use crate::types::{number, number_of};
use crate::walk::descend::{Descent, Map, Start, by_address};
use crate::walk::link::Link;
use crate::walk::reply::readable;
use crate::walk::session::{Heard, Session};
use crate::walk::{parent_of, whole};
use crate::wire::{Edns, Form, Question, is_truncated};

/// Names that records point to, looked up at most.
const MAX_TARGETS: usize = 24;
/// Delegations inside the zone, looked at at most.
const MAX_BELOW: usize = 24;

/// The map of an audit: starts where it is told, besides the root.
pub(crate) fn map_for(map: &Map, request: &AuditRequest) -> Map {
    let mut map = map.clone();
    if request.public {
        map.overrides.clear();
        map.anchors.clear();
    }
    if let Some(above) = &request.above {
        let zone = Name::from(&above.zone);
        let servers = above.servers.clone();
        map.starts.push(Start { zone, servers, anchor: above.anchor.clone() });
    }
    map
}

/// Ask everything.
pub(crate) async fn gather(session: &Session<'_>, map: &Map, request: &AuditRequest) -> Facts {
    let zone = Name::from(&request.fqdn);
    let descent = Descent::new(session, map);
    let parent = above(&descent, request).await;
    let (servers, names) = nameservers(&descent, request, &parent).await;
    let asked = wanted(request, &zone);
    // What does not need one another's answers is asked at once: far from the servers an audit is mostly waiting.
    let (children, reverse, delegations) = tokio::join!(
        join_all(servers.iter().map(|server| child(session, &zone, server, &asked))),
        reverses(&descent, request, &servers),
        below(&descent, request),
    );
    let names = with_names_at_home(&descent, names, &children).await;
    let mut facts = Facts {
        zone: zone.clone(),
        begun: session.begun,
        request: request.clone(),
        parent,
        servers: children,
        names,
        reverse,
        targets: BTreeMap::new(),
        delegations,
        caa: Vec::new(),
    };
    let targets = targets(&facts).into_iter().map(async |name| {
        let target = target(&descent, &name).await;
        (name, target)
    });
    let (targets, caa) = tokio::join!(join_all(targets), caa(&descent, &facts));
    (facts.targets, facts.caa) = (targets.into_iter().collect(), caa);
    facts
}

/// Nameserver names that only the zone itself lists: resolvers prefer them to those of the parent.
async fn with_names_at_home(
    descent: &Descent<'_>,
    mut names: BTreeMap<Name, NsName>,
    children: &[Child],
) -> BTreeMap<Name, NsName> {
    let own: BTreeSet<Name> = children.iter().filter_map(Child::ns).flatten().collect();
    let more = own.into_iter().filter(|name| !names.contains_key(name)).take(MAX_TARGETS);
    let found = join_all(more.map(async |name| {
        let configured = descent.map.overrides.contains_key(&name);
        let addresses = descent.resolve(&name, 0).await;
        let ips = addresses.map(|all| all.iter().map(|at| at.ip()).collect::<BTreeSet<_>>());
        (name, NsName { addresses: (!configured).then_some(ips), configured, ..NsName::default() })
    }))
    .await;
    names.extend(found);
    names
}

/// The names of the nameservers' addresses, where the view is everybody's.
async fn reverses(
    descent: &Descent<'_>,
    request: &AuditRequest,
    servers: &[Server],
) -> Option<BTreeMap<IpAddr, Result<BTreeSet<Name>, String>>> {
    if request.above.is_some() || request.undelegated {
        return None;
    }
    let addresses: BTreeSet<IpAddr> = servers.iter().map(|server| server.address.ip()).collect();
    let found = addresses.into_iter().map(async |ip| (ip, reverse(descent, ip).await));
    Some(join_all(found).await.into_iter().collect())
}

/// The parent's side: asked, or as it would be.
async fn above(descent: &Descent<'_>, request: &AuditRequest) -> Above {
    let trusted_itself = request.above.as_ref().is_some_and(|above| above.zone == request.fqdn);
    if trusted_itself {
        return Above::NotAsked(
            "the view starts at the zone itself, so that its parent is not asked".to_owned(),
        );
    }
    let (level, answers, mut security) = match parent_of(descent, &request.fqdn).await {
        Ok(seen) => seen,
        Err(why) => return Above::Failed(why),
    };
    if let (true, Some(intent)) = (request.undelegated, &request.intent) {
        let as_if = ParentAnswer {
            server: Server {
                names: vec!["the parent, as it would be".to_owned()],
                address: level.servers.first().map_or(([0, 0, 0, 0], 0).into(), |server| server.address),
            },
            ns: Some((intent.ns.clone(), intent.ttls.parent_ns)),
            glue: BTreeMap::new(),
            ds: Some((intent.ds.clone(), intent.ttls.parent_ds)),
            error: None,
        };
        if matches!(level.link, Link::Secure(_)) && !intent.ds.is_empty() {
            security = Security::Secure;
        }
        let answers = vec![as_if];
        let (truncated, same_servers) = (Vec::new(), false);
        return Above::Seen(ParentSeen { zone: level.zone, answers, security, truncated, same_servers });
    }
    // The referral as a resolver without EDNS would get it.
    let plain =
        Question::new(Name::from(&request.fqdn), rtype::NS).with(Form { edns: None, ..Form::default() });
    let cut = join_all(level.servers.iter().map(async |server| {
        let heard =
            descent.session.ask(server.address, pdm_model::Transport::Udp, std::slice::from_ref(&plain));
        let reply = heard.await.into_iter().next().and_then(|heard| heard.reply.ok())?;
        let referral = Answer::parse(&reply).is_ok_and(|answer| !answer.authoritative);
        (is_truncated(&reply) && referral).then(|| server.clone())
    }))
    .await;
    let ours: BTreeSet<_> = request.servers.iter().map(|server| server.address).collect();
    let same_servers = answers.iter().any(|answer| ours.contains(&answer.server.address));
    let truncated = cut.into_iter().flatten().collect();
    Above::Seen(ParentSeen { zone: level.zone, answers, security, truncated, same_servers })
}

/// Every address of every nameserver, and what is known of their names.
async fn nameservers(
    descent: &Descent<'_>,
    request: &AuditRequest,
    parent: &Above,
) -> (Vec<Server>, BTreeMap<Name, NsName>) {
    let answers: &[ParentAnswer] = match parent {
        Above::Seen(seen) => &seen.answers,
        Above::NotAsked(_) | Above::Failed(_) => &[],
    };
    let mut names: BTreeMap<Name, NsName> = BTreeMap::new();
    for answer in answers {
        for name in answer.ns.iter().flat_map(|(names, _)| names) {
            names
                .entry(Name::from(name))
                .or_default()
                .glue
                .extend(answer.glue.get(name).into_iter().flatten());
        }
    }
    let mut found: Vec<(std::net::SocketAddr, String)> = Vec::new();
    let looked_up = join_all(names.keys().map(async |name| {
        if let Some(given) = descent.map.overrides.get(name) {
            return (name.clone(), None, None, given.clone());
        }
        let alias = match target(descent, name).await {
            Target::Alias(to) => Some(to),
            _ => None,
        };
        let addresses = descent.resolve(name, 0).await;
        let at = addresses.clone().unwrap_or_default();
        let ips = addresses.map(|all| all.iter().map(|at| at.ip()).collect::<BTreeSet<_>>());
        (name.clone(), Some(ips), alias, at)
    }))
    .await;
    for (name, addresses, alias, at) in looked_up {
        let known = names.entry(name.clone()).or_default();
        known.configured = addresses.is_none();
        (known.addresses, known.alias) = (addresses, alias);
        let glue = known.glue.iter().map(|ip| std::net::SocketAddr::new(*ip, descent.map.port));
        // Resolvers follow glue, so servers behind it are looked at too.
        let glue: Vec<_> = if known.configured { Vec::new() } else { glue.collect() };
        found.extend(at.into_iter().chain(glue).map(|at| (at, name.to_string())));
    }
    let ours = request.servers.iter().flat_map(|server| {
        // A server without a name would be one that nobody can find in the report.
        server.names.iter().map(|name| (server.address, name.clone()))
    });
    let delegated = !found.is_empty() && !request.undelegated;
    // Instances behind an address that the DNS does not tell are looked at as well when they are ours by delegation.
    let configured = names.values().any(|name| name.configured);
    if !delegated || configured {
        found.extend(ours);
    }
    (by_address(found.into_iter()), names)
}

/// What the intent wants to see.
fn wanted(request: &AuditRequest, zone: &Name) -> Vec<(Name, u16)> {
    let mut asked = BTreeSet::new();
    if let Some(intent) = &request.intent {
        let star = owner_in(&request.fqdn, "*");
        for rrset in intent.rrsets.iter().chain(&intent.kept) {
            let Some(owner) = Name::parse(&rrset.owner) else { continue };
            for kind in served_types(rrset) {
                if rrset.owner == star
                    && let Some(random) = zone.below(&request.random_label)
                {
                    asked.insert((random, kind));
                }
                asked.insert((owner.clone(), kind));
            }
        }
    }
    // The fixed questions hold these already.
    asked.remove(&(zone.clone(), rtype::NS));
    asked.into_iter().collect()
}

/// The types by which an RRset is asked for: LUA makes others.
pub(crate) fn served_types(rrset: &RRset) -> BTreeSet<u16> {
    if rrset.rtype != RecordType::Lua {
        return number_of(&rrset.rtype).into_iter().collect();
    }
    let made = rrset.records.iter().filter_map(|content| content.split_ascii_whitespace().next());
    made.filter_map(|word| number_of(&RecordType::from(word.to_owned()))).collect()
}

/// Ask one nameserver everything.
async fn child(session: &Session<'_>, zone: &Name, server: &Server, names: &[(Name, u16)]) -> Child {
    let mut heard = BTreeMap::new();
    let probes = Probe::by_udp(names);
    let (cut, whole): (Vec<Probe>, Vec<Probe>) = probes.into_iter().partition(|p| !p.wants_the_whole());
    let by_udp = async {
        let questions: Vec<Question> = whole.iter().map(|probe| probe.question(zone)).collect();
        let replies = session.ask_whole(server.address, &questions).await;
        whole.iter().cloned().zip(questions).zip(replies).map(said).collect::<Vec<_>>()
    };
    let as_is = async {
        let questions: Vec<Question> = cut.iter().map(|probe| probe.question(zone)).collect();
        let replies = session.ask(server.address, pdm_model::Transport::Udp, &questions).await;
        cut.iter().cloned().zip(questions).zip(replies).map(said).collect::<Vec<_>>()
    };
    let by_tcp = async {
        let probes = Probe::by_tcp();
        let questions: Vec<Question> = probes.iter().map(|probe| probe.question(zone)).collect();
        let replies = session.ask(server.address, pdm_model::Transport::Tcp, &questions).await;
        probes.into_iter().zip(questions).zip(replies).map(said).collect::<Vec<_>>()
    };
    // Alone on its connection: a server that answers it sends the whole zone.
    let axfr = async {
        let question = Probe::Axfr.question(zone);
        let replies =
            session.ask(server.address, pdm_model::Transport::Tcp, std::slice::from_ref(&question)).await;
        replies.into_iter().map(|heard| said(((Probe::Axfr, question.clone()), heard))).collect::<Vec<_>>()
    };
    let (one, two, three, four) = tokio::join!(by_udp, as_is, by_tcp, axfr);
    heard.extend(one.into_iter().chain(two).chain(three).chain(four));
    // Silence may be a reply that came from elsewhere, which nobody else hears.
    if heard.get(&Probe::Soa).is_some_and(|reply| reply.answer.is_err() && reply.octets.is_empty()) {
        let question = Probe::FromAnywhere.question(zone);
        let reply = session.ask_for_anyone(server.address, &question).await;
        heard.extend([said(((Probe::FromAnywhere, question), reply))]);
    }
    Child { server: server.clone(), heard }
}

fn said(((probe, question), heard): ((Probe, Question), Heard)) -> (Probe, Reply) {
    let octets = heard.reply.clone().unwrap_or_default();
    let answer = heard.reply.and_then(|octets| Answer::parse(&octets).map_err(|e| e.to_string()));
    let transport = probe.transport();
    (probe, Reply { question, transport, answer, octets, at: heard.at })
}

/// The names of an address (RFC 1035 3.5, RFC 3596 2.5).
async fn reverse(descent: &Descent<'_>, ip: IpAddr) -> Result<BTreeSet<Name>, String> {
    let text = match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa."
        }
    };
    let name = Name::parse(&text).ok_or("not a name")?;
    let level = descent.closest(&name).await?;
    let question = Question::new(name.clone(), number::PTR);
    let mut last = "it has no server".to_owned();
    for server in level.servers.iter().take(3) {
        match whole(descent.session, server, &question).await {
            Ok(answer) => {
                let set = answer.find(&name, number::PTR);
                let names =
                    set.iter().flat_map(|set| &set.records).filter_map(|rdata| Name::from_wire(rdata));
                return Ok(names.map(|(name, _)| name).collect());
            }
            Err(why) => last = why,
        }
    }
    Err(last)
}

/// Names that the zone's records point to.
fn targets(facts: &Facts) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for child in &facts.servers {
        names.extend(child.set(&Probe::Mx).map(exchanges).unwrap_or_default());
        names.extend(child.soa().map(|soa| soa.mname));
    }
    let held = facts.intent().and_then(|intent| intent.held.as_ref());
    let pool = facts.request.pool.iter().flat_map(|pool| &pool.pointing);
    for rrset in held.into_iter().flatten().chain(pool) {
        names.extend(pointed_to(rrset));
    }
    names.into_iter().take(MAX_TARGETS).collect()
}

/// The names that an RRset makes somebody else answer for.
pub(crate) fn pointed_to(rrset: &RRset) -> Vec<Name> {
    let last = |content: &String| content.split_ascii_whitespace().last().and_then(Name::parse);
    match rrset.rtype.as_str() {
        "CNAME" | "MX" | "SRV" => {
            rrset.records.iter().filter_map(last).filter(|n| *n != Name::root()).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a name is there.
async fn target(descent: &Descent<'_>, name: &Name) -> Target {
    let level = match descent.closest(name).await {
        Ok(level) => level,
        Err(why) => return Target::Unknown(why),
    };
    let questions = [rtype::A, rtype::AAAA].map(|kind| Question::new(name.clone(), kind));
    let mut last = "its zone has no server".to_owned();
    for server in level.servers.iter().take(3) {
        let heard = descent.session.ask_whole(server.address, &questions).await;
        let answers = heard.into_iter().map(|heard| heard.reply.and_then(|octets| readable(&octets)));
        let answers = match answers.collect::<Result<Vec<_>, _>>() {
            Ok(answers) if answers.iter().all(|answer| answer.authoritative) => answers,
            Ok(_) => {
                last = "its zone's server has no authority".to_owned();
                continue;
            }
            Err(why) => {
                last = why;
                continue;
            }
        };
        let alias = answers.iter().find_map(|answer| answer.find(name, rtype::CNAME));
        if let Some((to, _)) = alias.and_then(|set| Name::from_wire(set.records.first()?)) {
            return Target::Alias(to);
        }
        if answers.iter().zip(&questions).any(|(answer, q)| answer.find(name, q.rtype).is_some()) {
            return Target::There;
        }
        let gone = answers.iter().any(|answer| answer.rcode == NXDOMAIN);
        return if gone { Target::Gone } else { Target::NoAddress };
    }
    Target::Unknown(last)
}

/// Delegations inside the zone, as PowerDNS holds them; of a pool only those that lead elsewhere.
async fn below(descent: &Descent<'_>, request: &AuditRequest) -> Vec<Below> {
    let held = request.intent.as_ref().and_then(|intent| intent.held.as_ref());
    let inside = held
        .into_iter()
        .flatten()
        .filter(|rrset| rrset.rtype == RecordType::Ns && rrset.owner != request.fqdn.dotted());
    let inside = inside.chain(request.pool.iter().flat_map(|pool| &pool.elsewhere));
    let inside: Vec<&RRset> = inside.take(MAX_BELOW).collect();
    join_all(inside.into_iter().map(async |rrset| {
        let zone = Name::parse(&rrset.owner).unwrap_or_else(Name::root);
        let ns: BTreeSet<Name> = rrset.records.iter().filter_map(|name| Name::parse(name)).collect();
        let alive = answers_for(descent, &zone, &ns).await;
        Below { zone, ns, alive }
    }))
    .await
}

/// Whether any nameserver of a delegation answers for it.
async fn answers_for(descent: &Descent<'_>, zone: &Name, ns: &BTreeSet<Name>) -> Result<bool, String> {
    let question =
        Question::new(zone.clone(), rtype::SOA).with(Form { edns: Some(Edns::DO), ..Form::default() });
    for name in ns {
        let Ok(addresses) = descent.resolve(name, 1).await else { continue };
        for address in addresses.into_iter().take(4) {
            let server = Server { names: vec![name.to_string()], address };
            match whole(descent.session, &server, &question).await {
                Ok(answer) if answer.authoritative && answer.find(zone, rtype::SOA).is_some() => {
                    return Ok(true);
                }
                Ok(_) => {}
                Err(why) if why.contains("is not allowed") => return Err(why),
                Err(_) => {}
            }
        }
    }
    Ok(false)
}

/// CAA sets from the zone upwards (RFC 8659 section 3), up to the first that is there.
async fn caa(descent: &Descent<'_>, facts: &Facts) -> Vec<(Name, Result<BTreeSet<String>, String>)> {
    let mut all = Vec::new();
    if facts.intent().is_none_or(|intent| intent.ca.is_empty()) {
        return all;
    }
    for depth in (1..=facts.zone.depth()).rev() {
        let name = facts.zone.trimmed(depth);
        let found = if depth == facts.zone.depth() {
            let own = facts.servers.iter().find_map(|child| child.contents(&Probe::Caa));
            own.map(|(records, _)| records).ok_or_else(|| "no nameserver answered".to_owned())
        } else {
            caa_at(descent, &name).await
        };
        let there = found.as_ref().is_ok_and(|records| !records.is_empty());
        all.push((name, found));
        if there {
            break;
        }
    }
    all
}

async fn caa_at(descent: &Descent<'_>, name: &Name) -> Result<BTreeSet<String>, String> {
    let level = descent.closest(name).await?;
    let question = Question::new(name.clone(), number::CAA);
    let mut last = "it has no server".to_owned();
    for server in level.servers.iter().take(3) {
        match whole(descent.session, server, &question).await {
            Ok(answer) => return Ok(answer.find(name, number::CAA).map(texts).unwrap_or_default()),
            Err(why) => last = why,
        }
    }
    Err(last)
}
