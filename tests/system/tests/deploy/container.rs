//! The root file system of the container, entered for real: there is no image of a build stage to build from here.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use pdm_harness::child::{Child, guarded, run};
use pdm_harness::daemon::binary;
use pdm_harness::powerdns::{API_KEY, Backend, Caches, PowerDns};
use pdm_harness::{Api, net, until};

use crate::render::{file, root};

/// The program inside, as its user; only root may change the root.
fn inside(rootfs: &Path, args: &[&str]) -> Command {
    let is_root = run(Command::new("id").arg("-u")).unwrap().trim() == "0";
    let mut command = guarded(if is_root { "/usr/sbin/chroot" } else { "/usr/bin/unshare" }, false);
    if is_root {
        command.arg("--userspec=65532:65532");
    } else {
        command.args(["--map-root-user", "/usr/sbin/chroot"]);
    }
    command.arg(rootfs).arg("/usr/bin/pdm").args(args);
    command
}

/// Every file with its size.
fn files(dir: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(one) = todo.pop() {
        for entry in std::fs::read_dir(one).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                found.insert(name, entry.metadata().unwrap().len());
            }
        }
    }
    found
}

#[tokio::test]
async fn the_daemon_runs_where_nothing_is_but_itself() {
    let dir = tempfile::tempdir().unwrap();
    // Its user has to pass.
    let _ = run(Command::new("chmod").arg("755").arg(dir.path()));
    let rootfs = dir.path().join("root");
    run(Command::new("sh").arg(root().join("deploy/container/rootfs.sh")).arg(binary()).arg(&rootfs))
        .unwrap();
    for name in files(&rootfs).keys() {
        let known = name == "usr/bin/pdm" || name.starts_with("etc/") || name.contains(".so");
        assert!(known, "{name} has no business in the container");
    }
    let said = run(&mut inside(&rootfs, &["--version"])).unwrap();
    assert!(said.starts_with("pdm "), "{said}");

    let dns = PowerDns::start(Backend::Sqlite, Caches::Short).await;
    let listen = net::port(net::address());
    let config = format!(
        "[http]\nlisten = \"{listen}\"\n[store]\nurl = \"sqlite:/var/lib/pdm/pdm.db\"\nmigrate = true\n\
         [[powerdns]]\nurl = \"http://{}\"\napi_key = \"env:KEY\"\ndns = \"{}\"\n\
         [dns]\nnameservers = [\"ns1.openova.io\"]\n\
         nameserver_addresses = {{ \"ns1.openova.io\" = [\"{}\"] }}\nprobe_allow = [\"127.0.0.0/8\"]\n[[pools]]\ndomain = \"omani.works\"\n\
         [auth]\ntokens = \"file:tokens.toml\"\ntoken_key = \"file:token.key\"\n",
        dns.http(),
        dns.dns(),
        dns.dns()
    );
    std::fs::write(rootfs.join("etc/pdm/pdm.toml"), config).unwrap();
    std::fs::write(rootfs.join("etc/pdm/tokens.toml"), "").unwrap();
    std::fs::write(rootfs.join("etc/pdm/token.key"), "0123456789012345678901234567890123456789").unwrap();
    let before = files(&rootfs);
    let mut command = inside(&rootfs, &["serve", "--config", "/etc/pdm/pdm.toml"]);
    command.env("KEY", API_KEY);
    let child = Child::start("pdm in its container", command, &dir.path().join("log"));
    let api = Api::new(&format!("http://{listen}"));
    until("/readyz", || async {
        if !child.alive() {
            panic!("{}", child.tail());
        }
        api.try_get("/readyz").await
    })
    .await;
    child.stop(nix::sys::signal::Signal::SIGTERM).await;
    let after = files(&rootfs);
    let touched: Vec<_> = after.iter().filter(|(name, size)| before.get(*name) != Some(size)).collect();
    assert!(
        !touched.is_empty() && touched.iter().all(|(name, _)| name.starts_with("var/lib/pdm/")),
        "{touched:?}"
    );
}

#[test]
fn the_last_stage_is_empty_and_not_root() {
    let text = file("container/Containerfile");
    let last = text.rsplit("\nFROM ").next().unwrap();
    assert!(last.starts_with("scratch\n"), "{last}");
    let user = last.lines().find_map(|l| l.strip_prefix("USER ")).unwrap();
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    for line in text.lines() {
        assert!(!line.starts_with("ADD ") && !line.starts_with("ENV "), "{line}");
        assert!(!line.contains(":latest"), "{line}");
    }
    for line in text.lines().filter(|l| l.starts_with("RUN ")) {
        for script in line.split_whitespace().filter(|w| w.ends_with(".sh")) {
            assert!(root().join(script).is_file(), "{script}");
        }
    }
}
