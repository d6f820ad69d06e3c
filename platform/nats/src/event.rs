//! One change as a CloudEvent, and where it is published: pure.
//!
//! Subject: `<prefix>.<environment>.dns.<phase>.<name>`, the name's own dots between its tokens. So `ws.prod.dns.>` is
//! everything, `ws.*.dns.active.>` every Sovereign that became active, and `ws.prod.dns.*.omantel.omani.works` one of them.
//! A finding of an audit has the word `finding` in place of the phase.

use pdm_model::Phase;
use pdm_ports::outbox::Happened;
use serde_json::{Value, json};

/// The words that differ from place to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// First token of every subject.
    pub prefix: String,
    /// Second token, and the source of the events.
    pub environment: String,
}

impl Words {
    /// Every subject that is published.
    #[must_use]
    pub fn all(&self) -> String {
        format!("{}.{}.dns.>", self.prefix, self.environment)
    }

    /// Where one change is published.
    #[must_use]
    pub fn subject(&self, happened: &Happened) -> String {
        format!("{}.{}.dns.{}.{}", self.prefix, self.environment, word(happened), happened.fqdn)
    }

    /// Every subject that is published for one organization.
    #[must_use]
    pub fn all_of_organizations(&self) -> String {
        format!("{}.{}.org.>", self.prefix, self.environment)
    }

    /// Where one change is published for its owner: below a subject that a server can export to that owner's account
    /// and to no other.
    #[must_use]
    pub fn subject_of_owner(&self, happened: &Happened) -> String {
        let (word, owner) = (word(happened), token(&happened.owner));
        format!("{}.{}.org.{owner}.dns.{word}.{}", self.prefix, self.environment, happened.fqdn)
    }

    /// The change as a CloudEvent 1.0. `moved`: the phase is another one; `found`: something else about it is. A finding is
    /// `new`, `worse`, `better` or `gone`.
    #[must_use]
    pub fn event(&self, happened: &Happened) -> Value {
        let (what, data) = match &happened.finding {
            Some(finding) => {
                (format!("finding.{}", finding["turn"].as_str().unwrap_or("new")), told(happened, finding))
            }
            None if happened.was == Some(happened.phase) => ("allocation.found".to_owned(), state(happened)),
            None => ("allocation.moved".to_owned(), state(happened)),
        };
        let mut event = json!({
            "specversion": "1.0",
            "id": id(happened),
            "source": format!("/pdm/{}", self.environment),
            "type": format!("io.openova.pdm.{what}"),
            "subject": happened.fqdn,
            "time": happened.at.to_string(),
            "datacontenttype": "application/json",
            "data": data,
        });
        // The extension of CloudEvents for distributed tracing.
        if let Some(trace) = &happened.trace {
            event["traceparent"] = trace.as_str().into();
        }
        event
    }
}

/// An owner as one token of a subject. Two owners never have the same one.
fn token(owner: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    owner.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("={b:02X}") }).collect()
}

/// What a subject says that happened.
fn word(happened: &Happened) -> &'static str {
    if happened.finding.is_some() { "finding" } else { happened.phase.as_str() }
}

/// The same for every time it is told, and for nothing else.
#[must_use]
pub fn id(happened: &Happened) -> String {
    // A store that was copied numbers anew; the time keeps old and new apart.
    format!("{}-{}-{}", happened.allocation, happened.seq, happened.at.0)
}

/// A finding, whose name it is about, and whom that belongs to.
fn told(happened: &Happened, finding: &Value) -> Value {
    let mut data = finding.clone();
    for (name, value) in
        [("fqdn", &happened.fqdn), ("poolDomain", &happened.pool), ("owner", &happened.owner)]
    {
        data[name] = value.as_str().into();
    }
    data
}

/// How a name stands, for the bucket.
#[must_use]
pub fn state(happened: &Happened) -> Value {
    let mut state = json!({
        "fqdn": happened.fqdn,
        "poolDomain": happened.pool,
        "mode": happened.mode,
        "owner": happened.owner,
        "phase": happened.phase.as_str(),
        "generation": happened.generation,
        "conditions": happened.conditions,
        "at": happened.at.to_string(),
    });
    if let Some(was) = happened.was {
        state["before"] = was.as_str().into();
    }
    if let Some(target) = &happened.target {
        state["target"] = target.clone();
    }
    if let Some(reason) = &happened.suspended {
        state["suspended"] = reason.as_str().into();
    }
    state
}

/// Whether this changes the name's entry in the bucket.
#[must_use]
pub fn moves(happened: &Happened) -> bool {
    happened.finding.is_none()
}

/// Whether the name has an entry in the bucket.
#[must_use]
pub fn is_kept(happened: &Happened) -> bool {
    happened.phase != Phase::Freed
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::Timestamp;

    fn happened(was: Option<Phase>, phase: Phase) -> Happened {
        Happened {
            seq: 7,
            at: Timestamp(1_795_046_400_000),
            allocation: "a1".into(),
            fqdn: "omantel.omani.works".into(),
            pool: "omani.works".into(),
            mode: "pool".into(),
            owner: "acme".into(),
            phase,
            was,
            generation: 2,
            target: Some(json!({"loadBalancers": [{"ipv4": "192.0.2.1"}]})),
            suspended: None,
            conditions: json!([]),
            finding: None,
            trace: None,
            conditions_before: None,
        }
    }

    #[test]
    fn an_owner_is_one_token_and_nobody_elses() {
        let words = Words { prefix: "ws".into(), environment: "prod".into() };
        let subject = |owner: &str| {
            let happened = Happened { owner: owner.into(), ..happened(None, Phase::Active) };
            words.subject_of_owner(&happened)
        };
        assert_eq!(subject("acme"), "ws.prod.org.acme.dns.active.omantel.omani.works");
        assert_eq!(subject("a.c me>*"), "ws.prod.org.a=2Ec=20me=3E=2A.dns.active.omantel.omani.works");
        assert_ne!(subject("a.b"), subject("a=2Eb"));
    }

    #[test]
    fn an_event_has_what_cloudevents_wants() {
        let words = Words { prefix: "ws".into(), environment: "prod".into() };
        let happened = happened(Some(Phase::Delegating), Phase::Active);
        assert_eq!(words.subject(&happened), "ws.prod.dns.active.omantel.omani.works");
        let event = words.event(&happened);
        for (name, value) in [
            ("specversion", "1.0"),
            ("id", "a1-7-1795046400000"),
            ("source", "/pdm/prod"),
            ("type", "io.openova.pdm.allocation.moved"),
            ("subject", "omantel.omani.works"),
            ("datacontenttype", "application/json"),
        ] {
            assert_eq!(event[name], value, "{name}");
        }
        assert!(event["time"].as_str().is_some_and(|t| t.ends_with('Z')), "{event}");
        assert_eq!(
            (&event["data"]["phase"], &event["data"]["before"]),
            (&json!("active"), &json!("delegating"))
        );
    }

    #[test]
    fn a_finding_is_told_by_its_turn_and_moves_nothing() {
        let words = Words { prefix: "ws".into(), environment: "prod".into() };
        let finding = json!({ "turn": "worse", "finding": { "code": "SOV06" }, "report": "r1" });
        let happened = Happened { finding: Some(finding), ..happened(Some(Phase::Active), Phase::Active) };
        assert_eq!(words.subject(&happened), "ws.prod.dns.finding.omantel.omani.works");
        let event = words.event(&happened);
        assert_eq!(event["type"], "io.openova.pdm.finding.worse");
        assert_eq!(
            (&event["data"]["finding"]["code"], &event["data"]["owner"]),
            (&json!("SOV06"), &json!("acme"))
        );
        assert!(!moves(&happened));
    }

    #[test]
    fn what_stays_in_its_phase_was_found() {
        let words = Words { prefix: "ws".into(), environment: "prod".into() };
        let kind = |was, phase| {
            words.event(&happened(was, phase))["type"]
                .as_str()
                .unwrap()
                .rsplit('.')
                .next()
                .unwrap()
                .to_owned()
        };
        assert_eq!(kind(Some(Phase::Active), Phase::Active), "found");
        assert_eq!(kind(None, Phase::Reserved), "moved");
        assert!(is_kept(&happened(None, Phase::Quarantined)) && !is_kept(&happened(None, Phase::Freed)));
    }
}
