//! Independent clients from PyPI against the same simulators, in full runs only: what works for them and for the
//! adapter is more likely the vendor's way than a shared mistake.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// Run a script of `clients/` with packages that are pinned to a version. Its first argument is the simulator's URL.
///
/// # Panics
/// With the script's output when it fails.
pub async fn python(script: &str, packages: &[&str], url: &str) {
    let dir = environment(packages).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registrars/clients").join(script);
    run(Command::new(dir.join("bin/python")).arg(path).arg(url)).await;
}

/// A virtual environment per script, made once.
async fn environment(packages: &[&str]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(packages.join("-"));
    let ready = dir.join("ready");
    if !ready.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&dir)).await;
        let mut pip = Command::new(dir.join("bin/pip"));
        run(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages)).await;
        std::fs::write(ready, "").unwrap();
    }
    dir
}

async fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
}
