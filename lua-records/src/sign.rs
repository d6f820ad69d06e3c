//! What answers tell of the regions, as far as answers can tell.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::answer::Rule;
use crate::model::Failover;
use crate::script::when_all_down;
use crate::terms::{RecordType, Strategy};
use crate::truth::situation;

/// Addresses of one answer.
type Set = BTreeSet<IpAddr>;

/// Answers are like those of ...
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// ... every region being up.
    AllUp,
    /// ... some of them being down.
    SomeDown,
    /// ... none of them being up.
    AllDown,
}

/// A choice that is taken less often is not missed when it does not come.
const LIKELY: f64 = 0.02;
/// Natural logarithm of the chance, one in a thousand million, that what is given is taken for not given any more.
const CERTAIN: f64 = 20.7;

impl Failover {
    /// Whether one client may get another answer at every question, so that one answer does not tell what is up. Of
    /// addresses that are equally near PowerDNS takes one at random.
    #[must_use]
    pub fn picks_at_random(&self) -> bool {
        let up = vec![true; self.regions().len()];
        let rules = situation(self, &up).into_iter().map(|given| given.answer.rule);
        rules.into_iter().any(|rule| matches!(rule, Rule::Random | Rule::Nearest))
    }

    /// The policy as many clients taken at random see it, if that is another one: what goes by the client's address is
    /// chance then. Where clients are is not at random.
    #[must_use]
    pub fn to_many_clients(&self) -> Option<Self> {
        let strategy = match self.strategy() {
            Strategy::Hashed if self.is_by_weight() => Strategy::Weighted,
            Strategy::Hashed => Strategy::RoundRobin,
            Strategy::Ordered
            | Strategy::All
            | Strategy::RoundRobin
            | Strategy::Weighted
            | Strategy::Nearest
            | Strategy::Geo => return None,
        };
        Some(Self { strategy, ..self.clone() })
    }

    /// Whether clients elsewhere may get other answers at the same time.
    #[must_use]
    pub fn differs_by_client(&self) -> bool {
        matches!(self.strategy(), Strategy::Hashed | Strategy::Nearest | Strategy::Geo)
    }

    /// Whether clients get the same with every region up and with every region down.
    #[must_use]
    pub fn hides_all_down(&self) -> bool {
        self.record_types().into_iter().all(|rtype| {
            // One of several by chance is not the same as one of them always.
            let by_chance = !self.likely(rtype).is_empty();
            let down: Set = when_all_down(self, rtype).into_iter().collect();
            !by_chance && self.given(rtype, &vec![true; self.regions().len()]).contains(&down)
        })
    }

    /// So many questions without it, and an address is not given any more, as good as certainly.
    #[must_use]
    pub fn questions_until_certain(&self) -> u32 {
        let up = vec![true; self.regions().len()];
        let given = situation(self, &up).into_iter().filter(|given| given.answer.choices.len() > 1);
        let least = given.into_iter().filter_map(|given| match given.answer.rule {
            Rule::Random => {
                shares(&given.answer.choices).into_iter().filter(|s| *s >= LIKELY).reduce(f64::min)
            }
            Rule::Nearest => Some(1.0 / given.answer.choices.len() as f64),
            Rule::Always | Rule::Sticky => None,
        });
        // At most CERTAIN / LIKELY: about a thousand.
        least.into_iter().reduce(f64::min).map_or(1, |share| (CERTAIN / share).ceil() as u32)
    }

    /// The addresses that a policy which picks at random gives often enough to be missed; none for other policies.
    #[must_use]
    pub fn likely(&self, rtype: RecordType) -> Set {
        let up = vec![true; self.regions().len()];
        let given =
            situation(self, &up).into_iter().filter(|g| g.rtype == rtype && g.answer.rule == Rule::Random);
        given
            .into_iter()
            .flat_map(|given| {
                let shares = shares(&given.answer.choices);
                given.answer.choices.into_iter().zip(shares).filter(|(_, share)| *share >= LIKELY)
            })
            .flat_map(|(choice, _)| choice.addresses)
            .collect()
    }

    /// What the answers of one look are like, of which each is one that the policy can give. `gathered` is everything
    /// that is still given, by this look and those before.
    #[must_use]
    pub fn sign(&self, rtype: RecordType, answers: &[Set], gathered: &Set) -> Sign {
        let up = self.given(rtype, &vec![true; self.regions().len()]);
        let as_with_all_up = answers.iter().all(|answer| up.contains(answer))
            && match self.strategy() {
                Strategy::RoundRobin | Strategy::Weighted => gathered.is_superset(&self.likely(rtype)),
                Strategy::Nearest => true,
                Strategy::Ordered | Strategy::All | Strategy::Hashed | Strategy::Geo => up.contains(gathered),
            };
        if as_with_all_up {
            return Sign::AllUp;
        }
        let down: Set = when_all_down(self, rtype).into_iter().collect();
        if answers.contains(&down) && !up.contains(&down) && !self.is_given_with_some_up(rtype, &down) {
            Sign::AllDown
        } else {
            Sign::SomeDown
        }
    }

    /// Every answer of one situation, whoever asks.
    fn given(&self, rtype: RecordType, up: &[bool]) -> BTreeSet<Set> {
        let given = situation(self, up).into_iter().filter(|given| given.rtype == rtype);
        let choices = given.into_iter().flat_map(|given| given.answer.choices);
        choices.map(|choice| choice.addresses.into_iter().collect()).collect()
    }

    fn is_given_with_some_up(&self, rtype: RecordType, answer: &Set) -> bool {
        let count = self.regions().len();
        (1..1_usize << count).any(|bits| {
            let up: Vec<bool> = (0..count).map(|index| bits >> index & 1 == 1).collect();
            self.given(rtype, &up).contains(answer)
        })
    }
}

fn shares(choices: &[crate::answer::Choice]) -> Vec<f64> {
    let all: u32 = choices.iter().map(|choice| u32::from(choice.weight)).sum();
    choices.iter().map(|choice| f64::from(choice.weight) / f64::from(all.max(1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    /// Regions `a`, `b` and so on, each with the address of its number.
    fn policy(regions: u8, failover: &str, weights: &[u16]) -> Failover {
        let lb = |n: u8| {
            let weight = weights.get(usize::from(n)).map_or(String::new(), |w| format!(r#","weight":{w}"#));
            format!(r#"{{"region":"r{n}","ipv4":"192.0.2.{n}"{weight}}}"#)
        };
        let lbs: Vec<_> = (0..regions).map(lb).collect();
        let json = format!(r#"{{"loadBalancers":[{}],"failover":{failover}}}"#, lbs.join(","));
        Failover::try_from(serde_json::from_str::<Spec>(&json).unwrap()).unwrap()
    }

    fn set(numbers: &[u8]) -> Set {
        numbers.iter().map(|n| IpAddr::from([192, 0, 2, *n])).collect()
    }

    fn sign(policy: &Failover, answers: &[&[u8]]) -> Sign {
        let answers: Vec<Set> = answers.iter().map(|numbers| set(numbers)).collect();
        policy.sign(RecordType::A, &answers, &answers.iter().flatten().copied().collect())
    }

    #[test]
    fn all_down_is_told_from_all_up_by_the_answers_and_not_by_their_sum() {
        let one_each = policy(2, r#"{"strategy":"roundRobin"}"#, &[]);
        assert_eq!(sign(&one_each, &[&[0], &[1], &[0]]), Sign::AllUp);
        assert_eq!(sign(&one_each, &[&[0, 1], &[0, 1]]), Sign::AllDown);
        assert_eq!(sign(&one_each, &[&[1], &[1]]), Sign::SomeDown);
        let by_weight = policy(2, r#"{"strategy":"weighted"}"#, &[9, 1]);
        assert_eq!(sign(&by_weight, &[&[0, 1]]), Sign::AllDown);
    }

    #[test]
    fn what_a_region_gives_is_no_sign_that_none_is_up() {
        let fallback =
            policy(2, r#"{"strategy":"ordered","whenAllDown":"fallback","fallback":["192.0.2.1"]}"#, &[]);
        assert_eq!(sign(&fallback, &[&[1]]), Sign::SomeDown);
        assert!(!fallback.hides_all_down());
        let first = policy(2, r#"{"strategy":"ordered","whenAllDown":"first"}"#, &[]);
        assert_eq!(sign(&first, &[&[0]]), Sign::AllUp);
        assert!(first.hides_all_down());
        assert!(!policy(2, r#"{"strategy":"roundRobin","whenAllDown":"first"}"#, &[]).hides_all_down());
        let all = policy(2, r#"{"strategy":"all"}"#, &[]);
        assert!(all.hides_all_down() && !policy(2, r#"{"strategy":"ordered"}"#, &[]).hides_all_down());
    }

    #[test]
    fn the_rarer_an_answer_the_longer_it_may_be_missing() {
        let questions = |regions, failover: &str, weights: &[u16]| {
            policy(regions, failover, weights).questions_until_certain()
        };
        assert_eq!(questions(2, r#"{"strategy":"ordered"}"#, &[]), 1);
        assert_eq!(questions(2, r#"{"strategy":"roundRobin"}"#, &[]), 42);
        assert_eq!(questions(6, r#"{"strategy":"roundRobin"}"#, &[]), 125);
        assert_eq!(questions(2, r#"{"strategy":"weighted"}"#, &[19, 1]), 414);
        // So rare that nobody waits for it.
        let rare = policy(2, r#"{"strategy":"weighted"}"#, &[999, 1]);
        assert_eq!((rare.likely(RecordType::A), rare.questions_until_certain()), (set(&[0]), 21));
        assert_eq!(sign(&rare, &[&[0], &[0]]), Sign::AllUp);
        assert_eq!(sign(&rare, &[&[0], &[1]]), Sign::AllUp);
    }

    #[test]
    fn many_clients_get_of_a_hashed_policy_what_one_gets_by_chance() {
        let hashed = r#"{"strategy":"hashed","reserve":["r2"]}"#;
        for weights in [&[][..], &[3, 1]] {
            let policy = policy(3, hashed, weights);
            let many = policy.to_many_clients().unwrap();
            for bits in 0..8_usize {
                let up: Vec<bool> = (0..3).map(|index| bits >> index & 1 == 1).collect();
                let [one, all] = [&policy, &many].map(|policy| situation(policy, &up));
                let choices = |given: &[crate::truth::ClientAnswer]| {
                    given.iter().map(|given| given.answer.choices.clone()).collect::<Vec<_>>()
                };
                assert_eq!(choices(&one), choices(&all), "{weights:?} {up:?}");
            }
            assert!(!many.differs_by_client() && many.picks_at_random());
        }
        for strategy in ["ordered", "all", "roundRobin", "nearest"] {
            let policy = policy(2, &format!(r#"{{"strategy":"{strategy}"}}"#), &[]);
            assert_eq!(policy.to_many_clients(), None, "{strategy}");
        }
    }

    #[test]
    fn from_one_place_only_so_much_is_seen() {
        for (strategy, differs, random) in [
            ("ordered", false, false),
            ("all", false, false),
            ("roundRobin", false, true),
            ("hashed", true, false),
            ("nearest", true, true),
        ] {
            let policy = policy(2, &format!(r#"{{"strategy":"{strategy}"}}"#), &[]);
            assert_eq!(
                (policy.differs_by_client(), policy.picks_at_random()),
                (differs, random),
                "{strategy}"
            );
        }
    }
}
