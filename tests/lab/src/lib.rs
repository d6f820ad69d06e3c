//! A closed internet for tests: real servers on 127.0.0.0/8, port 53, with a root, a trust anchor and resolvers of its
//! own. Nothing in it asks anything outside of it.
//!
//! ```text
//! root            a.root-servers.            signed; its DS is the trust anchor
//! registry        a. and b.gtld-servers.net. com, net, io, works: signed; REST and dynamic update with TSIG
//! old operator    ns1. and ns2.old-dns.net.  signs its customers' zones with its own keys
//! ours            ns1. and ns2.openova.io.   the PowerDNS that PDM writes to; both serve one database
//! resolvers       two unbound                one that keeps its cache, and one to be asked with a cold one
//! ```
//!
//! Every operator is one database and several servers. Each server can be stopped, frozen, put behind ([`Nameserver::lag`])
//! or given another clock; the first one of an operator carries the API, so edits need it running and up to date.
//! TTLs are [`Plan::ttl`] seconds, and no server caches longer.
//!
//! ```text
//! block       addresses that no other lab has           operator    one database, several nameservers
//! nameserver  one server and what can happen to it      registry    who is delegated where, and how late it shows
//! resolver    unbound                                   question    one question to one server
//! watch       ask all the time, tell every change       customer    a domain with mail, as people have it
//! scanner     a registry that reads CDS                 lab         all of it, put together
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a lab that cannot go on ends the test

pub mod block;
pub mod customer;
pub mod lab;
pub mod nameserver;
pub mod operator;
pub mod question;
pub mod registry;
pub mod resolver;
pub mod scanner;
pub mod watch;

pub use customer::{ACME, acme};
pub use lab::{Lab, Plan};
pub use nameserver::Nameserver;
pub use operator::{Operator, Records};
pub use question::{Outcome, ask, ask_for};
pub use registry::{Registry, Tsig};
pub use resolver::Resolver;
pub use scanner::Scanner;
pub use watch::{Report, Watcher, watch};
