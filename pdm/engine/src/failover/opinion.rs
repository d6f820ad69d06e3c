//! One nameserver's answer judged by the policy, and all of them together. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pdm_lua_records::{Failover, RecordType, Sign, possible};
use pdm_model::{Opinion, Status, Timestamp, Verdict};
use pdm_ports::{AddressesSeen, Asking};

/// Questions of one type to one server in a look, where a policy picks at random.
const RANDOM_QUESTIONS: u8 = 16;
/// Looks in a row without an address, at least, before a policy that picks at random is taken not to give it any more.
const LOOKS_MISSED: u8 = 3;

/// How one server is asked in a look, for each type.
pub(crate) fn asking(policy: &Failover) -> Asking {
    let many = usize::from(RANDOM_QUESTIONS);
    match policy.to_many_clients() {
        Some(_) => Asking::Clients(many),
        None => Asking::Times(if policy.picks_at_random() { many } else { 1 }),
    }
}

/// So many looks without an address, and chance is no longer the reason.
fn looks_missed(policy: &Failover) -> u8 {
    let looks = policy.questions_until_certain().div_ceil(u32::from(RANDOM_QUESTIONS));
    u8::try_from(looks).unwrap_or(u8::MAX).max(LOOKS_MISSED)
}

/// What `seen` says now, after what was thought before.
pub(crate) fn opinion(
    policy: &Failover,
    before: Option<&Opinion>,
    seen: &AddressesSeen,
    now: Timestamp,
) -> Opinion {
    let (server, names) = (seen.server.address.to_string(), seen.server.names.clone());
    let fresh = Opinion {
        server,
        names,
        verdict: Verdict::Silent,
        addresses: Vec::new(),
        since: now,
        flips: 0,
        missed: Vec::new(),
    };
    let last = before.cloned().unwrap_or(fresh);
    let Some(answers) = &seen.answers else {
        // What it said before is kept: it may say the same when it is back.
        return Opinion { verdict: Verdict::Silent, missed: Vec::new(), ..last };
    };
    let mut verdicts = BTreeSet::new();
    let (mut given, mut missed) = (Vec::new(), Vec::new());
    for rtype in policy.record_types() {
        let possible = possible(policy, rtype);
        let sets = answers.get(&rtype.into()).map(Vec::as_slice).unwrap_or_default();
        if sets.is_empty() || !sets.iter().all(|set| possible.admits(set)) {
            verdicts.insert(Verdict::NotComputed.as_str());
            continue;
        }
        let mut all: BTreeSet<IpAddr> = sets.iter().flatten().copied().collect();
        let mut sign = policy.sign(rtype, sets, &all);
        let likely = policy.likely(rtype);
        // Other policies give what they give, and one that has nothing left gives all of it at once. Of addresses that are
        // equally near one comes at random.
        let before = last.addresses.iter().filter(|address| rtype.holds(**address)).count();
        let by_chance = !likely.is_empty() || policy.picks_at_random() && all.len().max(before) > 1;
        if by_chance && sign != Sign::AllDown {
            let counted = still_given(policy, rtype, &last, &all);
            all.extend(counted.iter().map(|(address, _)| *address));
            missed.extend(counted);
            sign = policy.sign(rtype, sets, &all);
            if sign == Sign::AllUp && !likely.is_empty() {
                // What seldom comes is not missed, and is no news when it comes.
                all = likely;
            }
        }
        verdicts.insert(verdict(sign).as_str());
        given.extend(all);
    }
    let verdict = together(&verdicts);
    if verdict == Verdict::NotComputed {
        let changed = last.verdict != Verdict::NotComputed;
        let since = if changed { now } else { last.since };
        return Opinion { verdict, addresses: Vec::new(), since, missed: Vec::new(), ..last };
    }
    given.sort_unstable();
    if given == last.addresses {
        return Opinion { verdict, missed, ..last };
    }
    // A first answer, also after one that was not computed, is no change of mind.
    let flips = last.flips + u64::from(!last.addresses.is_empty());
    Opinion { verdict, addresses: given, since: now, flips, missed, ..last }
}

/// Addresses that a random policy gave before, did not give now, and has not failed to give often enough. Of one that
/// was not asked before it is thought well.
fn still_given(
    policy: &Failover,
    rtype: RecordType,
    last: &Opinion,
    now: &BTreeSet<IpAddr>,
) -> Vec<(IpAddr, u8)> {
    let known = policy.addresses(rtype);
    let before = if last.verdict == Verdict::AllDown {
        // All of it was said at once, and nothing of it was up.
        BTreeSet::new()
    } else if last.addresses.is_empty() {
        policy.likely(rtype)
    } else {
        last.addresses.iter().copied().filter(|address| known.contains(address)).collect()
    };
    let counted = before.difference(now).map(|address| {
        let before = last.missed.iter().find(|(missed, _)| missed == address).map_or(0, |(_, count)| *count);
        (*address, before.saturating_add(1))
    });
    let limit = looks_missed(policy);
    counted.filter(|(_, count)| *count < limit).collect()
}

fn verdict(sign: Sign) -> Verdict {
    match sign {
        Sign::AllUp => Verdict::Preferred,
        Sign::SomeDown => Verdict::FailedOver,
        Sign::AllDown => Verdict::AllDown,
    }
}

/// Both families; when they differ, something failed over.
fn together(verdicts: &BTreeSet<&'static str>) -> Verdict {
    let has = |verdict: Verdict| verdicts.contains(verdict.as_str());
    match verdicts.len() {
        _ if has(Verdict::NotComputed) || verdicts.is_empty() => Verdict::NotComputed,
        1 if has(Verdict::Preferred) => Verdict::Preferred,
        1 if has(Verdict::AllDown) => Verdict::AllDown,
        _ => Verdict::FailedOver,
    }
}

/// The condition `FailoverIdle`: status, reason, detail.
pub(crate) fn overall(policy: &Failover, opinions: &[Opinion]) -> (Status, &'static str, String) {
    let (silent, speaking): (Vec<_>, Vec<_>) = opinions.iter().partition(|o| o.verdict == Verdict::Silent);
    let of = |verdict: Verdict| speaking.iter().filter(|o| o.verdict == verdict).collect::<Vec<_>>();
    let not_computed = of(Verdict::NotComputed);
    if !not_computed.is_empty() {
        let who: Vec<_> = not_computed.iter().map(|o| o.names.join(", ")).collect();
        let detail = format!(
            "{} gives no answer of the policy; are LUA records on there, and the zone?",
            who.join("; ")
        );
        return (Status::False, "not-computed", detail);
    }
    let Some(first) = speaking.first() else {
        return (Status::Unknown, "no-answer", "no nameserver answers".to_owned());
    };
    if speaking.iter().any(|o| o.addresses != first.addresses) {
        let who: Vec<_> = speaking.iter().map(|o| told(policy, o)).collect();
        return (Status::False, "disagree", who.join("; "));
    }
    if !silent.is_empty() {
        let who: Vec<_> = silent.iter().map(|o| o.names.join(", ")).collect();
        return (Status::Unknown, "no-answer", format!("{} does not answer", who.join("; ")));
    }
    let regions = policy.regions_of(&first.addresses).join(", ");
    match first.verdict {
        Verdict::Preferred if policy.differs_by_client() => {
            let detail = "as with every region up, for a client where PDM asks from; others are not seen";
            (Status::Unknown, "one-client", detail.to_owned())
        }
        Verdict::Preferred if policy.hides_all_down() => {
            let detail = "with every region down clients would get the same";
            (Status::True, "preferred", detail.to_owned())
        }
        Verdict::Preferred => (Status::True, "preferred", String::new()),
        Verdict::AllDown => {
            (Status::False, "all-down", "no region is up; clients get what whenAllDown says".to_owned())
        }
        Verdict::FailedOver | Verdict::NotComputed | Verdict::Silent => {
            (Status::False, "failed-over", format!("every nameserver answers {regions}"))
        }
    }
}

fn told(policy: &Failover, opinion: &Opinion) -> String {
    let addresses: Vec<_> = opinion.addresses.iter().map(ToString::to_string).collect();
    let regions = policy.regions_of(&opinion.addresses).join(", ");
    format!("{} says {} ({regions})", opinion.names.join(", "), addresses.join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pdm_model::{FailoverSpec, LoadBalancer, Target};
    use pdm_ports::{Heeded, Server};

    use super::super::policy_of;
    use super::*;

    /// The addresses of each answer in one look.
    type Answers<'a> = &'a [&'a [[u8; 4]]];

    const A: [u8; 4] = [192, 0, 2, 1];
    const B: [u8; 4] = [192, 0, 2, 2];
    const STRANGER: [u8; 4] = [203, 0, 113, 1];

    fn policy(strategy: &str) -> Failover {
        let one = |octets: [u8; 4]| LoadBalancer { ipv4: Some(octets.into()), ..LoadBalancer::default() };
        let mut target = Target::plain(vec![one(A), one(B)]);
        target.failover = Some(FailoverSpec { strategy: Some(strategy.into()), ..FailoverSpec::default() });
        policy_of(&target).unwrap().unwrap()
    }

    fn says(server: u16, answers: Option<Answers<'_>>) -> AddressesSeen {
        let set = |octets: &&[[u8; 4]]| octets.iter().map(|o| IpAddr::from(*o)).collect();
        let answers =
            answers.map(|all| BTreeMap::from([(pdm_model::RecordType::A, all.iter().map(set).collect())]));
        let server = Server { names: vec![format!("ns{server}")], address: ([127, 0, 0, 1], server).into() };
        AddressesSeen { server, answers, heeded: Heeded::None }
    }

    /// Opinions after one look after the other.
    fn after(policy: &Failover, looks: &[Option<Answers<'_>>]) -> Opinion {
        let mut last: Option<Opinion> = None;
        for (at, answers) in looks.iter().enumerate() {
            let now = Timestamp(i64::try_from(at).unwrap());
            last = Some(opinion(policy, last.as_ref(), &says(1, *answers), now));
        }
        last.unwrap()
    }

    #[test]
    fn an_opinion_changes_with_the_answer_and_counts_it() {
        let policy = policy("ordered");
        let (a, b): (Answers<'_>, Answers<'_>) = (&[&[A]], &[&[B]]);
        let found = after(&policy, &[Some(a), Some(a), Some(b), None, Some(b), Some(a)]);
        assert_eq!((found.verdict, found.flips, found.since), (Verdict::Preferred, 2, Timestamp(5)));
        let found = after(&policy, &[Some(a), Some(b), None]);
        assert_eq!(
            (found.verdict, found.flips, found.addresses),
            (Verdict::Silent, 1, vec![IpAddr::from(B)])
        );
        let found = after(&policy, &[Some(a), Some(&[&[A, B]])]);
        assert_eq!(found.verdict, Verdict::AllDown);
        let foreign: [Answers<'_>; 3] = [&[&[STRANGER]], &[&[]], &[]];
        for foreign in foreign {
            assert_eq!(
                after(&policy, &[Some(a), Some(foreign)]).verdict,
                Verdict::NotComputed,
                "{foreign:?}"
            );
        }
    }

    #[test]
    fn chance_is_no_change_of_mind() {
        let policy = policy("roundRobin");
        let (both, only): (Answers<'_>, Answers<'_>) = (&[&[A], &[B], &[A]], &[&[A], &[A]]);
        let found = after(&policy, &[Some(both), Some(only), Some(only), Some(both), Some(only)]);
        assert_eq!((found.verdict, found.flips), (Verdict::Preferred, 0));
        let found = after(&policy, &[Some(both), Some(only), Some(only), Some(only)]);
        assert_eq!((found.verdict, found.flips), (Verdict::FailedOver, 1));
        // Nothing is up: each answer is all of them, which no answer is otherwise.
        let found = after(&policy, &[Some(both), Some(&[&[A, B], &[A, B]])]);
        assert_eq!(found.verdict, Verdict::AllDown);
        let found = after(&policy, &[Some(both), Some(&[&[A, B]]), Some(only)]);
        assert_eq!(found.verdict, Verdict::FailedOver, "one is back, and not the other");
        // Of one that was never asked before it is thought well, and not for ever.
        assert_eq!(after(&policy, &[Some(only)]).verdict, Verdict::Preferred);
        let found = after(&policy, &[Some(only), Some(only), Some(only)]);
        assert_eq!((found.verdict, found.addresses), (Verdict::FailedOver, vec![IpAddr::from(A)]));
    }

    #[test]
    fn of_equally_near_addresses_one_comes_by_chance_and_a_nearer_one_does_not() {
        let policy = policy("nearest");
        let (a, b, both): (Answers<'_>, Answers<'_>, Answers<'_>) = (&[&[A]], &[&[B]], &[&[A], &[B]]);
        let found = after(&policy, &[Some(both), Some(a), Some(both), Some(b)]);
        assert_eq!((found.flips, found.addresses.len()), (0, 2));
        let found = after(&policy, &[Some(a), Some(b)]);
        assert_eq!((found.flips, found.addresses), (1, vec![IpAddr::from(B)]), "at once");
    }

    #[test]
    fn who_goes_by_the_client_is_asked_for_many() {
        let many = usize::from(RANDOM_QUESTIONS);
        for (strategy, wanted) in [
            ("ordered", Asking::Times(1)),
            ("roundRobin", Asking::Times(many)),
            ("nearest", Asking::Times(many)),
            ("hashed", Asking::Clients(many)),
        ] {
            assert_eq!(asking(&policy(strategy)), wanted, "{strategy}");
        }
        let seen = policy("hashed").to_many_clients().unwrap();
        let opinions = [opinion(&seen, None, &says(1, Some(&[&[A], &[B], &[A]])), Timestamp(0))];
        assert_eq!(overall(&seen, &opinions).1, "preferred");
        let only: Answers<'_> = &[&[A], &[A]];
        assert_eq!(after(&seen, &[Some(only); 3]).verdict, Verdict::FailedOver);
    }

    #[test]
    fn what_cannot_be_seen_is_not_said() {
        let state = |policy: &Failover, answers: Answers<'_>| {
            let opinions = [opinion(policy, None, &says(1, Some(answers)), Timestamp(0))];
            let (status, reason, detail) = overall(policy, &opinions);
            (status, reason, detail.is_empty())
        };
        assert_eq!(state(&policy("hashed"), &[&[A]]), (Status::Unknown, "one-client", false));
        assert_eq!(state(&policy("hashed"), &[&[A, B]]), (Status::False, "all-down", false));
        assert_eq!(state(&policy("all"), &[&[A, B]]), (Status::True, "preferred", false));
        assert_eq!(state(&policy("ordered"), &[&[A]]), (Status::True, "preferred", true));
    }

    #[test]
    fn all_opinions_make_one_condition() {
        let policy = policy("ordered");
        let of = |answers: &[Option<Answers<'_>>]| {
            let opinions: Vec<_> = answers
                .iter()
                .zip(1..)
                .map(|(one, n)| opinion(&policy, None, &says(n, *one), Timestamp(0)))
                .collect();
            let (status, reason, detail) = overall(&policy, &opinions);
            (status, reason, detail)
        };
        let (a, b, both): (Answers<'_>, Answers<'_>, Answers<'_>) = (&[&[A]], &[&[B]], &[&[A, B]]);
        assert_eq!(of(&[Some(a), Some(a)]).1, "preferred");
        assert_eq!(
            of(&[Some(b), Some(b)]),
            (Status::False, "failed-over", "every nameserver answers lb2".into())
        );
        assert_eq!(of(&[Some(both), Some(both)]).1, "all-down");
        let (_, reason, detail) = of(&[Some(a), Some(b)]);
        assert_eq!(
            (reason, detail.as_str()),
            ("disagree", "ns1 says 192.0.2.1 (lb1); ns2 says 192.0.2.2 (lb2)")
        );
        assert_eq!(of(&[Some(a), None]).1, "no-answer");
        assert_eq!(of(&[None, None]).0, Status::Unknown);
        assert_eq!(of(&[Some(a), Some(&[&[]])]).1, "not-computed");
    }
}
