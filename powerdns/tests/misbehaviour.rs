//! Servers that fail, stall, lie or lose their replies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pdm_model::{Delegation, Ttl};
use pdm_ports::zone::Created;
use pdm_ports::{Class, DelegationChange, ParentSide, ZoneBackend};
use pdm_powerdns::{Options, PoolParent, PowerDns};
use serde_json::json;
use support::*;
use wiremock::matchers::{any, header, method, path, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

const ZONE: &str = "omantel.pool.example";

fn quick() -> Options {
    Options { timeout: Duration::from_millis(400), ..options() }
}

fn client(server: &MockServer) -> Arc<PowerDns> {
    Arc::new(PowerDns::new(vec![instance(&server.uri())], quick()).unwrap())
}

/// A server whose settings can be read.
async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/api/v1/servers/localhost/config"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!([{"name": "launch", "value": "gpgsql"}])),
        )
        .mount(&server)
        .await;
    server
}

async fn answer(server: &MockServer, verb: &str, template: ResponseTemplate) {
    Mock::given(method(verb))
        .and(path_regex("^/api/v1/servers/localhost/zones"))
        .respond_with(template)
        .mount(server)
        .await;
}

async fn count(server: &MockServer, verb: &str) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|request| request.method.as_str() == verb).count()
}

fn zone(account: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"name": format!("{ZONE}."), "kind": "Native",
        "account": account, "serial": 5, "dnssec": true, "rrsets": [{"name": format!("{ZONE}."), "type": "SOA",
        "ttl": 5, "records": [{"content": "a. b. 5 1 1 1 1", "disabled": false}], "comments": []}]}))
}

#[tokio::test]
async fn every_call_carries_the_key_and_asks_for_json() {
    let server = MockServer::start().await;
    Mock::given(header("x-api-key", KEY))
        .and(header("accept", "application/json"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
        .expect(1)
        .mount(&server)
        .await;
    client(&server).list_zones().await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_is_a_credential_fault_without_the_key() {
    let server = server().await;
    answer(&server, "GET", ResponseTemplate::new(401).set_body_string("Unauthorized")).await;
    let fault = client(&server).read_zone(&name(ZONE)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "powerdns-unauthorized"));
    assert!(!format!("{fault:?}").contains(KEY));
}

#[tokio::test]
async fn a_missing_zone_is_known_by_404_and_by_text_and_never_by_a_proxys_404() {
    for (status, body, want) in [
        (404, r#"{"error":"Not Found"}"#, Ok(None)),
        (422, r#"{"error":"Could not find domain 'omantel.pool.example.'"}"#, Ok(None)),
        (404, "default backend - 404", Err(Class::Protocol)),
        (422, r#"{"error":"something else"}"#, Err(Class::Rejected)),
    ] {
        let server = server().await;
        answer(&server, "GET", ResponseTemplate::new(status).set_body_string(body)).await;
        let seen = client(&server).read_zone(&name(ZONE)).await;
        assert_eq!(seen.map_err(|fault| fault.class), want, "{status} {body}");
    }
}

#[tokio::test]
async fn garbage_is_refused_with_a_code_everywhere() {
    for body in ["", "{", "[1]", "<html>", "null", r#"{"name":5}"#, r#"[{"id":"x"}]"#] {
        let server = server().await;
        answer(&server, "GET", ResponseTemplate::new(200).set_body_string(body)).await;
        let dns = client(&server);
        let mut faults = vec![
            dns.read_zone(&name(ZONE)).await.unwrap_err(),
            dns.read_keys(&name(ZONE)).await.unwrap_err(),
        ];
        faults.push(dns.list_zones().await.unwrap_err());
        assert!(faults.iter().all(|f| (f.class, f.code) == (Class::Protocol, "powerdns-garbage")), "{body}");
    }
}

#[tokio::test]
async fn a_500_is_tried_three_times_after_a_look() {
    let server = server().await;
    answer(&server, "GET", zone(&format!("pdm:{A}"))).await;
    answer(&server, "PATCH", ResponseTemplate::new(500).set_body_json(json!({"error": "Internal"}))).await;
    let fault = client(&server).change_zone(&name(ZONE), &[], &stamp(A, 1)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Transient, "powerdns-busy"));
    assert_eq!(count(&server, "PATCH").await, 3);
}

#[tokio::test]
async fn a_500_that_passes_is_not_seen_by_the_caller() {
    let server = server().await;
    answer(&server, "GET", zone(&format!("pdm:{A}"))).await;
    let template = ResponseTemplate::new(500);
    Mock::given(method("DELETE")).respond_with(template).up_to_n_times(2).mount(&server).await;
    answer(&server, "DELETE", ResponseTemplate::new(204)).await;
    client(&server).remove_zone(&name(ZONE), A).await.unwrap();
    assert_eq!(count(&server, "DELETE").await, 3);
}

#[tokio::test]
async fn a_500_to_a_post_that_was_done_is_seen_as_there() {
    let server = server().await;
    answer(&server, "POST", ResponseTemplate::new(500)).await;
    answer(&server, "GET", zone(&format!("pdm:{A}"))).await;
    assert_eq!(client(&server).create_zone(&spec(ZONE, A)).await.unwrap(), Created::Exists);
    assert_eq!(count(&server, "POST").await, 1);
}

#[tokio::test]
async fn a_slow_server_is_given_up_in_time_and_what_it_did_is_found() {
    let server = server().await;
    answer(&server, "POST", ResponseTemplate::new(201).set_delay(Duration::from_secs(40))).await;
    answer(&server, "GET", zone(&format!("pdm:{A}"))).await;
    let started = Instant::now();
    assert_eq!(client(&server).create_zone(&spec(ZONE, A)).await.unwrap(), Created::Exists);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_409_is_a_question_and_a_zone_that_comes_and_goes_ends_the_tries() {
    let server = server().await;
    answer(&server, "POST", ResponseTemplate::new(409).set_body_json(json!({"error": "Conflict"}))).await;
    answer(&server, "GET", ResponseTemplate::new(404).set_body_json(json!({"error": "Not Found"}))).await;
    let fault = client(&server).create_zone(&spec(ZONE, A)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Transient, "powerdns-conflict"));
    assert_eq!(count(&server, "POST").await, 3);
}

#[tokio::test]
async fn a_stalled_read_is_transient() {
    let server = server().await;
    answer(&server, "GET", zone("").set_delay(Duration::from_secs(40))).await;
    let fault = client(&server).read_zone(&name(ZONE)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Transient, "powerdns-unavailable"));
}

#[tokio::test]
async fn an_unreachable_server_is_transient_and_a_redirect_is_not_followed() {
    let dns = PowerDns::new(vec![instance(&format!("http://{}", free_place()))], quick()).unwrap();
    assert_eq!(dns.health().await.unwrap_err().code, "powerdns-unavailable");
    let server = server().await;
    let elsewhere = ResponseTemplate::new(302).insert_header("location", "http://192.0.2.1/");
    answer(&server, "GET", elsewhere).await;
    assert_eq!(client(&server).list_zones().await.unwrap_err().class, Class::Protocol);
}

#[tokio::test]
async fn at_most_eight_calls_are_in_flight() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                NOW.fetch_sub(1, Ordering::SeqCst);
                let reply = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n[]";
                let _ = stream.write_all(reply.as_bytes()).await;
            });
        }
    });
    let dns = PowerDns::new(vec![instance(&url)], options()).unwrap();
    let lists = futures_util::future::join_all((0..40).map(|_| dns.list_zones())).await;
    assert!(lists.into_iter().all(|list| list.is_ok()));
    assert!((2..=8).contains(&MOST.load(Ordering::SeqCst)));
}

/// Hands every call to a real server, does the work, and loses the reply to the first PATCH.
struct LosesOne {
    to: String,
    lost: AtomicUsize,
}

impl Respond for LosesOne {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let url = format!("{}{}", self.to, request.url.path());
        let url = request.url.query().map_or(url.clone(), |query| format!("{url}?{query}"));
        let output = std::process::Command::new("curl")
            .args(["-s", "-X", request.method.as_str(), "-H", &format!("X-API-Key: {KEY}")])
            .args(["-H", "Accept: application/json", "-d", &String::from_utf8_lossy(&request.body)])
            .args(["-w", "\n%{http_code}", &url])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        let template = ResponseTemplate::new(status.parse::<u16>().unwrap()).set_body_string(body);
        if request.method.as_str() == "PATCH" && self.lost.fetch_add(1, Ordering::SeqCst) == 0 {
            return template.set_delay(Duration::from_secs(40));
        }
        template
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_converges_without_a_second_write() {
    let real = Pdns::sqlite().await;
    let setup = PoolParent::new(real.client(), vec![pool_config()], Arc::new(FreeLease::default()));
    setup.prepare(&pool()).await.unwrap();

    let proxy = MockServer::start().await;
    Mock::given(any())
        .respond_with(LosesOne { to: real.url(), lost: AtomicUsize::new(0) })
        .mount(&proxy)
        .await;
    let parent = PoolParent::new(client(&proxy), vec![pool_config()], Arc::new(FreeLease::default()));
    let child = name(ZONE);
    let change = DelegationChange { ns: Some((ns_set(), Ttl::new(3600))), ds: None, mark: 9 };
    let fault = parent.apply(&child, change.clone(), soon()).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Transient, "powerdns-unavailable"));

    let started = Instant::now();
    parent.apply(&child, change, soon()).await.unwrap();
    assert!(
        started.elapsed() >= Duration::from_millis(300),
        "the writer waits until it cannot land any more"
    );
    assert_eq!(count(&proxy, "PATCH").await, 1);
    assert_eq!(parent.observe(&child).await.unwrap().ns, ns_set());
    assert_eq!(parent.mark(&pool()).await.unwrap(), Some(9));
    assert_ne!(parent.observe(&child).await.unwrap(), Delegation::default());
}

#[tokio::test]
async fn addresses_that_cannot_be_used_are_refused_at_once() {
    for url in ["", "ftp://x", "127.0.0.1:8081", "http://user:secret@host:8081", "http://host/?a=b"] {
        let fault = PowerDns::new(vec![instance(url)], options()).unwrap_err();
        assert_eq!(fault.code, "powerdns-url", "{url}");
        assert!(!fault.detail.contains("secret"));
    }
    let mut bad = instance("http://127.0.0.1:1");
    bad.server_id = "local/../x".into();
    assert!(PowerDns::new(vec![bad], options()).is_err());
    assert!(PowerDns::new(vec![], options()).is_err());
}
