//! Tokens of a real OpenID Connect provider: taken, refused, and taken again after its keys were rotated.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pdm_harness::child::Child;
use pdm_harness::http::Answer;
use pdm_harness::{Api, Plan, StoreKind, World, net, node, until};
use pdm_oidc::{Algorithm, ClaimNames, Client, Provider, Settings};
use pdm_ports::SignIn as _;
use pdm_ports::sign_in::Returned;
use serde_json::{Value, json};

const AUDIENCE: &str = "https://pdm.example/api";
const BACK: &str = "https://pdm.example/signed-in";

/// The provider, with keys that outlive it.
struct Idp {
    at: SocketAddr,
    dir: tempfile::TempDir,
    child: Option<Child>,
    api: Api,
}

impl Idp {
    async fn start(sign: &str, ttl: u32) -> Self {
        let at = net::port(net::address());
        let dir = tempfile::tempdir().unwrap();
        let api = Api::new(&format!("http://{at}"));
        let mut this = Self { at, dir, child: None, api };
        this.go(sign, ttl).await;
        this
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Start it (again); the first key signs.
    async fn go(&mut self, sign: &str, ttl: u32) {
        self.child = None;
        let keys = self.dir.path().display().to_string();
        let (issuer, ttl) = (self.issuer(), ttl.to_string());
        let env = [("ISSUER", &*issuer), ("KEYS", &keys), ("SIGN", sign), ("TTL", &ttl), ("REDIRECT", BACK)];
        self.child = Some(node::start("provider.mjs", &env, &self.dir.path().join("log")));
        until("the provider", || self.api.try_get("/.well-known/openid-configuration")).await;
    }

    async fn token(&self, client: &str, audience: &str) -> String {
        let form = format!("grant_type=client_credentials&scope=pdm&resource={audience}");
        let request = self.api.request(reqwest::Method::POST, "/token").basic_auth(client, Some("swordfish"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = Api::send(request).await.unwrap().expect(&[200]);
        answer.text_at("/access_token").to_owned()
    }

    fn section(&self, skew: &str) -> String {
        format!(
            "[oidc]\nissuer = \"{}\"\naudience = \"{AUDIENCE}\"\nrefresh = \"1s\"\nclock_skew = \"{skew}\"\n\
             environments = {{ prod = \"omani.works\" }}\n\
             roles = {{ pdm-admin = \"admin\", sovereign-provisioner = \"provisioner\" }}\n",
            self.issuer()
        )
    }
}

fn with(world: &World, token: &str) -> Api {
    world.stranger().with_token(token)
}

async fn pools(world: &World, token: &str) -> Answer {
    with(world, token).get("/v1/pools").await
}

async fn until_status(world: &World, token: &str, status: u16) {
    until(&format!("{status} for a token"), || async {
        let answer = pools(world, token).await;
        if answer.status == status { Ok(()) } else { Err(answer) }
    })
    .await;
}

fn unb64(part: &str) -> Value {
    serde_json::from_slice(&base64url::decode(part)).unwrap()
}

/// base64url without a library: the test forges, it does not verify.
mod base64url {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    pub fn decode(text: &str) -> Vec<u8> {
        let value = |b: u8| ALPHABET.iter().position(|a| *a == b).unwrap() as u32;
        let mut out = Vec::new();
        for chunk in text.as_bytes().chunks(4) {
            let bits = chunk.iter().fold(0, |bits, b| (bits << 6) | value(*b)) << (6 * (4 - chunk.len()));
            out.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
        }
        out
    }

    pub fn encode(bytes: &[u8]) -> String {
        let mut out = String::new();
        for chunk in bytes.chunks(3) {
            let mut block = [0; 4];
            block[1..=chunk.len()].copy_from_slice(chunk);
            let bits = u32::from_be_bytes(block);
            for n in 0..=chunk.len() {
                out.push(char::from(ALPHABET[((bits >> (18 - 6 * n)) & 63) as usize]));
            }
        }
        out
    }
}

/// The same token with other parts.
fn forged(
    token: &str,
    header: Option<Value>,
    claims: impl FnOnce(&mut Value),
    signature: Option<&str>,
) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let header = header.unwrap_or_else(|| unb64(parts[0]));
    let mut body = unb64(parts[1]);
    claims(&mut body);
    let part = |v: &Value| base64url::encode(v.to_string().as_bytes());
    format!("{}.{}.{}", part(&header), part(&body), signature.unwrap_or(parts[2]))
}

#[tokio::test]
async fn tokens_of_the_issuer_are_taken_for_what_they_say_and_no_more() {
    let idp = Idp::start("es-a", 600).await;
    let section = idp.section("5s").replace("environments", "# environments");
    let world = Plan::new(StoreKind::Sqlite).section(&section).start().await;

    // A provisioner of one organization: its names are that organization's.
    let deployer = idp.token("deployer", AUDIENCE).await;
    until_status(&world, &deployer, 200).await;
    let acme = with(&world, &deployer);
    let token = acme.reserve("omantel").await;
    let _ = acme.commit("omantel", &token, "192.0.2.1").await;
    let shown = acme.await_phase("omantel", "active").await;
    assert_eq!(shown["owner"], "acme", "{shown}");
    let foreign = json!({"mode": "pool", "poolDomain": "omani.works", "subdomain": "other", "owner": "evil"});
    let _ = acme.post("/v1/reserve", &foreign).await.expect(&[403]);
    let _ = acme.post("/v1/freeze", &json!({})).await.expect(&[403]);
    let log = world.api().audit_of("omantel").await;
    assert!(log.iter().any(|e| e["actor"] == "oidc:deployer"), "{log:?}");

    // An admin, by another role.
    let root = idp.token("root", AUDIENCE).await;
    let _ = with(&world, &root).post("/v1/freeze", &json!({})).await.expect(&[200, 204]);
    let _ = with(&world, &root).post("/v1/thaw", &json!({})).await.expect(&[200, 204]);

    // Good tokens that say nothing here, and tokens that are not what they seem.
    let mut signature: Vec<char> = deployer.rsplit('.').next().unwrap().chars().collect();
    signature[10] = if signature[10] == 'A' { 'B' } else { 'A' };
    let signature: String = signature.into_iter().collect();
    let none = json!({"alg": "none", "typ": "at+jwt", "kid": "es-a"});
    let hs = json!({"alg": "HS256", "typ": "at+jwt", "kid": "es-a"});
    for (what, token) in [
        ("no role of ours", idp.token("nobody", AUDIENCE).await),
        ("another audience", idp.token("deployer", "https://other.example/api").await),
        ("alg none", forged(&deployer, Some(none.clone()), |_| (), Some(""))),
        ("alg none, with a signature", forged(&deployer, Some(none), |_| (), None)),
        ("HMAC with a public key", forged(&deployer, Some(hs), |_| (), None)),
        ("more rights", forged(&deployer, None, |c| c["roles"] = json!(["pdm-admin"]), None)),
        ("another organization", forged(&deployer, None, |c| c["organization"] = json!("evil"), None)),
        ("another signature", forged(&deployer, None, |_| (), Some(&signature))),
    ] {
        let answer = pools(&world, &token).await;
        assert_eq!((answer.status, answer.code()), (401, "unauthenticated"), "{what}: {answer}");
    }
    // Nothing of them is in the log.
    let log = world.daemons[0].log();
    assert!(!log.contains(&deployer) && !log.contains(&signature));
    // Tokens of the file go on beside it.
    let _ = world.api().get("/v1/pools").await.expect(&[200]);
}

#[tokio::test]
async fn keys_are_rotated_taken_back_and_outlive_an_outage() {
    let mut idp = Idp::start("rs-a", 600).await;
    let world = Plan::new(StoreKind::Sqlite).section(&idp.section("0s")).start().await;
    let first = idp.token("deployer", AUDIENCE).await;
    until_status(&world, &first, 200).await;

    // An outage of the issuer is none of ours.
    idp.child = None;
    for _ in 0..3 {
        let _ = pools(&world, &first).await.expect(&[200]);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }

    // Rotation: the new key is learnt from the first token that names it, without one refusal.
    idp.go("ed-b,rs-a", 600).await;
    let second = idp.token("deployer", AUDIENCE).await;
    let _ = pools(&world, &second).await.expect(&[200]);
    let _ = pools(&world, &first).await.expect(&[200]);

    // The first key is taken back: what it signed is over, and what the other signed is not.
    idp.go("ed-b", 1).await;
    until_status(&world, &first, 401).await;
    let _ = pools(&world, &second).await.expect(&[200]);

    // A token of one second is over after it.
    let short = idp.token("deployer", AUDIENCE).await;
    until_status(&world, &short, 401).await;
    let _ = pools(&world, &second).await.expect(&[200]);
}

/// A browser: it keeps cookies and follows the way until it is sent back to the pages.
async fn browse(start: &str) -> BTreeMap<String, String> {
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let mut jar = BTreeMap::new();
    let mut url = reqwest::Url::parse(start).unwrap();
    for _ in 0..10 {
        let cookies: Vec<_> = jar.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let answer = client.get(url.clone()).header("cookie", cookies.join("; ")).send().await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let (name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            jar.insert(name.to_owned(), value.to_owned());
        }
        let status = answer.status();
        let place = answer.headers().get("location").map(|v| v.to_str().unwrap().to_owned());
        let Some(place) = place else { panic!("{url}: {status} {}", answer.text().await.unwrap()) };
        url = url.join(&place).unwrap();
        if url.as_str().starts_with(BACK) {
            return url.query_pairs().into_owned().collect();
        }
    }
    panic!("the way never ends: {url}")
}

#[tokio::test]
async fn a_person_signs_in_with_code_and_pkce() {
    let _ = pdm_harness::Api::new("http://127.0.0.1:1"); // installs the one crypto library
    let idp = Idp::start("rs-a", 600).await;
    let provider = Provider::new(Settings {
        issuer: idp.issuer(),
        audience: AUDIENCE.into(),
        algorithms: Algorithm::ALL.to_vec(),
        claims: ClaimNames {
            organization: "organization".into(),
            environment: "environment".into(),
            roles: "roles".into(),
        },
        skew: Duration::from_secs(5),
        refresh: Duration::from_secs(300),
        stale: Duration::from_secs(3600),
        authorities: None,
        client: Some(Client {
            id: "pages".into(),
            secret: Some("swordfish".to_owned().into()),
            scope: "openid offline_access pdm".into(),
        }),
        clock: now,
    });
    let provider = provider.unwrap();
    let (page, pending) = provider.begin(BACK).await.unwrap();
    let query = browse(&format!("{page}&prompt=consent")).await;
    let returned: Returned = serde_json::from_value(json!(query)).unwrap();
    assert!(returned.code.is_some() && returned.error.is_none(), "{query:?}");

    // Another browser's answer, another issuer's answer, and a code that was stolen on the way are refused.
    let code = |fault: pdm_ports::Fault| fault.code;
    let other = Returned { state: "x".repeat(43), ..returned.clone() };
    assert_eq!(provider.finish(&pending, &other).await.map_err(code).err(), Some("sign-in-state"));
    let other = Returned { iss: Some("https://evil.example".into()), ..returned.clone() };
    assert_eq!(provider.finish(&pending, &other).await.map_err(code).err(), Some("sign-in-issuer"));

    let session = provider.finish(&pending, &returned).await.unwrap();
    let who = provider.identify(&session.access_token).unwrap();
    assert_eq!((who.subject.as_str(), who.organization.as_deref()), ("jane", Some("acme")));
    assert!(session.id_token.is_some() && session.lasts > Duration::from_secs(60));
    let renewed = provider.renew(session.refresh_token.as_ref().unwrap()).await.unwrap();
    assert_eq!(provider.identify(&renewed.access_token).unwrap().subject, "jane");
    let refused = provider.finish(&pending, &returned).await.map_err(code).err();
    assert_eq!(refused, Some("oidc-refused"), "a code is used once");

    // Who takes the code and not the verifier gets nothing.
    let (page, mut pending) = provider.begin(BACK).await.unwrap();
    let returned: Returned =
        serde_json::from_value(json!(browse(&format!("{page}&prompt=consent")).await)).unwrap();
    pending.verifier = "y".repeat(43);
    assert_eq!(provider.finish(&pending, &returned).await.map_err(code).err(), Some("oidc-refused"));

    let end = provider.end(session.id_token.as_ref().map(|t| t.as_str()), BACK).await.unwrap().unwrap();
    assert!(end.starts_with(&idp.issuer()) && end.contains("post_logout_redirect_uri="), "{end}");
}

#[expect(clippy::disallowed_methods, reason = "a real provider goes by the real time")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
