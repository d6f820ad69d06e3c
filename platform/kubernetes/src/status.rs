//! What is written back. Pure: from a verdict and what stands there to what shall stand there.

use pdm_api::declared::{DeclaredCondition, DeclaredStatus};
use pdm_api::{AllocationView, OperationView, ProblemBody};
use pdm_client::Error;
use pdm_model::{Phase, Timestamp};

/// The condition that everything is about.
pub const READY: &str = "Ready";
/// Whether the DNS is what PDM wrote; of names only.
const IN_SYNC: &str = "InSync";

/// When an object is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// With the next round of all.
    InTime,
    /// It is under way.
    Soon,
    /// It waits for somebody or for a time.
    NowAndThen,
    /// It was refused or failed: later each time, and not before so many seconds.
    Later(u32),
}

/// What is to be told about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is as declared; none when nobody could look.
    pub ready: Option<bool>,
    /// One word.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Where the name stands.
    pub phase: Option<String>,
    /// What is under way.
    pub operation: Option<String>,
    /// `InSync`: whether, why, and in words.
    pub in_sync: Option<(bool, String, String)>,
    /// When to look again.
    pub again: Again,
}

impl Verdict {
    /// It is as declared.
    pub fn good(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Some(true), reason, message, Again::InTime)
    }

    /// It is not, and somebody has to change something.
    pub fn bad(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Some(false), reason, message, Again::InTime)
    }

    /// It is not yet.
    pub fn on_the_way(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Some(false), reason, message, Again::Soon)
    }

    fn new(ready: Option<bool>, reason: &str, message: impl Into<String>, again: Again) -> Self {
        Self {
            ready,
            reason: word(reason),
            message: message.into(),
            phase: None,
            operation: None,
            in_sync: None,
            again,
        }
    }

    /// It waits for somebody or for a time.
    pub fn waiting(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Some(false), reason, message, Again::NowAndThen)
    }

    /// PDM said no, or nothing.
    pub fn of_error(error: &Error) -> Self {
        match error.problem() {
            Some(problem) => {
                let again = Again::Later(problem.retry_after.unwrap_or(0));
                Self::new(Some(false), &problem.code, told(problem), again)
            }
            None => Self::new(None, "no-answer", error.to_string(), Again::Later(0)),
        }
    }

    /// A name that points where it shall: whether it is there yet.
    pub fn of_name(name: &AllocationView, operation: Option<&OperationView>) -> Self {
        let waits =
            operation.and_then(|operation| operation.steps.iter().find_map(|s| s.wait_reason.as_ref()));
        let human = name.conditions.iter().find(|c| c.kind == "AwaitingHuman" && c.status == "True");
        let verdict = match (&name.suspended, operation, name.phase.as_str()) {
            (Some(why), _, _) => Self::bad("suspended", why.clone()),
            (None, None, phase) if phase == Phase::Active.as_str() => {
                Self::good("active", "it answers, and the chain of trust holds")
            }
            (None, _, phase) => match (waits, human) {
                (Some(wait), _) => {
                    Self::waiting(&wait.reason, format!("{} (must act: {})", wait.detail, wait.who))
                }
                (None, Some(human)) => Self::waiting(&human.reason, human.detail.clone()),
                (None, None) => Self::on_the_way(phase, "it is being made"),
            },
        };
        verdict.about(name, operation)
    }

    /// With what is known of the name.
    pub fn about(mut self, name: &AllocationView, operation: Option<&OperationView>) -> Self {
        self.phase = Some(name.phase.clone());
        self.operation = operation.map(|operation| operation.id.clone());
        let sync = name.conditions.iter().find(|c| c.kind == IN_SYNC && c.status != "Unknown");
        self.in_sync = sync.map(|c| (c.status == "True", word(&c.reason), c.detail.clone()));
        self
    }

    /// What shall stand there, given what does.
    pub fn status(&self, before: &DeclaredStatus, generation: i64, now: Timestamp) -> DeclaredStatus {
        let ready = match self.ready {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let condition = |kind: &str, status: &str, reason: &str, message: &str| {
            let same = before.condition(kind).filter(|old| old.status == status);
            DeclaredCondition {
                kind: kind.to_owned(),
                status: status.to_owned(),
                reason: reason.to_owned(),
                message: message.to_owned(),
                last_transition_time: same.map_or(now, |old| old.last_transition_time),
            }
        };
        let mut conditions = vec![condition(READY, ready, &self.reason, &self.message)];
        if let Some((holds, reason, message)) = &self.in_sync {
            conditions.push(condition(IN_SYNC, if *holds { "True" } else { "False" }, reason, message));
        }
        // While PDM cannot be asked, what was known of the name is better than nothing.
        let known = self.ready.is_none().then_some(before);
        DeclaredStatus {
            observed_generation: generation,
            phase: self.phase.clone().or_else(|| known.and_then(|k| k.phase.clone())),
            operation: self.operation.clone(),
            conditions,
        }
    }
}

fn told(problem: &ProblemBody) -> String {
    format!(
        "{}: {}; next step: {} (must act: {})",
        problem.title, problem.detail, problem.next_step, problem.who_must_act
    )
}

/// `name-taken` as Kubernetes writes reasons: `NameTaken`.
fn word(reason: &str) -> String {
    let parts = reason.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(|part| part[..1].to_ascii_uppercase() + &part[1..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn name(phase: &str, more: serde_json::Value) -> AllocationView {
        let mut view = json!({
            "id": "1", "fqdn": "a.omani.works", "poolDomain": "omani.works", "mode": "pool", "owner": "acme",
            "phase": phase, "generation": 1, "reservedAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
            "conditions": [],
        });
        view.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(view).unwrap()
    }

    #[test]
    fn a_name_is_ready_when_it_is_active_with_nothing_open() {
        let active = Verdict::of_name(&name("active", json!({})), None);
        assert_eq!(
            (active.ready, active.reason.as_str(), active.again),
            (Some(true), "Active", Again::InTime)
        );
        let made = Verdict::of_name(&name("provisioning", json!({})), None);
        assert_eq!((made.ready, made.again), (Some(false), Again::Soon));
        let suspended = Verdict::of_name(&name("active", json!({ "suspended": "phishing" })), None);
        assert_eq!((suspended.ready, suspended.message.as_str()), (Some(false), "phishing"));
        let waits = json!({ "conditions": [{ "type": "AwaitingHuman", "status": "True", "reason": "enter-ns", "detail": "enter these",
            "since": "2026-01-01T00:00:00Z" }, { "type": "InSync", "status": "False", "reason": "drift", "detail": "another A",
            "since": "2026-01-01T00:00:00Z" }] });
        let waits = Verdict::of_name(&name("delegating", waits), None);
        assert_eq!((waits.reason.as_str(), waits.message.as_str()), ("EnterNs", "enter these"));
        assert_eq!(waits.in_sync, Some((false, "Drift".into(), "another A".into())));
    }

    #[test]
    fn a_transition_time_moves_with_the_status_only() {
        let first =
            Verdict::on_the_way("provisioning", "x").status(&DeclaredStatus::default(), 1, Timestamp(1000));
        let second = Verdict::on_the_way("delegating", "y").status(&first, 1, Timestamp(2000));
        assert_eq!(second.conditions[0].last_transition_time, Timestamp(1000));
        assert_eq!(second.conditions[0].reason, "Delegating");
        let third = Verdict::good("active", "").status(&second, 1, Timestamp(3000));
        assert_eq!(third.conditions[0].last_transition_time, Timestamp(3000));
        assert_eq!(Verdict::good("active", "").status(&third, 1, Timestamp(9000)), third, "nothing to write");
    }

    #[test]
    fn without_an_answer_the_phase_stays() {
        let before = DeclaredStatus { phase: Some("active".into()), ..DeclaredStatus::default() };
        let away = Verdict::of_error(&Error::Address("x".into()));
        let after = away.status(&before, 2, Timestamp(1));
        assert_eq!(
            (after.phase.as_deref(), after.conditions[0].status.as_str()),
            (Some("active"), "Unknown")
        );
    }
}
