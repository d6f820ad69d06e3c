//! Asking for names that zones usually have, at every server in turn. A name that answers as the wildcard does is not
//! taken for a name of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use pdm_carry_over::{ANY_NAME, Collector, Hint, TooLarge, hints, mentioned};
use pdm_dnssec::{Answer, NXDOMAIN, Name, SignedSet, rtype};
use pdm_model::ZoneName;
use pdm_ports::Server;

use super::Why;
use crate::walk::reply::readable;
use crate::walk::session::{Net, Session};
use crate::wire::Question;

/// Questions of one survey.
const BUDGET: u32 = 4000;
/// Questions that are under way at once.
const BATCH: usize = 40;
/// Names beyond the list that answers may lead to.
const MAX_MENTIONED: usize = 200;

/// What one name answered: TTL and RDATA by type; none when it does not exist.
type Told = Option<BTreeMap<u16, (u32, Vec<Vec<u8>>)>>;

pub(super) async fn survey(
    net: &Net,
    zone: &ZoneName,
    servers: &[Server],
    random: &Name,
) -> Result<(Collector, u32), Why> {
    let mut survey = Survey {
        session: Session::live(net, BUDGET),
        servers: Vec::new(),
        turn: 0,
        asked: 0,
        wildcard: None,
        collector: Collector::new(zone),
    };
    survey.find_servers(servers).await?;
    let any = Hint { owner: random.clone(), types: ANY_NAME.to_vec() };
    survey.wildcard = survey.ask(&[any]).await.remove(0);
    let mut known = BTreeSet::new();
    let mut next = hints(&Name::from(zone));
    for _ in 0..3 {
        known.extend(next.iter().map(|hint| hint.owner.clone()));
        survey.take(&next).await?;
        next = survey.more(&known);
    }
    Ok((survey.collector, survey.asked))
}

struct Survey<'a> {
    session: Session<'a>,
    /// Those that answer with authority.
    servers: Vec<SocketAddr>,
    turn: usize,
    asked: u32,
    wildcard: Told,
    collector: Collector,
}

impl Survey<'_> {
    async fn find_servers(&mut self, servers: &[Server]) -> Result<(), Why> {
        let mut lacking = "no server is known".to_owned();
        for server in servers {
            let question = Question::new(self.collector.apex().clone(), rtype::SOA);
            self.asked += 1;
            let heard = self.session.ask_whole(server.address, &[question]).await.remove(0);
            match heard.reply.and_then(|octets| readable(&octets)) {
                Ok(answer) if answer.authoritative => self.servers.push(server.address),
                Ok(_) => lacking = format!("{} answers without authority", server.address),
                Err(why) => lacking = format!("{}: {why}", server.address),
            }
        }
        if self.servers.is_empty() { Err(Why::Refused(lacking)) } else { Ok(()) }
    }

    async fn take(&mut self, hints: &[Hint]) -> Result<(), TooLarge> {
        for batch in hints.chunks(BATCH) {
            for (hint, told) in batch.iter().zip(self.ask(batch).await) {
                let synthesized = told.iter().flatten().all(|(kind, set)| self.wild(*kind) == Some(&set.1));
                if hint.owner.is_wildcard() || !synthesized {
                    self.keep(&hint.owner, told)?;
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, owner: &Name, told: Told) -> Result<(), TooLarge> {
        for (number, (ttl, all)) in told.into_iter().flatten() {
            for rdata in all {
                self.collector.add(owner, number, ttl, &rdata)?;
            }
        }
        Ok(())
    }

    /// Ask for names: one question first, and the rest where the name exists and is not the wildcard's.
    async fn ask(&mut self, hints: &[Hint]) -> Vec<Told> {
        let firsts: Vec<(Name, u16)> =
            hints.iter().filter_map(|h| Some((h.owner.clone(), *h.types.first()?))).collect();
        let first = self.round(&firsts).await;
        let mut told: Vec<Told> = Vec::with_capacity(hints.len());
        let mut rest = Vec::new();
        for (index, (hint, reply)) in hints.iter().zip(&first).enumerate() {
            let seen = reply.as_ref().and_then(|answer| read(answer, &hint.owner, hint.types[0]));
            let alias = seen.as_ref().is_some_and(|all| all.contains_key(&rtype::CNAME));
            let synthesized = seen.iter().flatten().any(|(kind, set)| self.wild(*kind) == Some(&set.1));
            // A name may have other types although nothing came for the first; NXDOMAIN denies all of them.
            if seen.is_some() && !alias && !synthesized {
                rest.extend(hint.types[1..].iter().map(|kind| (index, hint.owner.clone(), *kind)));
            }
            told.push(if synthesized { self.wildcard.clone() } else { seen });
        }
        for part in rest.chunks(BATCH) {
            let questions: Vec<_> = part.iter().map(|(_, name, kind)| (name.clone(), *kind)).collect();
            for ((index, name, kind), reply) in part.iter().zip(self.round(&questions).await) {
                if let (Some(all), Some(new)) =
                    (told[*index].as_mut(), reply.and_then(|answer| read(&answer, name, *kind)))
                {
                    all.extend(new);
                }
            }
        }
        told
    }

    /// What the wildcard answers.
    fn wild(&self, kind: u16) -> Option<&Vec<Vec<u8>>> {
        self.wildcard.as_ref()?.get(&kind).map(|(_, rdata)| rdata)
    }

    /// One round of questions, at the servers in turn.
    async fn round(&mut self, questions: &[(Name, u16)]) -> Vec<Option<Answer>> {
        if questions.is_empty() {
            return Vec::new();
        }
        let server = self.servers[self.turn % self.servers.len()];
        self.turn += 1;
        let asked: Vec<_> = questions.iter().map(|(name, kind)| Question::new(name.clone(), *kind)).collect();
        self.asked += u32::try_from(asked.len()).unwrap_or(u32::MAX);
        let heard = self.session.ask_whole(server, &asked).await;
        heard.into_iter().map(|heard| heard.reply.ok().and_then(|octets| readable(&octets).ok())).collect()
    }

    /// Names that what was found leads to.
    fn more(&self, known: &BTreeSet<Name>) -> Vec<Hint> {
        let apex = self.collector.apex();
        let all: BTreeSet<Name> =
            self.collector.taken().flat_map(|(_, number, rdata)| mentioned(apex, number, rdata)).collect();
        let new = all.into_iter().filter(|name| !known.contains(name)).take(MAX_MENTIONED);
        new.map(|owner| {
            let tlsa = owner.labels().next().is_some_and(|label| label.starts_with(b"_"));
            Hint { owner, types: if tlsa { vec![52, rtype::CNAME] } else { ANY_NAME.to_vec() } }
        })
        .collect()
    }
}

/// What an answer says of a name; none when it does not exist.
fn read(answer: &Answer, name: &Name, kind: u16) -> Told {
    let set = |kind| answer.find(name, kind).map(|s: &SignedSet| (kind, (s.ttl, s.records.clone())));
    if let Some(found) = set(kind).or_else(|| set(rtype::CNAME)) {
        return Some(BTreeMap::from([found]));
    }
    (answer.rcode != NXDOMAIN).then(BTreeMap::new)
}
