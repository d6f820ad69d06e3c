//! A proxy in front of the PowerDNS API that breaks things: down, slow, 500, replies lost after the work was done.
//!
//! PowerDNS closes every connection after one answer, so one connection is one request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It goes through.
    None,
    /// The connection is closed without a word.
    Down,
    /// It is passed on after this time.
    Slow(Duration),
    /// It is answered with 500 and not passed on.
    Error500,
    /// It is passed on and carried out, and the answer is thrown away.
    LoseReply,
}

/// A rule: which requests, how many of them, and what happens to them.
#[derive(Debug, Clone)]
struct Rule {
    method: Option<String>,
    path: String,
    left: usize,
    fault: Fault,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    seen: Vec<String>,
    hit: usize,
}

/// A proxy.
pub struct Chaos {
    at: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Chaos {
    /// Start a proxy to `upstream` on the same address, another port. It runs in a thread of its own, so that a test
    /// that waits for a process does not stop it.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(upstream: SocketAddr) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let (tell, told) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind((upstream.ip(), 0)).await.expect("bind the proxy");
                let _ = tell.send(listener.local_addr().expect("local address"));
                tokio::select! {
                    () = serve(listener, upstream, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { at: told.await.expect("the proxy started"), state, stop: Some(stop) }
    }

    /// Where it listens.
    #[must_use]
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// From now on this happens to every request.
    pub fn set(&self, fault: Fault) {
        self.only(None, "", usize::MAX, fault);
    }

    /// From now on this happens to the next `count` requests with this method whose path holds this text; the others
    /// go through.
    pub fn only(&self, method: Option<&str>, path: &str, count: usize, fault: Fault) {
        let rule = Rule { method: method.map(str::to_owned), path: path.to_owned(), left: count, fault };
        let mut state = self.state.lock().unwrap();
        state.rules = vec![rule];
        state.hit = 0;
    }

    /// Everything goes through again.
    pub fn heal(&self) {
        self.state.lock().unwrap().rules.clear();
    }

    /// How many requests the present rule has hit, or had when it was healed.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.state.lock().unwrap().hit
    }

    /// `METHOD path` of every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        self.state.lock().unwrap().seen.clone()
    }

    /// How many requests changed something, so far.
    #[must_use]
    pub fn writes(&self) -> usize {
        let state = self.state.lock().unwrap();
        state.seen.iter().filter(|r| !r.starts_with("GET ") && !r.contains("/cache/flush")).count()
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

async fn serve(listener: TcpListener, upstream: SocketAddr, state: Arc<Mutex<State>>) {
    while let Ok((client, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let _ = carry(client, upstream, &state).await;
        });
    }
}

fn choose(state: &Mutex<State>, request: &str) -> Fault {
    let mut state = state.lock().unwrap();
    state.seen.push(request.to_owned());
    let (method, path) = request.split_once(' ').unwrap_or((request, ""));
    let fits = |r: &&mut Rule| {
        r.left > 0 && r.method.as_deref().is_none_or(|m| m == method) && path.contains(&r.path)
    };
    let Some(rule) = state.rules.iter_mut().find(fits) else { return Fault::None };
    rule.left -= 1;
    let fault = rule.fault;
    state.hit += 1;
    fault
}

async fn carry(mut client: TcpStream, upstream: SocketAddr, state: &Mutex<State>) -> std::io::Result<()> {
    let Some((request, line)) = read_request(&mut client).await? else { return Ok(()) };
    let fault = choose(state, &line);
    match fault {
        Fault::Down => return Ok(()),
        Fault::Error500 => {
            let body = r#"{"error":"Internal Server Error"}"#;
            let head = format!(
                "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            client.write_all(head.as_bytes()).await?;
            return client.write_all(body.as_bytes()).await;
        }
        Fault::Slow(time) => tokio::time::sleep(time).await,
        Fault::None | Fault::LoseReply => {}
    }
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(&request).await?;
    let mut reply = Vec::new();
    server.read_to_end(&mut reply).await?;
    if fault == Fault::LoseReply {
        return Ok(());
    }
    client.write_all(&reply).await?;
    client.shutdown().await
}

/// One whole request, made `Connection: close`, and its `METHOD path`.
async fn read_request(client: &mut TcpStream) -> std::io::Result<Option<(Vec<u8>, String)>> {
    let mut data = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    let head_end = loop {
        let n = client.read(&mut piece).await?;
        if n == 0 {
            return Ok(None);
        }
        data.extend_from_slice(&piece[..n]);
        if let Some(at) = data.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
    };
    let head = String::from_utf8_lossy(&data[..head_end]).into_owned();
    let length = head
        .lines()
        .filter_map(|l| l.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, n)| n.trim().parse::<usize>().ok())
        .unwrap_or(0);
    while data.len() < head_end + 4 + length {
        let n = client.read(&mut piece).await?;
        if n == 0 {
            return Ok(None);
        }
        data.extend_from_slice(&piece[..n]);
    }
    let mut words = head.split(' ');
    let line = format!("{} {}", words.next().unwrap_or(""), words.next().unwrap_or(""));
    let kept: Vec<&str> =
        head.lines().filter(|l| !l.to_ascii_lowercase().starts_with("connection:")).collect();
    let mut request = format!("{}\r\nConnection: close\r\n\r\n", kept.join("\r\n")).into_bytes();
    request.extend_from_slice(&data[head_end + 4..]);
    Ok(Some((request, line)))
}
