//! What `pdm serve` keeps in memory, with 10,000 Sovereigns really there: when they were just made, when they were looked
//! at for a while, and in a new process that looked at them for a while.

use std::time::Duration;

use serde_json::{Value, json};

use crate::target::{self, rss};
use crate::{Failed, lifecycles};

/// Two sweeps and more at the interval that comes with PDM.
const A_WHILE: Duration = Duration::from_secs(70);

/// Measure.
pub async fn measure(names: usize) -> Result<Value, Failed> {
    let mut target = target::quiet().await?;
    println!("\n== {} ==", target.name);
    let now = |target: &target::Target, when: &str| {
        let resident = rss(target.daemon.child().id());
        println!("resident {resident:>6.1} MiB {when}");
        resident
    };
    let idle = now(&target, "idle");
    lifecycles(&target, "m-", names, 16).await?;
    let made = now(&target, &format!("when {names} were made"));
    tokio::time::sleep(A_WHILE).await;
    let swept = now(&target, "after two sweeps");
    target.daemon.stop().await;
    target.daemon.go().await;
    target.daemon.ready().await;
    tokio::time::sleep(A_WHILE).await;
    let anew = now(&target, "after a restart and two sweeps");
    Ok(json!({
        "store": target.name, "names": names, "rssIdleMiB": idle, "rssMadeMiB": made, "rssSweptMiB": swept,
        "rssRestartedMiB": anew,
    }))
}
