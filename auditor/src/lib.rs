//! pdm-auditor
