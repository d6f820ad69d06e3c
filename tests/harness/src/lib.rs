//! pdm-harness
