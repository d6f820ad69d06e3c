//! The `DnsProbe` port on real sockets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use ipnet::IpNet;
use metrics::{counter, histogram};
use pdm_dnssec::{Answer, Dnskey, NXDOMAIN, Name, SignedSet, Verified, ds_from_rdata, rtype};
use pdm_model::{NotProved, Proof, RecordType, ServerProof, Timestamp, Transport, Ttl, ZoneName};
use pdm_ports::Fault;
use pdm_ports::probe::{
    AddressesSeen, Asking, DnsProbe, DsSeen, Heeded, KeyView, KeysSeen, ProofRequest, Server,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::Instant;

use crate::ask::{Exchange, by_tcp, by_udp};
use crate::gate::Gate;
use crate::judge::{Judge, Wrong, addresses};
use crate::plan::Plan;
use crate::walk::entry_points;
use crate::wire::{Edns, EdnsOption, Form, Question};

/// Replies with a parent's keys that are kept; past it all are asked for again.
const MAX_PARENTS: usize = 4096;
/// Sets of verified signatures kept for later proofs: as many as proofs run at once on few cores.
const MAX_IDLE: usize = 16;

/// Characters of a detail.
const MAX_DETAIL: usize = 600;

/// How a [`Prober`] behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Special ranges (loopback, private, ...) that may be asked all the same.
    pub allowed: Vec<IpNet>,
    /// How long to wait for replies before asking once more, and then again before giving up.
    pub patience: Duration,
    /// Exchanges in flight with one address.
    pub per_address: usize,
    /// Exchanges in flight in all.
    pub total: usize,
    /// How long a parent's DNSKEY reply is used again; it is validated each time.
    pub parent_keys: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            patience: Duration::from_secs(1),
            per_address: 8,
            total: 64,
            parent_keys: Duration::from_secs(3),
        }
    }
}

/// DNSKEY RRsets of parents, by parent and server, with the time they were fetched.
type Parents = HashMap<(Name, SocketAddr), (Instant, Vec<u8>)>;

/// Asks nameservers and proves what they serve.
pub struct Prober {
    settings: Settings,
    gate: Gate,
    random: SystemRandom,
    parents: Mutex<Parents>,
    idle: Mutex<Vec<Verified>>,
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prober").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What one server said in a proof.
struct Heard {
    index: usize,
    exchange: Exchange,
    /// The parent's DNSKEY reply, when it is one that was kept.
    kept: Option<Vec<u8>>,
}

/// The reply with the parent's keys, if the plan has a parent, and those to the items.
type Replies<'a> = (Option<&'a [u8]>, Vec<&'a [u8]>);

impl Heard {
    /// All replies; or the first question without one.
    fn replies(&self, plan: &Plan) -> Result<Replies<'_>, (Question, Wrong)> {
        let first = plan.parent_keys.as_ref().filter(|_| self.kept.is_none());
        let questions = first.into_iter().chain(plan.items.iter().map(|item| &item.question));
        let asked = questions.zip(&self.exchange.replies).map(|(question, reply)| match reply {
            Ok(octets) => Ok(octets.as_slice()),
            Err(why) => Err((question.clone(), Wrong { reason: "no-answer", detail: why.clone() })),
        });
        let mut items = asked.collect::<Result<Vec<_>, _>>()?;
        let parent = match &self.kept {
            Some(octets) => Some(octets.as_slice()),
            None => first.is_some().then(|| items.remove(0)),
        };
        Ok((parent, items))
    }
}

impl Prober {
    /// A prober with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let gate = Gate::new(settings.allowed.clone(), settings.per_address, settings.total);
        Self {
            settings,
            gate,
            random: SystemRandom::new(),
            parents: Mutex::default(),
            idle: Mutex::default(),
        }
    }

    async fn exchange(&self, address: SocketAddr, transport: Transport, questions: &[Question]) -> Exchange {
        let _pass = match self.gate.enter(address, 0).await {
            Ok(pass) => pass,
            Err(why) => {
                let replies = questions.iter().map(|_| Err(why.clone())).collect();
                return Exchange { replies, sent_udp: 0, sent_tcp: 0, elapsed: Duration::ZERO };
            }
        };
        let patience = self.settings.patience;
        let exchange = match transport {
            Transport::Udp => by_udp(address, questions, patience, &self.random).await,
            Transport::Tcp => by_tcp(address, questions, patience, &self.random).await,
        };
        counter!("pdm_probe_queries_total", "transport" => "udp").increment(exchange.sent_udp.into());
        counter!("pdm_probe_queries_total", "transport" => "tcp").increment(exchange.sent_tcp.into());
        exchange
    }

    /// The question on behalf of a client whom nobody is: of 100.64.0.0/10, which is not routed (RFC 6598).
    fn on_behalf(&self, question: Question) -> Question {
        let mut octets = [0; 4];
        // Without random numbers it is always the same client, and asking fails at once for the same reason.
        let _ = self.random.fill(&mut octets);
        let client = Ipv4Addr::new(100, 64 | octets[1] & 63, octets[2], octets[3]);
        let edns = Edns { option: Some(EdnsOption::Client(client)), ..Edns::DO };
        question.with(Form { edns: Some(edns), ..Form::default() })
    }

    /// Ask one server everything in `plan`; `again` asks for the parent's keys even if they were kept.
    async fn hear(
        &self,
        plan: &Plan,
        server: &Server,
        index: usize,
        transport: Transport,
        again: bool,
    ) -> Heard {
        let kept = if again { None } else { self.kept_parent(plan, server.address) };
        let first = plan.parent_keys.as_ref().filter(|_| kept.is_none());
        let questions: Vec<Question> =
            first.into_iter().chain(plan.items.iter().map(|item| &item.question)).cloned().collect();
        Heard { index, exchange: self.exchange(server.address, transport, &questions).await, kept }
    }

    fn kept_parent(&self, plan: &Plan, address: SocketAddr) -> Option<Vec<u8>> {
        let parents = self.parents.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, octets) = parents.get(&(plan.parent_keys.as_ref()?.name.clone(), address))?;
        (at.elapsed() < self.settings.parent_keys).then(|| octets.clone())
    }

    fn keep_parent(&self, plan: &Plan, address: SocketAddr, octets: Option<&[u8]>) {
        let Some(question) = &plan.parent_keys else { return };
        let mut parents = self.parents.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (question.name.clone(), address);
        match octets {
            Some(octets) => {
                if parents.len() >= MAX_PARENTS {
                    parents.clear();
                }
                parents.insert(key, (Instant::now(), octets.to_vec()));
            }
            None => {
                parents.remove(&key);
            }
        }
    }

    /// All servers by one transport, judged as they come.
    async fn round(
        &self,
        plan: &Plan,
        request: &ProofRequest,
        transport: Transport,
        judge: &mut Judge<'_>,
        proof: &mut Proof,
    ) -> Result<(), NotProved> {
        let mut slots: Vec<Option<ServerProof>> = request.servers.iter().map(|_| None).collect();
        let mut pending: FuturesUnordered<_> = request
            .servers
            .iter()
            .enumerate()
            .map(|(index, server)| self.hear(plan, server, index, transport, false))
            .collect();
        while let Some(heard) = pending.next().await {
            let server = &request.servers[heard.index];
            proof.queries += heard.exchange.sent_udp + heard.exchange.sent_tcp;
            let verdict = heard.replies(plan).and_then(|replies| {
                let (parent, items) = replies;
                let digest = judge.server(parent, &items)?;
                if heard.kept.is_none() {
                    self.keep_parent(plan, server.address, parent);
                }
                Ok((digest, items.len() + usize::from(parent.is_some())))
            });
            match verdict {
                Ok((digest, answers)) => {
                    slots[heard.index] = Some(ServerProof {
                        nameservers: server.names.clone(),
                        address: server.address.to_string(),
                        transport,
                        answers: u32::try_from(answers).unwrap_or(u32::MAX),
                        digest,
                        millis: u32::try_from(heard.exchange.elapsed.as_millis()).unwrap_or(u32::MAX),
                    });
                }
                // What was kept may be older than a roll of the parent's keys: ask once more with nothing kept.
                Err((_, wrong)) if heard.kept.is_some() && wrong.reason == "bogus" => {
                    self.keep_parent(plan, server.address, None);
                    pending.push(self.hear(plan, server, heard.index, transport, true));
                }
                Err((question, wrong)) => return Err(not_proved(server, transport, &question, wrong)),
            }
        }
        proof.servers.extend(slots.into_iter().flatten());
        Ok(())
    }

    async fn prove_plan(&self, plan: &Plan, request: &ProofRequest) -> Result<Proof, NotProved> {
        let refuse = |reason: &'static str, detail: &str| {
            let question = Question::new(plan.zone.clone(), rtype::DS);
            let nobody = Wrong { reason, detail: detail.to_owned() };
            NotProved { server: String::new(), ..refusal(Transport::Udp, &question, nobody) }
        };
        if plan.ds.is_empty() {
            return Err(refuse("no-ds", "no DS is expected, so that there is no chain to prove"));
        }
        if request.servers.is_empty() {
            return Err(refuse("no-answer", "there is no server to ask"));
        }
        let mut proof = Proof {
            begun_at: request.now,
            generation: request.generation,
            anchor: request.anchor_name.clone(),
            private_view: request.private_view,
            skipped: request.skipped.clone(),
            servers: Vec::with_capacity(2 * request.servers.len()),
            queries: 0,
        };
        let mut verified = self.borrow_verified();
        let mut judge = Judge::new(plan, &mut verified);
        let mut outcome = Ok(());
        for transport in [Transport::Udp, Transport::Tcp] {
            outcome = self.round(plan, request, transport, &mut judge, &mut proof).await;
            if outcome.is_err() {
                break;
            }
        }
        self.give_back(verified);
        outcome.map(|()| proof)
    }

    /// Signatures verified by earlier proofs. Lent and given back whole, so that no proof waits for another.
    fn borrow_verified(&self) -> Verified {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, verified: Verified) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(verified);
        }
    }

    /// One question to one server, by TCP when the answer is too long for UDP; the answer if it is authoritative.
    async fn one(&self, server: &Server, question: &Question) -> Option<Answer> {
        for transport in [Transport::Udp, Transport::Tcp] {
            let exchange = self.exchange(server.address, transport, std::slice::from_ref(question)).await;
            let octets = exchange.replies.into_iter().next()?.ok()?;
            let answer = Answer::parse(&octets).ok()?;
            if answer.truncated {
                continue;
            }
            return (answer.authoritative && matches!(answer.rcode, 0 | NXDOMAIN)).then_some(answer);
        }
        None
    }
}

fn not_proved(server: &Server, transport: Transport, question: &Question, wrong: Wrong) -> NotProved {
    let who = if server.names.is_empty() {
        server.address.to_string()
    } else {
        format!("{} ({})", server.names.join(", "), server.address)
    };
    NotProved { server: who, ..refusal(transport, question, wrong) }
}

fn refusal(transport: Transport, question: &Question, wrong: Wrong) -> NotProved {
    NotProved {
        reason: wrong.reason.to_owned(),
        server: String::new(),
        transport,
        question: question.to_string(),
        // Some of it was written by the other side.
        detail: wrong.detail.chars().take(MAX_DETAIL).collect(),
    }
}

/// The addresses of one reply; an empty set when it has none, whatever the reason. A server that says SERVFAIL, as for a
/// LUA record that cannot be computed, or REFUSED, is not silent. Besides, whether it is for the client that was named.
fn given(octets: &[u8], number: u16) -> Option<(BTreeSet<IpAddr>, bool)> {
    let answer = Answer::parse(octets).ok()?;
    let heeds = answer.edns.as_ref().and_then(|edns| edns.client_scope).is_some_and(|scope| scope > 0);
    let set = match answer.answers.iter().find(|set| set.rtype == number) {
        _ if !answer.authoritative || !matches!(answer.rcode, 0 | NXDOMAIN) => BTreeSet::new(),
        Some(set) => addresses(set)?,
        None => BTreeSet::new(),
    };
    Some((set, heeds))
}

fn key_view(zone: &ZoneName, server: &Server, keys: Option<&Answer>, soa: Option<&Answer>) -> KeyView {
    let apex = Name::from(zone);
    let keys = keys.map(|answer| answer.find(&apex, rtype::DNSKEY));
    let soa = soa.and_then(|answer| answer.find(&apex, rtype::SOA));
    let signatures = keys.flatten().into_iter().chain(soa).flat_map(|set| &set.signatures);
    let first = signatures.map(|signature| signature.expiration).min();
    let texts = |set: &SignedSet| {
        let keys = set.records.iter().filter_map(|rdata| Dnskey::from_rdata(rdata));
        (keys.map(|key| key.to_string()).collect(), Ttl::new(set.ttl))
    };
    KeyView {
        server: server.clone(),
        keys: keys.map(|set| set.map_or_else(|| (BTreeSet::new(), Ttl::new(0)), texts)),
        signers: soa.map(|set| set.signatures.iter().map(|s| (s.algorithm, s.key_tag)).collect()),
        expires: first.map(|seconds| Timestamp(i64::from(seconds) * 1000)),
    }
}

#[async_trait]
impl DnsProbe for Prober {
    async fn keys(&self, zone: &ZoneName, servers: &[Server]) -> Vec<KeysSeen> {
        let question = Question::new(Name::from(zone), rtype::DNSKEY);
        join_all(servers.iter().map(async |server| {
            let answer = self.one(server, &question).await;
            let set = answer.as_ref().and_then(|a| a.find(&question.name, rtype::DNSKEY));
            let seen = set.map(|set| entry_points(&question.name, set));
            KeysSeen {
                server: server.clone(),
                ds_of_keys: seen.or_else(|| answer.is_some().then(BTreeSet::new)),
                ttl: set.map(|set| Ttl::new(set.ttl)),
            }
        }))
        .await
    }

    async fn key_views(&self, zone: &ZoneName, servers: &[Server]) -> Vec<KeyView> {
        let apex = Name::from(zone);
        let (keys, soa) = (Question::new(apex.clone(), rtype::DNSKEY), Question::new(apex, rtype::SOA));
        join_all(servers.iter().map(async |server| {
            let (keys, soa) = tokio::join!(self.one(server, &keys), self.one(server, &soa));
            key_view(zone, server, keys.as_ref(), soa.as_ref())
        }))
        .await
    }

    async fn ds(&self, zone: &ZoneName, servers: &[Server]) -> Vec<DsSeen> {
        let question = Question::new(Name::from(zone), rtype::DS);
        join_all(servers.iter().map(async |server| {
            let ds = self.one(server, &question).await.map(|answer| {
                answer.find(&question.name, rtype::DS).map_or_else(
                    || (BTreeSet::new(), None),
                    |set| {
                        let records = set.records.iter().filter_map(|rdata| ds_from_rdata(rdata));
                        (records.collect(), Some(Ttl::new(set.ttl)))
                    },
                )
            });
            DsSeen { server: server.clone(), ds }
        }))
        .await
    }

    async fn addresses(
        &self,
        name: &str,
        types: &[RecordType],
        asking: Asking,
        servers: &[Server],
    ) -> Vec<AddressesSeen> {
        let (Asking::Times(times) | Asking::Clients(times)) = asking;
        let number = |rtype: &RecordType| match rtype {
            RecordType::A => Some((rtype.clone(), rtype::A)),
            RecordType::Aaaa => Some((rtype.clone(), rtype::AAAA)),
            _ => None,
        };
        let asked: Vec<(RecordType, u16)> =
            types.iter().filter_map(number).flat_map(|one| std::iter::repeat_n(one, times)).collect();
        let questions: Vec<Question> = match Name::parse(name) {
            Some(name) => asked.iter().map(|(_, number)| Question::new(name.clone(), *number)).collect(),
            None => Vec::new(),
        };
        let questions = match asking {
            Asking::Times(_) => questions,
            Asking::Clients(_) => questions.into_iter().map(|one| self.on_behalf(one)).collect(),
        };
        join_all(servers.iter().map(async |server| {
            let exchange = self.exchange(server.address, Transport::Udp, &questions).await;
            let mut answers: BTreeMap<RecordType, Vec<BTreeSet<IpAddr>>> = BTreeMap::new();
            let mut heeded = 0;
            let nothing = AddressesSeen { server: server.clone(), answers: None, heeded: Heeded::None };
            for ((rtype, number), reply) in asked.iter().zip(exchange.replies) {
                let Some((set, heeds)) = reply.ok().and_then(|octets| given(&octets, *number)) else {
                    return nothing;
                };
                heeded += usize::from(heeds);
                answers.entry(rtype.clone()).or_default().push(set);
            }
            if questions.is_empty() {
                return nothing;
            }
            let heeded = match heeded {
                0 => Heeded::None,
                all if all == questions.len() => Heeded::All,
                _ => Heeded::Some,
            };
            AddressesSeen { answers: Some(answers), heeded, ..nothing }
        }))
        .await
    }

    async fn prove(&self, request: &ProofRequest) -> Result<Result<Proof, NotProved>, Fault> {
        let plan = Plan::of(request)?;
        let begun = Instant::now();
        let outcome = self.prove_plan(&plan, request).await;
        histogram!("pdm_probe_seconds").record(begun.elapsed());
        if let Err(not_proved) = &outcome {
            counter!("pdm_probe_failures_total", "reason" => not_proved.reason.clone()).increment(1);
            tracing::debug!(zone = %request.zone, reason = not_proved.reason, server = not_proved.server,
                question = not_proved.question, detail = not_proved.detail, "not proved");
        }
        Ok(outcome)
    }
}
