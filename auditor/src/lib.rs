//! Looks at real DNS: asks nameservers, takes every answer for hostile, and proves what they serve.

mod ask;
mod gate;
mod judge;
mod plan;
mod prober;
mod wire;

pub use prober::{Prober, Settings};
