//! The unit, judged by systemd itself.

use std::process::Command;

use pdm_harness::child::run;
use pdm_harness::daemon::binary;

use crate::render::file;

#[test]
fn the_unit_is_sound_and_gives_the_daemon_nothing_that_it_needs_not() {
    let dir = tempfile::tempdir().unwrap();
    // systemd looks whether the program is there.
    let unit = file("systemd/pdm.service")
        .replace("/usr/bin/pdm", &binary().canonicalize().unwrap().display().to_string());
    let path = dir.path().join("pdm.service");
    std::fs::write(&path, &unit).unwrap();
    let verified = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path));
    assert!(verified.is_ok(), "{verified:?}");
    // Its measure goes from 0 (safe) to 10.0 in tenths; what is left is the network, which a daemon of the DNS needs.
    let judge = |path: &std::path::Path| {
        run(Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--threshold=13", "--no-pager"])
            .arg(path))
    };
    let said = judge(&path);
    assert!(said.is_ok(), "{said:?}");

    let (worse, wrong) = (dir.path().join("worse.service"), dir.path().join("wrong.service"));
    std::fs::write(&worse, unit.replace("ProtectSystem=strict", "").replace("SystemCallFilter=", "#"))
        .unwrap();
    assert!(judge(&worse).is_err(), "the measure can be missed");
    std::fs::write(&wrong, unit.replace("ExecStart=", "ExecStart=/nowhere")).unwrap();
    assert!(run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&wrong)).is_err());
}
