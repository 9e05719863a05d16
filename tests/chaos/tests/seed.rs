//! One seed of three minutes under fire, as `cargo xtask chaos --minutes 3` runs it.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use std::{env, fs, process::Command};

/// Seldom enough for a machine that is busy with other things, too.
const RATE_PER_SEC: &str = "6";

#[test]
fn three_minutes_under_fire_break_no_promise() {
    let name = format!("boxoffice-chaos-{}", uuid::Uuid::new_v4().simple());
    let folder = env::temp_dir().join(name);
    let ended = Command::new(env!("CARGO_BIN_EXE_boxoffice-chaos"))
        .args(["--minutes", "3", "--seed", "1", "--rate", RATE_PER_SEC])
        .arg("--folder")
        .arg(&folder)
        .status()
        .unwrap();
    let report = fs::read_to_string(folder.join("report.md")).unwrap_or_default();
    assert!(
        ended.success(),
        "{ended}, see {}\n{report}",
        folder.display()
    );
    let summary = fs::read(folder.join("report.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    let number = |name: &str| summary["summary"][name].as_u64().unwrap();
    // A run in which little was sold, or little went wrong, proves little.
    assert!(number("accepted") > 300, "{report}");
    assert!(number("effective_faults") > 15, "{report}");
    assert!(number("fault_kinds") > 8, "{report}");
    fs::remove_dir_all(&folder).unwrap();
}
