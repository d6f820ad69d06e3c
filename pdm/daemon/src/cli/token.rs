//! `pdm token`: bearer tokens in the token file. The daemon sees a change within a second.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use pdm_engine::caller::Role;
use pdm_model::ZoneName;
use pdm_server::token_file::{self, DoorEntry, NewToken};
use serde_json::json;

use super::output::{self, Output, fields, table};
use crate::clock::host_now;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a token and print it; the file keeps its hash only.
    Create(Create),
    /// List tokens, without the tokens themselves.
    List {
        #[command(flatten)]
        file: File,
    },
    /// Take a token back.
    Revoke {
        #[command(flatten)]
        file: File,
        /// Its name or id.
        #[arg(long = "name", value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, Args)]
pub struct File {
    /// The token file, as `auth.tokens` names it.
    #[arg(long, value_name = "FILE", default_value = ".pdm/tokens.toml")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    file: File,
    /// For the audit log and for revoking.
    #[arg(long)]
    name: String,
    /// admin, provisioner, wizard, auditor or dns-door.
    #[arg(long, value_parser = parse_role)]
    role: Role,
    /// Acts for this owner only.
    #[arg(long)]
    owner: Option<String>,
    /// Acts in this pool only.
    #[arg(long, value_parser = parse_pool)]
    pool: Option<ZoneName>,
    /// With --role dns-door: the Sovereign whose zone it may write into.
    #[arg(long, value_parser = parse_pool, requires = "door")]
    zone: Option<ZoneName>,
    /// With --role dns-door: for certificate clients, or for external-dns.
    #[arg(long, value_parser = ["acme", "external-dns"], requires = "zone")]
    door: Option<String>,
    /// With --door external-dns: a label in the zone that is its own; repeat for several.
    #[arg(long, value_name = "LABEL", requires = "door")]
    label: Vec<String>,
    /// Ends after so many days.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
}

fn parse_role(text: &str) -> Result<Role, String> {
    let role = Role::from_word(text).filter(|role| *role != Role::Legacy);
    role.ok_or_else(|| "one of admin, provisioner, wizard, auditor, dns-door".into())
}

fn parse_pool(text: &str) -> Result<ZoneName, String> {
    ZoneName::parse(text).map_err(|e| e.to_string())
}

/// Carry out a verb.
///
/// # Errors
/// What is wrong with the file or the request.
pub fn run(verb: Verb, form: Output) -> Result<(), Failure> {
    match verb {
        Verb::Create(create) => make(create, form),
        Verb::List { file } => list(&file, form),
        Verb::Revoke { file, name } => {
            if token_file::revoke(&file.file, &name).map_err(Failure::refused)? {
                return Ok(());
            }
            Err(Failure::Refused(format!("there is no token {name} in {}", file.file.display())))
        }
    }
}

fn make(create: Create, form: Output) -> Result<(), Failure> {
    let expires = create.days.map(|days| host_now() + Duration::from_secs(u64::from(days) * 86_400));
    let door =
        create.zone.zip(create.door).map(|(zone, kind)| DoorEntry { zone, kind, labels: create.label });
    let Create { file: File { file }, name, role, owner, pool, .. } = create;
    let new = NewToken { name, role, owner, pool, door, expires };
    let made = token_file::create(&file, &new).map_err(Failure::refused)?;
    match form {
        Output::Json => output::json(&json!({ "id": made.id, "name": new.name, "token": made.token })),
        Output::Table | Output::Html => {
            fields(&[
                ("id", made.id),
                ("name", new.name),
                ("role", new.role.as_str().into()),
                ("token", made.token),
            ]);
            eprintln!("the token is shown this once");
        }
    }
    Ok(())
}

fn list(file: &File, form: Output) -> Result<(), Failure> {
    let entries = token_file::list(&file.file).map_err(Failure::refused)?;
    let rows: Vec<_> = entries
        .iter()
        .map(|t| json!({ "id": t.id, "name": t.name, "role": t.role, "owner": t.owner, "pool": t.pool, "expires": t.expires }))
        .collect();
    match form {
        Output::Json => output::json(&rows.into()),
        Output::Table | Output::Html => {
            let columns = [
                ("ID", "/id"),
                ("NAME", "/name"),
                ("ROLE", "/role"),
                ("OWNER", "/owner"),
                ("POOL", "/pool"),
                ("EXPIRES", "/expires"),
            ];
            table(&columns, &rows);
        }
    }
    Ok(())
}
