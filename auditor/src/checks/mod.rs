//! The checks, one a file. The table is their order in documents; a report sorts by severity.

mod acme01;
mod acme02;
mod address01;
mod address02;
mod address03;
mod basic01;
mod basic02;
mod basic03;
mod byo01;
mod byo02;
mod byo03;
mod connectivity01;
mod connectivity02;
mod connectivity03;
mod connectivity04;
mod consistency01;
mod consistency02;
mod consistency03;
mod consistency04;
mod consistency05;
mod consistency06;
mod delegation01;
mod delegation02;
mod delegation03;
mod delegation04;
mod delegation05;
mod delegation06;
mod delegation07;
mod dnssec01;
mod dnssec02;
mod dnssec03;
mod dnssec04;
mod dnssec05;
mod dnssec06;
mod dnssec07;
mod dnssec08;
mod dnssec09;
mod dnssec10;
mod dnssec11;
mod dnssec12;
mod dnssec13;
mod dnssec14;
mod dnssec15;
mod dnssec16;
mod dnssec17;
mod dnssec18;
mod key01;
mod nameserver01;
mod nameserver02;
mod nameserver03;
mod nameserver04;
mod nameserver05;
mod nameserver06;
mod nameserver07;
mod nameserver08;
mod nameserver09;
mod nameserver10;
mod nameserver11;
mod nameserver12;
mod nameserver13;
mod nameserver15;
mod pool01;
mod pool02;
mod pool03;
mod reg01;
mod reg02;
mod shared;
mod sov01;
mod sov02;
mod sov03;
mod sov04;
mod sov05;
mod sov06;
mod syntax01;
mod syntax02;
mod syntax03;
mod syntax04;
mod syntax05;
mod syntax06;
mod syntax07;
mod syntax08;
mod take01;
mod take02;
mod zone01;
mod zone02;
mod zone03;
mod zone04;
mod zone05;
mod zone06;
mod zone07;
mod zone08;
mod zone09;
mod zone10;
mod zone11;

use crate::audit::found::Check;

/// All of them.
pub const CHECKS: &[&Check] = &[
    &basic01::CHECK,
    &basic02::CHECK,
    &basic03::CHECK,
    &address01::CHECK,
    &address02::CHECK,
    &address03::CHECK,
    &connectivity01::CHECK,
    &connectivity02::CHECK,
    &connectivity03::CHECK,
    &connectivity04::CHECK,
    &consistency01::CHECK,
    &consistency02::CHECK,
    &consistency03::CHECK,
    &consistency04::CHECK,
    &consistency05::CHECK,
    &consistency06::CHECK,
    &delegation01::CHECK,
    &delegation02::CHECK,
    &delegation03::CHECK,
    &delegation04::CHECK,
    &delegation05::CHECK,
    &delegation06::CHECK,
    &delegation07::CHECK,
    &dnssec01::CHECK,
    &dnssec02::CHECK,
    &dnssec03::CHECK,
    &dnssec04::CHECK,
    &dnssec05::CHECK,
    &dnssec06::CHECK,
    &dnssec07::CHECK,
    &dnssec08::CHECK,
    &dnssec09::CHECK,
    &dnssec10::CHECK,
    &dnssec11::CHECK,
    &dnssec12::CHECK,
    &dnssec13::CHECK,
    &dnssec14::CHECK,
    &dnssec15::CHECK,
    &dnssec16::CHECK,
    &dnssec17::CHECK,
    &dnssec18::CHECK,
    &nameserver01::CHECK,
    &nameserver02::CHECK,
    &nameserver03::CHECK,
    &nameserver04::CHECK,
    &nameserver05::CHECK,
    &nameserver06::CHECK,
    &nameserver07::CHECK,
    &nameserver08::CHECK,
    &nameserver09::CHECK,
    &nameserver10::CHECK,
    &nameserver11::CHECK,
    &nameserver12::CHECK,
    &nameserver13::CHECK,
    &nameserver15::CHECK,
    &syntax01::CHECK,
    &syntax02::CHECK,
    &syntax03::CHECK,
    &syntax04::CHECK,
    &syntax05::CHECK,
    &syntax06::CHECK,
    &syntax07::CHECK,
    &syntax08::CHECK,
    &zone01::CHECK,
    &zone02::CHECK,
    &zone03::CHECK,
    &zone04::CHECK,
    &zone05::CHECK,
    &zone06::CHECK,
    &zone07::CHECK,
    &zone08::CHECK,
    &zone09::CHECK,
    &zone10::CHECK,
    &zone11::CHECK,
    &pool01::CHECK,
    &pool02::CHECK,
    &pool03::CHECK,
    &sov01::CHECK,
    &sov02::CHECK,
    &sov03::CHECK,
    &sov04::CHECK,
    &sov05::CHECK,
    &sov06::CHECK,
    &byo01::CHECK,
    &byo02::CHECK,
    &byo03::CHECK,
    &acme01::CHECK,
    &acme02::CHECK,
    &reg01::CHECK,
    &reg02::CHECK,
    &take01::CHECK,
    &take02::CHECK,
    &key01::CHECK,
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fmt::Write as _;
    use std::path::Path;

    use super::CHECKS;

    /// The pages, by file name: one for each check, and the list of them.
    fn pages() -> BTreeMap<String, String> {
        let mut list = String::from(
            "# Checks of an audit\n\n\
             Made from `auditor/src/checks`; `make docs` writes it again. `pdm audit --explain CHECK` prints the same. A check \
             that nobody\nanswered is neither good nor bad.\n\n| check | what is wrong | zonemaster | PDM repairs it |\n|---|---|---|---|\n",
        );
        let mut pages = BTreeMap::new();
        for check in CHECKS {
            let file = format!("checks/{}.md", check.id);
            let repairs = if check.repair { "yes" } else { "" };
            let _ =
                writeln!(list, "| [{}]({file}) | {} | {} | {repairs} |", check.id, check.title, check.alias);
            pages.insert(file, check.page());
        }
        pages.insert("checks.md".to_owned(), list);
        pages
    }

    #[test]
    fn the_pages_are_made_from_the_table() {
        let generated = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/generated");
        let pages = pages();
        if std::env::var_os("PDM_WRITE_DOCS").is_some() {
            let _ = std::fs::remove_dir_all(generated.join("checks"));
            std::fs::create_dir_all(generated.join("checks")).unwrap();
            pages.iter().for_each(|(file, page)| std::fs::write(generated.join(file), page).unwrap());
        }
        for (file, page) in &pages {
            let there = std::fs::read_to_string(generated.join(file)).unwrap_or_default();
            assert_eq!(there, *page, "{file}: run `make docs`");
        }
        let there = std::fs::read_dir(generated.join("checks")).unwrap().count();
        assert_eq!(there, CHECKS.len(), "a page of no check");
    }

    #[test]
    fn every_check_is_complete_and_stands_once() {
        let ids: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
        assert_eq!(ids.len(), CHECKS.len());
        for check in CHECKS {
            assert!(
                !check.title.is_empty() && !check.explanation.is_empty() && !check.fix.is_empty(),
                "{}",
                check.id
            );
            assert!(check.because.iter().all(|id| ids.contains(id) && *id != check.id), "{}", check.id);
        }
    }
}
