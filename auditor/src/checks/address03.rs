//! ADDRESS03: a reverse name is not that of the nameserver.

use pdm_dnssec::Name;
use pdm_model::audit::Severity::Notice;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "ADDRESS03",
    alias: "Address03",
    title: "a reverse name is not that of the nameserver",
    severity: "notice for each address whose PTR names something else",
    explanation: "A reverse name that differs makes tracing harder, and some filters suspicious.",
    fix: "let the PTR record name the nameserver",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(reverse) = &facts.reverse else {
        return found.skip("reverse names are not looked up in a private view");
    };
    for child in &facts.servers {
        let Some(Ok(names)) = reverse.get(&child.server.address.ip()) else { continue };
        let ours =
            child.server.names.iter().filter_map(|name| Name::parse(name)).any(|name| names.contains(&name));
        if !names.is_empty() && !ours {
            let named: Vec<String> = names.iter().map(ToString::to_string).collect();
            found
                .add(Notice, format!("{} is called {}", child.called(), named.join(", ")))
                .at(child, &Probe::Soa);
        }
    }
}
