//! Failover against real PowerDNS and real HTTP servers: how fast, what clients see when nameservers disagree, forcing
//! a region, and that nobody's text ever reaches Lua.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

mod doors;
mod drains;
mod families;
mod ground;
mod many_clients;
mod plain;
mod releases;
mod scene;
mod split_brain;
mod timing;
