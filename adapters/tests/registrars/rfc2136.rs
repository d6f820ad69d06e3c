//! Dynamic update against real BIND, Knot and PowerDNS servers; `nsupdate` and `dig` see what they hold.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use pdm_harness::powerdns::{Backend, Caches, PowerDns, Setup};
use pdm_harness::primary::{Key, Primary, Software};
use pdm_harness::{Release, dns, net};
use pdm_model::Ttl;
use pdm_ports::Class;
use pdm_ports::registrar::{Change, Credential, NsTarget, Place, Registrar};

use crate::suite::checks::{NEW, OTHER};
use crate::suite::{Parent, TTL, Web, Who, adapter, credential, hosted, leaks, name};

const ZONE: &str = "acme.example";
const CHILD: &str = "sub.acme.example";
const RECORDS: &str =
    "@ MX 5 mail\nmail A 192.0.2.25\nwww A 192.0.2.80\n*.wild A 192.0.2.81\nother NS ns9.sov.example.";
const SECRET: &str = "c2VjcmV0IG9mIHRoZSBrZXkgdGhhdCBtYXkgdXBkYXRl";
const STRANGE: &str = "c2VjcmV0IG9mIHRoZSBrZXkgb2YgYSBzdHJhbmdlciE=";
const KEYS: [Key; 2] = [
    Key { name: "pdm", algorithm: "hmac-sha256", secret: SECRET, may_update: true },
    Key { name: "stranger", algorithm: "hmac-sha512", secret: STRANGE, may_update: false },
];

/// A server with the zone.
enum Server {
    Primary(Primary),
    PowerDns(Box<PowerDns>),
}

struct Updated {
    server: Server,
    registrar: Arc<dyn Registrar>,
    place: Place,
    credentials: [Credential; 3],
    first_serial: usize,
}

impl Updated {
    fn new(server: Server) -> Self {
        leaks::listen();
        let registrar = adapter("rfc2136", None);
        let at = at(&server).to_string();
        let fields = |name, algorithm, key| {
            let fields =
                [("server", at.as_str()), ("key_name", name), ("algorithm", algorithm), ("key", key)];
            credential(&*registrar, &fields)
        };
        let credentials = [
            fields("pdm", "hmac-sha256", SECRET),
            fields("pdm", "hmac-sha256", STRANGE),
            fields("stranger", "hmac-sha512", STRANGE),
        ];
        let first_serial = serial(&server);
        Self { server, registrar, place: hosted(CHILD, ZONE), credentials, first_serial }
    }

    fn lines(&self) -> (Vec<String>, Vec<String>) {
        let all = dns::transfer(at(&self.server), ZONE);
        all.into_iter().partition(|line| {
            let words: Vec<_> = line.split(' ').collect();
            words[0].eq_ignore_ascii_case("sub.acme.example.") && ["NS", "DS"].contains(&words[3])
        })
    }

    fn held(&self, rtype: &str) -> Vec<String> {
        let (ours, _) = self.lines();
        ours.iter()
            .filter_map(|line| line.split_once(&format!(" IN {rtype} ")))
            .map(|(_, content)| content.to_owned())
            .collect()
    }

    fn update(&self, commands: &[&str]) {
        let commands: Vec<_> = commands.iter().map(|command| (*command).to_owned()).collect();
        dns::update(at(&self.server), &format!("hmac-sha256:pdm:{SECRET}"), ZONE, &commands).unwrap();
    }
}

fn at(server: &Server) -> std::net::SocketAddr {
    match server {
        Server::Primary(primary) => primary.at(),
        Server::PowerDns(powerdns) => powerdns.dns(),
    }
}

fn serial(server: &Server) -> usize {
    let soa = dns::short(at(server), ZONE, "SOA");
    soa[0].split(' ').nth(2).unwrap().parse().unwrap()
}

#[async_trait]
impl Parent for Updated {
    fn registrar(&self) -> &dyn Registrar {
        &*self.registrar
    }
    fn place(&self) -> &Place {
        &self.place
    }
    fn credential(&self, who: Who) -> &Credential {
        &self.credentials[who as usize]
    }
    async fn ns(&self) -> Vec<String> {
        self.held("NS")
    }
    async fn ds(&self) -> Vec<String> {
        // `dig` breaks long digests with spaces.
        let joined = |text: &String| {
            let words: Vec<_> = text.splitn(4, ' ').collect();
            format!("{} {} {} {}", words[0], words[1], words[2], words[3].replace(' ', ""))
                .to_ascii_lowercase()
        };
        self.held("DS").iter().map(joined).collect()
    }
    async fn put_ns(&self, hosts: &[&str]) {
        let mut commands = vec![format!("update delete {CHILD}. NS")];
        commands.extend(hosts.iter().map(|host| format!("update add {CHILD}. {TTL} NS {host}.")));
        let commands: Vec<_> = commands.iter().map(String::as_str).collect();
        self.update(&commands);
    }
    async fn rest(&self) -> String {
        self.lines().1.join("\n")
    }
    fn writes(&self) -> usize {
        serial(&self.server) - self.first_serial
    }
    fn web(&self) -> Option<&dyn Web> {
        None
    }
}

async fn bind() -> Updated {
    Updated::new(Server::Primary(Primary::start(Software::Bind, ZONE, RECORDS, &KEYS).await))
}

async fn knot() -> Updated {
    Updated::new(Server::Primary(Primary::start(Software::Knot, ZONE, RECORDS, &KEYS).await))
}

async fn powerdns() -> Updated {
    let more =
        "dnsupdate=yes\nallow-dnsupdate-from=127.0.0.0/8\ndisable-axfr=no\nallow-axfr-ips=127.0.0.0/8\n";
    let ip = net::address();
    let (dns, http, more) = (net::port(ip), net::port(ip), more.to_owned());
    let (backend, caches, release) = (Backend::Sqlite, Caches::Short, Release::usual().clone());
    let setup = Setup { release, backend, caches, dns, http, more, env: Vec::new() };
    let server = PowerDns::start_with(setup).await;
    server.create(ZONE, "", false).await;
    for (owner, rtype, content) in [
        ("mail.acme.example", "A", "192.0.2.25"),
        ("*.wild.acme.example", "A", "192.0.2.81"),
        ("other.acme.example", "NS", "ns9.sov.example."),
    ] {
        server.edit(ZONE, owner, rtype, 300, &[content]).await;
    }
    for key in KEYS {
        let Key { name, algorithm, secret, .. } = key;
        server.sql(&format!(
            "insert into tsigkeys(name, algorithm, secret) values('{name}', '{algorithm}', '{secret}')"
        ));
    }
    for (kind, content) in [("TSIG-ALLOW-DNSUPDATE", "pdm"), ("SOA-EDIT-DNSUPDATE", "INCREASE")] {
        server.sql(&format!(
            "insert into domainmetadata(domain_id, kind, content) select id, '{kind}', '{content}' from domains"
        ));
    }
    Updated::new(Server::PowerDns(Box::new(server)))
}

/// The suite without what goes wrong over HTTP, and what more a dynamic update can do.
macro_rules! server {
    ($name:ident, $start:ident) => {
        mod $name {
            use super::$start;

            crate::suite::each! { $start;
                checks: good_credential bad_credential foreign_credential apply_then_observe twice_is_one_write
                    order_and_case_do_not_matter ns_replaced_and_nothing_else ds_comes_changes_and_goes
                    taken_back two_at_once_write_once what_cannot_be_is_refused_first
            }
            crate::suite::each! { $start; leaks: secrets_stay_in }

            #[tokio::test]
            async fn ns_and_ds_are_one_write() {
                super::ns_and_ds_are_one_write(&$start().await).await;
            }

            #[tokio::test]
            async fn glue_comes_and_goes_with_its_delegation() {
                super::glue_comes_and_goes_with_its_delegation(&$start().await).await;
            }

            #[tokio::test]
            async fn what_a_delegation_would_hide_stops_it() {
                super::what_a_delegation_would_hide_stops_it(&$start().await).await;
            }

            #[tokio::test]
            async fn two_processes_do_not_mix_their_sets() {
                super::two_processes_do_not_mix_their_sets(&$start().await).await;
            }
        }
    };
}

server!(on_bind, bind);
server!(on_knot, knot);
server!(on_powerdns, powerdns);

async fn ns_and_ds_are_one_write(parent: &Updated) {
    let parent: &dyn Parent = parent;
    let both = Change { ds: parent.to_ds("A").ds, ..parent.to_ns(NEW) };
    let applied = parent.apply(&both).await.unwrap();
    assert!(applied.wrote && applied.agrees, "{applied:?}");
    assert_eq!(parent.writes(), 1);
    parent.holds_ns(NEW).await;
    parent.holds_ds("A").await;
    // Out again in one message too, the DS first in it.
    let none = Change { ds: parent.to_ds("").ds, ..parent.to_ns(&[]) };
    assert!(parent.apply(&none).await.unwrap().agrees);
    assert_eq!((parent.writes(), parent.ns().await.len(), parent.ds().await.len()), (2, 0, 0));
    // NS alone may not go while a DS stays.
    parent.bring(&both).await;
    let fault = parent.apply(&parent.to_ns(&[])).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "ds-without-ns"));
}

async fn glue_comes_and_goes_with_its_delegation(parent: &Updated) {
    let parent: &dyn Parent = parent;
    let rest = parent.rest().await;
    let inside = name("ns1.sub.acme.example");
    let addresses = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()].into();
    let names = [inside.clone(), name("ns2.sov.example")].into();
    let target = NsTarget::Names { names, ttl: Ttl::new(TTL), glue: [(inside, addresses)].into() };
    parent.bring(&Change { ns: Some(target), ..parent.to_ns(NEW) }).await;
    let seen = parent.rest().await;
    assert!(seen.contains("ns1.sub.acme.example. 3600 IN A 192.0.2.1"), "{seen}");
    assert!(seen.contains("ns1.sub.acme.example. 3600 IN AAAA 2001:db8::1"), "{seen}");
    parent.bring(&parent.to_ns(NEW)).await;
    assert_eq!(parent.rest().await, rest);
}

async fn what_a_delegation_would_hide_stops_it(updated: &Updated) {
    let parent: &dyn Parent = updated;
    for owner in ["sub", "www.sub"] {
        updated.update(&[&format!("update add {owner}.{ZONE}. 300 TXT \"here\"")]);
        let fault = parent.apply(&parent.to_ns(NEW)).await.unwrap_err();
        assert_eq!(
            (fault.class, fault.code),
            (Class::NotOurs, "foreign-records"),
            "{owner}: {}",
            fault.detail
        );
        updated.update(&[&format!("update delete {owner}.{ZONE}. TXT")]);
    }
    // Below another delegation nothing can be made.
    let deeper = Change { place: hosted("sub.other.acme.example", ZONE), ..parent.to_ns(NEW) };
    let fault = parent.apply(&deeper).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "below-another-delegation"));
    // A wildcard answers for the name and is not at it.
    let wild = Change { place: hosted("sub.wild.acme.example", ZONE), ..parent.to_ns(NEW) };
    assert!(parent.apply(&wild).await.unwrap().agrees);
}

/// Each with a lock of its own, as two replicas have: what was seen is what is replaced, or nothing is.
async fn two_processes_do_not_mix_their_sets(parent: &Updated) {
    let (one, two): (&dyn Parent, _) = (parent, adapter("rfc2136", None));
    for _ in 0..3 {
        let (a, b) = (one.to_ns(NEW), one.to_ns(OTHER));
        let results = tokio::join!(one.apply(&a), two.apply(&b, one.credential(Who::Good)));
        for fault in [results.0.err(), results.1.err()].into_iter().flatten() {
            assert_eq!((fault.class, fault.code), (Class::Transient, "changed-meanwhile"));
        }
        let held = one.ns_set().await;
        let sets = [NEW, OTHER].map(|set| set.iter().map(|host| name(host)).collect::<BTreeSet<_>>());
        assert!(sets.contains(&held), "{held:?}");
        one.bring(&one.to_ns(&[])).await;
    }
}

#[tokio::test]
async fn an_unknown_key_a_strange_zone_and_a_dead_server_are_told_apart() {
    let parent = bind().await;
    let dynamic: &dyn Parent = &parent;
    let at = at(&parent.server).to_string();
    let unknown = [("server", at.as_str()), ("key_name", "nobody"), ("key", SECRET)];
    let fault = dynamic
        .registrar()
        .read(dynamic.place(), &credential(dynamic.registrar(), &unknown))
        .await
        .unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "credential-invalid"));
    let elsewhere = hosted("sub.elsewhere.example", "elsewhere.example");
    let fault = dynamic.registrar().read(&elsewhere, dynamic.credential(Who::Good)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::NotOurs, "domain-not-in-account"));
    let nobody = net::port(net::address()).to_string();
    let dead = [("server", nobody.as_str()), ("key_name", "pdm"), ("key", SECRET)];
    let fault =
        dynamic.registrar().read(dynamic.place(), &credential(dynamic.registrar(), &dead)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Transient, "registrar-unreachable"));
    let inner = [("server", "10.0.0.1"), ("key_name", "pdm"), ("key", SECRET)];
    let fault = dynamic
        .registrar()
        .read(dynamic.place(), &credential(dynamic.registrar(), &inner))
        .await
        .unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "server-address-refused"));
}

#[tokio::test]
async fn a_server_with_both_zones_does_not_show_the_delegation() {
    let parent = powerdns().await;
    let dynamic: &dyn Parent = &parent;
    let Server::PowerDns(server) = &parent.server else { panic!("it is PowerDNS") };
    dynamic.bring(&dynamic.to_ns(NEW)).await;
    server.create(CHILD, "", false).await;
    let fault = dynamic.read().await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Unsupported, "parent-serves-child"));
    assert!(fault.detail.contains("way out"));
}

/// What stands between, or in place of, a server: it makes an answer of what it is asked.
type Trick = fn(&[u8]) -> Vec<u8>;

/// An unsigned answer with this code.
fn unsigned(asked: &[u8], code: u8) -> Vec<u8> {
    let mut answer = asked[..12].to_vec();
    answer[2] |= 0x80;
    answer[3] = answer[3] & 0xf0 | code;
    answer[4..].fill(0);
    answer
}

const TRICKS: [Trick; 10] = [
    <[u8]>::to_vec,
    |asked| [&asked[..2], &[asked[2] | 0x80], &asked[3..]].concat(),
    |asked| unsigned(asked, 0),
    |asked| unsigned(asked, 2),
    |asked| unsigned(asked, 4),
    |asked| unsigned(asked, 5),
    |asked| unsigned(asked, 9),
    |asked| asked[..asked.len() / 2].to_vec(),
    |_| vec![0xff; 65_535],
    |_| Vec::new(),
];

/// No answer is believed, and neither the key nor what it decodes to is in anything that is said about it.
#[tokio::test]
async fn the_key_is_not_told_whatever_answers() {
    leaks::listen();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let trick = Arc::new(AtomicUsize::new(0));
    let plays = trick.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut asked = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut asked).unwrap();
            let answer = TRICKS[plays.load(Ordering::SeqCst)](&asked);
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            // Who was asked may have gone away by now.
            let _ = stream.write_all(&[&length, answer.as_slice()].concat());
        }
    });
    let registrar = adapter("rfc2136", None);
    let fields = [("server", at.as_str()), ("key_name", "pdm"), ("key", SECRET)];
    let (credential, place) = (credential(&*registrar, &fields), hosted(CHILD, ZONE));
    let mut said = vec![format!("{credential:?} {credential:#?}")];
    for turn in 0..TRICKS.len() {
        trick.store(turn, Ordering::SeqCst);
        let names = NsTarget::Names {
            names: NEW.iter().map(|host| name(host)).collect(),
            ttl: Ttl::new(TTL),
            glue: [].into(),
        };
        let change = Change { place: place.clone(), ns: Some(names), ds: None, accepted: [].into() };
        let faults = [
            registrar.validate(place.zone(), &credential).await.unwrap_err(),
            registrar.read(&place, &credential).await.unwrap_err(),
            registrar.apply(&change, &credential).await.unwrap_err(),
        ];
        said.extend(faults.iter().map(|fault| format!("{fault} {fault:?} {fault:#?}")));
    }
    said.push(leaks::heard());
    let said = said.concat().to_ascii_lowercase();
    assert!(said.contains("not signed"), "the server was asked: {said}");
    for secret in [SECRET, "secret of the key that may update"] {
        assert_eq!(leaks::before_secret(&said, secret), None);
    }
}
