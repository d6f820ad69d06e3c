//! Programs that only PyPI has; `scripts/python.sh` installs them beside the build.

use std::path::PathBuf;

/// A program of `tests/python/requirements.txt`, or `python` with its libraries. They are in `PDM_PYTHON`, or in `python`
/// in the target directory of this test.
///
/// # Panics
/// When it has not been installed.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    if let Some(given) = std::env::var_os("PDM_PYTHON") {
        return PathBuf::from(given).join("bin").join(name);
    }
    let mut dir = std::env::current_exe().expect("the path of this test");
    while dir.pop() {
        let candidate = dir.join("python/bin").join(name);
        if candidate.exists() {
            return candidate;
        }
    }
    panic!("no {name} of PyPI beside this test: run scripts/python.sh, or set PDM_PYTHON");
}
