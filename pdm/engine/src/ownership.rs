//! Whether a domain is its claimant's: a TXT record that only who holds the domain can publish, looked up at its
//! authoritative servers; or a delegation to nameserver names that were issued for this claim alone. Reads only.
//!
//! The issued names lead to our own servers, which refuse the domain until it is committed: that proof is for a domain
//! that nobody uses yet.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_model::byo::ProvedBy;
use pdm_model::claim::{ISSUED, bound_to, challenge_name};
use pdm_model::{Allocation, Claim, Parent, Phase, RecordType, Refusal, ZoneName};
use pdm_ports::walk::RRsetAnswer;
use pdm_ports::{Fault, Server};

use crate::engine::Engine;

/// The longest a caller waits for the look.
const PATIENCE: Duration = Duration::from_secs(10);

/// What proves a claim: one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Owner name of the TXT, dotted.
    pub name: String,
    /// Its text.
    pub value: String,
    /// Nameserver names that nobody else was given; empty where none are issued.
    pub nameservers: BTreeSet<ZoneName>,
}

impl Engine {
    /// What proves this claim.
    #[must_use]
    pub fn challenge(&self, claim: &Claim) -> Challenge {
        self.challenge_of(&claim.as_allocation())
    }

    /// What proves a domain that is only claimed; none for anything else.
    #[must_use]
    pub fn pending_challenge(&self, allocation: &Allocation) -> Option<Challenge> {
        let claimed = allocation.mode.parent() == Parent::Foreign && allocation.phase == Phase::Reserved;
        claimed.then(|| self.challenge_of(allocation))
    }

    fn challenge_of(&self, claimed: &Allocation) -> Challenge {
        Challenge {
            name: challenge_name(&claimed.fqdn),
            value: self.tokens.challenge(&bound_to(claimed)),
            nameservers: self.issued_names(claimed),
        }
    }

    /// The nameserver names that were issued for this claim, whatever became of it.
    pub(crate) fn issued_names(&self, claimed: &Allocation) -> BTreeSet<ZoneName> {
        let Some(zone) = &self.settings.claim_zone else { return BTreeSet::new() };
        let label = self.tokens.issued_label(&bound_to(claimed));
        // Labels of this length fit every zone that the configuration admits.
        ISSUED.iter().filter_map(|n| ZoneName::parse(&format!("{n}-{label}.{zone}")).ok()).collect()
    }

    /// How the claim is proved now; refused unless every authoritative server that answers holds its TXT, or every
    /// server of the parent delegates to its names.
    pub(crate) async fn must_be_proved(&self, claim: &Claim) -> Result<ProvedBy, Refusal> {
        let challenge = self.challenge(claim);
        let looked = tokio::time::timeout(PATIENCE, self.look_for(&claim.fqdn, &challenge)).await;
        let why = match looked {
            Ok(Ok(Ok(by))) => return Ok(by),
            Ok(Ok(Err(lacks))) => lacks.to_string(),
            Ok(Err(fault)) => format!("the domain's servers could not be found ({})", fault.detail),
            Err(_) => "the domain's servers did not answer in time".to_owned(),
        };
        let names: Vec<_> = challenge.nameservers.iter().map(ZoneName::as_str).collect();
        let or = if names.is_empty() {
            String::new()
        } else {
            format!(" (or, if nobody uses the domain yet, delegate it to {})", names.join(" and "))
        };
        let detail =
            format!("{why}; publish {} TXT \"{}\"{or} and commit again", challenge.name, challenge.value);
        Err(Refusal::new("ownership-unproved", detail).retry_after(5))
    }

    /// Whether the proof of a name that is here can be repeated now. Silence is no answer: nobody loses a name by it.
    pub(crate) async fn is_proved(&self, held: &Allocation) -> Result<bool, Fault> {
        let challenge = self.challenge_of(held);
        let looked = tokio::time::timeout(PATIENCE, self.look_for(&held.fqdn, &challenge)).await;
        let silent = || Fault::transient("ownership-unknown", "the domain's servers did not answer in time");
        match looked.map_err(|_| silent())?? {
            Ok(_) => Ok(true),
            Err(Lacks::Answers) => Err(silent()),
            Err(Lacks::Token { .. }) => Ok(false),
        }
    }

    async fn look_for(
        &self,
        name: &ZoneName,
        challenge: &Challenge,
    ) -> Result<Result<ProvedBy, Lacks>, Fault> {
        let walk = &self.parts.walk;
        let view = walk.parent(name).await?;
        let sets: Vec<_> = view.answers.iter().filter_map(|a| a.ns.as_ref().map(|(set, _)| set)).collect();
        if leads_to(&sets, &challenge.nameservers) {
            return Ok(Ok(ProvedBy::IssuedNames));
        }
        let delegated: BTreeSet<ZoneName> = sets.into_iter().flatten().cloned().collect();
        // A name that is not delegated lies in the parent zone, whose servers answer for it.
        let servers: Vec<Server> = if delegated.is_empty() {
            view.answers.iter().map(|a| a.server.clone()).collect()
        } else {
            walk.addresses(&delegated).await?
        };
        let answers = walk.rrset(&challenge.name, &RecordType::Txt, &servers).await;
        Ok(judge(&answers, &challenge.value).map(|()| ProvedBy::Txt))
    }
}

/// Whether every server of the parent that answers delegates to these names and no others. Pure.
fn leads_to(sets: &[&BTreeSet<ZoneName>], issued: &BTreeSet<ZoneName>) -> bool {
    !issued.is_empty() && !sets.is_empty() && sets.iter().all(|set| *set == issued)
}

/// What a proof lacks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Lacks {
    #[error("no nameserver of the domain answers")]
    Answers,
    #[error("{with} of {all} nameservers of the domain answer with the token")]
    Token { with: usize, all: usize },
}

/// Pure.
fn judge(answers: &[RRsetAnswer], value: &str) -> Result<(), Lacks> {
    let answering: Vec<_> = answers.iter().filter_map(|a| a.contents.as_ref().map(|(set, _)| set)).collect();
    if answering.is_empty() {
        return Err(Lacks::Answers);
    }
    let holds = |set: &&&BTreeSet<String>| set.iter().any(|text| text.trim().trim_matches('"') == value);
    let with = answering.iter().filter(holds).count();
    if with == answering.len() {
        return Ok(());
    }
    Err(Lacks::Token { with, all: answering.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::Ttl;

    fn answer(contents: Option<&[&str]>) -> RRsetAnswer {
        let set = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        RRsetAnswer {
            server: Server { names: vec![], address: "192.0.2.1:53".parse().unwrap() },
            contents: contents.map(|texts| (set(texts), Ttl::new(60))),
            nxdomain: false,
            authoritative: true,
            error: None,
        }
    }

    #[test]
    fn every_server_that_answers_has_to_hold_the_token() {
        let with = || answer(Some(&["\"v=spf1 -all\"", "\"abc\""]));
        assert!(judge(&[with(), answer(None)], "abc").is_ok());
        assert!(judge(&[with(), answer(Some(&[]))], "abc").unwrap_err().to_string().starts_with("1 of 2"));
        assert_eq!(judge(&[with()], "abd"), Err(Lacks::Token { with: 0, all: 1 }));
        assert_eq!(judge(&[answer(None)], "abc"), Err(Lacks::Answers));
        assert_eq!(judge(&[], "abc"), Err(Lacks::Answers));
    }

    #[test]
    fn every_server_of_the_parent_has_to_lead_to_the_issued_names_and_nowhere_else() {
        let set = |names: &[&str]| names.iter().map(|n| ZoneName::parse(n).unwrap()).collect::<BTreeSet<_>>();
        let issued = set(&["ns1-ab.claim.example", "ns2-ab.claim.example"]);
        let (part, more) =
            (set(&["ns1-ab.claim.example"]), issued.union(&set(&["ns.old.example"])).cloned().collect());
        assert!(leads_to(&[&issued, &issued], &issued));
        for sets in [vec![], vec![&part], vec![&issued, &more], vec![&issued, &part]] {
            assert!(!leads_to(&sets, &issued), "{sets:?}");
        }
        // Where none are issued, a name that is not delegated is not proved by that.
        let none = set(&[]);
        assert!(!leads_to(&[&none], &none));
    }
}
