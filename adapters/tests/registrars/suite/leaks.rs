//! No secret in an error, a log line, a span, a URL or the `Debug` of anything.

use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
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

/// Everything that can go wrong and does not take long.
const TROUBLES: [Trouble; 17] = [
    Trouble::TooMany(0),
    Trouble::Error(500),
    Trouble::Error(503),
    Trouble::Page(200),
    Trouble::Page(403),
    Trouble::Other("{}"),
    Trouble::Truncated,
    Trouble::Huge,
    Trouble::Lost,
    Trouble::Echo(400),
    Trouble::Echo(401),
    Trouble::Echo(403),
    Trouble::Echo(404),
    Trouble::Echo(409),
    Trouble::Echo(422),
    Trouble::Echo(500),
    // The last one: no call is made for a while after it.
    Trouble::Busy,
];

/// Every failure of the vendor, with every call and every credential; what it repeats of what it was sent, too.
pub async fn secrets_stay_in(parent: &dyn Parent) {
    let mut said = Vec::new();
    for who in [Who::Good, Who::Bad, Who::Foreign] {
        said.push(shown(parent.credential(who)));
        let Some(web) = parent.web() else {
            said.extend(every_call(parent, who).await);
            continue;
        };
        web.fail_next();
        said.extend(every_call(parent, who).await);
        // Only the good one gets as far as a write.
        let whens: &[When] = if who == Who::Good { &[When::Read, When::Write] } else { &[When::Next] };
        for (trouble, when) in TROUBLES.iter().flat_map(|t| whens.iter().map(move |w| (*t, *w))) {
            web.trouble(when, trouble);
            said.extend(every_call(parent, who).await);
            web.calm();
        }
    }
    if let Some(web) = parent.web() {
        assert!(said.iter().any(|text| text.contains("cannot do")), "the vendor repeated what it was sent");
        said.extend(web.calls().iter().map(|call| call.request.target.clone()));
    }
    said.push(heard());
    let said = said.concat().to_ascii_lowercase();
    for who in [Who::Good, Who::Bad, Who::Foreign] {
        for secret in parent.credential(who).secrets() {
            assert_eq!(before_secret(&said, secret), None, "a secret was told after this");
        }
    }
}

async fn every_call(parent: &dyn Parent, who: Who) -> Vec<String> {
    let (registrar, credential) = (parent.registrar(), parent.credential(who));
    let task = pdm_ports::registrar::TaskId("7".to_owned());
    vec![
        shown(&registrar.validate(parent.place().zone(), credential).await),
        shown(&registrar.read(parent.place(), credential).await),
        shown(&registrar.apply(&parent.to_ns(NEW), credential).await),
        shown(&registrar.apply(&parent.to_ds("A"), credential).await),
        shown(&registrar.task(parent.place(), &task, credential).await),
    ]
}

fn shown<T: Debug>(value: &T) -> String {
    format!("{value:?} {value:#?}")
}

/// What stands before a secret in a text in lower case, in any form in which texts carry them; none when it is not there.
pub fn before_secret(text: &str, secret: &str) -> Option<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let octets = format!("{:?}", secret.as_bytes());
    let listed = octets.trim_matches(['[', ']']).to_owned();
    let percent: String = secret
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02x}") })
        .collect();
    let forms =
        [secret.to_owned(), STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret), hex, listed, percent];
    let at = forms.iter().filter_map(|form| text.find(&form.to_ascii_lowercase())).min()?;
    let from = text.char_indices().map(|(i, _)| i).filter(|i| *i <= at).rev().nth(100).unwrap_or(0);
    Some(text[from..at].to_owned())
}

/// The search would find it: in the log, in a span, in an error, in a `Debug`, in each form.
#[tokio::test]
async fn a_planted_secret_is_found() {
    listen();
    let planted = "Planted/secret+0xyz";
    assert_eq!(before_secret(&heard().to_ascii_lowercase(), planted), None);
    tracing::trace!(target: "hyper", body = planted, "a line of another crate");
    assert!(before_secret(&heard().to_ascii_lowercase(), planted).is_some());
    let in_span = "spanned-secret-1234";
    tracing::trace_span!("step", token = in_span).in_scope(|| ());
    assert!(before_secret(&heard().to_ascii_lowercase(), in_span).is_some());
    let fault = pdm_ports::Fault::transient("x", format!("the vendor said {planted}"));
    let forms = [
        shown(&fault),
        shown(&planted.as_bytes()),
        STANDARD.encode(planted),
        "506C616E7465642F7365637265742B3078797A".to_owned(),
        "key=Planted%2Fsecret%2B0xyz".to_owned(),
        planted.to_ascii_uppercase(),
    ];
    for text in forms {
        assert!(before_secret(&text.to_ascii_lowercase(), planted).is_some(), "{text}");
    }
    assert_eq!(before_secret("nothing of it", planted), None);
}
