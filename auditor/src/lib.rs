//! Looks at real DNS: asks nameservers, takes every answer for hostile, walks the delegation tree, and proves what is
//! served.

mod ask;
mod gate;
mod judge;
mod plan;
mod present;
mod prober;
mod types;
mod walk;
mod wire;

pub use prober::{Prober, Settings};
pub use walk::{Clock, WalkSettings, Walker};
