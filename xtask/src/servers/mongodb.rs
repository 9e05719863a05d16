//! MongoDB as a replica set of one, which transactions need. `boxoffice` initiates the set.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::install;
use crate::probe;
use crate::stack::{Group, Port, Stack};
use crate::ui;

const READY_MAX: Duration = Duration::from_secs(60);

pub(super) fn start(stack: &Stack) -> anyhow::Result<String> {
    let step = ui::step("MongoDB", "starting");
    let data = stack.folder.data("mongodb");
    fs::create_dir_all(&data)?;
    let address = stack.address(Port::MongoDb);
    let mut command = Command::new(install::mongod()?);
    command
        .arg("--dbpath")
        .arg(&data)
        .args([
            "--replSet",
            "rs0",
            "--bind_ip",
            "127.0.0.1",
            "--nounixsocket",
            "--wiredTigerCacheSizeGB",
            "0.25",
        ])
        .args(["--port", &address.port().to_string()]);
    stack.start(Group::Server, "mongodb", &address.to_string(), &mut command)?;
    stack.await_ready("mongodb", READY_MAX, || probe::accepts_tcp(address))?;
    step.done(&format!("ready at {address}"));
    // Direct, so that it also works before the set is initiated.
    Ok(format!("mongodb://{address}/?directConnection=true"))
}
