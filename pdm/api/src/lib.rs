//! pdm-api
