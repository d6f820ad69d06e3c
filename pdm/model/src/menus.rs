//! What registrars call the places in their web pages where a person enters NS and DS. The rows are data (`menus.txt`).

use std::sync::LazyLock;

const ROWS: &str = include_str!("menus.txt");

/// One registrar's menus. Steps are parted by commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Menu {
    /// Stable id; where there is an adapter, the adapter's.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Where the nameservers are.
    pub nameservers: &'static str,
    /// Where the DS is, if anywhere.
    pub ds: Option<&'static str>,
    /// Where the lock against transfer is, if anywhere.
    pub lock: Option<&'static str>,
    /// Its help page.
    pub help: &'static str,
}

/// All rows, by id.
#[must_use]
pub fn menus() -> &'static [Menu] {
    static MENUS: LazyLock<Vec<Menu>> = LazyLock::new(|| ROWS.lines().filter_map(row).collect());
    &MENUS
}

fn row(line: &'static str) -> Option<Menu> {
    let mut cells = line.split('|').map(str::trim).filter(|_| !line.starts_with('#'));
    let mut cell = || cells.next().filter(|text| !text.is_empty());
    let place = |text: &'static str| (text != "-").then_some(text);
    let (id, name, nameservers) = (cell()?, cell()?, cell()?);
    let (ds, lock, help) = (place(cell()?), place(cell()?), cell()?);
    cell().is_none().then_some(Menu { id, name, nameservers, ds, lock, help })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_stands_in_order() {
        let rows = ROWS.lines().filter(|line| !line.starts_with('#')).count();
        assert!(menus().len() == rows && rows >= 10);
        assert!(menus().is_sorted_by(|a, b| a.id < b.id));
        assert!(menus().iter().all(|menu| menu.help.starts_with("https://")));
    }
}
