//! pdm-system-tests
