//! Stories in a real browser: `tests/browser/*.mjs`, driven by node and playwright-core in Debian's Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Run the stories of scripts against a daemon, in one browser. What they photograph lies in PDM_PICTURES, or in `dir`.
///
/// # Panics
/// When a story fails; its words are in the message.
pub async fn browse(stories: &[&str], url: &str, token: &str, dir: &Path, more: &Value) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../browser");
    let pictures = std::env::var("PDM_PICTURES").map_or_else(|_| dir.join("pictures"), PathBuf::from);
    let mut node = Command::new("node");
    node.arg(scripts.join("run.mjs")).args([url, token]).arg(pictures).args(stories);
    node.env("PDM_STORY", more.to_string());
    let output = tokio::task::spawn_blocking(move || node.output()).await.expect("the task ends");
    let output = output.expect("node runs; scripts/install.sh installs it");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{said}");
}
