//! One call with a stream of answers: gRPC is HTTP/2 with a length before each message.

use std::path::Path;

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, Request};
use pdm_ports::{Class, Fault};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// The longest message: a few certificates, and the bundles of every federated trust domain.
const LONGEST: usize = 4 << 20;

/// Answers as they come.
pub(crate) struct Stream {
    body: RecvStream,
    buffer: Zeroizing<Vec<u8>>,
    connection: JoinHandle<()>,
}

/// Call a method with an empty message.
pub(crate) async fn call(
    socket: &Path,
    method: &str,
    header: (&'static str, &'static str),
) -> Result<Stream, Fault> {
    let io = UnixStream::connect(socket).await.map_err(|e| away(&e.to_string()))?;
    let (client, connection) = h2::client::handshake(io).await.map_err(|e| away(&e.to_string()))?;
    let connection = tokio::spawn(async move {
        // Whoever reads the stream hears of its end.
        let _ = connection.await;
    });
    let request = Request::post(format!("http://localhost{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header(header.0, header.1)
        .body(())
        .map_err(|_| Fault::new(Class::Bug, "spiffe-agent", "the call cannot be written"))?;
    let mut client = client.ready().await.map_err(|e| away(&e.to_string()))?;
    let (answer, mut send) = client.send_request(request, false).map_err(|e| away(&e.to_string()))?;
    send.send_data(Bytes::from_static(&[0; 5]), true).map_err(|e| away(&e.to_string()))?;
    let answer = answer.await.map_err(|e| away(&e.to_string()))?;
    if answer.status() != http::StatusCode::OK {
        return Err(away(&format!("it answered HTTP {}", answer.status())));
    }
    ended(answer.headers())?;
    Ok(Stream { body: answer.into_body(), buffer: Zeroizing::default(), connection })
}

impl Stream {
    /// The next message; none when the other side is done.
    pub(crate) async fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        loop {
            if let Some(message) = self.message()? {
                return Ok(Some(message));
            }
            match self.body.data().await {
                Some(chunk) => {
                    let chunk = chunk.map_err(|e| away(&e.to_string()))?;
                    let _ = self.body.flow_control().release_capacity(chunk.len());
                    self.buffer.extend_from_slice(&chunk);
                }
                None => {
                    let trailers = self.body.trailers().await.map_err(|e| away(&e.to_string()))?;
                    ended(&trailers.unwrap_or_default())?;
                    return Ok(None);
                }
            }
        }
    }

    fn message(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let garbage = |why| Fault::new(Class::Protocol, "spiffe-agent", why);
        let Some((&[flag, a, b, c, d], rest)) = self.buffer.split_first_chunk::<5>() else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if flag != 0 {
            return Err(garbage("the agent compresses, which nobody asked for"));
        }
        if length > LONGEST {
            return Err(garbage("the agent's answer never ends"));
        }
        let Some(message) = rest.get(..length).map(|message| Zeroizing::new(message.to_vec())) else {
            return Ok(None);
        };
        self.buffer = Zeroizing::new(rest.get(length..).unwrap_or_default().to_vec());
        Ok(Some(message))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// What `grpc-status` says, where it is there.
fn ended(headers: &HeaderMap) -> Result<(), Fault> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let told: String = text("grpc-message").chars().take(200).collect();
    match text("grpc-status") {
        "" | "0" => Ok(()),
        "7" => Err(Fault::new(
            Class::Credential,
            "spiffe-agent",
            format!("the agent has no identity for this workload: {told}"),
        )),
        other => Err(away(&format!("it answered gRPC status {other}: {told}"))),
    }
}

fn away(why: &str) -> Fault {
    Fault::transient("spiffe-agent", format!("the agent of the Workload API: {why}"))
}
