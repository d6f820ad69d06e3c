//! A quick look at one Sovereign at one server: the DS where the server carries the parent, the keys, and every wanted
//! RRset, each with a signature that holds now. Content is compared; the full chain is for proofs and audits.

use std::collections::BTreeSet;

use pdm_dnssec::{Answer, KeySet, Name, SignedSet, Verified, ds_from_rdata, rtype, verify};
use pdm_ports::audit::{Glance, GlanceRequest};

use crate::ask::by_datagram;
use crate::audit::facts::texts;
use crate::audit::gather::served_types;
use crate::walk::entry_points;
use crate::walk::reply::readable;
use crate::walk::session::Net;
use crate::wire::{Question, is_truncated};

/// What is compared.
struct Wanted {
    question: Question,
    /// None when any answer will do (LUA).
    records: Option<BTreeSet<String>>,
}

pub(crate) async fn glance(net: &Net, request: &GlanceRequest) -> Glance {
    let zone = Name::from(&request.fqdn);
    let mut questions = vec![Question::new(zone.clone(), rtype::DNSKEY)];
    if request.carries_parent {
        questions.push(Question::new(zone.clone(), rtype::DS));
    }
    let fixed = questions.len();
    let wanted = wanted(request);
    questions.extend(wanted.iter().map(|w| w.question.clone()));
    let count = u32::try_from(questions.len()).unwrap_or(u32::MAX);
    let address = request.server.address;
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
    let now = (net.clock)().0.div_euclid(1000).rem_euclid(1 << 32);
    let now = u32::try_from(now).unwrap_or_default();
    let said: Vec<Result<Answer, String>> = exchange.replies.into_iter().map(read).collect();
    let wrong = judge(request, &zone, &said, fixed, &wanted, now).err();
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
        let computed = rrset.rtype == pdm_model::RecordType::Lua;
        for kind in served_types(rrset) {
            let records = (!computed).then(|| rrset.records.clone());
            all.push(Wanted { question: Question::new(owner.clone(), kind), records });
        }
    }
    all
}

fn judge(
    request: &GlanceRequest,
    zone: &Name,
    said: &[Result<Answer, String>],
    fixed: usize,
    wanted: &[Wanted],
    now: u32,
) -> Result<(), String> {
    let answer = |index: usize| said.get(index).ok_or("nothing was asked")?.as_ref().map_err(Clone::clone);
    let keys = answer(0)?.find(zone, rtype::DNSKEY).ok_or("the zone has no keys")?;
    let matching = entry_points(zone, keys);
    if !request.ds.is_subset(&matching) {
        return Err("the keys are not those of the DS".to_owned());
    }
    if request.carries_parent {
        let ds: BTreeSet<_> = answer(1)?
            .find(zone, rtype::DS)
            .map(|set| set.records.iter().filter_map(|rdata| ds_from_rdata(rdata)).collect())
            .unwrap_or_default();
        if ds != request.ds {
            return Err("the DS in the parent is not as it should be".to_owned());
        }
    }
    let (keys, mut verified) = (KeySet::of(keys), Verified::default());
    let mut signed = |set: &SignedSet, question: &Question| {
        // One signature a zone is checked by arithmetic, the rest by their dates: a light look stays light.
        let holds = set.signatures.iter().any(|s| now < s.expiration && s.inception <= now);
        if !holds {
            return Err(format!("{question} has no signature that holds now"));
        }
        if verified.operations == 0 {
            verify(set, &keys, now, &mut verified).map_err(|why| format!("{question}: {why}"))?;
        }
        Ok(())
    };
    for (want, said) in wanted.iter().zip(said.get(fixed..).unwrap_or_default()) {
        let question = &want.question;
        let answer = said.as_ref().map_err(|why| format!("{question}: {why}"))?;
        let set = answer.find(&question.name, question.rtype);
        let set = set.ok_or_else(|| format!("{question} is not answered"))?;
        let seen = texts(set);
        if want.records.as_ref().is_some_and(|records| *records != seen) {
            let seen: Vec<String> = seen.into_iter().take(4).collect();
            return Err(format!("{question} is answered with {}", seen.join(", ")));
        }
        signed(set, question)?;
    }
    Ok(())
}
