//! Request and response types of the HTTP API, with their OpenAPI schemas. The daemon answers with them and the
//! command line reads them; nothing here knows of a web server.
//!
//! JSON is camelCase, times are RFC 3339 in UTC, and a request with a field that is not listed is refused.

pub mod allocation;
pub mod audit;
pub mod audit_log;
pub mod carry_over;
pub mod declared;
pub mod door;
pub mod failover;
pub mod frame;
pub mod health;
pub mod keys;
pub mod older;
pub mod operation;
pub mod passport;
pub mod pool;
pub mod problem;
pub mod receipt;
pub mod requests;
pub mod reservation;
pub mod target;
pub mod words;

pub use allocation::{AcceptedView, AllocationDetail, AllocationPage, AllocationView};
pub use audit_log::{AuditLogEntry, AuditLogPage};
pub use failover::{FailoverView, RehearsalView};
pub use operation::OperationView;
pub use passport::Passport;
pub use pool::{PoolView, Pools, Registrars};
pub use problem::ProblemBody;
pub use reservation::{CheckView, ExtendedView, ReservationView};
