//! One signed message to the server and its signed answer, by TCP: the outcome is never in doubt for want of a retry.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::op::Message;
use hickory_proto::rr::Name;
use hickory_proto::rr::TSigner;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use pdm_model::Timestamp;
use pdm_ports::registrar::Credential;
use pdm_ports::{Class, Fault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gate::Gate;
use crate::kind::Kind;

/// How far the server's clock may be from ours (RFC 8945 10).
const FUDGE: u16 = 300;

/// Names and their algorithms. Shorter and older ones are refused.
const ALGORITHMS: &[(&str, TsigAlgorithm)] = &[
    ("hmac-sha256", TsigAlgorithm::HmacSha256),
    ("hmac-sha384", TsigAlgorithm::HmacSha384),
    ("hmac-sha512", TsigAlgorithm::HmacSha512),
];

/// A server and the key that it knows us by. It prints nothing and lives for one call.
pub(super) struct Session {
    servers: Vec<SocketAddr>,
    signer: TSigner,
    timeout: Duration,
    now: fn() -> Timestamp,
}

impl Session {
    /// Find the server; nothing is sent yet.
    pub(super) async fn open(
        credential: &Credential,
        gate: &Gate,
        patience: Duration,
        now: fn() -> Timestamp,
    ) -> Result<Self, Fault> {
        let signer = signer(credential)?;
        let (host, port) = server(credential.get("server").unwrap_or_default())?;
        let servers = timeout(patience, gate.resolve(host, port)).await.map_err(|_| {
            Fault::transient("registrar-unreachable", "the server's name is not resolved in time")
        })??;
        Ok(Self { servers, signer, timeout: patience, now })
    }

    /// Send a message and believe its answer only when it is signed.
    pub(super) async fn exchange(&self, mut message: Message) -> Result<Message, Fault> {
        let id = message.id;
        let now = u64::try_from((self.now)().0 / 1000).unwrap_or_default();
        let bug = |_| Fault::new(Class::Bug, "registrar-request", "the message could not be written");
        let mut verifier = message.finalize(&self.signer, now).map_err(bug)?;
        let octets = message.to_vec().map_err(bug)?;
        let mut stream = self.connect().await?;
        let received = timeout(self.timeout, converse(&mut stream, &octets)).await;
        let received = match received {
            Ok(Ok(received)) => received,
            Ok(Err(_)) => {
                return Err(Fault::transient("registrar-no-answer", "the server broke the connection"));
            }
            Err(_) => {
                return Err(Fault::transient("registrar-no-answer", "the server did not answer in time"));
            }
        };
        let answer = Message::from_vec(&received)
            .map_err(|_| Kind::Garbage.fault("the server's answer is no message"))?;
        if answer.id != id || answer.op_code != message.op_code {
            return Err(Kind::Garbage.fault("the server's answer is to another message"));
        }
        // A server that does not know the key cannot sign, and says so in an answer that it does not sign.
        let unsigned_error =
            answer.signature.as_ref().is_some_and(|signature| signature.data.error.is_some());
        if !unsigned_error {
            let verifier = verifier
                .as_mut()
                .ok_or_else(|| Fault::new(Class::Bug, "registrar-request", "the message was not signed"))?;
            if answer.signature.is_none() {
                return Err(unsigned(&answer));
            }
            verifier
                .verify(&received)
                .map_err(|_| Kind::Garbage.fault("the server's answer is not signed by the key"))?;
        }
        Ok(answer)
    }

    async fn connect(&self) -> Result<TcpStream, Fault> {
        for server in &self.servers {
            if let Ok(Ok(stream)) =
                timeout(self.timeout.min(Duration::from_secs(5)), TcpStream::connect(server)).await
            {
                return Ok(stream);
            }
        }
        Err(Fault::transient("registrar-unreachable", "the server cannot be reached by TCP"))
    }
}

/// An answer without a signature proves nothing, except that something answers: refusals are told as such.
fn unsigned(answer: &Message) -> Fault {
    use hickory_proto::op::ResponseCode;
    match answer.response_code {
        ResponseCode::NotAuth => Kind::InvalidCredentials.fault("the server does not accept the key"),
        ResponseCode::Refused => Kind::InsufficientScope.fault("the server refuses this key or this address"),
        ResponseCode::NotImp => Kind::Unsupported.fault("the server takes no dynamic updates"),
        ResponseCode::ServFail => Kind::Unavailable.fault("the server failed"),
        _ => Kind::Garbage.fault("the server's answer is not signed"),
    }
}

async fn converse(stream: &mut TcpStream, octets: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u16::try_from(octets.len()).map_err(std::io::Error::other)?;
    // In one segment: some servers read the length and the message as one.
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(octets);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut received = vec![0; usize::from(length)];
    stream.read_exact(&mut received).await?;
    Ok(received)
}

fn signer(credential: &Credential) -> Result<TSigner, Fault> {
    let malformed = |what: &str| Fault::new(Class::Credential, "credential-malformed", what.to_owned());
    let name = Name::from_ascii(credential.get("key_name").unwrap_or_default())
        .map_err(|_| malformed("the field \"key_name\" is no name"))?;
    let wanted =
        credential.get("algorithm").unwrap_or("hmac-sha256").trim_end_matches('.').to_ascii_lowercase();
    let algorithm =
        ALGORITHMS.iter().find(|(known, _)| *known == wanted).map(|(_, algorithm)| algorithm.clone());
    let algorithm = algorithm.ok_or_else(|| {
        malformed("the field \"algorithm\" is not one of hmac-sha256, hmac-sha384 and hmac-sha512")
    })?;
    let key = STANDARD
        .decode(credential.get("key").unwrap_or_default())
        .map_err(|_| malformed("the field \"key\" is no base64"))?;
    TSigner::new(key, algorithm, name, FUDGE).map_err(|_| malformed("the key cannot be used"))
}

/// `host`, `host:port`, `[v6]:port` or a bare IPv6 address.
fn server(text: &str) -> Result<(&str, u16), Fault> {
    let malformed = || {
        let detail = "the field \"server\" is not a host or an address, with or without a port";
        Fault::new(Class::Credential, "credential-malformed", detail)
    };
    if let Some((inside, behind)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        inside.parse::<std::net::Ipv6Addr>().map_err(|_| malformed())?;
        let port = match behind.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| malformed())?,
            None if behind.is_empty() => 53,
            None => return Err(malformed()),
        };
        return Ok((inside, port));
    }
    if text.parse::<IpAddr>().is_ok() {
        return Ok((text, 53));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| malformed())?),
        None => (text, 53),
    };
    let plain = host.parse::<IpAddr>().is_ok() || pdm_model::ZoneName::parse(host).is_ok();
    if plain { Ok((host, port)) } else { Err(malformed()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn a_server_is_written_in_many_ways() {
        for (text, want) in [
            ("ns.bank.example", Some(("ns.bank.example", 53))),
            ("ns.bank.example:5353", Some(("ns.bank.example", 5353))),
            ("192.0.2.1", Some(("192.0.2.1", 53))),
            ("192.0.2.1:54", Some(("192.0.2.1", 54))),
            ("2001:db8::1", Some(("2001:db8::1", 53))),
            ("[2001:db8::1]", Some(("2001:db8::1", 53))),
            ("[2001:db8::1]:54", Some(("2001:db8::1", 54))),
            ("[x]:54", None),
            ("[2001:db8::1]54", None),
            ("http://ns", None),
            ("ns:port", None),
            ("a/b", None),
            ("", None),
        ] {
            assert_eq!(server(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_is_refused_without_being_told() {
        let credential = |name: &str, algorithm: &str, key: &str| {
            let given = [("server", "192.0.2.1"), ("key_name", name), ("algorithm", algorithm), ("key", key)];
            let given = given.map(|(name, value)| (name.to_owned(), Zeroizing::new(value.to_owned()))).into();
            Credential::parse(super::super::ABOUT.fields, given).unwrap()
        };
        assert!(signer(&credential("k", "HMAC-SHA512.", "c2VjcmV0c2VjcmV0")).is_ok());
        for (name, algorithm, key) in [
            ("k", "hmac-md5", "c2VjcmV0c2VjcmV0"),
            ("k", "hmac-sha256", "not-base64!!!"),
            ("a..b", "hmac-sha256", "c2VjcmV0c2VjcmV0"),
        ] {
            let fault = signer(&credential(name, algorithm, key)).err().unwrap();
            assert_eq!((fault.class, fault.code), (Class::Credential, "credential-malformed"));
            assert!(!fault.detail.contains(key));
        }
    }
}
