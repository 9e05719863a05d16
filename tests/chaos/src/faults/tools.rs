//! What many faults do: draw a time, wait with a deadline, look whether somebody is well, ask the broker.

use crate::stage::Stage;
use anyhow::{Context as _, bail};
use boxoffice_integration::private_server;
use lapin::{Channel, Connection, ConnectionProperties};
use rand::{Rng as _, rngs::StdRng};
use std::{fmt::Display, ops::Range, time::Duration};
use tokio::{task::block_in_place, time::timeout};

/// From its start until a process is ready, whatever else happens meanwhile.
pub(super) const WELL_MAX: Duration = Duration::from_secs(120);
/// One question over HTTP.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A duration between two numbers of milliseconds.
pub(super) fn between_ms(dice: &mut StdRng, range: Range<u64>) -> Duration {
    Duration::from_millis(dice.random_range(range))
}

/// One of these.
pub(super) fn one_of<T: Copy>(dice: &mut StdRng, all: &[T]) -> T {
    all[dice.random_range(0..all.len())]
}

/// Waits until `look` finds what it looks for.
pub(super) async fn until<R, E: Display, F>(
    what: &str,
    within: Duration,
    look: impl FnMut() -> F + Send,
) -> anyhow::Result<R>
where
    F: Future<Output = Result<R, E>> + Send,
{
    private_server::until(what, within, look)
        .await
        .map_err(anyhow::Error::msg)
}

/// Whether a process says that it is ready, and what it says if not.
pub(super) async fn is_ready(stage: &Stage, process: &str) -> Result<(), String> {
    let address = stage
        .internals
        .get(process)
        .ok_or_else(|| format!("no process {process}"))?;
    let url = format!("http://{address}/readyz");
    let asked = reqwest::Client::new().get(url).timeout(ANSWER_MAX).send();
    let answer = asked.await.map_err(|error| error.to_string())?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(answer.text().await.unwrap_or_default())
}

/// Waits until these processes are ready. One that has ended meanwhile stays so: that is somebody's fault.
pub(super) async fn all_ready(stage: &Stage, processes: &[String]) -> anyhow::Result<()> {
    for process in processes {
        until(&format!("{process} ready"), WELL_MAX, || async {
            is_ready(stage, process).await
        })
        .await?;
    }
    Ok(())
}

/// Waits until the whole house is ready.
pub(super) async fn house_ready(stage: &Stage) -> anyhow::Result<()> {
    let all: Vec<String> = stage.internals.keys().cloned().collect();
    all_ready(stage, &all).await
}

/// Starts a process that isn't there, again and again as a supervisor would, until it is ready.
pub(super) async fn bring_back(stage: &Stage, process: &str) -> anyhow::Result<()> {
    until(&format!("{process} back"), WELL_MAX, || async {
        {
            let mut world = stage.world.lock().await;
            let process = world.process(process);
            if process.has_ended().is_some() {
                process.kill();
            }
            if !process.is_started() {
                process.start();
            }
        }
        is_ready(stage, process).await
    })
    .await
}

/// A process by a number drawn before anybody knew how many there are.
pub(super) fn chosen(stage: &Stage, pick: usize) -> String {
    let names: Vec<&String> = stage.internals.keys().collect();
    names[pick % names.len()].clone()
}

/// Runs a command of the product, in the place of its workers.
pub(super) async fn product(stage: &Stage, arguments: &[&str]) -> anyhow::Result<String> {
    let world = stage.world.lock().await;
    let process = world
        .processes
        .values()
        .find(|process| process.name != "api")
        .context("no worker to run a command beside")?;
    let output = block_in_place(|| process.command(arguments));
    drop(world);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "boxoffice {}: {}: {said}",
            arguments.join(" "),
            output.status
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The management API of the stage's broker. `path` begins with `/api`.
pub(super) async fn manage(
    stage: &Stage,
    method: reqwest::Method,
    path: &str,
    body: &str,
) -> anyhow::Result<String> {
    let url = format!("{}{path}", stage.broker.lock().await.management_url());
    let asked = reqwest::Client::new()
        .request(method, url)
        .header("content-type", "application/json")
        .timeout(ANSWER_MAX)
        .body(body.to_owned())
        .send();
    // The address has a password.
    let answer = asked.await.map_err(reqwest::Error::without_url)?;
    let status = answer.status();
    let text = answer.text().await.map_err(reqwest::Error::without_url)?;
    if !status.is_success() && status != reqwest::StatusCode::NOT_FOUND {
        bail!("{path} of the management API: {status}: {text}");
    }
    Ok(text)
}

/// `rabbitmqctl` on the stage's broker, and what it says.
pub(super) async fn ctl(stage: &Stage, arguments: &[&str]) -> anyhow::Result<String> {
    let broker = stage.broker.lock().await;
    block_in_place(|| broker.ctl(arguments)).map_err(anyhow::Error::msg)
}

/// The house's vhost on the stage's broker.
pub(super) async fn vhost(stage: &Stage) -> String {
    stage.world.lock().await.vhost_name().to_owned()
}

/// A connection of our own, past every proxy.
pub(super) async fn connection(stage: &Stage) -> anyhow::Result<Connection> {
    let url = stage.world.lock().await.amqp_url();
    let connecting = Connection::connect(&url, ConnectionProperties::default());
    let connected = timeout(ANSWER_MAX, connecting).await;
    Ok(connected.context("the broker does not answer")??)
}

pub(super) async fn channel(stage: &Stage) -> anyhow::Result<(Connection, Channel)> {
    let connection = connection(stage).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

/// The world's own connection is lost when the broker's are.
pub(super) async fn reconnect(stage: &Stage) {
    stage.world.lock().await.reconnect_broker().await;
}

/// The sum over all processes of a counter's lines that contain all of `parts`. A process that doesn't answer counts
/// for nothing.
pub(super) async fn counted(stage: &Stage, parts: &[&str]) -> u64 {
    let mut sum = 0.0;
    for address in stage.internals.values() {
        let asked = reqwest::Client::new()
            .get(format!("http://{address}/metrics"))
            .timeout(ANSWER_MAX)
            .send()
            .await;
        let Ok(answer) = asked else { continue };
        let text = answer.text().await.unwrap_or_default();
        sum += text
            .lines()
            .filter(|line| !line.starts_with('#') && parts.iter().all(|part| line.contains(part)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>();
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counters are small and not negative"
    )]
    {
        sum as u64
    }
}

/// The same, but never the API.
pub(super) fn chosen_worker(stage: &Stage, pick: usize) -> String {
    let workers: Vec<&String> = stage
        .internals
        .keys()
        .filter(|name| *name != "api")
        .collect();
    workers[pick % workers.len()].clone()
}
