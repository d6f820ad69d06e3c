//! One child process that dies with its owner.
//!
//! `setpriv --pdeathsig KILL` makes the kernel kill a child when the *thread* that started it ends, so every child is
//! started by one thread that lives as long as the test process.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use crate::wait::until_within;

type Order = (Command, Sender<io::Result<std::process::Child>>);

fn spawn(command: Command) -> io::Result<std::process::Child> {
    static STARTER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (reply, answer) = channel();
    starter.lock().unwrap().send((command, reply)).expect("the starter lives as long as the process");
    answer.recv().expect("the starter answers every order")
}

/// The user that servers run as when the tests run as root: PostgreSQL refuses root.
const NOBODY: u32 = 65534;

/// Arguments of `setpriv` before the program: die with us, and not as root when `drop_root`.
#[must_use]
pub fn guarded(program: impl AsRef<Path>, drop_root: bool) -> Command {
    setpriv(program.as_ref(), drop_root.then_some(&[]))
}

/// Like [`guarded`], not as root, but with these capabilities of root's.
#[must_use]
pub fn guarded_with(program: impl AsRef<Path>, capabilities: &[&str]) -> Command {
    setpriv(program.as_ref(), Some(capabilities))
}

fn setpriv(program: &Path, drop_root_keeping: Option<&[&str]>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(kept) = drop_root_keeping.filter(|_| Uid::effective().is_root()) {
        let kept: String = kept.iter().map(|capability| format!(",+{capability}")).collect();
        command.args([
            &format!("--reuid={NOBODY}"),
            &format!("--regid={NOBODY}"),
            "--clear-groups",
            &format!("--inh-caps=-all{kept}"),
            &format!("--ambient-caps=-all{kept}"),
        ]);
    }
    command.arg("--").arg(program);
    command
}

/// Let the unprivileged user use a directory that root made.
pub fn hand_over(dir: &Path) {
    if Uid::effective().is_root() {
        std::os::unix::fs::chown(dir, Some(NOBODY), Some(NOBODY)).expect("chown");
    }
}

/// A running process.
pub struct Child {
    name: String,
    log: PathBuf,
    process: Mutex<std::process::Child>,
}

impl Child {
    /// Start `command`, with its output appended to `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, mut command: Command, log: &Path) -> Self {
        let out = File::options().create(true).append(true).open(log).expect("open a log file");
        let err = out.try_clone().expect("clone a file");
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let process = spawn(command).unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        Self { name: name.to_owned(), log: log.to_owned(), process: Mutex::new(process) }
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.lock().unwrap().id()
    }

    /// True while it runs.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.process.lock().unwrap().try_wait().is_ok_and(|status| status.is_none())
    }

    /// Send a signal. Nothing happens when the process has ended already.
    pub fn signal(&self, signal: Signal) {
        if self.alive() {
            let _ = kill(Pid::from_raw(i32::try_from(self.id()).expect("a process id")), signal);
        }
    }

    /// `kill -9`, and wait for the end.
    pub fn kill(&self) {
        let mut process = self.process.lock().unwrap();
        let _ = process.kill();
        let _ = process.wait();
    }

    /// Send `signal` and wait until the process has ended.
    pub async fn stop(&self, signal: Signal) {
        self.signal(signal);
        self.ended(Duration::from_secs(30)).await;
    }

    /// Wait until the process has ended.
    pub async fn ended(&self, limit: Duration) {
        until_within(&format!("the end of {}", self.name), limit, || async {
            if self.alive() { Err("it runs") } else { Ok(()) }
        })
        .await;
    }

    /// Everything it wrote so far, in all its lives with this log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }

    /// The last lines it wrote, for messages.
    #[must_use]
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        format!("{}:\n{}", self.name, lines[lines.len().saturating_sub(25)..].join("\n"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {}", self.tail());
        }
    }
}

/// Run a program to its end and answer its output.
///
/// # Errors
/// Its error output, when it cannot be started or fails.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{command:?}: {}: {}{}", output.status, text(&output.stderr), text(&output.stdout)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_is_seen_to_live_and_to_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = guarded("/bin/sleep", false);
        command.arg("300");
        let child = Child::start("sleep", command, &dir.path().join("log"));
        assert!(child.alive());
        child.stop(Signal::SIGTERM).await;
        assert!(!child.alive());
    }

    #[test]
    fn a_failure_is_told_with_its_text() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert!(error.contains("why") && error.contains('3'), "{error}");
    }
}
