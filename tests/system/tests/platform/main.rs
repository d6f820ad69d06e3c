//! The rest of the platform, each part against the real thing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

mod clients;
mod door;
mod kubernetes;
mod nats;
mod oidc;
mod openbao;
mod spiffe;
mod telemetry;
