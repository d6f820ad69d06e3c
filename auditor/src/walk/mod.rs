//! Walking the delegation tree: the `DelegationWalk` port on real sockets.

mod announce;
pub(crate) mod descend;
pub(crate) mod link;
pub(crate) mod reply;
mod roots;
pub(crate) mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use ipnet::IpNet;
use pdm_dnssec::{Answer, Dnskey, DsDigest, NXDOMAIN, Name, SignedSet, ds_from_rdata, rtype};
use pdm_model::{DsRecord, RecordType, Ttl, ZoneName};
use pdm_ports::walk::{ChildAnswer, DelegationWalk, ParentAnswer, ParentView, RRsetAnswer, Security};
use pdm_ports::{Class, Fault, Server};
use ring::rand::SystemRandom;

use self::descend::{Descent, Level, Map, Start, by_address};
use self::link::Link;
use self::reply::{Told, denial_ttl, ns_names, readable, told};
use self::session::{Net, Session};
use crate::gate::Gate;
use crate::present::{Soa, presented};
use crate::types::number_of;
use crate::wire::Question;

pub use self::session::Clock;

/// Questions of one walk.
const BUDGET: u32 = 400;
/// From the first question to the last answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// How a [`Walker`] behaves.
#[derive(Debug, Clone)]
pub struct WalkSettings {
    /// Special ranges (loopback, private, ...) that may be asked all the same.
    pub allowed: Vec<IpNet>,
    /// The operator's own servers, which are asked without a pace.
    pub ours: Vec<SocketAddr>,
    /// How long to wait for replies before asking once more, and then again before giving up.
    pub patience: Duration,
    /// Root servers; the public ones when empty. Their port is the port of every server whose address is found in the
    /// DNS, so that a closed tree can live on another port than 53.
    pub root_hints: Vec<SocketAddr>,
    /// DS records of the root's keys. Empty: IANA's below the public root servers, none below others.
    pub root_anchor: BTreeSet<DsRecord>,
    /// Trust anchors of zones that have no chain from above.
    pub anchors: BTreeMap<ZoneName, BTreeSet<DsRecord>>,
    /// Configured addresses of nameservers.
    pub overrides: BTreeMap<ZoneName, Vec<SocketAddr>>,
}

impl Default for WalkSettings {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            ours: Vec::new(),
            patience: Duration::from_secs(1),
            root_hints: Vec::new(),
            root_anchor: BTreeSet::new(),
            anchors: BTreeMap::new(),
            overrides: BTreeMap::new(),
        }
    }
}

/// Walks the tree.
pub struct Walker {
    pub(crate) net: Net,
    pub(crate) map: Map,
}

impl std::fmt::Debug for Walker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walker").field("map", &self.map).finish_non_exhaustive()
    }
}

impl Walker {
    /// A walker that reads the time from `clock`.
    #[must_use]
    pub fn new(settings: WalkSettings, clock: Clock) -> Self {
        let public = settings.root_hints.is_empty();
        let port = settings.root_hints.first().map_or(53, SocketAddr::port);
        let given =
            settings.root_hints.iter().map(|at| Server { names: vec!["root hint".to_owned()], address: *at });
        let servers = if public { roots::servers() } else { given.collect() };
        let anchor =
            if public && settings.root_anchor.is_empty() { roots::anchors() } else { settings.root_anchor };
        let net = Net {
            gate: Gate::new(settings.allowed, 8, 64),
            patience: settings.patience,
            ours: settings.ours,
            clock,
            random: SystemRandom::new(),
            kept: std::sync::Mutex::default(),
            parents: std::sync::Mutex::default(),
            glances: std::sync::Mutex::default(),
        };
        let named = |(zone, value)| (Name::from(&zone), value);
        let map = Map {
            starts: vec![Start { zone: Name::root(), servers, anchor }],
            overrides: settings.overrides.into_iter().map(|(zone, at)| (Name::from(&zone), at)).collect(),
            anchors: settings.anchors.into_iter().map(named).collect(),
            port,
        };
        Self { net, map }
    }

    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    fn session(&self) -> Session<'_> {
        Session::live(&self.net, BUDGET)
    }
}

/// A walk that takes longer than it may is a fault that goes away by itself, or not.
pub(crate) async fn in_time<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = || Fault::transient("walk-late", format!("the walk took more than {} s", DEADLINE.as_secs()));
    tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| Err(late()))
}

#[async_trait]
impl DelegationWalk for Walker {
    async fn parent(&self, child: &ZoneName) -> Result<ParentView, Fault> {
        in_time(async {
            let session = self.session();
            let (level, answers, security) = parent_of(&Descent::new(&session, &self.map), child)
                .await
                .map_err(|why| Fault::transient("walk-failed", why))?;
            let parent = ZoneName::parse(&level.zone.to_string()).map_err(|_| {
                let detail = format!("{child} is delegated by the root itself");
                Fault::new(Class::Unsupported, "walk-parent", detail)
            })?;
            Ok(ParentView { parent, answers, security, begun: session.begun })
        })
        .await
    }

    async fn child(&self, child: &ZoneName, servers: &[Server]) -> Vec<ChildAnswer> {
        let (session, zone) = (self.session(), Name::from(child));
        join_all(servers.iter().map(|server| child_at(&session, &zone, server))).await
    }

    async fn addresses(&self, names: &BTreeSet<ZoneName>) -> Result<Vec<Server>, Fault> {
        in_time(async {
            let session = self.session();
            let descent = Descent::new(&session, &self.map);
            let found = join_all(names.iter().map(async |name| {
                let found = descent.resolve(&Name::from(name), 0).await;
                found.map(|all| (name, all)).map_err(|why| {
                    Fault::transient("walk-failed", format!("the addresses of {name} cannot be found: {why}"))
                })
            }))
            .await;
            let found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
            let pairs = found.into_iter().flat_map(|(name, all)| {
                all.into_iter().map(move |address| (address, name.as_str().to_owned()))
            });
            Ok(by_address(pairs))
        })
        .await
    }

    async fn rrset(&self, owner: &str, rtype: &RecordType, servers: &[Server]) -> Vec<RRsetAnswer> {
        let session = self.session();
        let question = Name::parse(owner).zip(number_of(rtype));
        join_all(servers.iter().map(async |server| {
            let nothing = |error: String| RRsetAnswer {
                server: server.clone(),
                contents: None,
                nxdomain: false,
                authoritative: false,
                error: Some(error),
            };
            let Some((name, number)) = question.clone() else {
                return nothing(format!("{owner} {rtype} cannot be asked for"));
            };
            let question = Question::new(name.clone(), number);
            match whole(&session, server, &question).await {
                Ok(answer) => RRsetAnswer {
                    server: server.clone(),
                    contents: Some(contents(&answer, answer.find(&name, number))),
                    nxdomain: answer.rcode == NXDOMAIN && answer.answers.is_empty(),
                    authoritative: answer.authoritative,
                    error: None,
                },
                Err(why) => nothing(why),
            }
        }))
        .await
    }
}

/// One question to one server, read.
pub(crate) async fn whole(
    session: &Session<'_>,
    server: &Server,
    question: &Question,
) -> Result<Answer, String> {
    let heard = session.ask_whole(server.address, std::slice::from_ref(question)).await;
    let heard = heard.into_iter().next().ok_or("nothing was asked")?;
    heard.reply.and_then(|octets| readable(&octets))
}

fn contents(answer: &Answer, set: Option<&SignedSet>) -> (BTreeSet<String>, Ttl) {
    let absent = || (BTreeSet::new(), Ttl::new(denial_ttl(answer)));
    set.map_or_else(absent, |set| {
        let records = set.records.iter().map(|rdata| presented(set.rtype, rdata));
        (records.collect(), Ttl::new(set.ttl))
    })
}

/// The zone that delegates `child`, or would, and what each of its servers says.
pub(crate) async fn parent_of(
    descent: &Descent<'_>,
    child: &ZoneName,
) -> Result<(Level, Vec<ParentAnswer>, Security), String> {
    let name = Name::from(child);
    let level = descent.closest(&name.trimmed(name.depth() - 1)).await?;
    let answers =
        join_all(level.servers.iter().map(|server| parent_at(descent, &level, &name, server))).await;
    let mut links: Vec<Link> = answers.iter().filter_map(|(_, link)| link.clone()).collect();
    // One broken server is enough to break a validator, so the worst is told.
    links.sort_by_key(|link| match link {
        Link::Bogus(..) => 0,
        Link::Unknown(_) => 1,
        Link::Insecure(_) => 2,
        Link::Secure(_) => 3,
    });
    let unasked = || Link::Unknown(format!("no server of {} says anything about the DS", level.zone));
    let security = links.into_iter().next().unwrap_or_else(unasked).security(child);
    Ok((level, answers.into_iter().map(|(answer, _)| answer).collect(), security))
}

async fn parent_at(
    descent: &Descent<'_>,
    level: &Level,
    child: &Name,
    server: &Server,
) -> (ParentAnswer, Option<Link>) {
    let questions = [Question::new(child.clone(), rtype::NS), Question::new(child.clone(), rtype::DS)];
    let heard = descent.session.ask_whole(server.address, &questions).await;
    let mut replies = heard.into_iter().map(|heard| heard.reply.and_then(|octets| readable(&octets)));
    let mut next = || replies.next().unwrap_or_else(|| Err("nothing was asked".to_owned()));
    let (ns, ds) = (next(), next());
    let mut answer =
        ParentAnswer { server: server.clone(), ns: None, glue: BTreeMap::new(), ds: None, error: None };
    match ns.and_then(|answer| told(&answer, &level.zone, child)) {
        Ok(Told::Cut(cut)) if cut.zone == *child => {
            answer.ns = Some((zone_names(&cut.ns), Ttl::new(cut.ttl)));
            let glue = cut.glue.iter().filter_map(|(name, at)| Some((zone_name(name)?, at.clone())));
            answer.glue = glue.collect();
        }
        Ok(Told::Cut(cut)) => answer.error = Some(format!("it refers to {} instead", cut.zone)),
        Ok(Told::Inside(ttl) | Told::NoName(ttl)) => answer.ns = Some((BTreeSet::new(), Ttl::new(ttl))),
        Err(why) => answer.error = Some(why),
    }
    let ds = ds.and_then(|answer| {
        let useful = answer.authoritative || answer.find(child, rtype::DS).is_some();
        useful.then_some(answer).ok_or_else(|| "it has no authority for the DS".to_owned())
    });
    let link = match ds {
        Ok(reply) => {
            let set = reply.find(child, rtype::DS);
            let records =
                set.map(|set| set.records.iter().filter_map(|rdata| ds_from_rdata(rdata)).collect());
            let ttl = set.map_or_else(|| denial_ttl(&reply), |set| set.ttl);
            answer.ds = Some((records.unwrap_or_default(), Ttl::new(ttl)));
            Some(descent.judge_ds(&level.link, &reply, child))
        }
        Err(why) => {
            answer.error.get_or_insert(why);
            None
        }
    };
    (answer, link)
}

async fn child_at(session: &Session<'_>, zone: &Name, server: &Server) -> ChildAnswer {
    let question = |number| Question::new(zone.clone(), number);
    let questions = [question(rtype::SOA), question(rtype::NS), question(rtype::DNSKEY)];
    let heard = session.ask_whole(server.address, &questions).await;
    let mut error = None;
    let answers: Vec<Option<Answer>> = heard
        .into_iter()
        .map(|heard| {
            let read = heard.reply.and_then(|octets| readable(&octets));
            read.map_err(|why| error.get_or_insert(why).clone()).ok()
        })
        .collect();
    let said = |index: usize| {
        // Only what is said with authority counts: a resolver or the parent may repeat the rest.
        let answer = answers.get(index)?.as_ref().filter(|answer| answer.authoritative)?;
        Some((answer, answer.find(zone, questions[index].rtype)))
    };
    let soa = said(0).and_then(|(_, set)| Soa::read(set?.records.first()?));
    let ns = said(1).and_then(|(_, set)| set).map(|set| (zone_names(&ns_names(set)), Ttl::new(set.ttl)));
    let keys = soa.as_ref().and_then(|_| said(2)).map(|(answer, set)| match set {
        Some(set) => (entry_points(zone, set), Ttl::new(set.ttl)),
        None => (BTreeSet::new(), Ttl::new(denial_ttl(answer))),
    });
    if soa.is_none() && error.is_none() {
        error = Some("it does not answer with authority for the zone".to_owned());
    }
    ChildAnswer {
        server: server.clone(),
        authoritative: soa.is_some(),
        ns,
        keys,
        serial: soa.map(|soa| soa.serial),
        error,
    }
}

/// The DS of every entry point in a DNSKEY RRset.
pub(crate) fn entry_points(zone: &Name, set: &SignedSet) -> BTreeSet<DsRecord> {
    let keys = set.records.iter().filter_map(|rdata| Dnskey::from_rdata(rdata));
    keys.filter(Dnskey::is_entry_point).map(|key| key.ds(zone, DsDigest::Sha256)).collect()
}

fn zone_name(name: &Name) -> Option<ZoneName> {
    ZoneName::parse(&name.to_string()).ok()
}

/// Names that could be host names; others cannot be nameservers.
pub(crate) fn zone_names(names: &BTreeSet<Name>) -> BTreeSet<ZoneName> {
    names.iter().filter_map(zone_name).collect()
}
