//! Vendors as they are: HTTP servers on 127.0.0.1 that keep state, check signatures and misbehave on demand.
//!
//! One file per vendor, one type that implements [`Vendor`]. A simulator is written from the vendor's documents and
//! from independent clients, never from our adapter, and is held to both.

mod server;
mod wire;

pub mod cloudflare;
pub mod dnssec;
pub mod dynadot;
pub mod gandi;
pub mod godaddy;
pub mod kubernetes;
pub mod namecheap;
pub mod openbao;
pub mod ovh;
pub mod porkbun;

pub use server::{Call, Simulator, Trouble, When};
pub use wire::{Reply, Request};

/// One vendor's behaviour. The server hands it one request at a time.
pub trait Vendor: Send + 'static {
    /// Answer a request and change the state.
    fn answer(&mut self, request: &Request) -> Reply;
    /// Whether a request changes something.
    fn writes(&self, request: &Request) -> bool {
        request.method != "GET"
    }
    /// How this vendor says "too many requests" in its own form.
    fn busy(&self) -> Reply;
    /// How this vendor says anything else in its own form.
    fn error(&self, status: u16, words: &str) -> Reply;
    /// The NS set that it holds for a name, spelled as it keeps it. The delegation of a registered domain at the
    /// registry, or records in a hosted zone.
    fn ns(&self, name: &str) -> Vec<String>;
    /// The same set entered by hand, in this order and spelling. The TTL is of no effect at a registry.
    fn put_ns(&mut self, name: &str, hosts: &[&str], ttl: u32);
    /// The DS set that it holds for a name, in presentation form, in lower case.
    fn ds(&self, name: &str) -> Vec<String>;
    /// Everything else that it holds, to be compared before and after.
    fn rest(&self, name: &str) -> String;
    /// The next change that goes on behind its call ends without taking effect. Of no effect for vendors that answer
    /// when they are done.
    fn fail_next(&mut self) {}
}
