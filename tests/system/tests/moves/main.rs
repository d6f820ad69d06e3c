//! A signed domain moves from its old operator to us and back in a closed internet, with a validating resolver asking for
//! every name all the time: by hand, by a registrar's API, and by the pages in a browser; and keys roll there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

mod by_api;
mod by_hand;
mod hook;
mod in_a_browser;
mod pool;
mod registrars;
mod rolls;
mod scanned;
mod scene;
