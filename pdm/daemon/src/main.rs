//! The `pdm` binary.
fn main() {}
