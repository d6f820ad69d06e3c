//! Workload identity: certificates made here, from files and from an agent, rotated under load, and refused for every
//! reason there is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use pdm_harness::child::run;
use pdm_harness::{Plan, StoreKind, World, until};
use pdm_spiffe::files::Files;
use pdm_spiffe::{Source, SpiffeId, Tls};
use rustls::crypto::ring::default_provider;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};

const SERVER: &str = "spiffe://openova.io/ns/pdm/sa/pdm";
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const PROVISIONER: &str = "spiffe://openova.io/ns/catalyst/sa/provisioner";

/// Authorities and what they issued, made by openssl.
pub struct Pki(tempfile::TempDir);

impl Pki {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, script: &str) {
        let script = format!("set -e; cd {}\n{script}", self.0.path().display());
        run(std::process::Command::new("sh").args(["-c", &script])).unwrap();
    }

    fn authority(&self, name: &str) {
        self.openssl(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.ca.key -out {name}.ca.pem"
        ));
    }

    /// A leaf; `name.pem` and `name.key` take the place of older ones at once, each.
    fn issue(&self, ca: &str, name: &str, id: &str, expired: bool) {
        self.openssl(&format!(
            "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /O=w -keyout {name}.key.new -out {name}.csr
             printf 'subjectAltName=URI:{id}\\nbasicConstraints=critical,CA:FALSE\\nkeyUsage=critical,digitalSignature\\nextendedKeyUsage=serverAuth,clientAuth\\n' > {name}.ext
             {clock} openssl x509 -req -in {name}.csr -CA {ca}.ca.pem -CAkey {ca}.ca.key -set_serial 0x$(openssl rand -hex 8) -days 1 -extfile {name}.ext -out {name}.pem.new
             mv {name}.pem.new {name}.pem; mv {name}.key.new {name}.key",
            clock = if expired { format!("env LD_PRELOAD={FAKETIME} FAKETIME=-10d") } else { String::new() },
        ));
    }

    /// A certificate of a host, as `host.pem`.
    pub fn host(&self, ca: &str, ip: &str) {
        self.openssl(&format!(
            "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=host -keyout host.key -out host.csr
             printf 'subjectAltName=IP:{ip}\\nbasicConstraints=critical,CA:FALSE\\n' > host.ext
             openssl x509 -req -in host.csr -CA {ca}.ca.pem -CAkey {ca}.ca.key -days 1 -extfile host.ext -out host.pem"
        ));
    }

    fn bundle(&self, authorities: &[&str]) {
        let all: String = authorities
            .iter()
            .map(|ca| std::fs::read_to_string(self.path(&format!("{ca}.ca.pem"))).unwrap())
            .collect();
        std::fs::write(self.path("bundle.new"), all).unwrap();
        std::fs::rename(self.path("bundle.new"), self.path("bundle.pem")).unwrap();
    }

    /// What a client of ours is made of.
    fn client(&self, name: &str, server: &str) -> reqwest::Client {
        let files = Files {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            bundles: vec![("openova.io".parse().unwrap(), self.path("bundle.pem"))],
        };
        let (source, provider) = (Arc::new(Source::default()), Arc::new(default_provider()));
        source.replace(files.read(&provider).unwrap());
        let config = Tls::new(source, provider).client(server.parse::<SpiffeId>().unwrap()).unwrap();
        reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .pool_max_idle_per_host(0)
            .build()
            .unwrap()
    }

    fn der(&self, name: &str) -> Vec<u8> {
        let out = format!("{name}.der");
        let kind = if Path::new(name).extension().is_some_and(|e| e == "key") {
            "pkcs8 -topk8 -nocrypt"
        } else {
            "x509"
        };
        self.openssl(&format!("openssl {kind} -in {name} -outform DER -out {out}"));
        std::fs::read(self.path(&out)).unwrap()
    }
}

/// An authority with a server, a provisioner and everything that is to be refused.
pub fn pki() -> Pki {
    let pki = Pki::new();
    pki.authority("one");
    pki.authority("other");
    pki.issue("one", "server", SERVER, false);
    pki.issue("one", "provisioner", PROVISIONER, false);
    pki.issue("one", "nobody", "spiffe://openova.io/ns/catalyst/sa/nobody", false);
    pki.issue("one", "expired", PROVISIONER, true);
    pki.issue("other", "forged", PROVISIONER, false);
    pki.issue("other", "stranger", "spiffe://elsewhere.example/ns/catalyst/sa/provisioner", false);
    pki.issue("one", "nameless", "https://openova.io/provisioner", false);
    pki.bundle(&["one"]);
    pki
}

fn workloads() -> String {
    format!(
        "[[workloads]]\nid = \"{PROVISIONER}\"\nrole = \"provisioner\"\nowner = \"acme\"\n\
         [[workloads]]\nid = \"spiffe://openova.io/ns/monitoring/*\"\nrole = \"auditor\"\n"
    )
}

fn from_files(pki: &Pki, clients: &str) -> String {
    let file = |name: &str| pki.path(name).display().to_string();
    format!(
        "[spiffe]\ncertificate = \"{}\"\nkey = \"{}\"\nbundle = \"{}\"\ntrust_domain = \"openova.io\"\nclients = \"{clients}\"\n\n{}",
        file("server.pem"),
        file("server.key"),
        file("bundle.pem"),
        workloads()
    )
}

/// The daemon of a world, started with these sections.
async fn start(world: &mut World, sections: &str) -> String {
    world.daemons[0].stop().await;
    let file = world.config_file(0);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n{sections}")).unwrap();
    world.daemons[0].launch();
    let base = world.stranger().base().replace("http://", "https://");
    until("the listener", || async {
        let log = world.daemons[0].log();
        if log.matches("ready for requests").count() >= 2 { Ok(()) } else { Err(log) }
    })
    .await;
    base
}

async fn get(client: &reqwest::Client, url: &str) -> Result<(u16, Value), String> {
    let answer = client.get(url).send().await.map_err(|e| format!("{e:?}"))?;
    let status = answer.status().as_u16();
    let text = answer.text().await.map_err(|e| e.to_string())?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

#[tokio::test]
async fn a_workload_is_who_its_certificate_says_and_everything_else_is_refused() {
    let pki = pki();
    let mut world = Plan::new(StoreKind::Sqlite).start().await;
    let token = world.token().to_owned();
    let base = start(&mut world, &from_files(&pki, "optional")).await;
    let pools = format!("{base}/v1/pools");

    // A provisioner of one owner, by its certificate alone; the audit log names it.
    let client = pki.client("provisioner", SERVER);
    assert_eq!(get(&client, &pools).await.unwrap().0, 200);
    let body = json!({ "mode": "pool", "poolDomain": "omani.works", "subdomain": "meshed" });
    let answer = client.post(format!("{base}/v1/reserve")).json(&body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    let (_, seen) = get(&client, &format!("{base}/v1/allocations/meshed.omani.works")).await.unwrap();
    assert_eq!(seen["owner"], "acme", "{seen}");
    assert_eq!(get(&client, &format!("{base}/v1/audit-log")).await.unwrap().0, 403);
    let admin = client.get(format!("{base}/v1/audit-log?fqdn=meshed.omani.works")).bearer_auth(&token);
    let log = admin.send().await.unwrap().text().await.unwrap();
    assert!(log.contains(PROVISIONER), "{log}");

    // Good, and nobody's: told by its name. A token is not ignored for the sake of a certificate, nor a page opened by one.
    let (status, problem) = get(&pki.client("nobody", SERVER), &pools).await.unwrap();
    assert_eq!((status, &problem["code"]), (403, &"workload-unknown".into()), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("sa/nobody"), "{problem}");
    let wrong = client.get(&pools).bearer_auth("pdm_wrong").send().await.unwrap();
    assert_eq!(wrong.status().as_u16(), 401);
    let (status, page) = get(&client, &format!("{base}/admin")).await.unwrap();
    assert!(status == 200 && !page.to_string().contains("meshed"), "{status} {page}");

    // Refused in the handshake, each for its reason.
    for (name, reason) in
        [("expired", "expired"), ("forged", "not-vouched-for"), ("stranger", "unknown-trust-domain")]
    {
        let refused = get(&pki.client(name, SERVER), &pools).await;
        assert!(refused.is_err(), "{name}: {refused:?}");
        let metrics = get(&client, &format!("{base}/metrics")).await.unwrap().1.to_string();
        assert!(
            metrics.contains(&format!(
                "pdm_spiffe_refused_total{{side=\\\"client\\\",reason=\\\"{reason}\\\"}}"
            )),
            "{name}: {metrics}"
        );
        assert!(world.daemons[0].log().contains(&format!("reason=\"{reason}\"")), "{name}");
    }
    // A certificate without a SPIFFE id cannot even be shown by our own client; curl shows anything.
    let file = |name: &str| pki.path(name).display().to_string();
    let mut curl = std::process::Command::new("curl");
    curl.args(["-sSk", "--cert", &file("nameless.pem"), "--key", &file("nameless.key"), &pools]);
    let said = run(&mut curl).unwrap_err();
    assert!(said.contains("alert") || said.contains("SSL"), "{said}");
    // Without any, a token is needed; with one it is as before.
    let (status, problem) = bare(&pki, &pools, None);
    assert_eq!((status, &problem["code"]), (401, &"unauthenticated".into()), "{problem}");
    assert_eq!(bare(&pki, &pools, Some(&token)).0, 200);

    // We look at the server in the same way: its name does not matter, its id does.
    let refused =
        get(&pki.client("provisioner", "spiffe://openova.io/ns/pdm/sa/other"), &pools).await.unwrap_err();
    assert!(refused.contains(SERVER), "{refused}");
}

/// Without a certificate, by curl.
fn bare(pki: &Pki, url: &str, token: Option<&str>) -> (u16, Value) {
    let mut curl = std::process::Command::new("curl");
    curl.args(["-sSk", "-w", "\n%{http_code}", "-o", &pki.path("body").display().to_string(), url]);
    if let Some(token) = token {
        curl.args(["-H", &format!("Authorization: Bearer {token}")]);
    }
    let status = run(&mut curl).unwrap().trim().parse().unwrap();
    let body = std::fs::read_to_string(pki.path("body")).unwrap();
    (status, serde_json::from_str(&body).unwrap_or_default())
}

#[tokio::test]
async fn certificates_and_authorities_are_rotated_under_load_without_a_failed_request() {
    let pki = Arc::new(pki());
    let mut world = Plan::new(StoreKind::Sqlite).start().await;
    let base = start(&mut world, &from_files(&pki, "required")).await;
    let url = format!("{base}/v1/pools");
    // Who shows nothing is refused at the handshake now.
    let mut curl = std::process::Command::new("curl");
    assert!(run(curl.args(["-sSk", &url])).unwrap_err().contains("certificate required"));

    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (pki, url, done, asked) = (pki.clone(), url.clone(), done.clone(), asked.clone());
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    // A connection for every request, so that each is a handshake.
                    let client = tokio::task::spawn_blocking({
                        let pki = pki.clone();
                        move || pki.client("provisioner", SERVER)
                    });
                    let answer = get(&client.await.unwrap(), &url).await;
                    assert_eq!(answer.as_ref().map(|(status, _)| *status), Ok(200), "{answer:?}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let rotations = async |client: &str| {
        let text = get(&pki.client(client, SERVER), &format!("{base}/metrics")).await.unwrap().1.to_string();
        let (_, after) = text.rsplit_once("pdm_svid_rotations_total ").unwrap();
        after.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<usize>().unwrap()
    };
    let wait_for = async |client: &str, least: usize| {
        until("the next rotation", || async {
            let seen = rotations(client).await;
            if seen >= least { Ok(()) } else { Err(seen) }
        })
        .await;
    };
    // The same authority twice; then another one: first trusted beside the old one, then issuing, then alone.
    let before = rotations("provisioner").await;
    pki.issue("one", "server", SERVER, false);
    wait_for("provisioner", before + 1).await;
    pki.authority("two");
    pki.bundle(&["one", "two"]);
    wait_for("provisioner", before + 2).await;
    pki.issue("two", "server", SERVER, false);
    wait_for("provisioner", before + 3).await;
    done.store(true, Ordering::Relaxed);
    for one in load {
        one.await.unwrap();
    }
    assert!(asked.load(Ordering::Relaxed) > 20, "{asked:?}");
    pki.issue("two", "late", PROVISIONER, false);
    pki.bundle(&["two"]);
    wait_for("late", before + 4).await;
    assert_eq!(get(&pki.client("late", SERVER), &url).await.unwrap().0, 200);
    // What the old authority issued is not trusted any longer.
    assert!(get(&pki.client("provisioner", SERVER), &url).await.is_err());

    // A file that is half written changes nothing.
    std::fs::write(pki.path("server.pem"), "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    until("the warning", || async {
        let log = world.daemons[0].log();
        if log.contains("certificate files are not used as they are now") { Ok(()) } else { Err("silence") }
    })
    .await;
    assert_eq!(get(&pki.client("late", SERVER), &url).await.unwrap().0, 200);
}

/// The command line with these files, as what stands in `name.pem`.
fn verb(pki: &Pki, url: &str, name: &str, server: &str, args: &[&str]) -> Result<String, String> {
    let file = |name: &str| pki.path(name).display().to_string();
    let (ca, cert, key) = (file("bundle.pem"), file(&format!("{name}.pem")), file(&format!("{name}.key")));
    let env = [
        ("PDM_URL", url),
        ("PDM_CA", &ca),
        ("PDM_CERT", &cert),
        ("PDM_KEY", &key),
        ("PDM_SERVER_ID", server),
    ];
    pdm_harness::daemon::verb(args, &env)
}

#[tokio::test]
async fn the_command_line_shows_an_svid_and_may_do_what_its_id_may() {
    let pki = pki();
    pki.issue("one", "monitor", "spiffe://openova.io/ns/monitoring/sa/prometheus", false);
    let mut world = Plan::new(StoreKind::Sqlite).start().await;
    let base = start(&mut world, &from_files(&pki, "required")).await;

    // A provisioner from one end to the other, over its certificate alone.
    let reserved =
        verb(&pki, &base, "provisioner", SERVER, &["reserve", "shown.omani.works", "-o", "json"]).unwrap();
    let token = serde_json::from_str::<Value>(&reserved).unwrap()["reservationToken"].clone();
    let commit = [
        "commit",
        "shown.omani.works",
        "--token",
        token.as_str().unwrap(),
        "--ipv4",
        "203.0.113.10",
        "--wait",
        "60",
    ];
    verb(&pki, &base, "provisioner", SERVER, &commit).unwrap();
    let get = ["get", "shown.omani.works", "-o", "json"];
    let seen: Value = serde_json::from_str(&verb(&pki, &base, "provisioner", SERVER, &get).unwrap()).unwrap();
    assert_eq!((&seen["phase"], &seen["owner"]), (&"active".into(), &"acme".into()), "{seen}");

    // An auditor by the row for everything below: reads, and gives nothing away.
    verb(&pki, &base, "monitor", SERVER, &get).unwrap();
    let release = ["release", "shown.omani.works"];
    let told = verb(&pki, &base, "monitor", SERVER, &release).unwrap_err();
    assert!(told.contains("(forbidden)"), "{told}");
    // An id that no row names; an authority that is not ours; a server that is another.
    let told = verb(&pki, &base, "nobody", SERVER, &get).unwrap_err();
    assert!(told.contains("(workload-unknown)") && told.contains("sa/nobody"), "{told}");
    let told = verb(&pki, &base, "forged", SERVER, &get).unwrap_err();
    assert!(told.contains("no answer from"), "{told}");
    let told = verb(&pki, &base, "provisioner", "spiffe://openova.io/ns/pdm/sa/other", &get).unwrap_err();
    assert!(told.contains(SERVER), "{told}");
    let told = verb(&pki, &base, "gone", SERVER, &get).unwrap_err();
    assert!(told.contains("gone.pem"), "{told}");
}

/// A daemon behind a certificate of an authority of one's own, by the client library that a program links.
#[tokio::test]
async fn a_client_follows_its_files_and_a_host_is_known_by_its_name() {
    let pki = pki();
    let mut world = Plan::new(StoreKind::Sqlite).start().await;
    let ip = world.stranger().base().trim_start_matches("http://").split(':').next().unwrap().to_owned();
    pki.host("one", &ip);
    let file = |name: &str| pki.path(name).display().to_string();
    let sections = format!(
        "[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n{}",
        file("host.pem"),
        file("host.key"),
        from_files(&pki, "required")
    );
    let base = start(&mut world, &sections).await;
    let ca = pki.path("bundle.pem");
    let cert = (pki.path("client.pem"), pki.path("client.key"));
    pki.issue("one", "client", PROVISIONER, false);
    let files = pdm_client::Files { authorities: Some(ca), identity: Some(cert) };
    let client = pdm_client::Client::with_files(files.clone(), &base).unwrap();
    assert_eq!(client.pools().await.unwrap().pools.len(), 1);

    // The same client, another certificate: the next request shows it. A file half written is left alone.
    pki.issue("one", "client", "spiffe://openova.io/ns/catalyst/sa/nobody", false);
    assert!(client.pools().await.unwrap_err().is("workload-unknown"));
    std::fs::write(pki.path("client.key"), "-----BEGIN PRIVATE KEY-----\nAAAA").unwrap();
    assert!(client.pools().await.unwrap_err().is("workload-unknown"));
    pki.issue("one", "client", PROVISIONER, false);
    assert_eq!(client.pools().await.unwrap().pools.len(), 1);

    // Without the authority, or as another name, the host is nobody.
    let quick = pdm_client::Retry { total: Duration::ZERO, ..pdm_client::Retry::default() };
    let wrong = pdm_client::Files { authorities: Some(pki.path("other.ca.pem")), ..files.clone() };
    let wrong = pdm_client::Client::with_files(wrong, &base).unwrap().with_retry(quick);
    assert!(wrong.pools().await.is_err());
    let (scheme, port) = ("https://localhost", base.rsplit(':').next().unwrap());
    let renamed =
        pdm_client::Client::with_files(files, &format!("{scheme}:{port}")).unwrap().with_retry(quick);
    assert!(renamed.pools().await.is_err());
}

/// An agent that serves the Workload API with what it is given, over HTTP/2 as gRPC frames it.
fn agent(socket: &Path) -> (mpsc::UnboundedSender<Bytes>, tokio::task::JoinHandle<()>) {
    let (give, mut given) = mpsc::unbounded_channel::<Bytes>();
    let listener = UnixListener::bind(socket).unwrap();
    let serving = tokio::spawn(async move {
        let mut last: Option<Bytes> = None;
        loop {
            let (io, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(io).await.unwrap();
            let Some(Ok((request, mut respond))) = connection.accept().await else { continue };
            assert_eq!(request.uri().path(), "/SpiffeWorkloadAPI/FetchX509SVID");
            assert_eq!(request.headers()["workload.spiffe.io"], "true");
            let answer =
                http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut stream = respond.send_response(answer, false).unwrap();
            let driving = tokio::spawn(async move { while connection.accept().await.is_some() {} });
            if let Some(message) = &last {
                stream.send_data(message.clone(), false).unwrap();
            }
            while let Some(message) = given.recv().await {
                if message.is_empty() {
                    break;
                }
                last = Some(message.clone());
                stream.send_data(message, false).unwrap();
            }
            driving.abort();
        }
    });
    (give, serving)
}

/// One field of protobuf.
fn field(number: u8, octets: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = octets.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(octets);
    out
}

fn answer_of(pki: &Pki, name: &str, id: &str, ca: &str) -> Bytes {
    let svid = [
        field(1, id.as_bytes()),
        field(2, &pki.der(&format!("{name}.pem"))),
        field(3, &pki.der(&format!("{name}.key"))),
        field(4, &pki.der(&format!("{ca}.ca.pem"))),
    ]
    .concat();
    let federated = [field(1, b"spiffe://elsewhere.example"), field(2, &pki.der("other.ca.pem"))].concat();
    let message = [field(1, &svid), field(3, &federated)].concat();
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&message);
    frame.into()
}

#[tokio::test]
async fn an_agent_is_followed_and_its_absence_changes_nothing() {
    let pki = pki();
    let socket = pki.path("agent.sock");
    let (give, serving) = agent(&socket);
    give.send(answer_of(&pki, "server", SERVER, "one")).unwrap();
    let mut world = Plan::new(StoreKind::Sqlite).start().await;
    let sections = format!(
        "[spiffe]\nsocket = \"unix://{}\"\n\n{}\n[[workloads]]\nid = \"spiffe://elsewhere.example/*\"\nrole = \"auditor\"\n",
        socket.display(),
        workloads()
    );
    let base = start(&mut world, &sections).await;
    let pools = format!("{base}/v1/pools");
    let client = pki.client("provisioner", SERVER);
    assert_eq!(get(&client, &pools).await.unwrap().0, 200);
    // A federated trust domain, vouched for by its own authority only.
    assert_eq!(get(&pki.client("stranger", SERVER), &pools).await.unwrap().0, 200);
    assert!(get(&pki.client("forged", SERVER), &pools).await.is_err());

    // A rotation comes over the stream; the new certificate has another id, so that it is seen.
    let renamed = "spiffe://openova.io/ns/pdm/sa/renamed";
    pki.issue("one", "server", renamed, false);
    give.send(answer_of(&pki, "server", renamed, "one")).unwrap();
    until("the new certificate", async || get(&pki.client("provisioner", renamed), &pools).await).await;

    // The agent ends the stream, comes back, and goes for good.
    give.send(Bytes::new()).unwrap();
    until("another connection", || async {
        let log = world.daemons[0].log();
        if log.matches("the workload's certificate is known").count() >= 3 { Ok(()) } else { Err("not yet") }
    })
    .await;
    serving.abort();
    std::fs::remove_file(&socket).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(get(&pki.client("provisioner", renamed), &pools).await.unwrap().0, 200);
    let log = world.daemons[0].log();
    assert!(!log.contains("PRIVATE KEY"), "{log}");
}

/// Another implementation of gRPC, with the Workload API's own description, in full runs only.
#[tokio::test]
async fn an_agent_by_another_hand_is_understood() {
    if !pdm_harness::full() {
        return;
    }
    let pki = pki();
    for name in ["server.pem", "server.key", "one.ca.pem"] {
        pki.der(name);
    }
    let script = "import sys, time, grpc
from concurrent import futures
from spiffe.proto import workload_pb2 as pb, workload_pb2_grpc as rpc
d = sys.argv[1]
read = lambda n: open(d + '/' + n, 'rb').read()
class Agent(rpc.SpiffeWorkloadAPIServicer):
    def FetchX509SVID(self, request, context):
        assert ('workload.spiffe.io', 'true') in [tuple(m) for m in context.invocation_metadata()]
        svid = pb.X509SVID(spiffe_id=sys.argv[2], x509_svid=read('server.pem.der'), x509_svid_key=read('server.key.der'), bundle=read('one.ca.pem.der'))
        yield pb.X509SVIDResponse(svids=[svid]); time.sleep(3600)
s = grpc.server(futures.ThreadPoolExecutor(2)); rpc.add_SpiffeWorkloadAPIServicer_to_server(Agent(), s)
s.add_insecure_port('unix:' + d + '/agent.sock'); s.start(); s.wait_for_termination()
";
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spiffe-0.2.2");
    if !venv.join("ready").exists() {
        run(std::process::Command::new("python3").args(["-m", "venv"]).arg(&venv)).unwrap();
        let mut pip = std::process::Command::new(venv.join("bin/pip"));
        run(pip.args(["install", "--quiet", "--disable-pip-version-check", "spiffe==0.2.2"])).unwrap();
        std::fs::write(venv.join("ready"), "").unwrap();
    }
    let mut command = pdm_harness::child::guarded(venv.join("bin/python"), false);
    command.args(["-c", script, &pki.0.path().display().to_string(), SERVER]);
    let _agent = pdm_harness::child::Child::start("agent", command, &pki.path("log"));
    let source = Arc::new(Source::default());
    let (fed, provider) = (source.clone(), default_provider());
    let (_stop, stopped) = watch::channel(false);
    let socket = pki.path("agent.sock");
    tokio::spawn(async move { pdm_spiffe::workload_api::watch(&socket, &fed, &provider, stopped).await });
    tokio::time::timeout(Duration::from_secs(60), source.first()).await.unwrap();
    let state = source.state().unwrap();
    assert_eq!(state.svid.id.as_str(), SERVER);
    assert!(state.svid.ends.is_some());
}
