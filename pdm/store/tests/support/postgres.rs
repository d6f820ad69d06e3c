//! A PostgreSQL server of our own as a child process: one for the whole test binary, a database for each test.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A running server. It is told to stop when this process dies, however it dies.
pub struct Postgres {
    dir: PathBuf,
    databases: AtomicU32,
}

const PREFIX: &str = "pdm-postgres-";

impl Postgres {
    /// The server of this process.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(|| Self::start("", |_| vec!["listen_addresses=".to_owned()]))
    }

    /// The address of a new, empty database.
    pub fn database(&self) -> String {
        self.url(&self.create())
    }

    /// The name of a new, empty database.
    pub fn create(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The address of a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.dir.display())
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the server wrote into its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Run one statement as a superuser.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let out = Command::new(binary("psql"))
            .args(["-h", &self.dir.display().to_string(), "-U", "postgres", "-d", database])
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .output()
            .expect("psql runs");
        assert!(out.status.success(), "{sql}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    /// One more server, with the settings that are answered for its directory.
    pub fn start(kind: &str, settings: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let temp = std::env::temp_dir();
        sweep(&temp);
        let dir = temp.join(format!("{PREFIX}{}{kind}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory for the server");
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).expect("its mode");
        if let Some(user) = server_user() {
            chown(&dir, Some(user), None).expect("its owner");
        }
        let data = dir.join("data");
        let made = as_server_user(&binary("initdb"))
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(&dir)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = as_server_user(&binary("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(&dir).current_dir(&dir);
        for setting in [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=200",
            "shared_buffers=64MB",
            "log_lock_waits=on",
        ] {
            server.args(["-c", setting]);
        }
        for setting in settings(&dir) {
            server.args(["-c", &setting]);
        }
        let log = std::fs::File::create(dir.join("log")).expect("a log");
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // The signal at the parent's death is bound to the thread that forks, and test threads end early.
        std::thread::spawn(move || {
            let mut child = server.spawn().expect("postgres runs");
            drop(child.wait());
        });
        let started = Self { dir, databases: AtomicU32::new(0) };
        started.wait();
        started
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            let ready = Command::new(binary("pg_isready"))
                .args(["-q", "-h", &self.dir.display().to_string()])
                .status()
                .is_ok_and(|s| s.success());
            if ready {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server did not come up: {}", self.log());
    }
}

/// A program of the server, on PATH or where Debian keeps it.
fn binary(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    places.sort();
    places.extend(std::env::split_paths(&path));
    let found = places.into_iter().map(|dir| dir.join(name)).find(|p| p.exists());
    found.unwrap_or_else(|| panic!("{name} is not on this machine; install PostgreSQL to run these tests"))
}

/// PostgreSQL refuses to run as root; then its own user runs it.
pub fn server_user() -> Option<u32> {
    let id = |args: &[&str]| -> Option<u32> {
        let out = Command::new("id").args(args).output().ok()?;
        String::from_utf8_lossy(&out.stdout).trim().parse().ok()
    };
    if id(&["-u"]) == Some(0) { id(&["-u", "postgres"]) } else { None }
}

fn as_server_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if let Some(user) = server_user() {
        command.args([format!("--reuid={user}"), "--clear-groups".to_owned()]);
    }
    command.arg(program);
    command
}

/// Directories of processes that are gone.
fn sweep(temp: &Path) {
    for entry in std::fs::read_dir(temp).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(PREFIX) else { continue };
        let pid = pid.split('-').next().unwrap_or_default();
        if pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists() {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}
