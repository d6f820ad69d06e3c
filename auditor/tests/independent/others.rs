//! The other validators.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::dnssec::validator::anchor::TrustAnchors;
use domain::dnssec::validator::context::{ValidationContext, ValidationState};
use domain::net::client::dgram_stream::Connection;
use domain::net::client::protocol::{TcpConnect, UdpConnect};
use domain::net::client::request::{ComposeRequest as _, RequestMessage, SendRequest as _};
use pdm_model::DsRecord;

use super::Verdict;
use crate::support::{ADDRESSES, PARENT, Pdns, free_port};

/// What `domain` says of an answer, from the DS set of the pool on, and why.
pub async fn domain_says(
    pdns: &Pdns,
    anchor: &BTreeSet<DsRecord>,
    name: &str,
    rtype: &str,
) -> (Verdict, String) {
    let at: SocketAddr = format!("127.0.0.1:{}", pdns.dns).parse().unwrap();
    let (connection, transport) = Connection::new(UdpConnect::new(at), TcpConnect::new(at));
    let running = tokio::spawn(async move { transport.run().await });
    let mut question = MessageBuilder::new_vec().question();
    let rtype: Rtype = rtype.parse().unwrap();
    question.push((Name::vec_from_str(name).unwrap(), rtype)).unwrap();
    let mut request = RequestMessage::new(question).unwrap();
    request.set_dnssec_ok(true);
    let reply = connection.send_request(request).get_response().await.unwrap();
    let lines: String = anchor.iter().map(|ds| format!("{PARENT}. 300 IN DS {ds}\n")).collect();
    let anchors = TrustAnchors::from_u8(lines.as_bytes()).unwrap();
    let context = ValidationContext::new(anchors, connection);
    let mut reply = Message::from_octets(reply.as_slice().to_vec()).unwrap();
    let judged = context.validate_msg::<_, Vec<u8>>(&mut reply);
    let judged = tokio::time::timeout(Duration::from_secs(20), judged).await.expect("a verdict in time");
    running.abort();
    let (state, why) = judged.unwrap();
    let verdict = match state {
        ValidationState::Secure => Verdict::Secure,
        ValidationState::Insecure => Verdict::Insecure,
        ValidationState::Bogus => Verdict::Bogus,
        ValidationState::Indeterminate => panic!("no verdict on {name} {rtype}"),
    };
    (verdict, format!("{why:?}"))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// BIND's `delv`.
pub struct Delv {
    dir: tempfile::TempDir,
    port: u16,
}

impl Delv {
    pub fn new(pdns: &Pdns, anchor: &BTreeSet<DsRecord>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let one = |ds: &DsRecord| {
            let DsRecord { key_tag, algorithm, digest_type, digest } = ds;
            format!("\"{PARENT}.\" static-ds {key_tag} {algorithm} {digest_type} \"{digest}\";")
        };
        let lines: Vec<String> = anchor.iter().map(one).collect();
        let file = format!("trust-anchors {{ {} }};\n", lines.join(" "));
        std::fs::write(dir.path().join("anchor"), file).unwrap();
        Self { dir, port: pdns.dns }
    }

    pub fn says(&self, name: &str, rtype: &str) -> (Verdict, String) {
        let mut delv = Command::new("delv");
        delv.args(["@127.0.0.1", "-p", &self.port.to_string(), "-a"]).arg(self.dir.path().join("anchor"));
        let said = text(&delv.args([&format!("+root={PARENT}"), name, rtype]).output().unwrap());
        let verdict = if said.contains("fully validated") {
            Verdict::Secure
        } else if said.contains("resolution failed") {
            Verdict::Bogus
        } else if said.contains("unsigned answer") {
            Verdict::Insecure
        } else {
            panic!("no verdict on {name} {rtype}: {said}");
        };
        (verdict, said)
    }
}

/// unbound, with nothing above the pool.
pub struct Unbound {
    child: Child,
    _dir: tempfile::TempDir,
    port: u16,
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Unbound {
    pub fn start(pdns: &Pdns, anchor: &BTreeSet<DsRecord>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (path, port) = (dir.path().display(), free_port(&ADDRESSES[..1]));
        let anchors: String = anchor.iter().map(|ds| format!("{PARENT}. IN DS {ds}\n")).collect();
        std::fs::write(dir.path().join("anchor"), anchors).unwrap();
        std::fs::write(dir.path().join("hints"), ". 3600 NS nowhere.\nnowhere. 3600 A 127.255.255.254\n")
            .unwrap();
        let config = format!(
            "server:\n interface: 127.0.0.1\n port: {port}\n do-ip6: no\n do-daemonize: no\n username: \"\"\n \
             chroot: \"\"\n directory: \"{path}\"\n pidfile: \"\"\n use-syslog: no\n num-threads: 1\n \
             access-control: 127.0.0.0/8 allow\n do-not-query-localhost: no\n root-hints: \"{path}/hints\"\n \
             trust-anchor-file: \"{path}/anchor\"\n module-config: \"validator iterator\"\n ede: yes\n\
             stub-zone:\n name: \"{PARENT}\"\n stub-addr: 127.0.0.1@{}\n",
            pdns.dns
        );
        std::fs::write(dir.path().join("unbound.conf"), config).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "/usr/sbin/unbound", "-d", "-c"]);
        let quiet = command.arg(dir.path().join("unbound.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        let unbound = Self { child: quiet.spawn().unwrap(), _dir: dir, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !unbound.ask("localhost.", "A").contains("status: ") {
            assert!(Instant::now() < deadline, "unbound does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        unbound
    }

    fn ask(&self, name: &str, rtype: &str) -> String {
        let mut dig = Command::new("dig");
        dig.args([
            "@127.0.0.1",
            "-p",
            &self.port.to_string(),
            "+adflag",
            "+time=10",
            "+tries=2",
            name,
            rtype,
        ]);
        text(&dig.output().unwrap())
    }

    pub fn says(&self, name: &str, rtype: &str) -> (Verdict, String) {
        let said = self.ask(name, rtype);
        let flags = said.split("flags:").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or("");
        let verdict = if said.contains("status: SERVFAIL") {
            Verdict::Bogus
        } else if flags.split(' ').any(|flag| flag == "ad") {
            Verdict::Secure
        } else {
            Verdict::Insecure
        };
        (verdict, said)
    }
}
