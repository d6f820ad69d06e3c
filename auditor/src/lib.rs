//! Looks at real DNS: asks nameservers, takes every answer for hostile, walks the delegation tree, and proves what is
//! served.

mod ask;
mod audit;
mod checks;
mod gate;
mod gather;
mod glance;
mod judge;
mod plan;
mod present;
mod prober;
pub mod profile;
mod types;
mod walk;
mod wire;

pub use audit::found::{Check, Duty, Needs};
pub use audit::replay;
pub use checks::CHECKS;
pub use prober::{Prober, Settings};
pub use walk::{Clock, WalkSettings, Walker};
