//! Which PowerDNS runs: the installed one, or one of those that `scripts/powerdns.sh` put beside the build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Names the directory of the PowerDNS that takes the place of the installed one in every test: `trixie`, or a path.
const PLACE: &str = "PDM_TEST_POWERDNS";

/// One version of PowerDNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    root: PathBuf,
    program: PathBuf,
    version: (u16, u16, u16),
}

impl Release {
    /// The one that tests use: the installed one, unless `PDM_TEST_POWERDNS` names another.
    ///
    /// # Panics
    /// When it is not there.
    pub fn usual() -> &'static Self {
        static USUAL: OnceLock<Release> = OnceLock::new();
        USUAL.get_or_init(|| match std::env::var_os(PLACE) {
            Some(place) => Self::unpacked(&beside_the_build().unwrap_or_default().join(place)),
            None => Self::at("/".into(), "/usr/sbin/pdns_server".into()),
        })
    }

    /// The usual one and every one beside the build, by version.
    ///
    /// # Panics
    /// When there is none beside the build.
    pub fn all() -> Vec<Self> {
        let dir = beside_the_build().expect("PowerDNS beside this test: run scripts/powerdns.sh");
        let found = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
        let mut all: Vec<_> =
            found.filter(|dir| dir.join("pdns_server").exists()).map(|dir| Self::unpacked(&dir)).collect();
        all.push(Self::usual().clone());
        all.sort_by_key(|release| release.version);
        all.dedup_by_key(|release| release.version);
        all
    }

    fn unpacked(dir: &Path) -> Self {
        Self::at(dir.to_owned(), dir.join("pdns_server"))
    }

    fn at(root: PathBuf, program: PathBuf) -> Self {
        let said = Command::new(&program).arg("--version").output();
        let said = said.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        // It says so on standard error, and ends with status 99.
        let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        let version =
            said.split("Authoritative Server ").nth(1).and_then(|text| text.split_whitespace().next());
        let mut parts = version.expect(&said).split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        let mut part = || parts.next().unwrap_or(0);
        Self { root, program, version: (part(), part(), part()) }
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> (u16, u16, u16) {
        self.version
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The `dnsdist` that came with it.
    #[must_use]
    pub fn dnsdist(&self) -> PathBuf {
        if self.is_installed() { "/usr/bin/dnsdist".into() } else { self.root.join("dnsdist") }
    }

    /// The settings of `deploy/` for it: those of its version, or of the last one before it that has a file.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn deployed(&self) -> String {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/powerdns");
        let files =
            std::fs::read_dir(dir).expect("deploy/powerdns").map(|entry| entry.expect("an entry").path());
        let version = |path: &Path| -> Option<(u16, u16)> {
            let (major, minor) = path.file_name()?.to_str()?.strip_suffix(".conf")?.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        };
        let known = files.filter_map(|path| Some((version(&path)?, path)));
        let file = known.filter(|(known, _)| *known <= (self.version.0, self.version.1)).max();
        std::fs::read_to_string(file.expect("settings for it").1).expect("its settings")
    }

    fn is_installed(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The capabilities that whoever runs it needs: a checkout may lie where only root may look.
    #[must_use]
    pub fn rights(&self) -> &'static [&'static str] {
        if self.is_installed() { &[] } else { &["dac_override"] }
    }

    /// The schema of its SQLite backend.
    #[must_use]
    pub fn sqlite_schema(&self) -> PathBuf {
        self.root.join("usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
    }

    /// The schema of its PostgreSQL backend.
    #[must_use]
    pub fn postgres_schema(&self) -> PathBuf {
        self.root.join("usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql")
    }

    /// Settings without which it would not do what the others do.
    #[must_use]
    pub fn settings(&self) -> &'static str {
        // Unknown, and fatal, before.
        if self.version >= (5, 1, 0) { "enable-lua-record-updates=yes\n" } else { "" }
    }
}

/// `powerdns` in the target directory of this test.
fn beside_the_build() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("the path of this test");
    test.ancestors().map(|dir| dir.join("powerdns")).find(|dir| dir.join("trixie/pdns_server").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_has_its_version_and_schemas() {
        let all = Release::all();
        assert!(all.len() >= 2 && all.is_sorted_by(|a, b| a.version < b.version), "{all:?}");
        for release in all {
            assert!(release.version >= (4, 7, 0), "{release:?}");
            assert!(release.sqlite_schema().exists() && release.postgres_schema().exists(), "{release:?}");
        }
    }
}
