//! How many messages wait in the house's queues.

use boxoffice_contracts::topology::lines;
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions},
    types::{AMQPValue, FieldTable},
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Deliveries in hand are not counted by the broker's answer: empty is empty when it was seen so often.
const QUIET: u32 = 3;

#[derive(Debug)]
pub(crate) struct Queues {
    connection: Connection,
    channel: Channel,
}

impl Queues {
    pub(crate) async fn connect(amqp: &str) -> anyhow::Result<Self> {
        let connection = Connection::connect(amqp, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok(Self {
            connection,
            channel,
        })
    }

    /// Ready to be delivered.
    pub(crate) async fn depth(&self, queue: &str) -> anyhow::Result<u32> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let queue = self
            .channel
            .queue_declare(queue.into(), options, FieldTable::default())
            .await?;
        Ok(queue.message_count())
    }

    /// Bookings that are accepted and wait for their turn, in all lines.
    pub(crate) async fn submits(&self) -> anyhow::Result<usize> {
        let mut waiting = 0;
        for line in &lines::SUBMITS {
            waiting += self.depth(line.name).await? as usize;
        }
        Ok(waiting)
    }

    /// Sends those away.
    pub(crate) async fn purge_submits(&self) -> anyhow::Result<()> {
        for line in &lines::SUBMITS {
            let options = QueuePurgeOptions::default();
            self.channel.queue_purge(line.name.into(), options).await?;
        }
        Ok(())
    }

    /// Waits until these are empty.
    pub(crate) async fn until_empty(
        &self,
        queues: &[&str],
        stuck_max: Duration,
    ) -> anyhow::Result<()> {
        let (mut quiet, mut seen, mut since) = (0, u32::MAX, Instant::now());
        while quiet < QUIET {
            let mut waiting = 0;
            for queue in queues {
                waiting += self.depth(queue).await?;
            }
            quiet = if waiting == 0 { quiet + 1 } else { 0 };
            if waiting != seen {
                (seen, since) = (waiting, Instant::now());
            }
            anyhow::ensure!(
                quiet > 0 || since.elapsed() < stuck_max,
                "{waiting} messages wait in {queues:?}, and nothing happens"
            );
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Whoever waits there is forgotten.
    pub(crate) async fn delete(&self, queue: &str) -> anyhow::Result<()> {
        let options = QueueDeleteOptions::default();
        self.channel.queue_delete(queue.into(), options).await?;
        Ok(())
    }

    pub(crate) async fn end(self) -> anyhow::Result<()> {
        Ok(self.connection.close(200, "done".into()).await?)
    }
}

/// A queue of the kind that all of the house's are: replicated where there are several brokers, and on disk.
pub(crate) async fn declare(channel: &Channel, queue: &str) -> anyhow::Result<()> {
    let mut quorum = FieldTable::default();
    quorum.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("quorum".into()),
    );
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel.queue_declare(queue.into(), durable, quorum).await?;
    Ok(())
}
