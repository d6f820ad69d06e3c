//! Secrets in OpenBao: one suite for the simulator and for another server of the same API, logins that end in every way,
//! and a PowerDNS key that is rotated under a running daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pdm_harness::child::{Child, guarded, run};
use pdm_harness::{Plan, StoreKind, World, net, until};
use pdm_openbao::{CredentialShelf, Login, OpenBao, Settings};
use pdm_ports::{Class, Shelf as _};
use pdm_simulators::openbao::{OpenBao as Fake, ROOT};
use pdm_simulators::{Simulator, Trouble, When};
use serde_json::{Value, json};
use tokio::sync::watch;
use zeroize::Zeroizing;

fn settings(url: &str, login: Login) -> Settings {
    Settings { url: url.into(), namespace: None, login, authorities: None, tls: None }
}

fn with_token(url: &str, token: &str) -> OpenBao {
    OpenBao::new(settings(url, Login::Token(Zeroizing::new(token.to_owned())))).unwrap()
}

fn fields(all: &[(&str, &str)]) -> std::collections::BTreeMap<String, Zeroizing<String>> {
    all.iter().map(|(k, v)| ((*k).to_owned(), Zeroizing::new((*v).to_owned()))).collect()
}

/// What every server of the API does. `removes` where secrets have versions and are removed with their metadata.
async fn conforms(bao: Arc<OpenBao>, stranger: OpenBao, removes: bool) {
    let place = |text: &str| text.parse().unwrap();
    // Nothing there.
    assert!(bao.read_all("secret", "suite/nothing").await.unwrap().is_none());
    let fault = bao.read(&place("secret/suite/nothing#key")).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "openbao-missing"));
    assert!(fault.detail.contains("secret/suite/nothing#key"), "{fault}");

    // What is written is read; what is written again takes its place whole.
    let odd = "quote \" backslash \\ newline \n and \u{fc}\u{1f511}";
    bao.write("secret", "suite/one", &fields(&[("key", "swordfish"), ("odd", odd)])).await.unwrap();
    assert_eq!(bao.read(&place("secret/suite/one#key")).await.unwrap().as_str(), "swordfish");
    assert_eq!(bao.read(&place("secret/suite/one#odd")).await.unwrap().as_str(), odd);
    bao.write("secret", "suite/one", &fields(&[("key", "marlin")])).await.unwrap();
    assert_eq!(bao.read(&place("secret/suite/one#key")).await.unwrap().as_str(), "marlin");
    let fault = bao.read(&place("secret/suite/one#odd")).await.unwrap_err();
    assert_eq!(fault.code, "openbao-missing");

    // A mount that is not there, and a token that nobody knows.
    assert_eq!(bao.read(&place("nowhere/a#b")).await.unwrap_err().code, "openbao-missing");
    let fault = stranger.read(&place("secret/suite/one#key")).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "openbao-login"), "{fault}");
    assert!(!fault.to_string().contains("stranger"), "{fault}");

    // Sealed texts on a shelf.
    let shelf = CredentialShelf::new(bao, "secret/suite/shelf").unwrap();
    assert!(shelf.get("a-1").await.unwrap().is_none());
    shelf.put("a-1", "1:aa:text").await.unwrap();
    shelf.put("b-2", "1:bb:text").await.unwrap();
    assert_eq!(shelf.get("a-1").await.unwrap().unwrap().as_str(), "1:aa:text");
    if removes {
        shelf.remove("a-1").await.unwrap();
        shelf.remove("a-1").await.unwrap();
        assert!(shelf.get("a-1").await.unwrap().is_none());
    }
    assert_eq!(shelf.get("b-2").await.unwrap().unwrap().as_str(), "1:bb:text");
    for outside in ["", "../one", "a/b"] {
        assert!(shelf.get(outside).await.is_err(), "{outside}");
    }
}

#[tokio::test]
async fn the_simulator_passes_the_suite() {
    let fake = Simulator::start(Fake::default()).await.unwrap();
    let bao = Arc::new(with_token(&fake.url(), ROOT));
    conforms(bao.clone(), with_token(&fake.url(), "s.stranger"), true).await;
    assert_eq!(fake.with(|f| f.versions("suite/one")), 2);
    assert!(!fake.with(|f| f.paths().any(|p| p == "suite/shelf/a-1")));
    // A field that is no text is none of ours.
    fake.with(|f| f.put("suite/number", &json!({ "key": 7, "text": "x" })));
    assert_eq!(
        bao.read(&"secret/suite/number#key".parse().unwrap()).await.unwrap_err().code,
        "openbao-missing"
    );
    fake.with(|f| f.sealed = true);
    let fault = bao.read(&"secret/suite/one#key".parse().unwrap()).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Transient, "openbao-sealed"));
    fake.with(|f| f.sealed = false);
    assert!(bao.read(&"secret/suite/one#key".parse().unwrap()).await.is_ok());
}

/// Another server of the same API, over TLS. Its key-value engine has no versions; with the paths and bodies of version 2
/// it answers the same.
struct Rvault {
    url: String,
    dir: tempfile::TempDir,
    _child: Child,
}

/// The program: `PDM_RVAULT`, or where `scripts/rvault.sh` puts it.
fn rvault() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let built = here.ancestors().map(|dir| dir.join("rvault/bin/rvault")).find(|file| file.is_file());
    std::env::var_os("PDM_RVAULT").map(PathBuf::from).or(built).expect("scripts/rvault.sh was run")
}

impl Rvault {
    async fn start() -> (Self, String) {
        let dir = tempfile::tempdir().unwrap();
        let at = net::port(net::address());
        certificates(dir.path(), &at.ip().to_string());
        let path = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "storage \"file\" {{\n  path = \"{}\"\n}}\nlistener \"tcp\" {{\n  address = \"{at}\"\n  tls_disable = \"false\"\n  \
             tls_cert_file = \"{}\"\n  tls_key_file = \"{}\"\n  tls_client_ca_file = \"{}\"\n}}\n",
            path("data"),
            path("server.pem"),
            path("server.key"),
            path("ca.pem"),
        );
        std::fs::write(dir.path().join("rvault.hcl"), config).unwrap();
        let mut command = guarded(rvault(), false);
        command.args(["server", "--config", &path("rvault.hcl")]);
        let child = Child::start("rvault", command, &dir.path().join("log"));
        let this = Self { url: format!("https://{at}"), dir, _child: child };
        until("rvault", async || this.call("GET", "sys/init", "", &json!({})).await).await;
        let keys =
            this.ok("PUT", "sys/init", "", &json!({ "secret_shares": 1, "secret_threshold": 1 })).await;
        let key = keys["keys"][0].as_str().unwrap().to_owned();
        let _ = this.ok("PUT", "sys/unseal", "", &json!({ "key": key })).await;
        let root = keys["root_token"].as_str().unwrap().to_owned();
        (this, root)
    }

    /// By hand, with curl: the tests' own client knows no certificates.
    async fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Result<Value, String> {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let mut curl = std::process::Command::new("curl");
        curl.args([
            "-sS",
            "--http1.1",
            "--fail-with-body",
            "--cacert",
            &file("ca.pem"),
            "-X",
            method,
            "-H",
            &format!("X-Vault-Token: {token}"),
        ]);
        if method != "GET" {
            curl.args(["-d", &body.to_string()]);
        }
        curl.arg(format!("{}/v1/{path}", self.url));
        let said = tokio::task::spawn_blocking(move || run(&mut curl)).await.unwrap()?;
        Ok(serde_json::from_str(&said).unwrap_or_default())
    }

    async fn ok(&self, method: &str, path: &str, token: &str, body: &Value) -> Value {
        self.call(method, path, token, body).await.unwrap()
    }

    fn settings(&self, login: Login) -> Settings {
        Settings { authorities: Some(self.dir.path().join("ca.pem")), ..settings(&self.url, login) }
    }
}

/// An authority and a server.
fn certificates(dir: &Path, ip: &str) {
    let script = format!(
        "set -e; cd {dir}
         openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=authority -keyout ca.key -out ca.pem
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out server.csr
         echo 'subjectAltName=IP:{ip}' > server.ext
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile server.ext -out server.pem",
        dir = dir.display()
    );
    run(std::process::Command::new("sh").args(["-c", &script])).unwrap();
}

#[tokio::test]
async fn another_server_of_the_same_api_passes_the_suite() {
    if !pdm_harness::full() {
        return;
    }
    let (server, root) = Rvault::start().await;
    let bao = |login| OpenBao::new(server.settings(login)).unwrap();
    let token = |text: &str| Login::Token(Zeroizing::new(text.to_owned()));
    conforms(Arc::new(bao(token(&root))), bao(token("s.stranger")), false).await;

    let place = "secret/suite/one#key".parse().unwrap();
    assert_eq!(bao(token(&root)).read(&place).await.unwrap().as_str(), "marlin");

    // Sealed, and open again.
    let _ = server.ok("PUT", "sys/seal", &root, &json!({})).await;
    let fault = bao(token(&root)).read(&place).await.unwrap_err();
    assert_eq!(fault.class, Class::Transient, "{fault}");
}

/// An independent client, in full runs only: what works for it and for ours is more likely the API than a mistake of both.
#[tokio::test]
async fn an_independent_client_finds_in_the_simulator_what_it_expects() {
    if !pdm_harness::full() {
        return;
    }
    let fake = Simulator::start(Fake::default()).await.unwrap();
    let script = "import hvac, sys
c = hvac.Client(url=sys.argv[1]); c.auth.kubernetes.login('pdm', 'ey.workload.jwt')
assert c.is_authenticated() and c.auth.token.renew_self()['auth']['lease_duration'] > 0
kv = c.secrets.kv.v2
assert kv.create_or_update_secret('a/b', {'k': 'v'})['data']['version'] == 1
assert kv.read_secret_version('a/b', raise_on_deleted_version=True)['data']['data'] == {'k': 'v'}
kv.delete_latest_version_of_secret('a/b')
for gone in ('a/b', 'none'):
    try: kv.read_secret_version(gone, raise_on_deleted_version=True); raise SystemExit(gone + ' was read')
    except hvac.exceptions.InvalidPath: pass
kv.delete_metadata_and_all_versions('a/b'); c.auth.token.revoke_self()
assert not c.is_authenticated()
";
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hvac-2.3.0");
    let url = fake.url();
    let python = move || {
        if !dir.join("ready").exists() {
            run(std::process::Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
            let mut pip = std::process::Command::new(dir.join("bin/pip"));
            run(pip.args(["install", "--quiet", "--disable-pip-version-check", "hvac==2.3.0"]))?;
            std::fs::write(dir.join("ready"), "").map_err(|e| e.to_string())?;
        }
        run(std::process::Command::new(dir.join("bin/python")).args(["-c", script, &url]))
    };
    tokio::task::spawn_blocking(python).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_login_stays_alive_and_is_made_again_in_whatever_way_it_ends() {
    let fake = Simulator::start(Fake::default()).await.unwrap();
    fake.with(|f| (f.ttl, f.max_ttl) = (2, 5));
    fake.with(|f| f.put("a", &json!({ "key": "swordfish" })));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jwt");
    let login =
        |mount: &str, role: &str| Login::Jwt { mount: mount.into(), role: role.into(), file: file.clone() };
    let place = "secret/a#key".parse().unwrap();
    let bao = Arc::new(OpenBao::new(settings(&fake.url(), login("kubernetes", "pdm"))).unwrap());

    // No file yet; a wrong JWT; the right one, which somebody has put there meanwhile.
    assert_eq!(bao.read(&place).await.unwrap_err().class, Class::Transient);
    std::fs::write(&file, "ey.forged.jwt\n").unwrap();
    let fault = bao.read(&place).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "openbao-login"));
    assert!(!fault.to_string().contains("ey.forged"), "{fault}");
    std::fs::write(&file, "ey.workload.jwt\n").unwrap();
    assert_eq!(bao.read(&place).await.unwrap().as_str(), "swordfish");

    // Renewed before it ends, and replaced when it cannot be renewed any longer: nobody who asks sees a refusal.
    let (stop, stopped) = watch::channel(false);
    let keeper = bao.clone();
    let keeper = tokio::spawn(async move { keeper.run(stopped).await });
    let renewed = || fake.calls().iter().filter(|c| c.request.path.ends_with("renew-self")).count();
    until("a renewal and a second login", || async {
        assert_eq!(bao.read(&place).await.unwrap().as_str(), "swordfish");
        let seen = (renewed(), fake.with(|f| f.logins()));
        if seen.0 >= 1 && seen.1 >= 2 { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    let refused = fake
        .calls()
        .iter()
        .filter(|c| c.request.path == "/v1/secret/data/a" && c.status == Some(403))
        .count();
    assert_eq!(refused, 0);

    // Somebody revokes every token. One that is younger than a second is not suspected yet.
    fake.with(|f| {
        (f.ttl, f.max_ttl) = (3600, 86_400);
        f.revoke_all();
    });
    let before = fake.with(|f| f.logins());
    until("another login", || bao.read(&place)).await;
    assert!(fake.with(|f| f.logins()) > before);

    // What the role may not read stays unread, without a login for each try.
    fake.with(|f| f.forbidden.push("a".into()));
    let before = fake.with(|f| f.logins());
    for _ in 0..5 {
        assert_eq!(bao.read(&place).await.unwrap_err().code, "openbao-forbidden");
    }
    assert!(fake.with(|f| f.logins()) <= before + 2);

    // At the end the token is given back.
    stop.send_replace(true);
    keeper.await.unwrap();
    assert!(fake.calls().iter().any(|c| c.request.path.ends_with("revoke-self") && c.status == Some(204)));

    // The other method words its refusals differently.
    for (mount, role) in [("jwt", "other"), ("kubernetes", "other")] {
        let bao = OpenBao::new(settings(&fake.url(), login(mount, role))).unwrap();
        assert_eq!(bao.read(&place).await.unwrap_err().code, "openbao-login", "{mount}");
    }
    fake.with(|f| f.forbidden.clear());
    let bao = OpenBao::new(settings(&fake.url(), login("jwt", "pdm"))).unwrap();
    assert_eq!(bao.read(&place).await.unwrap().as_str(), "swordfish");
}

#[tokio::test]
async fn hostile_answers_are_refused_and_repeat_no_secret() {
    let fake = Simulator::start(Fake::default()).await.unwrap();
    fake.with(|f| f.put("a", &json!({ "key": "swordfish" })));
    let bao = with_token(&fake.url(), ROOT);
    let place = "secret/a#key".parse().unwrap();
    assert!(bao.read(&place).await.is_ok());
    for (trouble, code) in [
        (Trouble::Page(502), "openbao-unavailable"),
        (Trouble::Page(200), "openbao-garbage"),
        (Trouble::Other("{\"data\": \"swordfish\"}"), "openbao-garbage"),
        (Trouble::Error(500), "openbao-unavailable"),
        (Trouble::Echo(400), "openbao-refused"),
        (Trouble::Truncated, "openbao-unreachable"),
        (Trouble::Huge, "openbao-garbage"),
        (Trouble::Lost, "openbao-unreachable"),
        (Trouble::TooMany(1), "openbao-busy"),
    ] {
        fake.trouble(When::Next, trouble);
        let fault = bao.read(&place).await.unwrap_err();
        assert_eq!(fault.code, code, "{trouble:?}: {fault}");
        let told = format!("{fault} {fault:?} {bao:?}");
        assert!(!told.contains(ROOT) && !told.contains("swordfish"), "{told}");
    }
}

async fn restart_with(world: &mut World, key: &str) {
    world.powerdns[0].stop().await;
    world.powerdns[0].rekey(key);
    world.powerdns[0].go().await;
}

#[tokio::test]
async fn a_rotated_powerdns_key_is_picked_up_without_a_restart() {
    let fake = Simulator::start(Fake::default()).await.unwrap();
    fake.with(|f| {
        f.put("pdm/pdns", &json!({ "api-key": "harness-key" }));
        f.put("pdm/token", &json!({ "key": "k".repeat(48) }));
    });
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("jwt"), "ey.workload.jwt").unwrap();
    let section = format!(
        "[openbao]\nurl = \"{}\"\nrole = \"pdm\"\njwt = \"{}\"\n",
        fake.url(),
        dir.path().join("jwt").display()
    );
    let mut world = Plan::new(StoreKind::Sqlite).section(&section).start().await;
    world.daemons[0].stop().await;
    world.daemons[0].env("PDM__POWERDNS__0__API_KEY", "openbao:secret/pdm/pdns#api-key");
    world.daemons[0].env("PDM__AUTH__TOKEN_KEY", "openbao:secret/pdm/token#key");
    world.daemons[0].go().await;
    world.daemons[0].ready().await;
    let _ = world.api().lend("before", "192.0.2.1").await;

    // The vault first, then the server: nobody waits.
    fake.with(|f| f.put("pdm/pdns", &json!({ "api-key": "second-swordfish" })));
    restart_with(&mut world, "second-swordfish").await;
    let _ = world.api().lend("between", "192.0.2.2").await;

    // The server first: what is asked for waits, says why, and goes on when the vault knows.
    restart_with(&mut world, "third-swordfish").await;
    let token = world.api().reserve("after").await;
    let body = json!({
        "fqdn": "after.omani.works", "reservationToken": token, "loadBalancers": [{ "ipv4": "192.0.2.3" }],
    });
    let _ = world.api().post("/v1/commit", &body).await.expect(&[202]);
    until("readiness to name PowerDNS", || async {
        let answer = world.stranger().get("/readyz").await;
        if answer.status == 503 && answer.text.contains("powerdns") { Ok(()) } else { Err(answer) }
    })
    .await;
    fake.with(|f| f.put("pdm/pdns", &json!({ "api-key": "third-swordfish" })));
    until("the name to be active", || async {
        let answer = world.api().get("/v1/allocations/after.omani.works").await;
        if answer.text_at("/phase") == "active" { Ok(()) } else { Err(answer) }
    })
    .await;
    let log = world.daemons[0].log();
    assert!(log.contains("a secret was changed where it is kept"), "{log}");
    assert!(!log.contains("swordfish") && !log.contains("ey.workload"), "{log}");
    let metrics = world.stranger().get("/metrics").await.text;
    assert!(metrics.contains("pdm_secrets_changed_total{secret=\"powerdns.api_key\"} 2"), "{metrics}");
}

#[tokio::test]
async fn what_is_wrong_with_a_reference_is_told_at_the_start() {
    let fake = Simulator::start(Fake::default()).await.unwrap();
    let world = Plan::new(StoreKind::Sqlite).start().await;
    let file = world.config_file(0);
    let text =
        std::fs::read_to_string(&file).unwrap().replace("file:pdns.key", "openbao:secret/pdm/pdns#api-key");
    let check = async |more: &str| {
        std::fs::write(&file, format!("{text}\n{more}")).unwrap();
        let file = file.display().to_string();
        let check = move || pdm_harness::daemon::verb(&["config", "check", &file], &[("BAO", ROOT)]);
        tokio::task::spawn_blocking(check).await.unwrap()
    };
    let section = format!("[openbao]\nurl = \"{}\"\nlogin = \"token\"\ntoken = \"env:BAO\"\n", fake.url());
    assert!(
        check("")
            .await
            .unwrap_err()
            .contains("powerdns[0].api_key: a secret in OpenBao needs the section [openbao]")
    );
    let missing = check(&section).await.unwrap_err();
    assert!(
        missing.contains("powerdns[0].api_key: openbao-missing: there is no text at secret/pdm/pdns#api-key"),
        "{missing}"
    );
    let refused = check(&section.replace("env:BAO", "file:token.key")).await.unwrap_err();
    assert!(refused.contains("openbao-login") && !refused.contains("kkkk"), "{refused}");
    fake.with(|f| f.put("pdm/pdns", &json!({ "api-key": "harness-key" })));
    assert!(check(&section).await.unwrap().contains("is good"));
}
