//! The listener: bounded connections, a limit on how slowly a head may arrive, and a graceful stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service as _;

use crate::app::{App, S, Shared, Tls};
use crate::edge::{Peer, Workload};
use crate::routes;

/// Time between two rounds of housekeeping.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

/// Answer requests until `stop`; then let those under way end, for a bounded time.
pub async fn serve(listener: TcpListener, app: App, mut stop: watch::Receiver<bool>) {
    let state = Shared::new(app, stop.clone());
    let router = routes::router(state.clone());
    let limits = &state.app.limits;
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_time).max_headers(64).pipeline_flush(true);
    let keeper = tokio::spawn(keep_house(state.clone()));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Some((stream, peer, slot)) = accepted else { continue };
        let (http, router, watcher) = (http.clone(), router.clone(), graceful.watcher());
        let tls = state.app.tls.clone().map(|tls| (tls, limits.head_time));
        tokio::spawn(async move {
            match tls {
                None => {
                    let connection = http.serve_connection(TokioIo::new(stream), answer(router, peer, None));
                    ended(watcher.watch(connection).await);
                }
                Some((tls, patience)) => {
                    let Some((stream, workload)) = shake_hands(tls, stream, patience).await else { return };
                    let connection =
                        http.serve_connection(TokioIo::new(stream), answer(router, peer, workload));
                    ended(watcher.watch(connection).await);
                }
            }
            drop(slot);
        });
    }
    keeper.abort();
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the server stopped");
    }
}

/// A client that goes away is nobody's fault.
fn ended(outcome: hyper::Result<()>) {
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// TLS first, within the time that a head may take; then who is at the other end.
async fn shake_hands(
    tls: Tls,
    stream: TcpStream,
    patience: Duration,
) -> Option<(TlsStream<TcpStream>, Option<Workload>)> {
    let shaken = tokio::time::timeout(patience, TlsAcceptor::from(tls.config).accept(stream)).await;
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        // Who was refused and why is told where it is decided.
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            return None;
        }
        Err(_) => return None,
    };
    let workload = stream.get_ref().1.peer_certificates().and_then(tls.workload);
    Some((stream, workload.map(Workload)))
}

type Accepted = (TcpStream, Peer, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<Accepted> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => {
            // Answers are small: waiting to fill a packet only adds delay.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was not set");
            }
            Some((stream, Peer(address), slot))
        }
        Err(error) => {
            // Out of file descriptors, or a connection that was gone at once.
            tracing::warn!(%error, "a connection was not accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

fn answer(
    router: Router,
    peer: Peer,
    workload: Option<Workload>,
) -> impl hyper::service::HttpService<hyper::body::Incoming, ResBody = Body, Error = Infallible, Future: Send>
{
    service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        if let Some(workload) = &workload {
            request.extensions_mut().insert(workload.clone());
        }
        // A router is always ready.
        router.clone().call(request)
    })
}

async fn keep_house(state: S) {
    let mut tick = tokio::time::interval(HOUSEKEEPING);
    loop {
        tick.tick().await;
        state.rates.forget_quiet();
        state.app.metrics.run_upkeep();
    }
}
