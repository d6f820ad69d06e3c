//! Servers that lie, babble, stall and flood. The prober ends in time, says what it saw, and still hears the truth when
//! it comes among lies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pdm_ports::probe::Server;
use pdm_ports::{DnsProbe, ProofRequest};
use support::{PATIENCE, Pdns, patient, prober, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// What a liar sends for a query and the true reply: any number of datagrams.
type Lie = fn(query: &[u8], truth: &[u8]) -> Vec<Vec<u8>>;

/// Sockets for UDP and TCP with the same port: somebody else may have the one that UDP was given.
async fn both() -> (UdpSocket, TcpListener) {
    for _ in 0..50 {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()).await {
            return (socket, listener);
        }
    }
    panic!("no port is free for both");
}

/// A UDP and TCP server in front of a true one.
async fn liar(truth: SocketAddr, udp: Lie, tcp: Lie) -> Server {
    let (socket, listener) = both().await;
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0u8; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            for datagram in udp(&query[..length], &ask(truth, &query[..length]).await) {
                let _ = socket.send_to(&datagram, from).await;
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut query = vec![0u8; usize::from(length)];
                    if stream.read_exact(&mut query).await.is_err() {
                        return;
                    }
                    for octets in tcp(&query, &ask(truth, &query).await) {
                        if octets.is_empty() || stream.write_all(&octets).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    server(1, &address.ip().to_string(), address.port())
}

/// The true reply. A server that has too many connections closes one more, and is asked again.
async fn ask(truth: SocketAddr, query: &[u8]) -> Vec<u8> {
    let mut last = None;
    for _ in 0..20 {
        match try_ask(truth, query).await {
            Ok(reply) => return reply,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the true server does not answer: {last:?}");
}

async fn try_ask(truth: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(truth).await?;
    stream.write_all(&framed(query)).await?;
    let length = stream.read_u16().await?;
    let mut reply = vec![0u8; usize::from(length)];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

fn framed(octets: &[u8]) -> Vec<u8> {
    [&u16::try_from(octets.len()).unwrap().to_be_bytes(), octets].concat()
}

fn honest_udp(_: &[u8], truth: &[u8]) -> Vec<Vec<u8>> {
    vec![truth.to_vec()]
}

fn honest_tcp(_: &[u8], truth: &[u8]) -> Vec<Vec<u8>> {
    vec![framed(truth)]
}

fn wrong_id(truth: &[u8]) -> Vec<u8> {
    let mut reply = truth.to_vec();
    reply[0] ^= 0x55;
    reply
}

fn wrong_question(truth: &[u8]) -> Vec<u8> {
    let mut reply = truth.to_vec();
    reply[13] ^= 0x01;
    reply
}

async fn set_up(udp: Lie, tcp: Lie) -> (Pdns, ProofRequest) {
    let pdns = Pdns::start();
    let mut request = pdns.ready(true);
    request.servers = vec![liar(request.servers[0].address, udp, tcp).await];
    (pdns, request)
}

/// The reason and detail of a server that does answer, if not always the truth.
async fn refused(udp: Lie, tcp: Lie) -> (String, String) {
    refused_within(PATIENCE, udp, tcp).await
}

/// The reason and detail, which must come within the patience of two attempts by UDP and two by TCP; the rest is what a
/// machine may need that has other things to do.
async fn refused_within(patience: Duration, udp: Lie, tcp: Lie) -> (String, String) {
    let (_pdns, request) = set_up(udp, tcp).await;
    let begun = Instant::now();
    let refusal = patient(patience).prove(&request).await.unwrap().unwrap_err();
    assert!(begun.elapsed() < 4 * patience + Duration::from_secs(5), "{:?}", begun.elapsed());
    (refusal.reason, refusal.detail)
}

/// For those that never answer: what is waited for does not come, however long it takes.
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn the_truth_is_heard_among_lies() {
    let lies: Lie = |query, truth| {
        vec![
            wrong_id(truth),
            wrong_question(truth),
            b"garbage".to_vec(),
            Vec::new(),
            query.to_vec(),
            truth.to_vec(),
        ]
    };
    let stream: Lie = |_, truth| {
        vec![
            framed(&wrong_id(truth)),
            framed(b"garbage"),
            framed(&[]),
            framed(&wrong_question(truth)),
            framed(truth),
        ]
    };
    let (_pdns, request) = set_up(lies, stream).await;
    prober().prove(&request).await.unwrap().unwrap();
}

#[tokio::test]
async fn lies_alone_are_no_answer() {
    let lies: [Lie; 5] = [
        |_, truth| vec![wrong_id(truth)],
        |_, truth| vec![wrong_question(truth)],
        |_, _| vec![b"garbage".to_vec()],
        |query, _| vec![query.to_vec()],
        |_, _| Vec::new(),
    ];
    for lie in lies {
        let refused = refused_within(SHORT, lie, honest_tcp).await;
        assert_eq!(refused, ("no-answer".to_owned(), "no reply in time".to_owned()));
    }
}

#[tokio::test]
async fn a_flood_is_left() {
    let flood: Lie = |_, truth| vec![wrong_id(truth); 400];
    let (reason, detail) = refused_within(SHORT, flood, honest_tcp).await;
    assert_eq!(reason, "no-answer");
    assert!(detail.contains("too many") || detail.contains("no reply"), "{detail}");
    let stream: Lie = |_, truth| vec![framed(&wrong_id(truth)); 400];
    let (reason, detail) = refused(honest_udp, stream).await;
    assert_eq!((reason.as_str(), detail.as_str()), ("no-answer", "too many datagrams that answer nothing"));
}

#[tokio::test]
async fn a_true_header_before_garbage_is_a_wrong_answer() {
    let cut: Lie = |_, truth| vec![truth[..truth.len() / 2].to_vec()];
    let (reason, detail) = refused(cut, honest_tcp).await;
    assert_eq!(reason, "wrong-answer");
    assert!(detail.contains("not a DNS message"), "{detail}");
    let noise: Lie = |_, truth| {
        let mut reply = truth.to_vec();
        let length = reply.len();
        reply[length / 2..].fill(0xff);
        vec![reply]
    };
    assert!(matches!(refused(noise, honest_tcp).await.0.as_str(), "wrong-answer" | "bogus" | "not-signed"));
}

#[tokio::test]
async fn a_truncated_answer_is_asked_again_by_tcp() {
    let truncated: Lie = |_, truth| {
        let mut reply = truth.to_vec();
        reply[2] |= 0x02;
        vec![reply]
    };
    let (_pdns, request) = set_up(truncated, honest_tcp).await;
    let proof = prober().prove(&request).await.unwrap().unwrap();
    // The parent's keys and eleven questions by UDP, all again by TCP; then the round by TCP.
    assert_eq!(proof.queries, 12 + 12 + 11);
    // A server that truncates by TCP too has nothing to say.
    let both: Lie = |_, truth| {
        let mut reply = truth.to_vec();
        reply[2] |= 0x02;
        reply.truncate(12 + truth[12..].iter().position(|b| *b == 0).unwrap() + 5);
        reply[6..12].fill(0);
        vec![framed(&reply)]
    };
    assert_ne!(refused(truncated, both).await.0, "");
}

#[tokio::test]
async fn a_changed_octet_never_passes() {
    for at in [1usize, 2, 5, 11, 20] {
        // The last octets of an answer with a signature are the OPT record's, so count from there.
        let tampered: Lie = match at {
            1 => |_, truth| vec![flip(truth, 12)],
            2 => |_, truth| vec![flip(truth, 20)],
            5 => |_, truth| vec![flip(truth, 40)],
            11 => |_, truth| vec![flip(truth, 60)],
            _ => |_, truth| vec![flip(truth, 80)],
        };
        assert!(matches!(
            refused(tampered, honest_tcp).await.0.as_str(),
            "bogus" | "wrong-answer" | "not-signed"
        ));
    }
}

/// Flip a bit this far from the end.
fn flip(truth: &[u8], from_end: usize) -> Vec<u8> {
    let mut reply = truth.to_vec();
    let at = reply.len() - from_end;
    reply[at] ^= 1;
    reply
}

#[tokio::test]
async fn tcp_that_closes_stalls_or_announces_too_much_is_no_answer() {
    let closes: Lie = |_, _| vec![Vec::new()];
    let (reason, detail) = refused(honest_udp, closes).await;
    assert_eq!(reason, "no-answer");
    assert!(detail.contains("closed") || detail.contains("reset"), "{detail}");
    let stalls: Lie = |_, truth| vec![framed(truth)[..10].to_vec()];
    let (reason, _) = refused(honest_udp, stalls).await;
    assert!(matches!(reason.as_str(), "no-answer" | "wrong-answer"), "{reason}");
    let huge: Lie = |_, _| vec![vec![0xff; 100]];
    assert_eq!(refused(honest_udp, huge).await.0, "no-answer");
}
