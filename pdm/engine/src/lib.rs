//! pdm-engine
