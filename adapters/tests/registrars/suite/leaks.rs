//! No secret in an error, a log line, a span, a URL or the `Debug` of anything.

use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pdm_simulators::{Trouble, When};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use super::checks::NEW;
use super::{Parent, Who};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Heard {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

static HEARD: OnceLock<Heard> = OnceLock::new();

/// Hear every log line and span of every crate in this process from now on.
pub fn listen() {
    HEARD.get_or_init(|| {
        let heard = Heard::default();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(heard.clone())
            .init();
        heard
    });
}

/// What was heard so far.
pub fn heard() -> String {
    String::from_utf8_lossy(&HEARD.get().unwrap().0.lock().unwrap()).into_owned()
}

/// Every failure that repeats what it was sent, on reads and writes, with every credential.
pub async fn secrets_stay_in(parent: &dyn Parent) {
    let Some(web) = parent.web() else { return };
    let registrar = parent.registrar();
    let mut said = Vec::new();
    for who in [Who::Good, Who::Bad, Who::Foreign] {
        let credential = parent.credential(who);
        said.push(shown(credential));
        for when in [When::Next, When::Write] {
            for trouble in [400, 401, 403, 404, 409, 422, 500].map(Trouble::Echo) {
                web.trouble(when, trouble);
                said.push(shown(&registrar.validate(parent.place().zone(), credential).await));
                said.push(shown(&registrar.read(parent.place(), credential).await));
                said.push(shown(&registrar.apply(&parent.to_ns(NEW), credential).await));
                web.calm();
            }
        }
        for trouble in [Trouble::Lost, Trouble::Truncated, Trouble::Page(200), Trouble::Other("{}")] {
            web.trouble(When::Next, trouble);
            said.push(shown(&registrar.apply(&parent.to_ns(NEW), credential).await));
            web.calm();
        }
    }
    assert!(said.iter().any(|text| text.contains("cannot do")), "the vendor repeated what it was sent");
    said.extend(web.calls().iter().map(|call| call.request.target.clone()));
    said.push(heard());
    assert!(said.last().unwrap().contains("registrar call"), "the log was heard");
    let said = said.concat().to_ascii_lowercase();
    for who in [Who::Good, Who::Bad, Who::Foreign] {
        for secret in parent.credential(who).secrets() {
            for form in [secret.to_owned(), STANDARD.encode(secret)] {
                let at = said.find(&form.to_ascii_lowercase());
                let near = at.map(|at| &said[at.saturating_sub(100)..at]);
                assert_eq!(near, None, "a secret was told after this");
            }
        }
    }
}

fn shown<T: Debug>(value: &T) -> String {
    format!("{value:?} {value:#?}")
}
