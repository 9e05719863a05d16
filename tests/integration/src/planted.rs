//! Planted bugs: the same scene twice, with the bug and without. With it the named check must say something, without
//! it nothing may be wrong; else the scene proves nothing.

use crate::{
    books, locks,
    setup::Setup,
    wait::{eventually, secs},
    world::World,
};
use boxoffice_contracts::{
    MessageId,
    planted::{Bug, VARIABLE},
};
use boxoffice_runtime::pool;
use reqwest::Method;
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// What is wrong at rest must stay wrong for so long: messages in a worker's hand are nowhere to be seen.
const STAYS: Duration = secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a scene saw by itself that no book tells of; empty when all is well.
pub type Seen = Vec<String>;

/// A line of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Caught {
    pub bug: String,
    /// The check and what it said first.
    pub caught_by: String,
    pub after_bookings: u64,
    /// From the first step of the scene until the check spoke.
    pub seconds: f64,
    /// How often the scene was played until the bug bit; more than once only where chance has a part.
    pub tries: u32,
    /// The same scene without the bug was judged clean.
    pub clean_without: bool,
}

/// Plays a scene with a bug and without, beside each other.
///
/// `check`: how what is said must begin. `patience`: how long the world with the bug may take to come to rest; one that
/// never does is judged then.
///
/// # Panics
/// When the check doesn't catch the bug, or anything is wrong without it.
pub async fn caught(
    bug: Bug,
    check: &str,
    patience: Duration,
    setup: impl Fn() -> Setup,
    scene: impl AsyncFn(&mut World) -> Seen,
) {
    Box::pin(caught_within(1, bug, check, patience, setup, scene)).await;
}

/// The same, where chance has a part: with the bug the scene is played until it bites, so often at most.
///
/// # Panics
/// As [`caught`].
pub async fn caught_within(
    tries_max: u32,
    bug: Bug,
    check: &str,
    patience: Duration,
    setup: impl Fn() -> Setup,
    scene: impl AsyncFn(&mut World) -> Seen,
) {
    let with = async {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut world = setup().setting(VARIABLE, bug.as_str()).start().await;
            let begun = Instant::now();
            let seen = Box::pin(scene(&mut world)).await;
            let found = world.verdict(check, patience, seen).await;
            let seconds = begun.elapsed().as_secs_f64();
            let after_bookings = books::count(&world.db, "bookings").await;
            world.abandon().await;
            if let Some(caught_by) = found.iter().find(|wrong| wrong.starts_with(check)) {
                return Caught {
                    bug: bug.as_str().to_owned(),
                    caught_by: caught_by.clone(),
                    after_bookings,
                    seconds: (seconds * 10.0).round() / 10.0,
                    tries,
                    clean_without: true,
                };
            }
            assert!(
                tries < tries_max,
                "{}: {check:?} says nothing: {found:#?}",
                bug.as_str()
            );
        }
    };
    let without = async {
        let mut world = setup().start().await;
        let seen = Box::pin(scene(&mut world)).await;
        world.settle().await;
        let more = world.more_violations().await;
        assert!(
            seen.is_empty() && more.is_empty(),
            "without {}: {seen:#?} {more:#?}",
            bug.as_str()
        );
        world.finish().await;
    };
    let (caught, ()) = tokio::join!(Box::pin(with), Box::pin(without));
    note(&caught);
}

impl World {
    /// What is wrong, when the named check has spoken at rest, or when patience ends.
    async fn verdict(&self, check: &str, patience: Duration, seen: Seen) -> Vec<String> {
        if seen.iter().any(|wrong| wrong.starts_with(check)) {
            return seen;
        }
        let deadline = Instant::now() + patience;
        let mut since = None;
        loop {
            let rests = self.unrest().await.is_empty();
            let mut found = seen.clone();
            found.extend(self.judge().await.complaints());
            found.extend(self.more_violations().await);
            let speaks = found.iter().any(|wrong| wrong.starts_with(check));
            since = if rests && speaks {
                since.or_else(|| Some(Instant::now()))
            } else {
                None
            };
            let stays = since.is_some_and(|since| since.elapsed() >= STAYS);
            if stays || Instant::now() >= deadline {
                return found;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Checks beside the books: what each says holds at rest in any world.
    async fn more_violations(&self) -> Vec<String> {
        self.webhooks_not_handled().await
    }

    /// An event of the gateway about money is one message, named after the event.
    async fn webhooks_not_handled(&self) -> Vec<String> {
        let kept = "SELECT event_id FROM webhook_events WHERE booking_id IS NOT NULL AND (event_type LIKE 'charge.%' \
                    OR event_type LIKE 'payment_intent.%' OR event_type LIKE 'refund.%')";
        let handled = "SELECT LOWER(HEX(message_id)) FROM inbox WHERE queue = 'payments'";
        let handled: BTreeSet<String> = books::texts(&self.db, handled).await.into_iter().collect();
        let kept = books::texts(&self.db, kept).await;
        let missing = kept.iter().filter(|event| {
            let id = MessageId::of_outside_event(event);
            !handled.contains(&id.0.simple().to_string())
        });
        missing
            .map(|event| {
                format!("F63 an event of the gateway is handled once, by its name: {event}")
            })
            .collect()
    }

    /// Ends a world that is known to be wrong.
    async fn abandon(mut self) {
        for process in self.processes.values_mut() {
            process.kill();
        }
        self.vhost.close().await;
        self.finished = true;
        self.place.destroy().await;
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// Takes row locks that the product needs, until the transaction is dropped.
    pub async fn hold_rows(&self, select: &str) -> DatabaseTransaction {
        let tx = pool::begin(&self.db).await.unwrap();
        tx.execute_unprepared(&format!("{select} FOR UPDATE"))
            .await
            .unwrap();
        tx
    }

    /// Waits until so many statements of the product have been under way for a second: they wait for a row lock.
    pub async fn lock_waits(&self, many: u64) {
        let from = locks::waiting(&self.db).await;
        eventually(
            "a lock is waited for",
            secs(15),
            async || match books::count(&self.db, from).await {
                found if found >= many => Ok(()),
                found => Err(found),
            },
        )
        .await;
    }

    /// Sum of a counter of a process over all label sets that contain each of the texts.
    pub async fn counted(&self, process: &str, name: &str, labels: &[&str]) -> f64 {
        let text = self.processes[process].metrics().await;
        let lines = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        values.sum()
    }

    /// Takes every binding of a queue to an exchange away; `topology declare` puts them back.
    pub async fn unbind(&self, exchange: &str, queue: &str) {
        let vhost = self.vhost_name();
        let path = format!("/api/bindings/{vhost}/e/{exchange}/q/{queue}");
        let list = self.manage(Method::GET, &path, "").await;
        let list: Vec<Value> = serde_json::from_str(&list).unwrap();
        assert!(!list.is_empty(), "{queue} isn't bound to {exchange}");
        for binding in list {
            let key = binding["properties_key"].as_str().unwrap();
            self.manage(Method::DELETE, &format!("{path}/{key}"), "")
                .await;
        }
    }

    /// What the product may publish to, by the names of exchanges.
    pub async fn may_write(&self, pattern: &str) {
        let url = reqwest::Url::parse(&self.amqp_url()).unwrap();
        let path = format!("/api/permissions/{}/{}", self.vhost_name(), url.username());
        let rights = serde_json::json!({"configure": ".*", "write": pattern, "read": ".*"});
        self.manage(Method::PUT, &path, &rights.to_string()).await;
    }

    /// As an operator puts the topology right.
    pub async fn declare(&self, process: &str) {
        let process = &self.processes[process];
        let done = tokio::task::block_in_place(|| process.command(&["topology", "declare"]));
        assert!(done.status.success(), "topology declare: {done:?}");
    }
}

/// Writes the line, and the table of all lines that there are.
fn note(caught: &Caught) {
    let folder = chaos_folder().join("planted");
    fs::create_dir_all(&folder).unwrap();
    let line = serde_json::to_string_pretty(caught).unwrap();
    fs::write(folder.join(format!("{}.json", caught.bug)), line).unwrap();
    // Tests run in processes of their own: one gathers at a time.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let table: Vec<Caught> = Bug::ALL
        .iter()
        .filter_map(|bug| read(&folder.join(format!("{}.json", bug.as_str()))))
        .collect();
    let table = serde_json::to_string_pretty(&table).unwrap();
    fs::write(chaos_folder().join("planted.json"), table).unwrap();
}

fn read(path: &Path) -> Option<Caught> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// `target/chaos`, beside the folder of the programs.
fn chaos_folder() -> PathBuf {
    let programs = PathBuf::from(crate::services::set("BOXOFFICE_TEST_BIN_DIR"));
    programs.parent().unwrap().join("chaos")
}
