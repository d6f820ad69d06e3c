//! Where a name stands, as seven stations that people understand. Pure.

use pdm_model::{
    Allocation, ConditionKind, Mode, Operation, Phase, Status, StepKind, StepState, Timestamp, Who,
};

/// How a station looks. Never told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Seen to hold.
    Done,
    /// PDM is at it.
    Working,
    /// Somebody must act.
    Yours,
    /// Not yet its turn.
    Later,
    /// Seen not to hold.
    Broken,
    /// Given back, as it was asked for.
    Gone,
    /// Nobody could look, or nobody can from here.
    Unknown,
}

impl State {
    /// The word for style sheets and for the table of words.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Working => "working",
            Self::Yours => "yours",
            Self::Later => "later",
            Self::Broken => "broken",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
        }
    }

    /// A sign that reads without colours.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Done => "✓",
            Self::Working => "…",
            Self::Yours => "☞",
            Self::Later => "○",
            Self::Broken => "✗",
            Self::Gone => "–",
            Self::Unknown => "?",
        }
    }
}

/// One station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Station {
    /// Key of its name in the table of words.
    pub key: &'static str,
    pub state: State,
    /// When it was last looked at.
    pub last: Option<Timestamp>,
    /// When PDM looks again.
    pub next: Option<Timestamp>,
    /// What is lacking, in the words of who found it.
    pub detail: String,
}

impl Station {
    /// Whether somebody may wish to be asked about it now.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.state, State::Working | State::Yours)
    }
}

const RECORDS: &[StepKind] = &[StepKind::EnsureZone, StepKind::AwaitAuthoritative, StepKind::RemoveZone];
const DELEGATION: &[StepKind] = &[
    StepKind::EnsureParentNs,
    StepKind::LookAtParent,
    StepKind::AwaitCarryOver,
    StepKind::WithdrawForeignDs,
    StepKind::AwaitForeignDsGone,
    StepKind::EnsureDelegation,
    StepKind::AwaitDelegation,
    StepKind::ReturnDelegation,
    StepKind::AwaitDelegationGone,
    StepKind::RemoveDelegationAndZone,
];
const DNSSEC: &[StepKind] = &[
    StepKind::WithdrawStaleDs,
    StepKind::EnsureParentDs,
    StepKind::AwaitOldCaches,
    StepKind::EnsureDelegationDs,
    StepKind::AwaitDelegationDs,
    StepKind::AwaitChain,
    StepKind::WithdrawParentDs,
    StepKind::AwaitDsGone,
    StepKind::WithdrawDelegationDs,
    StepKind::AwaitDelegationDsGone,
    StepKind::RestoreDelegationDs,
    StepKind::AwaitRestoredDs,
];

/// All seven.
pub(crate) fn stations(allocation: &Allocation, operation: Option<&Operation>) -> Vec<Station> {
    let committed = allocation.phase.has_zone() || allocation.phase == Phase::Releasing;
    let station = |key, state| Station { key, state, last: None, next: None, detail: String::new() };
    let ownership = match allocation.mode {
        // The pool is the operator's own.
        Mode::Pool => station("ownership", State::Done),
        Mode::ByoManual | Mode::ByoApi => {
            let proof = allocation.byo.as_ref().map(|byo| byo.ownership.at);
            let state = if proof.is_some() { State::Done } else { State::Yours };
            Station { last: proof, ..station("ownership", state) }
        }
    };
    let part = |key, kind, steps: &[StepKind]| part(allocation, operation, committed, key, kind, steps);
    let live = match allocation.phase {
        Phase::Active => condition(allocation, ConditionKind::ChainSecure).map_or(State::Unknown, by_status),
        Phase::Reserved | Phase::Provisioning | Phase::Delegating => State::Later,
        Phase::Releasing | Phase::Quarantined | Phase::Freed => State::Gone,
    };
    let proved = allocation.proof.as_ref().map(|proof| proof.begun_at);
    vec![
        Station { last: Some(allocation.reserved_at), ..station("name", name_state(allocation.phase)) },
        ownership,
        part("records", ConditionKind::ZonePublished, RECORDS),
        part("delegation", ConditionKind::DelegationVisible, DELEGATION),
        part("dnssec", ConditionKind::ChainSecure, DNSSEC),
        // The cluster asks for its certificates itself once the name is secure; PDM does not see them.
        station("certificates", if live == State::Done { State::Unknown } else { State::Later }),
        Station { last: proved, ..station("live", live) },
    ]
}

fn name_state(phase: Phase) -> State {
    match phase {
        Phase::Reserved | Phase::Provisioning | Phase::Delegating | Phase::Active => State::Done,
        Phase::Releasing | Phase::Quarantined | Phase::Freed => State::Gone,
    }
}

fn condition(allocation: &Allocation, kind: ConditionKind) -> Option<&pdm_model::Condition> {
    allocation.conditions.iter().find(|c| c.kind == kind)
}

fn by_status(condition: &pdm_model::Condition) -> State {
    match condition.status {
        Status::True => State::Done,
        Status::False => State::Broken,
        Status::Unknown => State::Unknown,
    }
}

fn part(
    allocation: &Allocation,
    operation: Option<&Operation>,
    committed: bool,
    key: &'static str,
    kind: ConditionKind,
    steps: &[StepKind],
) -> Station {
    let held = condition(allocation, kind);
    let mut station = Station {
        key,
        state: held.map_or(State::Later, by_status),
        last: held.map(|c| c.since),
        next: None,
        detail: held.map(|c| c.detail.clone()).unwrap_or_default(),
    };
    if !committed {
        return Station { state: State::Later, detail: String::new(), ..station };
    }
    let open = operation.iter().flat_map(|o| &o.steps);
    let mut open = open.filter(|s| steps.contains(&s.kind) && s.state != StepState::Done);
    // What waits says more than what would be looked at again before it.
    let step = open.clone().find(|s| s.wait_reason.is_some()).or_else(|| open.next());
    let Some(step) = step else { return station };
    station.last = Some(step.since);
    if let Some(wait) = &step.wait_reason {
        station.next = Some(wait.until);
        // What it waits for is told below, where there is room.
        station.detail.clear();
        station.state = match wait.who {
            Who::Nobody => State::Working,
            Who::Caller | Who::Operator => State::Yours,
        };
    } else if held.is_none_or(|c| c.status != Status::True) {
        let running = step.state == StepState::Running || operation.and_then(Operation::current).is_some();
        station.state = if running && step.attempts == 0 { State::Later } else { State::Working };
    }
    station
}

/// The first sentence of a page: a key of the table of words.
pub(crate) fn verdict(allocation: &Allocation, operation: Option<&Operation>) -> &'static str {
    let waits_for_people = operation
        .is_some_and(|o| o.steps.iter().filter_map(|s| s.wait_reason.as_ref()).any(|w| w.who != Who::Nobody));
    let holds = |kind| condition(allocation, kind).is_some_and(|c| c.status == Status::True);
    match allocation.phase {
        Phase::Reserved if allocation.mode != Mode::Pool => "verdict-claimed",
        Phase::Reserved => "verdict-reserved",
        Phase::Provisioning | Phase::Delegating if waits_for_people => "verdict-waits",
        Phase::Provisioning | Phase::Delegating => "verdict-underway",
        Phase::Active if allocation.suspended.is_some() => "verdict-suspended",
        Phase::Active if !holds(ConditionKind::ChainSecure) => "verdict-broken",
        Phase::Active if !holds(ConditionKind::InSync) => "verdict-drift",
        Phase::Active => "verdict-active",
        Phase::Releasing => "verdict-releasing",
        Phase::Quarantined => "verdict-quarantined",
        Phase::Freed => "verdict-freed",
    }
}
