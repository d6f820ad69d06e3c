//! `pdm up` and `pdm serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use pdm_engine::caller::Role;
use pdm_engine::token::TokenKey;
use pdm_model::ZoneName;
use pdm_server::token_file::{self, NewToken};

use super::{output, settings};
use crate::compose::{self, Daemon};
use crate::config::value::parse_network;
use crate::embedded::{self, State, Wish};
use crate::failure::Failure;
use crate::telemetry;

/// The name of the token that `pdm up` makes.
const ADMIN: &str = "admin";

#[derive(Debug, Args)]
pub struct Up {
    /// Where the store, PowerDNS's data and the secrets are kept.
    #[arg(long, value_name = "DIR", default_value = ".pdm")]
    state_dir: PathBuf,
    /// Where the API listens.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8053")]
    http: SocketAddr,
    /// Where DNS is answered; with 127.0.0.1 also on 127.0.0.2 and 127.0.0.3, one for each nameserver.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5300")]
    dns: SocketAddr,
    /// A pool; repeat for several. omani.works when there is none.
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pool: Vec<ZoneName>,
    /// Addresses that load balancers may have besides public and documentation ones; repeat for several.
    #[arg(long, value_name = "CIDR", value_parser = parse_network)]
    allow_addresses: Vec<ipnet::IpNet>,
    /// Lower every TTL, so that waits are short in a demonstration.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    ttl: Option<u32>,
    /// Failover policies may fetch URLs, not only open TCP connections.
    #[arg(long)]
    allow_http_checks: bool,
    /// Seconds between two rounds of health checks.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=3600))]
    check_interval: u16,
    /// First put back what only the DNS remembers (the store was restored from an older copy).
    #[arg(long)]
    recover: bool,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration file; see `pdm config example`.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

fn parse_name(text: &str) -> Result<ZoneName, String> {
    ZoneName::parse(text).map_err(|e| e.to_string())
}

/// Run the daemon against configured services.
///
/// # Errors
/// What keeps it from starting.
pub async fn serve(serve: Serve) -> Result<(), Failure> {
    let config = settings::read(&serve.config).await?;
    let stop = compose::stop_on_signals()?;
    let traces = telemetry::start(&config.log, config.telemetry.as_ref(), &stop)?;
    let daemon = Daemon::build(&config).await?;
    let running = compose::run(&config, daemon, stop, |_| ()).await;
    traces.end().await;
    running
}

/// Run everything on this machine.
///
/// # Errors
/// What keeps it from starting.
pub async fn up(up: Up) -> Result<(), Failure> {
    let shown = up.state_dir.clone();
    let (dns, recover) = (up.dns, up.recover);
    let wish = Wish {
        state_dir: up.state_dir,
        http: up.http,
        dns: up.dns,
        pools: up.pool,
        allow_addresses: up.allow_addresses,
        ttl: up.ttl,
        allow_http_checks: up.allow_http_checks,
        check_interval: up.check_interval,
    };
    let stop = compose::stop_on_signals()?;
    telemetry::start(&embedded::log(), None, &stop)?;
    let embedded = embedded::start(wish).await?;
    ensure_admin(&embedded.state)?;
    let daemon = Daemon::build(&embedded.config).await?;
    if recover {
        super::store::tell(&daemon.recover().await?);
    }
    let pools: Vec<_> = embedded.config.pools.iter().map(|p| p.domain.to_string()).collect();
    let key = TokenKey::new(&embedded.config.auth.token_key);
    let link = pdm_server::sign_in_link(&key, &embedded.state.admin_token()?).unwrap_or_default();
    let announced = |listen| announce(&shown, listen, dns, &pools, &link);
    let running = compose::run(&embedded.config, daemon, stop, announced).await;
    // PowerDNS ends last: steps under way needed it.
    drop(embedded);
    running
}

/// The token file knows the token in `admin.token`, whatever became of an earlier start.
fn ensure_admin(state: &State) -> Result<(), Failure> {
    let token = state.admin_token()?;
    let path = state.path("tokens.toml");
    let known = if path.exists() { token_file::list(&path).map_err(Failure::refused)? } else { Vec::new() };
    let hash = token_file::token_hash(&token);
    if known.iter().any(|t| t.name == ADMIN && t.hash == hash) {
        return Ok(());
    }
    if known.iter().any(|t| t.name == ADMIN) {
        token_file::revoke(&path, ADMIN).map_err(Failure::refused)?;
    }
    let new = NewToken {
        name: ADMIN.into(),
        role: Role::Admin,
        owner: None,
        pool: None,
        door: None,
        expires: None,
    };
    token_file::add(&path, &new, token.to_string()).map_err(Failure::refused)?;
    Ok(())
}

fn announce(state: &Path, listen: SocketAddr, dns: SocketAddr, pools: &[String], link: &str) {
    let first = pools.first().map_or("omani.works", String::as_str);
    let state = state.display();
    output::line(&format!(
        "pool-domain-manager is up; Ctrl-C stops it\n  \
         pages  http://{listen}/  (sign in with the admin token, or open this link, once and within the hour:)\n         \
         http://{listen}{link}\n  \
         API    http://{listen}  (reference: /openapi.json, health: /readyz, figures: /metrics)\n  \
         DNS    {dns}  (dig @{ip} -p {port} {first} SOA +dnssec)\n  \
         pools  {all}\n  \
         state  {state}  (admin token: {state}/admin.token, PowerDNS's log: {state}/pdns.log)\n\
         try next, in another terminal:\n  \
         export PDM_URL=http://{listen} PDM_TOKEN=$(cat {state}/admin.token)\n  \
         pdm reserve omantel.{first}\n  \
         pdm commit omantel.{first} --token TOKEN --ipv4 203.0.113.10 --wait",
        ip = dns.ip(),
        port = dns.port(),
        all = pools.join(", "),
    ));
}
