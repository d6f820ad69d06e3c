//! pdm-dnssec
