//! pdm-powerdns
