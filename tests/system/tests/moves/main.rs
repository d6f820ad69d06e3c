//! A signed domain moves from its old operator to us and back in a closed internet, with a validating resolver asking for
//! every name all the time: by hand, and by a registrar's API; and keys roll there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

mod by_api;
mod by_hand;
mod hook;
mod pool;
mod registrars;
mod rolls;
mod scene;
