//! `[oidc]`: which tokens of an issuer are taken, and what they may do here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use pdm_engine::caller::Role;
use pdm_model::ZoneName;
use pdm_oidc::{Algorithm, ClaimNames};
use zeroize::Zeroizing;

use super::read::secret;
use super::secret::Outside;
use super::section::Reader;
use super::value;

/// An issuer and what its tokens may do.
pub struct Oidc {
    /// As its tokens name it.
    pub issuer: String,
    /// In `aud`.
    pub audience: String,
    /// From its roles to ours.
    pub rules: Rules,
    /// Where the claims are.
    pub claims: ClaimNames,
    /// Accepted signatures.
    pub algorithms: Vec<Algorithm>,
    /// How far its clock may be off.
    pub skew: Duration,
    /// Age at which its keys are fetched again.
    pub refresh: Duration,
    /// How long known keys are used while it does not answer.
    pub stale: Duration,
    /// Its certificate authorities, PEM.
    pub authorities: Option<Zeroizing<Vec<u8>>>,
    /// Who PDM is there.
    pub client: Option<(String, Option<Zeroizing<String>>)>,
    /// What is asked for at sign-in.
    pub scope: String,
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc")
            .field("issuer", &self.issuer)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// From the issuer's words to ours.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// By the issuer's role.
    pub roles: BTreeMap<String, Role>,
    /// The issuer's roles that act for every organization.
    pub everywhere: BTreeSet<String>,
    /// Environments whose tokens are taken, with the one pool they may use or all; empty takes every token.
    pub environments: BTreeMap<String, Option<ZoneName>>,
}

/// Read the section.
pub(super) fn read(mut r: Reader<'_>, pools: &[ZoneName], base: &Path, env: &Outside) -> Option<Oidc> {
    let issuer = r.get("issuer", value::url);
    let audience = r.get("audience", value::text);
    let roles = r.get("roles", |v| roles(value::pairs(v)?));
    let everywhere = r.get("everywhere", value::words);
    let environments = r.get("environments", |v| environments(value::pairs(v)?, pools));
    let (organization, environment) =
        (r.get("organization_claim", value::text), r.get("environment_claim", value::text));
    let roles_claim = r.get("roles_claim", value::text);
    let algorithms = r.get("algorithms", |v| algorithms(&value::words(v)?));
    let skew = r.get("clock_skew", value::time);
    let (refresh, stale) = (r.get("refresh", value::time), r.get("stale", value::time));
    let authorities = r.get("ca", |v| secret(base)(v)?.octets(env));
    let client_id = r.get("client_id", value::text);
    let client_secret = r.get("client_secret", |v| secret(base)(v)?.text(env));
    let scope = r.get("scope", value::text);
    if refresh.is_some_and(|t| t.is_zero()) {
        r.problem("refresh", "this must be longer than nothing");
    }
    if client_secret.is_some() && client_id.is_none() {
        r.problem("client_secret", "a secret without a client_id");
    }
    let named = |word: &String| roles.as_ref().is_none_or(|roles| roles.contains_key(word));
    if let Some(word) = everywhere.iter().flatten().find(|word| !named(word)) {
        r.problem("everywhere", format!("{word:?} is not among oidc.roles"));
    }
    Some(Oidc {
        issuer: issuer?,
        audience: audience?,
        rules: Rules {
            roles: roles?,
            everywhere: everywhere?.into_iter().collect(),
            environments: environments?,
        },
        claims: ClaimNames { organization: organization?, environment: environment?, roles: roles_claim? },
        algorithms: algorithms?,
        skew: skew?,
        refresh: refresh?,
        stale: stale?,
        authorities,
        client: client_id.map(|id| (id, client_secret)),
        scope: scope?,
    })
}

fn roles(words: BTreeMap<String, String>) -> Result<BTreeMap<String, Role>, String> {
    if words.is_empty() {
        return Err("without a role no token could do anything".into());
    }
    let role = |(theirs, ours): (String, String)| match Role::from_word(&ours) {
        Some(Role::Legacy | Role::DnsDoor) | None => {
            Err(format!("{theirs}: {ours:?} is not a role of tokens"))
        }
        Some(role) => Ok((theirs, role)),
    };
    words.into_iter().map(role).collect()
}

fn environments(
    words: BTreeMap<String, String>,
    pools: &[ZoneName],
) -> Result<BTreeMap<String, Option<ZoneName>>, String> {
    let one = |(environment, pool): (String, String)| {
        if pool == "*" {
            return Ok((environment, None));
        }
        match ZoneName::parse(&pool) {
            Ok(name) if pools.contains(&name) => Ok((environment, Some(name))),
            Ok(_) | Err(_) => Err(format!("{environment}: {pool:?} is not one of the pools, nor \"*\"")),
        }
    };
    words.into_iter().map(one).collect()
}

fn algorithms(words: &[String]) -> Result<Vec<Algorithm>, String> {
    if words.is_empty() {
        return Err("at least one is needed".into());
    }
    let known = Algorithm::ALL.map(Algorithm::as_str).join(", ");
    words
        .iter()
        .map(|word| Algorithm::from_word(word).ok_or_else(|| format!("{word:?} is none of {known}")))
        .collect()
}
