//! Every adapter and mode under one suite, against a vendor that keeps state and misbehaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

mod client;
mod cloudflare;
mod dynadot;
mod gandi;
mod godaddy;
mod namecheap;
mod ovh;
mod page;
mod porkbun;
mod powerdns;
mod rfc2136;
mod suite;
