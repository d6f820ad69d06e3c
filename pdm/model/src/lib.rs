//! Words and rules of pool-domain-manager. Pure and synchronous: no clock, no randomness, no I/O.

pub mod address;
pub mod allocation;
pub mod audit;
pub mod audit_log;
pub mod canonical;
pub mod delegation;
pub mod handover;
pub mod keys;
pub mod lifecycle;
pub mod name;
pub mod operation;
pub mod pool;
pub mod problem;
pub mod proof;
pub mod reserved;
pub mod rrset;
pub mod target;
pub mod time;

pub use allocation::{Allocation, Condition, ConditionKind, Mode, Observed, Status, set_condition};
pub use audit_log::AuditEntry;
pub use delegation::{Delegation, DsRecord};
pub use keys::{KeyPolicy, KeyState, Roll, RollKind, Stage};
pub use lifecycle::{Event, Phase};
pub use name::{Label, ZoneName};
pub use operation::{Operation, OperationKind, OperationState, Step, StepKind, StepState, Wait, Who};
pub use pool::{DriftPolicy, Pool, Ttls};
pub use problem::Refusal;
pub use proof::{NotProved, Proof, ServerProof, Transport};
pub use rrset::{RRset, RecordType};
pub use target::{LoadBalancer, Target};
pub use time::{Timestamp, Ttl};
