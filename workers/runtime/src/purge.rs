//! Deletes what has left: confirmed rows of the outbox.

use crate::{
    Failure,
    outbox::{self, Row},
};
use sea_orm::DatabaseConnection;
use std::time::Duration;
use tokio::{sync::mpsc, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Confirmed rows wait this long for company before they are deleted.
const PURGE_AFTER: Duration = Duration::from_millis(100);

/// Confirmed rows that are deleted at once.
const PURGE_ROWS: usize = 1_000;

/// Rows remembered while the database is away; beyond, the relay sends them again, which is harmless.
const REMEMBERED_MAX: usize = 200_000;

/// Takes confirmed rows and deletes them soon, many at a time, in transactions of their own: a handler's
/// transaction must not wait for a row that a sweeper holds.
#[derive(Clone, Debug)]
pub struct Purger(mpsc::UnboundedSender<Row>);

impl Purger {
    pub(crate) fn start(
        db: &DatabaseConnection,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (purger, receiver) = Self::open();
        tasks.spawn(purge(db.clone(), receiver, stop));
        purger
    }

    /// One whose rows somebody else deletes, as they come out of the receiver.
    #[must_use]
    pub fn open() -> (Self, mpsc::UnboundedReceiver<Row>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub(crate) fn confirmed(&self, rows: impl IntoIterator<Item = Row>) {
        for row in rows {
            // After the end of the purger the rows are sent once more: harmless.
            let _ = self.0.send(row);
        }
    }
}

async fn purge(
    db: DatabaseConnection,
    mut confirmed: mpsc::UnboundedReceiver<Row>,
    stop: CancellationToken,
) {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        if rows.is_empty() {
            tokio::select! {
                got = confirmed.recv_many(&mut rows, PURGE_ROWS) => if got == 0 { return },
                () = stop.cancelled() => {
                    if confirmed.recv_many(&mut rows, PURGE_ROWS).await == 0 {
                        return;
                    }
                }
            }
        }
        if rows.len() < PURGE_ROWS && !stop.is_cancelled() {
            sleep(PURGE_AFTER).await;
        }
        while rows.len() < REMEMBERED_MAX
            && let Ok(row) = confirmed.try_recv()
        {
            rows.push(row);
        }
        let many = rows.len().min(PURGE_ROWS);
        // In key order, as everybody else who locks rows here.
        rows.sort_unstable_by_key(|row| row.id);
        match delete(&db, &rows[..many]).await {
            Ok(()) => drop(rows.drain(..many)),
            Err(_) if stop.is_cancelled() => return,
            Err(error) => {
                tracing::debug!(%error, "confirmed outbox rows not deleted yet");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn delete(db: &DatabaseConnection, rows: &[Row]) -> Result<(), Failure> {
    outbox::delete(db, rows).await
}
