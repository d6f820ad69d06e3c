//! Counterparts that only npm has; `scripts/npm.sh` installs them beside the build.

use std::path::{Path, PathBuf};

use crate::child::{Child, guarded};

/// Where `node_modules` is: `PDM_NPM`, or `npm` in the target directory of this test.
///
/// # Panics
/// When it has not been installed.
#[must_use]
pub fn dir() -> PathBuf {
    if let Some(given) = std::env::var_os("PDM_NPM") {
        return given.into();
    }
    let mut dir = std::env::current_exe().expect("the path of this test");
    while dir.pop() {
        let candidate = dir.join("npm");
        if candidate.join("node_modules").is_dir() {
            return candidate;
        }
    }
    panic!("nothing of npm beside this test: run scripts/npm.sh, or set PDM_NPM");
}

/// Run a script of `tests/npm`.
#[must_use]
pub fn start(script: &str, env: &[(&str, &str)], log: &Path) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../npm").join(script);
    // In a session of its own: node asks the terminal, and a test that runs in the background would stop there.
    let mut command = guarded("setsid", false);
    command.arg("node").arg(script).env("NODE_DIR", dir()).envs(env.iter().copied());
    Child::start("node", command, log)
}
