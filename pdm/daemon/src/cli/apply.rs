//! `pdm apply`: names, policies and pools as files; `pdm crds`: the same as Kubernetes resources.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use pdm_api::AcceptedView;
use pdm_api::declared::{Document, crd, documents};
use pdm_client::declared::{Act, Look, Wish};
use serde_json::Value;

use super::http::Client;
use super::names::Waiting;
use super::output::{self, Output, table};
use super::watch;
use crate::config::duration;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct Apply {
    /// A file, a directory of .yaml, .yml and .json files, or - for standard input; repeat for several.
    #[arg(long, short, value_name = "PATH", required = true)]
    file: Vec<PathBuf>,
    /// Which documents belong together: pruning stays inside a set.
    #[arg(long, default_value = "default", value_parser = set_name)]
    set: String,
    /// Only say what would be done; ends with 1 when something is not as declared.
    #[arg(long)]
    plan: bool,
    /// Release names of this set that are declared no longer.
    #[arg(long)]
    prune: bool,
    /// Release so many at once; a fifth of the set when left out.
    #[arg(long, value_name = "NUMBER", requires = "prune")]
    prune_limit: Option<usize>,
    #[command(flatten)]
    waiting: Waiting,
}

fn set_name(text: &str) -> Result<String, String> {
    let fits = (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits { Ok(text.to_owned()) } else { Err("up to 40 small letters, digits and hyphens".to_owned()) }
}

/// Make what is there as it is declared.
///
/// # Errors
/// Documents that are wrong, what was refused, or that something is not as declared.
pub async fn run(apply: Apply, client: &Client) -> Result<(), Failure> {
    let mut all = Vec::new();
    for path in &apply.file {
        all.extend(read(path)?);
    }
    let wish = Wish::new(all, &apply.set).map_err(|wrong| Failure::Refused(wrong.join("\n  ")))?;
    let seconds = |text: &str| duration::parse(text).ok().map(|d| d.as_secs());
    let look = wish.look(client.daemon(), seconds).await.map_err(|e| client.tell(&e))?;
    show(client, &look)?;
    if apply.plan {
        let open = look.plan.open().count();
        return if open == 0 { Ok(()) } else { Err(not_as_declared(open, &look)) };
    }
    if let Some(why) = wish.prune_refused(&look, apply.prune_limit).filter(|_| apply.prune) {
        return Err(Failure::Refused(format!("nothing was done: {why}")));
    }
    let (mut begun, mut bad) = (Vec::new(), 0);
    for row in look.plan.open() {
        if row.act == Act::Release && !apply.prune {
            eprintln!("{} stays: say --prune to release it", row.name);
            continue;
        }
        match wish.carry_out(client.daemon(), row).await {
            Ok(Some(accepted)) => begun.push(accepted),
            // Reported above, and not ours to change.
            Ok(None) => bad += 1,
            Err(error) => {
                bad += 1;
                eprintln!("{}: {}", row.name, client.tell(&error));
            }
        }
    }
    bad += follow(client, &begun, apply.waiting.seconds()).await;
    if bad == 0 { Ok(()) } else { Err(not_as_declared(bad, &look)) }
}

fn not_as_declared(open: usize, look: &Look) -> Failure {
    Failure::Refused(format!("{open} of {} are not as declared", look.plan.rows.len()))
}

/// See everything that began to its end; how many did not end well.
async fn follow(client: &Client, begun: &[AcceptedView], seconds: Option<u64>) -> usize {
    let Some(seconds) = seconds else {
        for accepted in begun {
            eprintln!("{}: accepted; it goes on by itself", accepted.fqdn);
        }
        return 0;
    };
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut bad = 0;
    for accepted in begun {
        let Some(operation) = &accepted.operation else { continue };
        eprintln!("{}:", accepted.fqdn);
        let left = until.saturating_duration_since(Instant::now());
        match watch::until_closed(client, &operation.id, left).await {
            Ok(ended) if output::text(&ended, "/state") == "done" => {}
            Ok(_) => {
                bad += 1;
                eprintln!("{}: another operation took its place", accepted.fqdn);
            }
            Err(failure) => {
                bad += 1;
                eprintln!("{}: {failure}", accepted.fqdn);
            }
        }
    }
    bad
}

fn show(client: &Client, look: &Look) -> Result<(), Failure> {
    let plan = serde_json::to_value(&look.plan).map_err(Failure::refused)?;
    match client.output {
        Output::Json => output::json(&plan),
        Output::Table | Output::Html => {
            let columns = [("ACT", "/act"), ("NAME", "/name"), ("DETAIL", "/detail")];
            table(&columns, &output::items(&plan));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Document>, Failure> {
    let shown = path.display();
    let failed = |e: std::io::Error| Failure::Usage(format!("cannot read {shown}: {e}"));
    if path.is_dir() {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            let ending = file.extension().and_then(|e| e.to_str());
            if file.is_file() && matches!(ending, Some("yaml" | "yml" | "json")) {
                files.push(file);
            }
        }
        files.sort();
        return Ok(files.iter().map(|f| read(f)).collect::<Result<Vec<_>, _>>()?.concat());
    }
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    } else {
        text = std::fs::read_to_string(path).map_err(failed)?;
    }
    parse(&text).map_err(|why| Failure::Refused(format!("{shown}: {why}")))
}

/// YAML with any number of documents; JSON is YAML.
fn parse(text: &str) -> Result<Vec<Document>, String> {
    let values: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|e| e.to_string())?;
    let some = values.into_iter().filter(|v| !v.is_null());
    Ok(some.map(documents).collect::<Result<Vec<_>, _>>()?.concat())
}

/// The definitions for `kubectl apply -f -`.
///
/// # Errors
/// None that a test would not find.
pub fn crds() -> Result<String, Failure> {
    let mut text = String::new();
    for (_, definition) in crd::definitions() {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(&definition).map_err(Failure::refused)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_many_documents_and_errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("notes.txt", "{{{");
        write(
            "b.yaml",
            "# two\n---\napiVersion: pdm.openova.io/v1alpha1\nkind: FailoverPolicy\nmetadata: {name: two}\nspec: {failover: {ttl: 30}}\n\
             ---\napiVersion: pdm.openova.io/v1alpha1\nkind: PoolDomain\nmetadata: {name: p}\nspec: {domain: omani.works, quota: 5}\n---\n",
        );
        write(
            "a.json",
            r#"{"apiVersion": "pdm.openova.io/v1alpha1", "kind": "SovereignDomain", "metadata": {"name": "a"},
                "spec": {"fqdn": "a.b.c", "loadBalancers": [{"ipv4": "192.0.2.1"}]}}"#,
        );
        let all = read(dir.path()).unwrap();
        assert!(matches!(&all[0], Document::SovereignDomain(s) if s.fqdn == "a.b.c"));
        assert!(matches!(&all[1], Document::FailoverPolicy(name, _) if name == "two"));
        assert!(matches!(&all[2], Document::PoolDomain(p) if p.quota == Some(5)));
        for bad in ["kind: [", "a: b\n", "a: &x [*x]", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"] {
            write("c.yml", bad);
            let error = read(dir.path()).unwrap_err().to_string();
            assert!(error.contains("c.yml"), "{error}");
        }
        assert!(read(&dir.path().join("gone.yaml")).is_err());
    }

    /// The committed definitions are those of the types.
    #[test]
    fn the_definitions_are_committed() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
        for (file, definition) in crd::definitions() {
            let text =
                format!("# Written by `make docs`.\n{}", serde_saphyr::to_string(&definition).unwrap());
            let path = dir.join(format!("{file}.yaml"));
            if std::env::var_os("PDM_WRITE_DOCS").is_some() {
                std::fs::create_dir_all(&dir).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            assert_eq!(
                std::fs::read_to_string(&path).unwrap_or_default(),
                text,
                "run `make docs`: {}",
                path.display()
            );
        }
    }
}
