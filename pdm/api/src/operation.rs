//! An operation and its steps.

use pdm_model::{Operation, Step, Timestamp, Wait, ZoneName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A durable change of one allocation. Events of its stream carry the same JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationView {
    /// Identity.
    pub id: String,
    /// Place in the store's order.
    pub seq: i64,
    /// The allocation it works for.
    pub allocation: String,
    /// The allocation's name.
    #[schema(value_type = String)]
    pub fqdn: ZoneName,
    /// Why it exists.
    #[schema(schema_with = crate::words::operation_kinds)]
    pub kind: String,
    /// The generation it works towards.
    pub generation: i64,
    /// How it stands.
    #[schema(schema_with = crate::words::operation_states)]
    pub state: String,
    /// Its steps, in order.
    pub steps: Vec<StepView>,
    /// Begun.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

impl OperationView {
    /// Whether it is still worked on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == pdm_model::OperationState::Open.as_str()
    }
}

/// One idempotent part of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepView {
    /// Which.
    #[schema(schema_with = crate::words::step_kinds)]
    pub kind: String,
    /// How it stands.
    #[schema(schema_with = crate::words::step_states)]
    pub state: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_reason: Option<WaitView>,
    /// What was seen when it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub evidence: Option<Value>,
}

/// Why a step does not go on right now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitView {
    /// Stable kebab-case reason.
    pub reason: String,
    /// For people.
    pub detail: String,
    /// Who must act.
    #[schema(schema_with = crate::words::actors)]
    pub who: String,
    /// When it is looked at again.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// The word that serde gives a unit variant.
pub(crate) fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

impl From<&Wait> for WaitView {
    fn from(wait: &Wait) -> Self {
        Self {
            reason: wait.reason.clone(),
            detail: wait.detail.clone(),
            who: word(wait.who),
            until: wait.until,
        }
    }
}

impl From<&Step> for StepView {
    fn from(step: &Step) -> Self {
        Self {
            kind: step.kind.as_str().to_owned(),
            state: word(step.state),
            since: step.since,
            attempts: step.attempts,
            wait_reason: step.wait_reason.as_ref().map(WaitView::from),
            evidence: step.evidence.clone(),
        }
    }
}

impl From<&Operation> for OperationView {
    fn from(operation: &Operation) -> Self {
        Self {
            id: operation.id.clone(),
            seq: operation.seq,
            allocation: operation.allocation.clone(),
            fqdn: operation.fqdn.clone(),
            kind: operation.kind.as_str().to_owned(),
            generation: operation.generation,
            state: operation.state.as_str().to_owned(),
            steps: operation.steps.iter().map(StepView::from).collect(),
            created_at: operation.created_at,
            finished_at: operation.finished_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::{OperationKind, OperationState, StepState, Who};

    #[test]
    fn events_and_answers_have_one_shape() {
        let now = Timestamp(1_795_046_400_123);
        let mut steps = Operation::fresh_steps(pdm_model::Parent::Ours, OperationKind::Commit, now);
        steps[0].state = StepState::Done;
        steps[0].evidence = Some(serde_json::json!({"serial": 1}));
        steps[1].state = StepState::Waiting;
        steps[1].wait_reason =
            Some(Wait { reason: "no-answer".into(), detail: "d".into(), who: Who::Operator, until: now });
        let operation = Operation {
            id: "o".into(),
            seq: 7,
            allocation: "a".into(),
            fqdn: ZoneName::parse("omantel.omani.works").unwrap(),
            kind: OperationKind::Commit,
            generation: 2,
            state: OperationState::Open,
            steps,
            created_at: now,
            finished_at: Some(now),
        };
        let stored = serde_json::to_value(&operation).unwrap();
        assert_eq!(serde_json::to_value(OperationView::from(&operation)).unwrap(), stored);
        assert!(serde_json::from_value::<OperationView>(stored).unwrap().is_open());
    }
}
