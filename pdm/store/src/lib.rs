//! pdm-store
