//! The listener over real sockets.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test")]

mod fake;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fake::{MemoryStore, app};
use pdm_server::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

async fn start(limits: Limits) -> (std::net::SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let store = Arc::new(MemoryStore::default());
    let server = tokio::spawn(pdm_server::serve(listener, app(store, limits), stopped));
    (address, stop, server)
}

async fn talk(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 4096];
    let n = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..n]).into_owned()
}

#[tokio::test]
async fn it_answers_keeps_the_connection_and_stops() {
    let (address, stop, server) = start(Limits::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        let answer = talk(&mut stream, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_head_that_does_not_end_ends_the_connection() {
    let (address, _stop, _server) =
        start(Limits { head_time: Duration::from_millis(100), ..Limits::default() }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost:").await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "still open");
}

/// Prints requests a second of `check`; run with `--release -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn speed_of_check() {
    const CONNECTIONS: u32 = 32;
    const EACH: u32 = 5000;
    let (address, _stop, _server) =
        start(Limits { per_second: 1_000_000, burst: 1_000_000, ..Limits::default() }).await;
    let begun = Instant::now();
    let clients = (0..CONNECTIONS).map(|client| {
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            for n in 0..EACH {
                let request = format!(
                    "GET /v1/check?poolDomain=omani.works&subdomain=n{client}x{n} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wizard\r\n\r\n"
                );
                let answer = talk(&mut stream, &request).await;
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let rate = f64::from(CONNECTIONS * EACH) / begun.elapsed().as_secs_f64();
    println!("{rate:.0} checks a second");
}
