//! One walk's questions and answers. Nothing is asked twice of one server in one walk, everything is kept as octets,
//! and a walk over what was kept gives the same result again without a network.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::counter;
use pdm_model::{Timestamp, Transport, ZoneName};
use ring::rand::SystemRandom;
use tokio::time::Instant;

use crate::ask::{by_datagram, by_tcp, for_anyone};
use crate::gate::Gate;
use crate::glance::{Memory, ParentKeys};
use crate::wire::{Question, is_truncated};

/// Replies about upper zones that later walks use again; past it all are asked for again.
const MAX_KEPT: usize = 4096;
/// How long.
const KEPT: Duration = Duration::from_secs(60);
/// Octets of all replies of one walk: a recording stays small whatever the other side sends.
const MAX_OCTETS: usize = 8 << 20;

/// Reads the time; the store's or the host's, never the library's.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The network, shared by all walks.
pub(crate) struct Net {
    pub(crate) gate: Gate,
    pub(crate) patience: Duration,
    /// Asked without a pace: the operator's own servers.
    pub(crate) ours: Vec<SocketAddr>,
    pub(crate) clock: Clock,
    pub(crate) random: SystemRandom,
    pub(crate) kept: Mutex<HashMap<Key, (Instant, Heard)>>,
    /// Keys of parents, by parent and server, for quick looks.
    pub(crate) parents: Mutex<HashMap<(ZoneName, SocketAddr), ParentKeys>>,
    pub(crate) glances: Mutex<Memory>,
}

/// Who was asked what, and how. The id of the query is left at zero.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) server: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) query: Vec<u8>,
}

/// What came of one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The reply with its id at zero, or why there is none.
    pub(crate) reply: Result<Vec<u8>, String>,
    /// When the question was sent.
    pub(crate) at: Timestamp,
    /// Milliseconds until the last reply of its exchange.
    pub(crate) millis: u32,
}

/// Where answers come from.
enum Source<'a> {
    Net(&'a Net),
    /// From what was kept, and from nowhere else.
    Kept,
    #[cfg(test)]
    Script(&'a Script<'a>),
}

/// How questions travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Udp,
    /// One question, answered from wherever.
    UdpFromAnyone,
    Tcp,
}

/// Answers one query at one server; for tests.
#[cfg(test)]
pub(crate) type Script<'a> = dyn Fn(SocketAddr, Transport, &[u8]) -> Result<Vec<u8>, String> + Sync + 'a;

/// One walk.
pub(crate) struct Session<'a> {
    source: Source<'a>,
    pub(crate) begun: Timestamp,
    heard: Mutex<BTreeMap<Key, Heard>>,
    budget: Mutex<Budget>,
}

/// What one walk may still use.
struct Budget {
    questions: u32,
    octets: usize,
}

impl Budget {
    fn new(questions: u32) -> Mutex<Self> {
        Mutex::new(Self { questions, octets: MAX_OCTETS })
    }

    /// Leave to send so many questions, or why not.
    fn take(&mut self, count: u32) -> Result<(), &'static str> {
        if self.octets == 0 {
            return Err("the walk asks no more: it has used up its octets");
        }
        let left = self.questions.checked_sub(count);
        self.questions = left.ok_or("the walk asks no more: it has used up its questions")?;
        Ok(())
    }
}

impl<'a> Session<'a> {
    pub(crate) fn live(net: &'a Net, budget: u32) -> Self {
        let begun = (net.clock)();
        Self { source: Source::Net(net), begun, heard: Mutex::default(), budget: Budget::new(budget) }
    }

    pub(crate) fn replay(begun: Timestamp, heard: BTreeMap<Key, Heard>) -> Self {
        Self { source: Source::Kept, begun, heard: Mutex::new(heard), budget: Budget::new(0) }
    }

    #[cfg(test)]
    pub(crate) fn scripted(begun: Timestamp, script: &'a Script<'a>) -> Self {
        Self { source: Source::Script(script), begun, heard: Mutex::default(), budget: Budget::new(5000) }
    }

    /// Everything that was asked and heard.
    pub(crate) fn into_heard(self) -> BTreeMap<Key, Heard> {
        self.heard.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was heard of one question, if it was asked.
    pub(crate) fn recall(
        &self,
        server: SocketAddr,
        transport: Transport,
        question: &Question,
    ) -> Option<Heard> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key(server, transport, question))
            .cloned()
    }

    /// Ask one server by one transport. Replies in the order of the questions.
    pub(crate) async fn ask(
        &self,
        server: SocketAddr,
        transport: Transport,
        questions: &[Question],
    ) -> Vec<Heard> {
        let keys: Vec<Key> = questions.iter().map(|q| key(server, transport, q)).collect();
        let missing: Vec<usize> = {
            let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            (0..keys.len()).filter(|&i| !heard.contains_key(&keys[i])).collect()
        };
        if !missing.is_empty() {
            let open: Vec<Question> = missing.iter().map(|&i| questions[i].clone()).collect();
            let news = self.exchange(server, transport, &open).await;
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            for (index, new) in missing.into_iter().zip(news) {
                // The first to come stays: what was used is what is kept.
                heard.entry(keys[index].clone()).or_insert(new);
            }
        }
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().filter_map(|key| heard.get(key).cloned()).collect()
    }

    /// Ask a silent server once more by UDP, and hear who else may answer in its place.
    pub(crate) async fn ask_for_anyone(&self, server: SocketAddr, question: &Question) -> Heard {
        let key = key(server, Transport::Udp, question);
        if let Some(heard) = self.recall(server, Transport::Udp, question) {
            return heard;
        }
        let news = self.exchange_by(Way::UdpFromAnyone, server, std::slice::from_ref(question)).await;
        let new = news.into_iter().next().unwrap_or_else(|| self.silence("nothing was asked".to_owned()));
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(new).clone()
    }

    /// Ask by UDP, and by TCP what comes back truncated.
    pub(crate) async fn ask_whole(&self, server: SocketAddr, questions: &[Question]) -> Vec<Heard> {
        let mut all = self.ask(server, Transport::Udp, questions).await;
        let cut: Vec<usize> =
            (0..all.len()).filter(|&i| matches!(&all[i].reply, Ok(octets) if is_truncated(octets))).collect();
        if !cut.is_empty() {
            let again: Vec<Question> = cut.iter().map(|&i| questions[i].clone()).collect();
            let whole = self.ask(server, Transport::Tcp, &again).await;
            for (index, reply) in cut.into_iter().zip(whole) {
                all[index] = reply;
            }
        }
        all
    }

    /// One question that other walks may have asked a moment ago: about zones far above the one that is looked at.
    pub(crate) async fn ask_shared(&self, server: SocketAddr, question: &Question) -> Heard {
        let Source::Net(net) = self.source else { return self.one_whole(server, question).await };
        let shared = key(server, Transport::Udp, question);
        {
            let kept = net.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((since, heard)) = kept.get(&shared)
                && since.elapsed() < KEPT
            {
                let mut mine = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                return mine.entry(shared).or_insert_with(|| heard.clone()).clone();
            }
        }
        let heard = self.one_whole(server, question).await;
        // A truncated datagram leads to a second question: that walk keeps both, nobody else does.
        let by_datagram = self.recall(server, Transport::Udp, question).as_ref() == Some(&heard);
        if heard.reply.is_ok() && by_datagram {
            let mut kept = net.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= MAX_KEPT {
                kept.clear();
            }
            kept.insert(shared, (Instant::now(), heard.clone()));
        }
        heard
    }

    async fn one_whole(&self, server: SocketAddr, question: &Question) -> Heard {
        let all = self.ask_whole(server, std::slice::from_ref(question)).await;
        all.into_iter().next().unwrap_or_else(|| self.silence("nothing was asked".to_owned()))
    }

    fn budget(&self) -> std::sync::MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silence(&self, why: String) -> Heard {
        Heard { reply: Err(why), at: self.begun, millis: 0 }
    }

    async fn exchange(&self, server: SocketAddr, transport: Transport, questions: &[Question]) -> Vec<Heard> {
        let way = match transport {
            Transport::Udp => Way::Udp,
            Transport::Tcp => Way::Tcp,
        };
        self.exchange_by(way, server, questions).await
    }

    async fn exchange_by(&self, way: Way, server: SocketAddr, questions: &[Question]) -> Vec<Heard> {
        let transport = if way == Way::Tcp { Transport::Tcp } else { Transport::Udp };
        let none = |why: &str| questions.iter().map(|_| self.silence(why.to_owned())).collect();
        let net = match self.source {
            Source::Net(net) => net,
            Source::Kept => return none("this was not asked when the audit was recorded"),
            #[cfg(test)]
            Source::Script(script) => {
                let one = |question: &Question| {
                    let query = key(server, transport, question).query;
                    Heard { reply: script(server, transport, &query), at: self.begun, millis: 1 }
                };
                return questions.iter().map(one).collect();
            }
        };
        let count = u32::try_from(questions.len()).unwrap_or(u32::MAX);
        if let Err(why) = self.budget().take(count) {
            return none(why);
        }
        let paced = if net.ours.contains(&server) { 0 } else { count };
        let _pass = match net.gate.enter(server, paced).await {
            Ok(pass) => pass,
            Err(why) => return none(&why),
        };
        let at = (net.clock)();
        let exchange = match (way, questions) {
            (Way::Udp, _) => by_datagram(server, questions, net.patience, &net.random).await,
            (Way::Tcp, _) => by_tcp(server, questions, net.patience, &net.random).await,
            (Way::UdpFromAnyone, [one]) => for_anyone(server, one, net.patience, &net.random).await,
            (Way::UdpFromAnyone, _) => return none("one question at a time is asked of anyone"),
        };
        let word = if transport == Transport::Udp { "udp" } else { "tcp" };
        counter!("pdm_walk_queries_total", "transport" => word)
            .increment((exchange.sent_udp + exchange.sent_tcp).into());
        let octets: usize = exchange.replies.iter().flatten().map(Vec::len).sum();
        {
            let mut budget = self.budget();
            budget.octets = budget.octets.saturating_sub(octets);
        }
        let millis = u32::try_from(exchange.elapsed.as_millis()).unwrap_or(u32::MAX);
        let without_id = |mut octets: Vec<u8>| {
            octets.iter_mut().take(2).for_each(|octet| *octet = 0);
            octets
        };
        exchange.replies.into_iter().map(|reply| Heard { reply: reply.map(without_id), at, millis }).collect()
    }
}

fn key(server: SocketAddr, transport: Transport, question: &Question) -> Key {
    let mut query = Vec::with_capacity(64);
    question.write(0, &mut query);
    Key { server, transport, query }
}
