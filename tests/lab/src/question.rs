//! One question to one server, and what came of it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{timeout, timeout_at};

/// After so long a question is sent again, as every stub does.
const AGAIN: Duration = Duration::from_secs(2);

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Records of the type that was asked for, behind aliases too.
    Answer {
        /// Contents.
        records: BTreeSet<String>,
        /// The resolver says that they are authentic.
        authentic: bool,
    },
    /// The name exists, and has nothing of this type.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// The resolver could not, or found the answer bogus; with its reason (RFC 8914) when it gave one.
    ServFail(String),
    /// Any other response code.
    Other(String),
    /// Nothing came back in time, or not a DNS message.
    Silence(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { records, authentic } => {
                let all: Vec<_> = records.iter().map(String::as_str).collect();
                write!(f, "{}{}", all.join(" | "), if *authentic { " (authentic)" } else { "" })
            }
            Self::NoData => f.write_str("no data"),
            Self::NxDomain => f.write_str("NXDOMAIN"),
            Self::ServFail(why) if why.is_empty() => f.write_str("SERVFAIL"),
            Self::ServFail(why) => write!(f, "SERVFAIL: {why}"),
            Self::Other(code) => f.write_str(code),
            Self::Silence(why) => write!(f, "silence: {why}"),
        }
    }
}

impl Outcome {
    /// Contents of an answer; none for any other outcome.
    #[must_use]
    pub fn records(&self) -> Vec<&str> {
        match self {
            Self::Answer { records, .. } => records.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// True when the resolver validated the answer.
    #[must_use]
    pub fn authentic(&self) -> bool {
        matches!(self, Self::Answer { authentic: true, .. })
    }
}

/// Ask `at` for `name` and `rtype` with RD and AD set; by TCP when the answer does not fit.
pub async fn ask(at: SocketAddr, name: &str, rtype: &str, patience: Duration) -> Outcome {
    put(at, question(name, rtype), patience).await
}

/// The same, on behalf of a client at another address (RFC 7871).
pub async fn ask_for(at: SocketAddr, client: IpAddr, name: &str, rtype: &str, patience: Duration) -> Outcome {
    let mut question = question(name, rtype);
    let subnet = ClientSubnet::new(client, if client.is_ipv4() { 32 } else { 128 }, 0);
    let edns = question.edns.as_mut().expect("every question has it");
    edns.options_mut().insert(EdnsOption::Subnet(subnet));
    put(at, question, patience).await
}

async fn put(at: SocketAddr, question: Message, patience: Duration) -> Outcome {
    let kind = question.queries[0].query_type();
    let query = question.to_vec().expect("a query has a wire form");
    match timeout(patience, exchange(at, &query)).await {
        Err(_) => Outcome::Silence(format!("no reply in {patience:?}")),
        Ok(Err(e)) => Outcome::Silence(e.to_string()),
        Ok(Ok(reply)) => judge(&reply, kind),
    }
}

fn question(name: &str, rtype: &str) -> Message {
    let kind: RecordType = rtype.parse().unwrap_or_else(|_| panic!("{rtype} is no record type"));
    let name = Name::from_ascii(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.metadata.authentic_data = true;
    message.add_query(Query::query(name, kind));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
    message
}

async fn exchange(at: SocketAddr, query: &[u8]) -> std::io::Result<Message> {
    let reply = by_udp(at, query).await?;
    if reply.metadata.truncation { by_tcp(at, query).await } else { Ok(reply) }
}

async fn by_udp(at: SocketAddr, query: &[u8]) -> std::io::Result<Message> {
    let socket = UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(at).await?;
    let mut buffer = vec![0; 4096];
    // A resolver that took long throws its answer away (unbound: after 1.9 s) and has it ready for who asks again.
    loop {
        socket.send(query).await?;
        let patience = tokio::time::Instant::now() + AGAIN;
        while let Ok(length) = timeout_at(patience, socket.recv(&mut buffer)).await {
            let length = length?;
            if length > 2 && buffer[..2] == query[..2] {
                return parse(&buffer[..length]);
            }
        }
    }
}

async fn by_tcp(at: SocketAddr, query: &[u8]) -> std::io::Result<Message> {
    let mut stream = TcpStream::connect(at).await?;
    let length = u16::try_from(query.len()).expect("a query is short");
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(query).await?;
    let length = stream.read_u16().await?;
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await?;
    parse(&reply)
}

fn parse(octets: &[u8]) -> std::io::Result<Message> {
    let message = Message::from_vec(octets).map_err(std::io::Error::other)?;
    let response =
        message.metadata.message_type == MessageType::Response && message.metadata.op_code == OpCode::Query;
    if response { Ok(message) } else { Err(std::io::Error::other("not a response")) }
}

fn judge(reply: &Message, kind: RecordType) -> Outcome {
    let records: BTreeSet<String> =
        reply.answers.iter().filter(|r| r.record_type() == kind).map(|r| r.data.to_string()).collect();
    match reply.metadata.response_code {
        ResponseCode::NoError if records.is_empty() => Outcome::NoData,
        ResponseCode::NoError => Outcome::Answer { records, authentic: reply.metadata.authentic_data },
        ResponseCode::NXDomain => Outcome::NxDomain,
        ResponseCode::ServFail => Outcome::ServFail(extended_error(reply)),
        other => Outcome::Other(other.to_string()),
    }
}

/// The text of an extended DNS error (RFC 8914): its number and what stands behind it.
fn extended_error(reply: &Message) -> String {
    let option = reply.edns.as_ref().and_then(|edns| edns.option(EdnsCode::Unknown(15)));
    let Some(EdnsOption::Unknown(_, octets)) = option else { return String::new() };
    let Some((code, text)) = octets.split_first_chunk::<2>() else { return String::new() };
    format!("error {} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(text))
}
