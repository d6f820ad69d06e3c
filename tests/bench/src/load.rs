//! The acts that are measured, through the public API only.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::figures::Figures;
use crate::http::Connection;
use crate::target::POOL;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Do `act(connection, n)` for n in 0..count, `concurrency` at once, each on its own connection. The time of an act is
/// what it answers.
pub async fn many<F, Fut>(
    host: &str,
    token: &str,
    count: usize,
    concurrency: usize,
    act: F,
) -> Result<Figures, Failed>
where
    F: Fn(Connection, usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(Connection, Duration), Failed>> + Send,
{
    let act = Arc::new(act);
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..concurrency {
        let mut connection = Connection::open(host, token).await?;
        let (act, next) = (act.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return Ok::<_, Failed>(times);
                }
                let (back, took) = act(connection, n).await?;
                connection = back;
                times.push(took);
            }
        }));
    }
    let mut times = Vec::with_capacity(count);
    for task in tasks {
        times.extend(task.await??);
    }
    Ok(Figures::new(times, begun.elapsed()))
}

/// The body of an answer that must have one of these codes.
pub fn must(what: &str, wanted: &[u16], answer: (u16, Value)) -> Result<Value, Failed> {
    if wanted.contains(&answer.0) {
        Ok(answer.1)
    } else {
        Err(format!("{what}: {} {}", answer.0, answer.1).into())
    }
}

/// Check a random name.
pub async fn check(mut connection: Connection, n: usize) -> Result<(Connection, Duration), Failed> {
    let begun = Instant::now();
    let scattered = n.wrapping_mul(0x9E37_79B9) & 0xff_ffff;
    let (status, body) =
        connection.get(&format!("/v1/check?poolDomain={POOL}&subdomain=q{scattered:x}")).await?;
    if status != 200 {
        return Err(format!("check: {status} {}", String::from_utf8_lossy(&body)).into());
    }
    Ok((connection, begun.elapsed()))
}

/// Reserve one name; answers its token.
pub async fn reserve(connection: &mut Connection, label: &str) -> Result<Value, Failed> {
    let body = json!({ "mode": "pool", "poolDomain": POOL, "subdomain": label });
    must("reserve", &[201], connection.post("/v1/reserve", &body, 0).await?)
}

/// Commit and wait until it is proved.
pub async fn commit(connection: &mut Connection, label: &str, reserved: &Value) -> Result<(), Failed> {
    let body = json!({
        "fqdn": format!("{label}.{POOL}"), "reservationToken": reserved["reservationToken"],
        "loadBalancers": [{ "ipv4": "192.0.2.10" }],
    });
    must("commit", &[200], connection.post("/v1/commit", &body, 60).await?).map(|_| ())
}

/// Release and wait until it is gone.
pub async fn release(connection: &mut Connection, label: &str) -> Result<(), Failed> {
    let body = json!({ "fqdn": format!("{label}.{POOL}") });
    must("release", &[200], connection.post("/v1/release", &body, 60).await?).map(|_| ())
}

/// Labels that look different from each other to a person: digits and letters that are confused are left out.
pub fn label(tag: &str, n: usize) -> String {
    let letters = b"abcdefghjkpqtuxyz";
    let mut text = String::new();
    let mut rest = n;
    for _ in 0..5 {
        text.push(char::from(letters[rest % letters.len()]));
        rest /= letters.len();
    }
    format!("{tag}{text}")
}
