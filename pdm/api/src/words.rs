//! The closed sets of words in the answers, taken from the model so that the document cannot disagree with it.

use pdm_model::{OperationKind, OperationState, Phase, StepKind};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

fn one_of(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// Phases of an allocation.
#[must_use]
pub fn phases() -> Object {
    one_of(Phase::ALL.map(Phase::as_str))
}

/// Kinds of operations.
#[must_use]
pub fn operation_kinds() -> Object {
    use OperationKind::{Change, Commit, Release, Repair};
    one_of([Commit, Change, Repair, Release].map(OperationKind::as_str))
}

/// States of operations.
#[must_use]
pub fn operation_states() -> Object {
    use OperationState::{Done, Open, Superseded};
    one_of([Open, Done, Superseded].map(OperationState::as_str))
}

/// Kinds of steps.
#[must_use]
pub fn step_kinds() -> Object {
    one_of(StepKind::ALL.map(StepKind::as_str))
}

/// States of steps.
#[must_use]
pub fn step_states() -> Object {
    one_of(["pending", "running", "waiting", "done"])
}

/// Who has to act.
#[must_use]
pub fn actors() -> Object {
    one_of(["nobody", "caller", "operator"])
}

/// Whether a condition holds.
#[must_use]
pub fn statuses() -> Object {
    one_of(["True", "False", "Unknown"])
}

/// Transports.
#[must_use]
pub fn transports() -> Object {
    one_of(["udp", "tcp"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_typed_here_are_those_of_the_model() {
        use pdm_model::{Status, StepState, Transport, Who};
        let word = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        let listed = |object: Object| object.enum_values.unwrap().into_iter().map(word).collect::<Vec<_>>();
        let json = |v: Result<serde_json::Value, serde_json::Error>| word(v.unwrap());
        let states = [StepState::Pending, StepState::Running, StepState::Waiting, StepState::Done];
        assert_eq!(listed(step_states()), states.map(|s| json(serde_json::to_value(s))));
        let who = [Who::Nobody, Who::Caller, Who::Operator];
        assert_eq!(listed(actors()), who.map(|s| json(serde_json::to_value(s))));
        let status = [Status::True, Status::False, Status::Unknown];
        assert_eq!(listed(statuses()), status.map(|s| json(serde_json::to_value(s))));
        let transport = [Transport::Udp, Transport::Tcp];
        assert_eq!(listed(transports()), transport.map(|s| json(serde_json::to_value(s))));
    }
}
