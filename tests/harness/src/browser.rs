//! Stories in a real browser: `tests/browser/*.mjs`, driven by node and playwright-core in Debian's Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Run the stories of one script against a daemon. What they photograph lies in PDM_PICTURES, or in `dir`.
///
/// # Panics
/// When a story fails; its words are in the message.
pub async fn browse(script: &str, url: &str, token: &str, dir: &Path, more: &Value) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../browser");
    let pictures = std::env::var("PDM_PICTURES").map_or_else(|_| dir.join("pictures"), PathBuf::from);
    let mut node = Command::new("node");
    node.arg(scripts.join(script)).args([url, token]).arg(pictures).env("PDM_STORY", more.to_string());
    let output = tokio::task::spawn_blocking(move || node.output()).await.expect("the task ends");
    let output = output.expect("node runs; scripts/install.sh installs it");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
    println!("{script}: {said}");
}
