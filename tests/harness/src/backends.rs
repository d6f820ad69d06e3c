//! HTTP servers that behave well or badly on demand: what a failover policy checks.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::net;

/// The text of a page that is well.
pub const WELL: &str = "status: ok";

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// 200 with the text.
    Well,
    /// Nobody listens: the port refuses.
    Refuses,
    /// No connection opens and none is refused, as behind a wall that drops what comes.
    Silent,
    /// The connection opens, and nothing comes.
    Hangs,
    /// Every connection is cut as soon as something was asked.
    Dies,
    /// 500.
    Fails,
    /// 200 with another text.
    WrongText,
    /// 204 without a text, which some checks want and others do not take.
    NoContent,
}

impl Manner {
    /// Every way of not being well.
    pub const BAD: [Self; 6] =
        [Self::Refuses, Self::Silent, Self::Hangs, Self::Dies, Self::Fails, Self::WrongText];

    /// Whether failing takes a check its whole timeout.
    #[must_use]
    pub fn takes_its_time(self) -> bool {
        matches!(self, Self::Silent | Self::Hangs)
    }
}

/// One server.
pub struct Backend {
    at: SocketAddr,
    manner: watch::Sender<Manner>,
    asked: Arc<AtomicU64>,
    task: Option<JoinHandle<()>>,
}

impl Backend {
    async fn start(at: SocketAddr) -> Self {
        let mut this = Self { at, manner: watch::channel(Manner::Well).0, asked: Arc::default(), task: None };
        this.listen().await;
        this
    }

    async fn listen(&mut self) {
        let listener = TcpListener::bind(self.at).await.expect("listen");
        let (manner, asked) = (self.manner.subscribe(), self.asked.clone());
        self.task = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, manner.clone()));
            }
        }));
    }

    /// Behave so from now on.
    pub async fn set(&mut self, manner: Manner) {
        let before = self.manner.send_replace(manner);
        let accepts = |manner| !matches!(manner, Manner::Refuses | Manner::Silent);
        if before == manner || (accepts(before) && accepts(manner)) {
            return;
        }
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
        match manner {
            Manner::Refuses => {}
            Manner::Silent => self.fall_silent().await,
            _ => self.listen().await,
        }
    }

    /// Listen, accept nobody, and let others wait until the kernel takes nobody more.
    async fn fall_silent(&mut self) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("a socket option");
        socket.bind(self.at).expect("bind");
        let mut kept = vec![];
        let listener = socket.listen(0).expect("listen");
        while let Ok(waiting) = timeout(Duration::from_millis(100), TcpStream::connect(self.at)).await {
            kept.push(waiting.expect("a connection"));
        }
        self.task = Some(tokio::spawn(async move {
            let _kept = (listener, kept);
            std::future::pending::<()>().await;
        }));
    }

    /// Its address.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.at.ip()
    }

    /// Connections so far.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

async fn serve(mut stream: TcpStream, manner: watch::Receiver<Manner>) {
    let mut head = [0_u8; 2048];
    // A TCP check asks nothing and closes.
    if !matches!(stream.read(&mut head).await, Ok(1..)) {
        return;
    }
    let manner = *manner.borrow();
    let (status, text) = match manner {
        Manner::Well => ("200 OK", WELL),
        Manner::Fails => ("500 Internal Server Error", WELL),
        Manner::WrongText => ("200 OK", "under maintenance"),
        Manner::NoContent => ("204 No Content", ""),
        Manner::Dies | Manner::Refuses | Manner::Silent => return,
        Manner::Hangs => return tokio::time::sleep(Duration::from_secs(60)).await,
    };
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len());
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// So many servers on one port, each on an address of its own.
///
/// # Panics
/// When no such port is found.
pub async fn start(count: usize) -> (Vec<Backend>, u16) {
    let addresses: Vec<IpAddr> = (0..count).map(|_| net::address()).collect();
    let port = (0..100)
        .map(|_| net::port(addresses[0]).port())
        .find(|port| addresses.iter().all(|ip| std::net::TcpListener::bind((*ip, *port)).is_ok()))
        .expect("a port that is free on all of them");
    let mut all = Vec::new();
    for ip in addresses {
        all.push(Backend::start(SocketAddr::new(ip, port)).await);
    }
    (all, port)
}
