//! The command line: one file per group of verbs.

pub mod admin;
pub mod apply;
pub mod audit;
mod audit_page;
pub mod carry_over;
pub mod controller;
pub mod credentials;
pub mod delegation;
pub mod dnssec;
pub mod evidence;
pub mod http;
pub mod log;
pub mod lua;
pub mod names;
pub mod output;
pub mod plan;
pub mod reach;
pub mod read;
pub mod run;
pub mod settings;
pub mod store;
pub mod token;
pub mod watch;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::failure::Failure;
use output::Output;

/// Lends names from pools and proves that they are answered: reserve, commit, release.
#[derive(Debug, Parser)]
#[command(
    name = "pdm",
    version,
    propagate_version = true,
    after_help = "Exit status: 0 good, 1 refused or findings, 2 usage."
)]
pub struct Cli {
    #[command(flatten)]
    reach: reach::Reach,
    /// How answers are shown.
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Table, help_heading = "Client")]
    output: Output,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run everything on this machine: embedded store, private PowerDNS.
    Up(run::Up),
    /// Run the daemon against configured services.
    Serve(run::Serve),
    #[command(flatten)]
    Names(names::Verb),
    /// Make names as files declare them; with --plan only say what differs.
    Apply(apply::Apply),
    /// The documents of `pdm apply` as Kubernetes resources, for `kubectl apply -f -`.
    Crds,
    /// Make names as Kubernetes resources declare them, and write their status back.
    Controller(controller::Verb),
    #[command(flatten)]
    Read(read::Verb),
    #[command(flatten)]
    Admin(admin::Verb),
    /// Failover policies: explain a file, see what nameservers answer, force a region up or down.
    #[command(subcommand)]
    Lua(lua::Verb),
    /// What clients would get, and when, if regions went down. Nothing is touched.
    Rehearse(lua::Rehearse),
    /// DNSSEC keys: status, roll, hold, policy, inventory.
    #[command(subcommand)]
    Dnssec(dnssec::Verb),
    /// Look at the real DNS of a name or a pool: what is wrong, who must act, and the fix.
    Audit(audit::Audit),
    /// Everything about one name in one signed bundle.
    Evidence(evidence::Evidence),
    /// The audit log: read, export, verify.
    Log(log::Log),
    /// The records that move with a domain that its owner brings.
    #[command(subcommand)]
    CarryOver(carry_over::Verb),
    /// Bearer tokens: create, list, revoke (in the token file, without the daemon).
    #[command(subcommand)]
    Token(token::Verb),
    /// The store: migrate, check, recover, copy (without the daemon).
    #[command(subcommand)]
    Store(store::Verb),
    /// Domains that their owners bring: the plan, where it stands, the way back.
    #[command(subcommand)]
    Delegation(delegation::Verb),
    /// Stored credentials of registrars: seal them with another key (without the daemon).
    #[command(subcommand)]
    Credentials(credentials::Verb),
    /// The configuration: check a file, show an example or the schema.
    #[command(subcommand)]
    Config(settings::Verb),
    /// Print the OpenAPI document of this version.
    Openapi,
    /// Print a completion script.
    Completion {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// Carry out the command line.
///
/// # Errors
/// Why it failed, with the exit status.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let client = || cli.reach.client(cli.output);
    match cli.verb {
        Verb::Up(up) => run::up(up).await,
        Verb::Serve(serve) => run::serve(serve).await,
        Verb::Names(verb) => names::run(verb, &client()?).await,
        // Many calls with bodies of their own: one key for all of them would be refused.
        Verb::Apply(verb) => apply::run(verb, &cli.reach.without_key(cli.output)?).await,
        Verb::Crds => {
            output::line(apply::crds()?.trim_end());
            Ok(())
        }
        Verb::Controller(verb) => controller::run(verb, &cli.reach.without_key(cli.output)?).await,
        Verb::Read(verb) => read::run(verb, &client()?).await,
        Verb::Admin(verb) => admin::run(verb, &client()?).await,
        Verb::Lua(verb) => lua::run(verb, cli.output, client).await,
        Verb::Rehearse(verb) => lua::rehearse(verb, &client()?).await,
        Verb::Dnssec(verb) => dnssec::run(verb, &client()?).await,
        Verb::Audit(verb) => audit::run(verb, &client()?).await,
        Verb::Evidence(verb) => evidence::run(verb, &client()?).await,
        Verb::Log(verb) => log::run(verb, &client()?).await,
        Verb::CarryOver(verb) => carry_over::run(verb, &client()?).await,
        Verb::Token(verb) => token::run(verb, cli.output),
        Verb::Store(verb) => store::run(verb, cli.output).await,
        Verb::Delegation(verb) => delegation::run(verb, &client()?).await,
        Verb::Credentials(verb) => credentials::run(verb).await,
        Verb::Config(verb) => settings::run(verb).await,
        Verb::Openapi => {
            output::line(&crate::compose::openapi()?);
            Ok(())
        }
        Verb::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "pdm", &mut script);
            output::line(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_verbs_of_the_contract_parse() {
        let lines = [
            "pdm up --state-dir d --http 127.0.0.1:1 --dns 127.0.0.1:2 --pool a.example --allow-addresses 10.0.0.0/8 --ttl 2",
            "pdm serve --config f",
            "pdm check omantel.omani.works",
            "pdm reserve omantel.omani.works --owner acme --output json",
            "pdm extend a.b.c --token t",
            "pdm commit a.b.c --token t --ipv4 192.0.2.1 --ipv6 2001:db8::1 --wait 60",
            "pdm commit a.b.c --token t --ipv4 192.0.2.1 --wait",
            "pdm target a.b.c --ipv4 192.0.2.1",
            "pdm commit a.b.c --token t --policy p.json",
            "pdm target a.b.c --policy p.json --wait",
            "pdm lua explain --file p.json --powerdns 5.1.0 --geoip",
            "pdm lua status a.b.c",
            "pdm lua drain a.b.c --region fsn --down --for 2h",
            "pdm lua drain a.b.c --region fsn --auto",
            "pdm rehearse a.b.c --down fsn --down nbg",
            "pdm release a.b.c --wait",
            "pdm apply -f names -f policies.yaml --set prod --plan",
            "pdm apply -f - --prune --prune-limit 3 --wait 60",
            "pdm crds",
            "pdm controller --kubernetes http://127.0.0.1:8001 --kubernetes-token f --namespace n --adopt --round 1m",
            "pdm get a.b.c --idempotency-key k",
            "pdm get a.b.c",
            "pdm get a.b.c --ca b --cert c --key k --server-id spiffe://openova.io/pdm",
            "pdm list --pool b.c --phase active --owner o",
            "pdm wait a.b.c --timeout 5",
            "pdm operations 0198 --retry",
            "pdm validate a.example",
            "pdm registrars",
            "pdm registrars validate ovh acme.com --credential f",
            "pdm reserve acme.com --mode byo-manual",
            "pdm commit acme.com --token t --ipv4 192.0.2.1 --registrar ovh --credential f --accept ds-by-hand",
            "pdm credential acme.com --registrar ovh --credential f",
            "pdm delegation plan acme.com",
            "pdm delegation status acme.com",
            "pdm delegation undo acme.com --wait",
            "pdm credentials rekey --config f",
            "pdm carry-over show a.b",
            "pdm carry-over upload a.b zone.txt",
            "pdm carry-over waive a.b www @ --take api --accept-incomplete",
            "pdm pools list",
            "pdm pools ds",
            "pdm pools plan omani.works --config f",
            "pdm log --fqdn a.b.c",
            "pdm log export --file f",
            "pdm evidence a.b.c --file f",
            "pdm log verify f",
            "pdm audit a.b.c --output html",
            "pdm audit a.b.c --output text --compare 7",
            "pdm audit a.b.c --fix SOV06",
            "pdm audit b.c --pool",
            "pdm audit a.b.c --acknowledge ZONE02 --reason planned --days 7",
            "pdm token create --file t --name ci --role provisioner --owner acme --pool omani.works --days 30",
            "pdm token list --file t",
            "pdm token revoke --file t --name ci",
            "pdm freeze --pool omani.works",
            "pdm thaw",
            "pdm suspend a.b.c --reason phishing",
            "pdm resume a.b.c",
            "pdm owner a.b.c acme",
            "pdm dnssec status a.b.c",
            "pdm dnssec roll a.b.c --kind ksk --reason tuesday --wait 60",
            "pdm dnssec hold a.b.c --reason holidays",
            "pdm dnssec hold a.b.c --off",
            "pdm dnssec policy a.b.c layout=csk algorithm=15",
            "pdm dnssec policy a.b.c --pool",
            "pdm dnssec inventory --pool b.c",
            "pdm store migrate --config f",
            "pdm store check --config f",
            "pdm store recover --config f",
            "pdm store copy --config f --to postgres://h/d",
            "pdm config check f",
            "pdm config example",
            "pdm config schema",
            "pdm openapi",
            "pdm completion bash",
        ];
        for line in lines {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
        for wrong in [
            "pdm",
            "pdm commit a.b.c --token t",
            "pdm reserve",
            "pdm serve",
            "pdm commit a.b --token t --ipv4 999.1.1.1",
            "pdm commit a.b.c --token t --ipv4 192.0.2.1 --policy p.json",
            "pdm lua drain a.b.c --region fsn --down",
            "pdm lua drain a.b.c --region fsn --for 2h",
            "pdm lua drain a.b.c --region fsn --auto --for 2h",
            "pdm lua drain a.b.c --region fsn --up --down --for 2h",
            "pdm rehearse a.b.c",
            "pdm apply",
            "pdm list --server-id openova.io --ca b --cert c --key k",
            "pdm apply -f x --prune-limit 3",
            "pdm apply -f x --set A/B",
            "pdm controller --kubernetes-token f",
        ] {
            assert!(Cli::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
    }
}
