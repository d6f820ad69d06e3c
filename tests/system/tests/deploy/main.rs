//! What `deploy/` holds, rendered, checked, and started for real.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

mod blueprint;
mod container;
mod crossplane;
mod declared;
mod hardening;
mod kubernetes;
mod nameservers;
mod network;
mod release;
mod render;
mod systemd;
