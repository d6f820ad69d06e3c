//! The PowerDNS process: started again when it dies, ended with the daemon.
//!
//! A thread of its own starts it, because the kernel ties a child's parent-death signal to the thread that made it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::failure::Failure;

const MISSING: &str = "pdns_server is not installed; on Debian or Ubuntu:\n  \
    apt-get install -y --no-install-recommends pdns-server pdns-backend-sqlite3\n\
    (`pdm up` starts its own copy; the system's service may stay off: systemctl disable --now pdns)";
const PLACES: &[&str] = &["/usr/sbin/pdns_server", "/usr/local/sbin/pdns_server", "/usr/bin/pdns_server"];
const LOG_KEPT: u64 = 10 * 1024 * 1024;
const LOOK: Duration = Duration::from_millis(20);

/// The running process and its keeper. Dropping it ends both.
pub struct Child {
    stop: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

impl Child {
    /// Start it with the configuration in `dir`; its output goes to `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(dir: &Path, log: &Path) -> Result<Self, Failure> {
        if std::fs::metadata(log).is_ok_and(|m| m.len() > LOG_KEPT) {
            let _ = std::fs::rename(log, log.with_extension("log.old"));
        }
        let output = OpenOptions::new().create(true).append(true).open(log);
        let output = output.map_err(|e| Failure::refused(format!("cannot write {}: {e}", log.display())))?;
        let program = program()?;
        let stop = Arc::new(AtomicBool::new(false));
        let (dir, told) = (dir.to_owned(), stop.clone());
        let keeper = std::thread::Builder::new()
            .name("powerdns".into())
            .spawn(move || keep(&program, &dir, &output, &told))
            .map_err(Failure::refused)?;
        Ok(Self { stop, keeper: Some(keeper) })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

fn keep(program: &Path, dir: &Path, output: &File, stop: &AtomicBool) {
    let mut pause = Duration::from_millis(100);
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        match spawn(program, dir, output) {
            Ok(child) => {
                if let Some(ended) = watch(child, stop) {
                    tracing::warn!(%ended, "pdns_server ended; it is started again");
                }
            }
            Err(error) => tracing::error!(%error, "pdns_server cannot be started"),
        }
        // One that ran for a while starts again at once; one that cannot start is not tried in a tight loop.
        if began.elapsed() > Duration::from_secs(10) {
            pause = Duration::from_millis(100);
        }
        let until = Instant::now() + pause;
        while Instant::now() < until && !stop.load(Ordering::Relaxed) {
            sleep(LOOK);
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

fn spawn(program: &Path, dir: &Path, output: &File) -> std::io::Result<std::process::Child> {
    use std::os::unix::process::CommandExt as _;
    let config = format!("--config-dir={}", dir.display());
    let mut command = match find(&["/usr/bin/setpriv", "/bin/setpriv"]) {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "TERM"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    // Its own group: an interrupt at the terminal reaches the daemon, which finishes its steps and ends PowerDNS last.
    command.arg(config).process_group(0).stdin(Stdio::null());
    command.stdout(output.try_clone()?).stderr(output.try_clone()?).spawn()
}

/// Until it ends or is to be ended. Answers how it ended by itself.
fn watch(mut child: std::process::Child, stop: &AtomicBool) -> Option<String> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.to_string()),
            Ok(None) => {}
            Err(error) => return Some(error.to_string()),
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        sleep(LOOK);
    }
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    for _ in 0..100 {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return None;
        }
        sleep(LOOK);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn find(places: &[&str]) -> Option<PathBuf> {
    places.iter().map(PathBuf::from).find(|p| p.exists())
}

fn program() -> Result<PathBuf, Failure> {
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join("pdns_server")).find(|p| p.exists())
    };
    find(PLACES).or_else(on_path).ok_or_else(|| Failure::refused(MISSING))
}

/// The version of the installed PowerDNS: major and minor.
///
/// # Errors
/// It is not installed, or too old.
pub fn version() -> Result<(u32, u32), Failure> {
    let output = Command::new(program()?).arg("--version").output().map_err(Failure::refused)?;
    let text = [output.stdout, output.stderr].concat();
    let version = parse_version(&String::from_utf8_lossy(&text))
        .ok_or_else(|| Failure::refused("`pdns_server --version` does not name a version"))?;
    if version < (4, 7) {
        let text = format!("pdns_server is {}.{}; 4.7 or later is needed", version.0, version.1);
        return Err(Failure::Refused(text));
    }
    Ok(version)
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let number = text.split("Authoritative Server ").nth(1)?.split_whitespace().next()?;
    let mut parts = number.split('.');
    let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?);
    let digits = minor.bytes().take_while(u8::is_ascii_digit).count();
    Some((major, minor[..digits].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_the_server_prints() {
        let text = "Nov 24 04:53:02 PowerDNS Authoritative Server 4.7.3 (C) 2001-2022 PowerDNS.COM BV";
        assert_eq!(parse_version(text), Some((4, 7)));
        assert_eq!(parse_version("PowerDNS Authoritative Server 5.1.0-alpha1 (C)"), Some((5, 1)));
        assert_eq!(parse_version("something else"), None);
    }
}
