//! pdm-lua-records
