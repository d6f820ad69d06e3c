//! The server around a vendor: one request at a time, a log of all, and trouble when it is asked for.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Vendor;
use crate::wire::{Reply, Request, decode, pairs};

/// More than anybody should read.
const HUGE: usize = 64 << 20;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The vendor's own way to say "too many requests". Nothing is done.
    Busy,
    /// HTTP 429 with `Retry-After` in seconds. Nothing is done.
    TooMany(u32),
    /// The vendor's error form with this status. Nothing is done.
    Error(u16),
    /// A page for people with this status: a proxy, a firewall, a landing page. Nothing is done.
    Page(u16),
    /// 200 with JSON that is none of the vendor's: the text. Nothing is done.
    Other(&'static str),
    /// The vendor's error form with this status and these words. Nothing is done.
    Says(u16, &'static str),
    /// The vendor's error form, repeating everything it was sent. Nothing is done.
    Echo(u16),
    /// It is done, but half of the reply is missing.
    Truncated,
    /// It is done, and the reply does not end.
    Huge,
    /// It is done, and the connection breaks before the reply.
    Lost,
    /// Nothing is done and nothing is answered.
    Silent,
}

/// Which request meets the trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The next one.
    Next,
    /// The next one that changes nothing.
    Read,
    /// The next one that changes something.
    Write,
    /// Every one from now on.
    Always,
}

/// One request that came in.
#[derive(Debug, Clone)]
pub struct Call {
    /// The request.
    pub request: Request,
    /// Whether it changes something.
    pub write: bool,
    /// The status of the answer; none when there was none.
    pub status: Option<u16>,
}

struct World<V> {
    vendor: V,
    calls: Vec<Call>,
    trouble: VecDeque<(When, Trouble)>,
    slow: Duration,
    at_once: usize,
    peak: usize,
}

/// A running simulator. It ends when it is dropped.
pub struct Simulator<V> {
    addr: SocketAddr,
    world: Arc<Mutex<World<V>>>,
    accepting: JoinHandle<()>,
}

impl<V: Vendor> Simulator<V> {
    /// Start on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(vendor: V) -> std::io::Result<Self> {
        Self::start_at(vendor, 0).await
    }

    /// Start on a port of 127.0.0.1.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start_at(vendor: V, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let addr = listener.local_addr()?;
        let world = Arc::new(Mutex::new(World {
            vendor,
            calls: Vec::new(),
            trouble: VecDeque::new(),
            slow: Duration::ZERO,
            at_once: 0,
            peak: 0,
        }));
        let shared = Arc::clone(&world);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let world = Arc::clone(&shared);
                let service = service_fn(move |request| serve(Arc::clone(&world), request));
                tokio::spawn(async move {
                    // A client that goes away is its own affair.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self { addr, world, accepting })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Look at the vendor, or change it by hand.
    pub fn with<T>(&self, look: impl FnOnce(&mut V) -> T) -> T {
        look(&mut open(&self.world).vendor)
    }

    /// Have trouble with a request that will come.
    pub fn trouble(&self, when: When, trouble: Trouble) {
        open(&self.world).trouble.push_back((when, trouble));
    }

    /// End all trouble.
    pub fn calm(&self) {
        open(&self.world).trouble.clear();
    }

    /// Take this long for every answer from now on.
    pub fn slow(&self, time: Duration) {
        open(&self.world).slow = time;
    }

    /// The most requests that were under way at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        open(&self.world).peak
    }

    /// What came in, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        open(&self.world).calls.clone()
    }
}

impl<V> Drop for Simulator<V> {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The world is never left half-written: every change is one call.
fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve<V: Vendor>(
    world: Arc<Mutex<World<V>>>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Piece>, std::io::Error> {
    let request = receive(request).await?;
    let slow = {
        let mut world = open(&world);
        world.at_once += 1;
        world.peak = world.peak.max(world.at_once);
        world.slow
    };
    tokio::time::sleep(slow).await;
    let (trouble, reply) = {
        let mut world = open(&world);
        world.at_once -= 1;
        answer(&mut world, &request)
    };
    match trouble {
        Some(Trouble::Silent) => pending().await,
        Some(Trouble::Lost) => Err(std::io::Error::other("the reply is lost")),
        Some(Trouble::Truncated) => Ok(respond(reply, Shape::Half)),
        Some(Trouble::Huge) => Ok(respond(reply, Shape::Huge)),
        _ => Ok(respond(reply, Shape::Whole)),
    }
}

fn answer<V: Vendor>(world: &mut World<V>, request: &Request) -> (Option<Trouble>, Reply) {
    let write = world.vendor.writes(request);
    let meets = |when: When| match when {
        When::Next | When::Always => true,
        When::Read => !write,
        When::Write => write,
    };
    let at = world.trouble.iter().position(|(when, _)| meets(*when));
    let trouble = at.map(|at| match world.trouble[at] {
        (When::Always, trouble) => trouble,
        (_, trouble) => {
            world.trouble.remove(at);
            trouble
        }
    });
    let html =
        "<!DOCTYPE html><html><head><title>Attention required!</title></head><body>Sorry</body></html>";
    let reply = match trouble {
        Some(Trouble::Busy) => world.vendor.busy(),
        Some(Trouble::TooMany(seconds)) => {
            world.vendor.error(429, "too many requests").with("retry-after", &seconds.to_string())
        }
        Some(Trouble::Error(status)) => world.vendor.error(status, "there is trouble"),
        Some(Trouble::Page(status)) => Reply::text(status, "text/html", html),
        Some(Trouble::Other(text)) => Reply::text(200, "application/json", text),
        Some(Trouble::Says(status, words)) => world.vendor.error(status, words),
        Some(Trouble::Echo(status)) => world.vendor.error(status, &echo(request)),
        Some(Trouble::Silent) => Reply::empty(0),
        Some(Trouble::Truncated | Trouble::Huge | Trouble::Lost) | None => world.vendor.answer(request),
    };
    let answered = !matches!(trouble, Some(Trouble::Silent | Trouble::Lost));
    world.calls.push(Call { request: request.clone(), write, status: answered.then_some(reply.status) });
    (trouble, reply)
}

fn echo(request: &Request) -> String {
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value} ")).collect();
    format!(
        "cannot do {} {} {headers}{}",
        request.method,
        request.target,
        String::from_utf8_lossy(&request.body)
    )
}

pub(crate) async fn receive(request: hyper::Request<Incoming>) -> Result<Request, std::io::Error> {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame.map_err(std::io::Error::other)?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    let headers = head.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    Ok(Request {
        method: head.method.as_str().to_owned(),
        target: head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        path: decode(head.uri.path()),
        query: pairs(head.uri.query().unwrap_or_default()),
        headers: headers.collect(),
        body: bytes,
    })
}

enum Shape {
    Whole,
    Half,
    Huge,
}

fn respond(reply: Reply, shape: Shape) -> hyper::Response<Piece> {
    let whole = reply.body.len();
    let body = match shape {
        Shape::Whole => Piece { left: Bytes::from(reply.body), filler: 0, breaks: false },
        Shape::Half => Piece { left: Bytes::from(reply.body[..whole / 2].to_vec()), filler: 0, breaks: true },
        Shape::Huge => Piece { left: Bytes::from(reply.body), filler: HUGE, breaks: false },
    };
    let mut response = hyper::Response::new(body);
    *response.status_mut() =
        hyper::StatusCode::from_u16(reply.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = hyper::header::HeaderValue::from_str(&value) {
            response.headers_mut().append(hyper::header::HeaderName::from_static(name), value);
        }
    }
    if matches!(shape, Shape::Half) {
        response.headers_mut().insert(hyper::header::CONTENT_LENGTH, (whole.max(1) as u64).into());
    }
    response
}

/// A body that may go on for too long or break off.
struct Piece {
    left: Bytes,
    filler: usize,
    breaks: bool,
}

impl Body for Piece {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let this = self.get_mut();
        if !this.left.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.left)))));
        }
        if this.filler > 0 {
            this.filler = this.filler.saturating_sub(1 << 16);
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b' '; 1 << 16])))));
        }
        Poll::Ready(this.breaks.then(|| Err(std::io::Error::other("broken off"))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        if self.filler > 0 || self.breaks {
            return hyper::body::SizeHint::default();
        }
        hyper::body::SizeHint::with_exact(self.left.len() as u64)
    }
}
