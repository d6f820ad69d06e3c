//! One exchange with one server: all questions at once over one socket, replies in any order.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

use crate::wire::{Question, frame, is_truncated};

/// Larger datagrams than we asked for are cut, and then do not parse.
const DATAGRAM: usize = 4096;
/// Datagrams or messages that belong to no question; past it the other side is only making noise.
const MAX_STRAYS: u32 = 256;
/// Octets of all replies of one exchange. A full message for every question would be megabytes.
const MAX_OCTETS: usize = 1 << 20;
/// Every question is sent this often at most.
const ATTEMPTS: u32 = 2;

/// What came of an exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The reply to each question, or why there is none.
    pub(crate) replies: Vec<Result<Vec<u8>, String>>,
    /// Queries sent by UDP, repetitions included.
    pub(crate) sent_udp: u32,
    /// The same by TCP.
    pub(crate) sent_tcp: u32,
    /// Until the last reply.
    pub(crate) elapsed: Duration,
}

/// Questions on their way.
struct Pending<'a> {
    questions: &'a [Question],
    ids: Vec<u16>,
    replies: Vec<Option<Vec<u8>>>,
    open: usize,
    octets: usize,
    strays: u32,
    sent: u32,
}

impl<'a> Pending<'a> {
    /// Ids are the only secret of a query besides its port, so they come from the system's generator (RFC 5452 9.2).
    fn new(questions: &'a [Question], random: &SystemRandom) -> io::Result<Self> {
        let mut octets = vec![0u8; 2 * questions.len()];
        random.fill(&mut octets).map_err(|_| io::Error::other("the system gives no random numbers"))?;
        let ids = octets.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
        let replies = questions.iter().map(|_| None).collect();
        Ok(Self { questions, ids, replies, open: questions.len(), octets: 0, strays: 0, sent: 0 })
    }

    /// Queries that have no reply yet, each through `write`.
    fn queries(&self) -> impl Iterator<Item = (&Question, u16)> {
        let open = self.replies.iter().map(Option::is_none);
        self.questions.iter().zip(&self.ids).zip(open).filter(|(_, open)| *open).map(|((q, id), _)| (q, *id))
    }

    /// Give `octets` to the question they answer.
    fn take(&mut self, octets: &[u8]) -> io::Result<()> {
        let mine = (0..self.questions.len())
            .find(|&i| self.replies[i].is_none() && self.questions[i].is_answered_by(self.ids[i], octets));
        if let Some(index) = mine {
            self.octets += octets.len();
            if self.octets > MAX_OCTETS {
                return Err(io::Error::other("the replies are too large"));
            }
            self.replies[index] = Some(octets.to_vec());
            self.open -= 1;
            return Ok(());
        }
        self.strays += 1;
        if self.strays > MAX_STRAYS {
            return Err(io::Error::other("too many datagrams that answer nothing"));
        }
        Ok(())
    }

    fn finish(self, why: &str) -> Vec<Result<Vec<u8>, String>> {
        self.replies.into_iter().map(|reply| reply.ok_or_else(|| why.to_owned())).collect()
    }
}

/// Ask by UDP only: what comes back truncated is given back as it is.
pub(crate) async fn by_datagram(
    address: SocketAddr,
    questions: &[Question],
    patience: Duration,
    random: &SystemRandom,
) -> Exchange {
    let begun = Instant::now();
    let (replies, sent_udp) =
        run(questions, random, async |pending| udp(address, pending, patience).await).await;
    Exchange { replies, sent_udp, sent_tcp: 0, elapsed: begun.elapsed() }
}

/// Ask by UDP, and by TCP what comes back truncated.
pub(crate) async fn by_udp(
    address: SocketAddr,
    questions: &[Question],
    patience: Duration,
    random: &SystemRandom,
) -> Exchange {
    let begun = Instant::now();
    let Exchange { mut replies, sent_udp, .. } = by_datagram(address, questions, patience, random).await;
    let truncated: Vec<usize> =
        (0..questions.len()).filter(|&i| matches!(&replies[i], Ok(octets) if is_truncated(octets))).collect();
    let mut sent_tcp = 0;
    if !truncated.is_empty() {
        let again: Vec<Question> = truncated.iter().map(|&i| questions[i].clone()).collect();
        let whole = by_tcp(address, &again, patience, random).await;
        sent_tcp = whole.sent_tcp;
        for (index, reply) in truncated.into_iter().zip(whole.replies) {
            replies[index] = reply;
        }
    }
    Exchange { replies, sent_udp, sent_tcp, elapsed: begun.elapsed() }
}

/// Ask by TCP.
pub(crate) async fn by_tcp(
    address: SocketAddr,
    questions: &[Question],
    patience: Duration,
    random: &SystemRandom,
) -> Exchange {
    let begun = Instant::now();
    let (replies, sent_tcp) =
        run(questions, random, async |pending| tcp(address, pending, patience).await).await;
    Exchange { replies, sent_udp: 0, sent_tcp, elapsed: begun.elapsed() }
}

/// How the reason begins when somebody else answered.
const ELSEWHERE: &str = "the reply came from ";

/// Who answered in place of the one that was asked, if that is the reason.
pub(crate) fn came_from(why: &str) -> Option<&str> {
    why.strip_prefix(ELSEWHERE)
}

/// Ask by UDP once, and hear a reply from any address. One that comes from elsewhere is no reply, but the reason names who
/// sent it.
pub(crate) async fn for_anyone(
    address: SocketAddr,
    question: &Question,
    patience: Duration,
    random: &SystemRandom,
) -> Exchange {
    let begun = Instant::now();
    let (replies, sent_udp) = run(std::slice::from_ref(question), random, async |pending| {
        let socket = UdpSocket::bind(any(address)).await?;
        let mut buffer = vec![0u8; DATAGRAM];
        let mut query = Vec::with_capacity(64);
        for (question, id) in pending.queries() {
            question.write(id, &mut query);
        }
        socket.send_to(&query, address).await?;
        pending.sent += 1;
        let reply = async {
            while pending.open > 0 {
                let (length, from) = socket.recv_from(&mut buffer).await?;
                pending.take(buffer.get(..length).unwrap_or_default())?;
                if pending.open == 0 && from != address {
                    pending.replies.fill(None);
                    return Err(io::Error::other(format!("{ELSEWHERE}{from}")));
                }
            }
            Ok(())
        };
        timeout(patience, reply).await.unwrap_or(Ok(()))
    })
    .await;
    Exchange { replies, sent_udp, sent_tcp: 0, elapsed: begun.elapsed() }
}

/// Carry questions through `exchange` and say of the unanswered why.
async fn run(
    questions: &[Question],
    random: &SystemRandom,
    exchange: impl AsyncFnOnce(&mut Pending<'_>) -> io::Result<()>,
) -> (Vec<Result<Vec<u8>, String>>, u32) {
    let mut pending = match Pending::new(questions, random) {
        Ok(pending) => pending,
        Err(error) => return (questions.iter().map(|_| Err(error.to_string())).collect(), 0),
    };
    let outcome = exchange(&mut pending).await;
    let sent = pending.sent;
    let why = match outcome {
        Ok(()) => "no reply in time".to_owned(),
        Err(error) => error.to_string(),
    };
    (pending.finish(&why), sent)
}

/// Any local address of the same family.
fn any(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

async fn udp(address: SocketAddr, pending: &mut Pending<'_>, patience: Duration) -> io::Result<()> {
    let socket = UdpSocket::bind(any(address)).await?;
    // A connected socket hears only this address, and hears at once when nobody listens there.
    socket.connect(address).await?;
    let mut buffer = vec![0u8; DATAGRAM];
    let mut query = Vec::with_capacity(512);
    for _ in 0..ATTEMPTS {
        let mut sent = 0;
        for (question, id) in pending.queries() {
            query.clear();
            question.write(id, &mut query);
            socket.send(&query).await?;
            sent += 1;
        }
        pending.sent += sent;
        let replies = async {
            while pending.open > 0 {
                let length = socket.recv(&mut buffer).await?;
                pending.take(buffer.get(..length).unwrap_or_default())?;
            }
            Ok(())
        };
        if let Ok(outcome) = timeout(patience, replies).await {
            return outcome;
        }
    }
    Ok(())
}

async fn tcp(address: SocketAddr, pending: &mut Pending<'_>, patience: Duration) -> io::Result<()> {
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        outcome = match timeout(patience, tcp_once(address, pending)).await {
            Ok(outcome) => outcome,
            Err(_) => Ok(()),
        };
        if pending.open == 0 || matches!(&outcome, Err(e) if e.kind() == ErrorKind::ConnectionRefused) {
            break;
        }
    }
    outcome
}

async fn tcp_once(address: SocketAddr, pending: &mut Pending<'_>) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut out, mut sent) = (Vec::with_capacity(1024), 0);
    for (question, id) in pending.queries() {
        let start = out.len();
        out.extend([0, 0]);
        question.write(id, &mut out);
        let length = u16::try_from(out.len() - start - 2).unwrap_or_default();
        out[start..start + 2].copy_from_slice(&length.to_be_bytes());
        sent += 1;
    }
    stream.write_all(&out).await?;
    pending.sent += sent;
    let mut stream_octets = Vec::with_capacity(8192);
    while pending.open > 0 {
        if stream.read_buf(&mut stream_octets).await? == 0 {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the connection was closed before all replies came",
            ));
        }
        let mut done = 0;
        while let Some((message, length)) = frame(&stream_octets[done..]) {
            pending.take(message)?;
            done += length;
        }
        // What is left is less than one message, so the buffer stays below 64 KiB and a read.
        stream_octets.drain(..done);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_dnssec::{Name, rtype};

    #[tokio::test]
    async fn a_reply_from_elsewhere_is_no_reply_and_names_its_sender() {
        let question = Question::new(Name::parse("a.example.").unwrap(), rtype::SOA);
        for stray in [false, true] {
            let asked = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let (address, sender) = (asked.local_addr().unwrap(), other.local_addr().unwrap());
            tokio::spawn(async move {
                let mut octets = [0u8; 512];
                let (length, from) = asked.recv_from(&mut octets).await.unwrap();
                octets[2] |= 0x84;
                let socket = if stray { &other } else { &asked };
                // Noise first.
                socket.send_to(b"noise", from).await.unwrap();
                socket.send_to(&octets[..length], from).await.unwrap();
            });
            let patience = Duration::from_secs(20);
            let exchange = for_anyone(address, &question, patience, &SystemRandom::new()).await;
            match &exchange.replies[0] {
                Ok(_) => assert!(!stray),
                Err(why) => assert_eq!((stray, came_from(why)), (true, Some(sender.to_string().as_str()))),
            }
        }
    }
}
