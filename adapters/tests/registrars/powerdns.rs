//! A parent zone on a real PowerDNS. Between it and the adapter stands a relay that has HTTP trouble on demand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use pdm_harness::dns;
use pdm_harness::powerdns::{API_KEY, Backend, Caches, PowerDns, contents};
use pdm_model::Ttl;
use pdm_ports::Class;
use pdm_ports::registrar::{Change, NsTarget};
use pdm_simulators::{Reply, Request, Vendor};
use serde_json::{Value, json};

use crate::suite::checks::NEW;
use crate::suite::{Parent, Simulated, TTL, Who, credential, hosted, name, suite};

const ZONE: &str = "acme.example";
const CHILD: &str = "sub.acme.example";
const STRANGE: &str = "a-strangers-key";

/// Hands every request on to a PowerDNS. It admits a second key, whose owner sees no zone: what a proxy does that
/// gives each user a part of the API.
struct Relay {
    server: PowerDns,
}

impl Relay {
    async fn start(signed: bool) -> Self {
        let server = PowerDns::start(Backend::Sqlite, Caches::Short).await;
        server.create(ZONE, "", signed).await;
        server.edit(ZONE, "mail.acme.example", "A", 300, &["192.0.2.25"]).await;
        server.edit(ZONE, "*.wild.acme.example", "A", 300, &["192.0.2.81"]).await;
        Self { server }
    }

    fn ask(&self, method: &str, target: &str, key: &str, body: &[u8]) -> Reply {
        let at: SocketAddr = self.server.http();
        let mut stream = TcpStream::connect(at).unwrap();
        let head = format!(
            "{method} {target} HTTP/1.0\r\nHost: {at}\r\nX-API-Key: {key}\r\nAccept: application/json\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
        let headers = vec![("content-type", "application/json".to_owned())];
        Reply { status, headers, body: answer[end + 4..].to_vec() }
    }

    fn zone(&self) -> Value {
        let reply = self.ask("GET", &format!("/api/v1/servers/localhost/zones/{ZONE}."), API_KEY, b"");
        serde_json::from_slice(&reply.body).unwrap()
    }

    fn set(&self, owner: &str, rtype: &str, ttl: u32, records: &[String]) {
        let records: Vec<_> =
            records.iter().map(|text| json!({ "content": text, "disabled": false })).collect();
        let set = json!({ "name": format!("{owner}."), "type": rtype, "ttl": ttl, "changetype": "REPLACE", "records": records });
        let body = json!({ "rrsets": [set] }).to_string();
        let reply =
            self.ask("PATCH", &format!("/api/v1/servers/localhost/zones/{ZONE}."), API_KEY, body.as_bytes());
        assert_eq!(reply.status, 204);
    }
}

impl Vendor for Relay {
    fn answer(&mut self, request: &Request) -> Reply {
        let key = request.header("x-api-key").unwrap_or_default();
        if key == STRANGE {
            return Reply::json(404, &json!({ "error": "Not Found" }));
        }
        self.ask(&request.method, &request.target, key, &request.body)
    }

    fn busy(&self) -> Reply {
        Reply::json(429, &json!({ "error": "Too many requests" }))
    }

    fn error(&self, status: u16, words: &str) -> Reply {
        Reply::json(status, &json!({ "error": words }))
    }

    fn ns(&self, name: &str) -> Vec<String> {
        contents(&self.zone(), name, "NS")
    }

    fn put_ns(&mut self, name: &str, hosts: &[&str], ttl: u32) {
        let hosts: Vec<_> = hosts.iter().map(|host| format!("{host}.")).collect();
        self.set(name, "NS", ttl, &hosts);
    }

    fn ds(&self, name: &str) -> Vec<String> {
        contents(&self.zone(), name, "DS")
    }

    fn rest(&self, name: &str) -> String {
        let name = format!("{name}.");
        let zone = self.zone();
        let ours = |set: &&Value| set["name"] == name && (set["type"] == "NS" || set["type"] == "DS");
        let sets = zone["rrsets"].as_array().unwrap().iter().filter(|set| !ours(set) && set["type"] != "SOA");
        let mut lines: Vec<_> = sets.map(Value::to_string).collect();
        lines.sort();
        lines.join("\n")
    }
}

async fn parent(signed: bool) -> Simulated<Relay> {
    let relay = Relay::start(signed).await;
    Simulated::start_named("powerdns", relay, hosted(CHILD, ZONE), |url| {
        [API_KEY, "a-wrong-key", STRANGE]
            .map(|key| vec![("url", url.to_owned()), ("api_key", key.to_owned())])
    })
    .await
}

async fn hosted_parent() -> Simulated<Relay> {
    parent(false).await
}

suite!(hosted_mode, hosted_parent);

#[tokio::test]
async fn ns_ds_and_glue_are_one_write() {
    let parent = hosted_parent().await;
    let dynamic: &dyn Parent = &parent;
    let rest = dynamic.rest().await;
    let inside = name("ns1.sub.acme.example");
    let addresses = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()].into();
    let names = [inside.clone(), name("ns2.sov.example")].into();
    let target = NsTarget::Names { names, ttl: Ttl::new(TTL), glue: [(inside, addresses)].into() };
    let both = Change { ns: Some(target), ds: dynamic.to_ds("A").ds, ..dynamic.to_ns(NEW) };
    assert!(dynamic.apply(&both).await.unwrap().agrees);
    assert_eq!(parent.writes(), 1);
    dynamic.holds_ds("A").await;
    let zone = parent.sim.with(|relay| relay.zone());
    assert_eq!(contents(&zone, "ns1.sub.acme.example", "AAAA"), ["2001:db8::1"]);
    let none = Change { ds: dynamic.to_ds("").ds, ..dynamic.to_ns(&[]) };
    assert!(dynamic.apply(&none).await.unwrap().agrees);
    assert_eq!((parent.writes(), dynamic.rest().await), (2, rest), "the glue went too");
}

#[tokio::test]
async fn what_a_delegation_would_hide_stops_it() {
    let parent = hosted_parent().await;
    let dynamic: &dyn Parent = &parent;
    for owner in ["sub.acme.example", "www.sub.acme.example"] {
        parent.sim.with(|relay| relay.set(owner, "TXT", 300, &["\"here\"".to_owned()]));
        let fault = dynamic.apply(&dynamic.to_ns(NEW)).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::NotOurs, "foreign-records"), "{owner}");
        parent.sim.with(|relay| relay.set(owner, "TXT", 300, &[]));
    }
    let wild = Change { place: hosted("sub.wild.acme.example", ZONE), ..dynamic.to_ns(NEW) };
    assert!(dynamic.apply(&wild).await.unwrap().agrees, "a wildcard is not at the name");
}

#[tokio::test]
async fn in_a_signed_parent_everything_validates() {
    let parent = parent(true).await;
    let dynamic: &dyn Parent = &parent;
    let at = parent.sim.with(|relay| relay.server.dns());
    let dir = tempfile::tempdir().unwrap();
    let anchor = dir.path().join("anchor");
    dns::write_anchor(at, ZONE, &anchor);
    let secure = Change { ds: dynamic.to_ds("A").ds, ..dynamic.to_ns(NEW) };
    let insecure = Change { ds: dynamic.to_ds("").ds, ..dynamic.to_ns(NEW) };
    let gone = Change { ds: dynamic.to_ds("").ds, ..dynamic.to_ns(&[]) };
    for change in [secure, insecure, gone] {
        dynamic.bring(&change).await;
        dns::must_validate(at, &anchor, ZONE, CHILD, "DS");
        dns::must_validate(at, &anchor, ZONE, "nothing.acme.example", "A");
    }
    let rectified = parent.sim.calls().iter().any(|call| call.request.target.ends_with("/rectify"));
    assert!(rectified);
}

#[tokio::test]
async fn a_copy_is_not_written_and_a_still_serial_is_told() {
    let parent = hosted_parent().await;
    let dynamic: &dyn Parent = &parent;
    let change = |relay: &mut Relay, body: Value| {
        let path = format!("/api/v1/servers/localhost/zones/{ZONE}.");
        assert_eq!(relay.ask("PUT", &path, API_KEY, body.to_string().as_bytes()).status, 204);
    };
    parent.sim.with(|relay| change(relay, json!({ "kind": "Master", "soa_edit_api": "" })));
    let passport = dynamic.registrar().validate(&name(ZONE), dynamic.credential(Who::Good)).await.unwrap();
    assert!(passport.notes.iter().any(|note| note.contains("soa_edit_api")), "{passport:?}");
    let applied = dynamic.apply(&dynamic.to_ns(NEW)).await.unwrap();
    assert!(applied.notes.iter().any(|note| note.contains("soa_edit_api")));
    assert!(parent.sim.calls().iter().any(|call| call.request.target.ends_with("/notify")));
    parent.sim.with(|relay| change(relay, json!({ "kind": "Slave", "masters": ["192.0.2.99"] })));
    let fault = dynamic.apply(&dynamic.to_ns(&[])).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "domain-locked"));
}

#[tokio::test]
async fn a_url_may_not_point_inside() {
    let parent = hosted_parent().await;
    for (url, code) in [
        ("http://169.254.169.254", "server-address-refused"),
        ("https://10.0.0.1:8081", "server-address-refused"),
        ("http://[fd00::1]:8081", "server-address-refused"),
        ("ftp://dns.example", "credential-malformed"),
        ("https://user:password@dns.example", "credential-malformed"),
        ("https://dns.example/?a=b", "credential-malformed"),
    ] {
        let fields = [("url", url), ("api_key", API_KEY)];
        let credential = credential(parent.registrar(), &fields);
        let fault = parent.registrar().read(parent.place(), &credential).await.unwrap_err();
        assert_eq!(fault.code, code, "{url}");
    }
    assert!(parent.sim.calls().is_empty());
}
