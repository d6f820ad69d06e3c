//! `[openbao]`: where secrets are that this file refers to, and who PDM is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pdm_openbao::{Login, OpenBao, Place, Settings};
use pdm_ports::{Class, Fault};
use pdm_spiffe::SpiffeId;
use toml::{Table, Value};
use zeroize::Zeroizing;

use super::read::secret;
use super::secret::{Outside, Reference};
use super::section::Reader;
use super::value;
use crate::mesh::Mesh;

/// How long a start waits for a server that does not answer yet, or is sealed.
const PATIENCE: Duration = Duration::from_secs(15);
/// What is wrong with the server or the login, and not with one secret.
const WHOLE: &[&str] = &["openbao-unreachable", "openbao-login", "openbao-sealed"];
const LOGINS: &[&str] = &["kubernetes", "jwt", "certificate", "token"];

/// A server, and how old what was read there may become.
pub struct OpenBaoConfig {
    /// Where it is and who PDM is there.
    pub settings: Settings,
    /// Which workload it is; without one, TLS is that of the web.
    pub spiffe_id: Option<SpiffeId>,
    /// Between two looks at secrets that are in use.
    pub refresh: Duration,
}

/// Read the section.
pub(super) fn read(mut r: Reader<'_>, base: &Path, outside: &Outside) -> Option<OpenBaoConfig> {
    let url = r.get("url", value::url);
    let namespace = r.get("namespace", value::text);
    let file = |v: &Value| Ok(base.join(value::text(v)?));
    let authorities = r.get("ca", file);
    let spiffe_id = r.get("spiffe_id", super::spiffe::id);
    let login = r.get("login", value::choice(LOGINS));
    let login = login.and_then(|login| read_login(&mut r, &login, base, outside, spiffe_id.is_some()));
    let refresh = r.get("refresh", value::time);
    if refresh.is_some_and(|t| t.is_zero()) {
        r.problem("refresh", "this must be longer than nothing");
    }
    let settings = Settings { url: url?, namespace, login: login?, authorities, tls: None };
    Some(OpenBaoConfig { settings, spiffe_id, refresh: refresh? })
}

fn read_login(
    r: &mut Reader<'_>,
    login: &str,
    base: &Path,
    outside: &Outside,
    meshed: bool,
) -> Option<Login> {
    let file = |v: &Value| Ok(base.join(value::text(v)?));
    let mount = r.get("mount", part);
    let role = r.get("role", value::text);
    let (certificate, key) = (r.get("certificate", file), r.get("key", file));
    let token = r.get("token", |v| match secret(base)(v)? {
        Reference::File(path) => Ok(Login::TokenFile(path)),
        reference @ Reference::Env(_) => Ok(Login::Token(reference.text(outside)?)),
        Reference::OpenBao(_) => Err("it cannot be kept where it leads".to_owned()),
    });
    let jwt = r.get("jwt", file);
    let mut need = |name: &str| r.problem(name, format!("this is missing: openbao.login is {login:?}"));
    match login {
        "token" if token.is_none() => need("token"),
        "jwt" | "kubernetes" if role.is_none() => need("role"),
        // In the mesh it is the workload's own.
        "certificate" if certificate.is_none() && !meshed => need("certificate"),
        "certificate" if key.is_none() && !meshed => need("key"),
        "token" => return token,
        "certificate" => {
            let mount = mount.unwrap_or_else(|| "cert".to_owned());
            return Some(Login::Certificate { mount, role, files: certificate.zip(key) });
        }
        method => {
            let mount = mount.unwrap_or_else(|| method.to_owned());
            return Some(Login::Jwt { mount, role: role?, file: jwt? });
        }
    }
    None
}

/// A part of a path.
fn part(v: &Value) -> Result<String, String> {
    let text = value::text(v)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_/".contains(&b);
    if text.is_empty() || !text.bytes().all(plain) {
        return Err(format!("{text:?} has something else than letters, digits and -_/"));
    }
    Ok(text.trim_matches('/').to_owned())
}

/// Log in and read everything that the file refers to. What goes wrong is told where the secret is needed.
pub(super) async fn fetch(tree: &Table, base: &Path, variables: BTreeMap<String, String>) -> Outside {
    let mut outside = Outside { variables, ..Outside::default() };
    let mut problems = Vec::new();
    let section = tree.get("openbao").map(|v| Reader::new("openbao", "openbao", Some(v), &mut problems));
    // A section with problems is told by whoever reads the whole file.
    let Some(config) = section.and_then(|reader| read(reader, base, &outside)) else { return outside };
    let mut places = BTreeSet::new();
    find(&Value::Table(tree.clone()), &mut places);
    let mut settings = config.settings;
    let joined = match &config.spiffe_id {
        Some(id) => join(tree, base, id, &mut outside.mesh, &mut settings).await,
        None => Ok(()),
    };
    let server =
        joined.and_then(|()| OpenBao::new(settings).map(Arc::new).map_err(|fault| fault.to_string()));
    // Who cannot log in for one cannot for the next.
    let mut in_the_way = None;
    for place in places {
        let read = match (&server, &in_the_way) {
            (Ok(_), Some(why)) => Err(String::clone(why)),
            (Ok(server), None) => patiently(server, &place).await.map_err(|fault| {
                let text = fault.to_string();
                if WHOLE.contains(&fault.code) {
                    in_the_way = Some(text.clone());
                }
                text
            }),
            (Err(why), _) => Err(why.clone()),
        };
        outside.fetched.insert(place, read);
    }
    outside.openbao = server.ok();
    outside
}

/// Become a workload already now, because OpenBao is one.
async fn join(
    tree: &Table,
    base: &Path,
    id: &SpiffeId,
    joined: &mut Option<Arc<Mesh>>,
    settings: &mut Settings,
) -> Result<(), String> {
    let mut problems = Vec::new();
    let section = tree.get("spiffe").ok_or("it needs the section [spiffe]")?;
    let spiffe = super::spiffe::read(Reader::new("spiffe", "spiffe", Some(section), &mut problems), base);
    let spiffe = spiffe.ok_or("[spiffe] has problems")?;
    let mesh = Mesh::join(&spiffe).await.map_err(|failure| failure.to_string())?;
    settings.tls = Some(mesh.client(id).map_err(|failure| failure.to_string())?);
    *joined = Some(Arc::new(mesh));
    Ok(())
}

/// A server that starts beside us is worth a little time.
async fn patiently(server: &OpenBao, place: &Place) -> Result<Zeroizing<String>, Fault> {
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(250);
    loop {
        match server.read(place).await {
            Err(Fault { class: Class::Transient, .. }) if waited < PATIENCE => {
                tokio::time::sleep(pause).await;
                waited += pause;
                pause = (pause * 2).min(Duration::from_secs(3));
            }
            other => return other,
        }
    }
}

fn find(value: &Value, places: &mut BTreeSet<Place>) {
    match value {
        Value::String(text) => places.extend(text.strip_prefix("openbao:").and_then(|t| t.parse().ok())),
        Value::Array(items) => items.iter().for_each(|item| find(item, places)),
        Value::Table(table) => table.values().for_each(|item| find(item, places)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}
