//! pdm-server
