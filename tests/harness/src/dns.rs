//! `dig` and `delv`: the DNS as others see it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::child::run;

/// The labels that every Sovereign answers for, and one that only the wildcard answers.
#[must_use]
pub fn names_of(fqdn: &str) -> Vec<String> {
    let mut names = vec![fqdn.to_owned()];
    names.extend(["console", "api", "gitea", "harbor", "any-other"].map(|l| format!("{l}.{fqdn}")));
    names
}

fn command(program: &str, at: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command.arg(format!("@{}", at.ip())).args(["-p", &at.port().to_string()]);
    command
}

/// The records of an answer, one a line, in order.
///
/// # Panics
/// When `dig` fails.
#[must_use]
pub fn short(at: SocketAddr, name: &str, rtype: &str) -> Vec<String> {
    let mut dig = command("dig", at);
    dig.args(["+short", "+norecurse", "+time=3", "+tries=2", name, rtype]);
    let text = run(&mut dig).expect("dig");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The IPv4 addresses of an answer, asked without a process in between, so that it can be timed; none when there is no
/// answer within a second.
pub async fn addresses(at: SocketAddr, name: &str) -> Option<BTreeSet<IpAddr>> {
    let mut query = vec![0x50, 0x44, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        query.push(u8::try_from(label.len()).ok()?);
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    let socket = tokio::net::UdpSocket::bind((at.ip(), 0)).await.ok()?;
    socket.connect(at).await.ok()?;
    socket.send(&query).await.ok()?;
    let mut reply = [0_u8; 4096];
    let length = tokio::time::timeout(Duration::from_secs(1), socket.recv(&mut reply)).await.ok()?.ok()?;
    let reply = reply.get(..length)?;
    let count = u16::from_be_bytes([*reply.get(6)?, *reply.get(7)?]);
    // Without EDNS the question comes back as it was, and every owner is a pointer to it.
    let mut rest = reply.get(query.len()..)?;
    let mut found = BTreeSet::new();
    for _ in 0..count {
        let (head, data) = rest.split_at_checked(12)?;
        let length = usize::from(u16::from_be_bytes([head[10], head[11]]));
        let (data, after) = data.split_at_checked(length)?;
        if head[2..4] == [0, 1] {
            found.insert(IpAddr::from(<[u8; 4]>::try_from(data).ok()?));
        }
        rest = after;
    }
    Some(found)
}

/// The whole answer with signatures.
///
/// # Panics
/// When `dig` fails.
#[must_use]
pub fn full(at: SocketAddr, name: &str, rtype: &str, tcp: bool) -> String {
    let mut dig = command("dig", at);
    dig.args([
        "+dnssec",
        "+norecurse",
        "+time=3",
        "+tries=2",
        if tcp { "+tcp" } else { "+notcp" },
        name,
        rtype,
    ]);
    run(&mut dig).expect("dig")
}

/// The response code of an answer: `NOERROR`, `NXDOMAIN`, ...
#[must_use]
pub fn status(at: SocketAddr, name: &str, rtype: &str) -> String {
    let text = full(at, name, rtype, false);
    text.split("status: ").nth(1).and_then(|t| t.split(',').next()).unwrap_or("").to_owned()
}

/// Write the entry-point keys that `zone` serves as a trust anchor file for `delv`.
///
/// # Panics
/// When no key is served.
pub fn write_anchor(at: SocketAddr, zone: &str, file: &Path) {
    let keys = short(at, zone, "DNSKEY");
    let mut text = String::from("trust-anchors {\n");
    let mut any = false;
    for key in keys.iter().filter(|k| k.starts_with("257 ")) {
        let mut words = key.split_ascii_whitespace();
        let (flags, protocol, algorithm) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let key: String = words.collect();
        text.push_str(&format!("  \"{zone}.\" static-key {flags} {protocol} {algorithm} \"{key}\";\n"));
        any = true;
    }
    assert!(any, "{zone} serves no entry-point key: {keys:?}");
    text.push_str("};\n");
    std::fs::write(file, text).expect("write the anchor");
}

/// What `delv` says, with the key of `root` from `anchor` as the only trust.
#[must_use]
pub fn delv(at: SocketAddr, anchor: &Path, root: &str, name: &str, rtype: &str) -> String {
    let mut delv = command("delv", at);
    delv.arg("-a").arg(anchor).arg(format!("+root={root}")).args([name, rtype]);
    let output = delv.output().expect("delv");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Panic unless `delv` fully validates the answer; NXDOMAIN and NODATA count when they are proved.
///
/// # Panics
/// When it does not.
pub fn must_validate(at: SocketAddr, anchor: &Path, root: &str, name: &str, rtype: &str) {
    let said = delv(at, anchor, root, name, rtype);
    assert!(said.contains("fully validated"), "delv {name} {rtype}: {said}");
}

/// All records of a zone by transfer, one a line, in order, without the SOA.
///
/// # Panics
/// When `dig` fails or the server does not hand the zone out.
#[must_use]
pub fn transfer(at: SocketAddr, zone: &str) -> Vec<String> {
    let mut dig = command("dig", at);
    dig.args(["+noall", "+answer", "+onesoa", "+time=5", zone, "AXFR"]);
    let text = run(&mut dig).expect("dig");
    assert!(text.contains("SOA"), "no transfer of {zone}: {text}");
    let words = |line: &str| line.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<_> = text.lines().map(words).filter(|line| !line.contains(" IN SOA ")).collect();
    lines.sort();
    lines
}

/// Send an update as `nsupdate` does, signed with a key `algorithm:name:secret`.
///
/// # Errors
/// What `nsupdate` says when the server refuses.
pub fn update(at: SocketAddr, key: &str, zone: &str, commands: &[String]) -> Result<String, String> {
    let script = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    let text = format!("server {} {}\nzone {zone}\n{}\nsend\n", at.ip(), at.port(), commands.join("\n"));
    std::fs::write(script.path(), text).map_err(|e| e.to_string())?;
    run(Command::new("nsupdate").args(["-t", "10", "-y", key]).arg(script.path()))
}
