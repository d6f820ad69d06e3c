//! Whether a domain is its claimant's: a TXT record that only who holds the domain can publish, looked up at its
//! authoritative servers. Reads only.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_model::claim::{bound_to, challenge_name};
use pdm_model::{Allocation, Claim, Parent, Phase, RecordType, Refusal, ZoneName};
use pdm_ports::walk::RRsetAnswer;
use pdm_ports::{Fault, Server};

use crate::engine::Engine;

/// The longest a caller waits for the look.
const PATIENCE: Duration = Duration::from_secs(10);

/// What proves a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Owner name of the TXT, dotted.
    pub name: String,
    /// Its text.
    pub value: String,
}

impl Engine {
    /// What proves this claim.
    #[must_use]
    pub fn challenge(&self, claim: &Claim) -> Challenge {
        Challenge { name: claim.challenge_name(), value: self.tokens.challenge(&claim.bound_to()) }
    }

    /// What proves a domain that is only claimed; none for anything else.
    #[must_use]
    pub fn pending_challenge(&self, allocation: &Allocation) -> Option<Challenge> {
        let claimed = allocation.mode.parent() == Parent::Foreign && allocation.phase == Phase::Reserved;
        claimed.then(|| Challenge {
            name: challenge_name(&allocation.fqdn),
            value: self.tokens.challenge(&bound_to(allocation)),
        })
    }

    /// Refuse unless every authoritative server that answers holds the claim's TXT.
    pub(crate) async fn must_be_proved(&self, claim: &Claim) -> Result<(), Refusal> {
        let challenge = self.challenge(claim);
        let looked = tokio::time::timeout(PATIENCE, self.ask_for_challenge(&claim.fqdn, &challenge)).await;
        let unproved = |why: String| {
            let detail =
                format!("{why}; publish {} TXT \"{}\" and commit again", challenge.name, challenge.value);
            Refusal::new("ownership-unproved", detail).retry_after(5)
        };
        match looked {
            Ok(Ok(answers)) => judge(&answers, &challenge.value).map_err(unproved),
            Ok(Err(fault)) => {
                Err(unproved(format!("the domain's servers could not be found ({})", fault.detail)))
            }
            Err(_) => Err(unproved("the domain's servers did not answer in time".to_owned())),
        }
    }

    /// Whether the proof of a name that is here can be repeated now.
    pub(crate) async fn is_proved(&self, held: &Allocation) -> Result<bool, Fault> {
        let value = self.tokens.challenge(&bound_to(held));
        let challenge = Challenge { name: challenge_name(&held.fqdn), value };
        let looked = tokio::time::timeout(PATIENCE, self.ask_for_challenge(&held.fqdn, &challenge)).await;
        let silent = |_| Fault::transient("ownership-unknown", "the domain's servers did not answer in time");
        Ok(judge(&looked.map_err(silent)??, &challenge.value).is_ok())
    }

    async fn ask_for_challenge(
        &self,
        name: &ZoneName,
        challenge: &Challenge,
    ) -> Result<Vec<RRsetAnswer>, Fault> {
        let walk = &self.parts.walk;
        let view = walk.parent(name).await?;
        let sets = view.answers.iter().filter_map(|a| a.ns.as_ref().map(|(set, _)| set));
        let delegated: BTreeSet<ZoneName> = sets.flatten().cloned().collect();
        // A name that is not delegated lies in the parent zone, whose servers answer for it.
        let servers: Vec<Server> = if delegated.is_empty() {
            view.answers.iter().map(|a| a.server.clone()).collect()
        } else {
            walk.addresses(&delegated).await?
        };
        Ok(walk.rrset(&challenge.name, &RecordType::Txt, &servers).await)
    }
}

/// Pure.
fn judge(answers: &[RRsetAnswer], value: &str) -> Result<(), String> {
    let answering: Vec<_> = answers.iter().filter_map(|a| a.contents.as_ref().map(|(set, _)| set)).collect();
    if answering.is_empty() {
        return Err("no nameserver of the domain answers".to_owned());
    }
    let holds = |set: &&&BTreeSet<String>| set.iter().any(|text| text.trim().trim_matches('"') == value);
    let with = answering.iter().filter(holds).count();
    if with == answering.len() {
        return Ok(());
    }
    Err(format!("{with} of {} nameservers of the domain answer with the token", answering.len()))
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
        assert!(judge(&[with(), answer(Some(&[]))], "abc").unwrap_err().starts_with("1 of 2"));
        assert!(judge(&[with()], "abd").unwrap_err().starts_with("0 of 1"));
        assert!(judge(&[answer(None)], "abc").is_err());
        assert!(judge(&[], "abc").is_err());
    }
}
