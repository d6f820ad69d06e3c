//! What documents declare, set beside what is there: a plan, and carrying it out.

mod carry_out;
mod plan;

pub use carry_out::{Look, Wish};
pub use plan::{Act, Plan, Row, SET_LABEL, label, plain};
