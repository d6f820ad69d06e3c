//! Which changes are told, and in which words. Pure.

use std::collections::BTreeMap;

use pdm_model::{Condition, Who};
use pdm_ports::outbox::Happened;
use serde_json::{Value, json};

/// A name began to wait for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same for every time it is told, and for nothing else.
    pub id: String,
    /// What is sent.
    pub body: String,
}

/// What the owner is told of a change: something only when it began to wait for the owner, or for something else.
/// `letters` has the addresses of owners.
#[must_use]
pub fn notice(happened: &Happened, letters: &BTreeMap<String, String>) -> Option<Notice> {
    let before = happened.conditions_before.as_ref().map(asked_of_owner).unwrap_or_default();
    let same = |a: &Condition, b: &Condition| (a.kind, &a.reason, a.since) == (b.kind, &b.reason, b.since);
    let news = |now: &Condition| !before.iter().any(|before| same(before, now));
    let now = asked_of_owner(&happened.conditions).into_iter().find(news)?;
    // A store that was copied numbers anew; the time keeps old and new apart.
    let id = format!("{}-{}-{}", happened.allocation, happened.seq, happened.at.0);
    let mut data = json!({
        "fqdn": happened.fqdn,
        "owner": happened.owner,
        "mode": happened.mode,
        "phase": happened.phase.as_str(),
        "reason": now.reason,
        "detail": now.detail,
        "since": now.since.to_string(),
        "letter": letter(happened, &now),
    });
    if let Some(to) = letters.get(&happened.owner) {
        data["to"] = to.as_str().into();
    }
    let event = json!({
        "specversion": "1.0",
        "id": id,
        "source": "/pdm",
        "type": "io.openova.pdm.waits-for-owner",
        "subject": happened.fqdn,
        "time": happened.at.to_string(),
        "datacontenttype": "application/json",
        "data": data,
    });
    Some(Notice { id, body: event.to_string() })
}

/// What is asked of the owner.
fn asked_of_owner(conditions: &Value) -> Vec<Condition> {
    let all: Vec<Condition> = serde_json::from_value(conditions.clone()).unwrap_or_default();
    all.into_iter().filter(|c| c.who == Some(Who::Caller)).collect()
}

/// Ready to be sent.
fn letter(happened: &Happened, now: &Condition) -> Value {
    let name = &happened.fqdn;
    let text = format!(
        "{name} waits for you ({reason}).\n\n{detail}\n\nHow it stands, with the exact lines to enter:\n\n    pdm delegation \
         status {name}\n\nIt goes on by itself when this is done.\n",
        reason = now.reason,
        detail = now.detail,
    );
    json!({ "subject": format!("{name} waits for you: {}", now.reason), "text": text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::{ConditionKind, Phase, Status, Timestamp};

    fn asked(reason: &str, who: Who, since: i64) -> Value {
        json!([Condition {
            kind: ConditionKind::AwaitingHuman,
            status: Status::True,
            reason: reason.into(),
            detail: "Set these nameservers.".into(),
            since: Timestamp(since),
            who: Some(who),
        }])
    }

    fn happened(conditions: Value, before: Option<Value>) -> Happened {
        Happened {
            seq: 7,
            at: Timestamp(1_795_046_400_000),
            allocation: "a1".into(),
            fqdn: "acme.com".into(),
            pool: "acme.com".into(),
            mode: "byo-manual".into(),
            owner: "acme".into(),
            phase: Phase::Delegating,
            was: Some(Phase::Delegating),
            generation: 2,
            target: None,
            suspended: None,
            conditions,
            finding: None,
            trace: None,
            conditions_before: before,
        }
    }

    #[test]
    fn the_beginning_of_a_wait_is_told_and_nothing_else() {
        let told = |now, before| notice(&happened(now, before), &BTreeMap::new()).is_some();
        let (ns, ds) = (|| asked("set-ns", Who::Caller, 5), || asked("add-ds", Who::Caller, 5));
        assert!(told(ns(), None) && told(ns(), Some(json!([]))) && told(ds(), Some(ns())));
        // The same wait with other words around it, the end of one, and what is nobody's or the operator's.
        assert!(!told(ns(), Some(ns())) && !told(json!([]), Some(ns())));
        assert!(!told(asked("frozen", Who::Operator, 5), None));
        // Asked again after it was over.
        assert!(told(asked("set-ns", Who::Caller, 9), Some(ns())));
        // What cannot be read asks for nothing.
        assert!(!told(json!("garbage"), None));
    }

    #[test]
    fn it_says_what_to_do_to_whom_and_its_id_stays() {
        let letters = BTreeMap::from([("acme".to_owned(), "dns@acme.com".to_owned())]);
        let told = notice(&happened(asked("set-ns", Who::Caller, 5), None), &letters).unwrap();
        assert_eq!(told.id, "a1-7-1795046400000");
        let body: Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!((&body["id"], &body["data"]["to"]), (&json!(told.id), &json!("dns@acme.com")));
        let text = body["data"]["letter"]["text"].as_str().unwrap();
        assert!(text.contains("Set these nameservers.") && text.contains("pdm delegation status acme.com"));
        assert_eq!(notice(&happened(asked("set-ns", Who::Caller, 5), None), &letters), Some(told));
    }
}
