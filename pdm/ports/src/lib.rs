//! pdm-ports
