//! The operator's hook, which is told what waits for an owner. It is down when it is called first.

use base64::Engine as _;
use ring::hmac;
use serde_json::Value;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const SECRET: [u8; 40] = [b's'; 40];

pub struct Hook(MockServer);

impl Hook {
    pub async fn start(dir: &std::path::Path) -> Self {
        let server = MockServer::start().await;
        let down = Mock::given(method("POST")).respond_with(ResponseTemplate::new(503));
        down.up_to_n_times(1).with_priority(1).mount(&server).await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
        std::fs::write(dir.join("notify.secret"), SECRET).unwrap();
        Self(server)
    }

    pub fn section(&self) -> String {
        format!(
            "\n[notify]\nurl = \"{}/pdm\"\nsecret = \"file:notify.secret\"\nallow = [\"127.0.0.0/8\"]\n\
             letters = {{ acme = \"dns@acme.com\" }}\n",
            self.0.uri()
        )
    }

    /// What was told, each once, in order; and how often it was told again.
    pub async fn told(&self) -> (Vec<Value>, usize) {
        let requests = self.0.received_requests().await.unwrap();
        let mut seen: Vec<Value> = Vec::new();
        for request in &requests {
            let event = verified(request);
            if seen.iter().all(|e| e["id"] != event["id"]) {
                seen.push(event);
            }
        }
        let again = requests.len() - seen.len();
        (seen, again)
    }
}

fn verified(request: &Request) -> Value {
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let signed = [id.as_bytes(), at.as_bytes(), &request.body].join(&b'.');
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), &signed);
    let expected = base64::engine::general_purpose::STANDARD.encode(tag.as_ref());
    assert_eq!(header("webhook-signature"), format!("v1,{expected}"));
    let event: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(event["id"], id.as_str());
    event
}
