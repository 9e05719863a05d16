//! What the parts can do that a booking is made of, each alone and as well as it can be used: the broker, the database,
//! a ticket. A pipeline is judged as a share of these.

use crate::{cost::Cost, database::Database, outcome::Outcome, place::Place, queues};
use anyhow::ensure;
use futures::{StreamExt as _, future::try_join_all};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, QueueDeleteOptions,
    },
    types::FieldTable,
};
use tokio::{task::JoinSet, time::Instant};

const QUEUE: &str = "bench.parts";
/// Persistent.
const DURABLE: u8 = 2;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 30_000)]
    pub(crate) messages: usize,
    /// As large as a command with its envelope.
    #[arg(long, default_value_t = 700)]
    pub(crate) bytes: usize,
    /// Bookings that are written.
    #[arg(long, default_value_t = 8_000)]
    pub(crate) bookings: usize,
}

pub(crate) async fn run(place: Place, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    broker(&place, arguments, &mut outcome).await?;
    for (connections, batch) in [(1, 1), (8, 1), (8, 20)] {
        database(&place, arguments, connections, batch, &mut outcome).await?;
    }
    Ok(outcome)
}

/// Publishes with confirms, so many unconfirmed at once, and consumes with one acknowledgement for many.
async fn broker(place: &Place, arguments: &Arguments, outcome: &mut Outcome) -> anyhow::Result<()> {
    let connection = Connection::connect(&place.amqp, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    queues::declare(&channel, QUEUE).await?;
    for in_flight in [1, 100] {
        let count = if in_flight == 1 {
            arguments.messages / 15
        } else {
            arguments.messages
        };
        let (cost, begun) = (Cost::look(place)?, Instant::now());
        publish(&channel, arguments.bytes, count, in_flight).await?;
        let took = begun.elapsed();
        let bill = cost.until(&Cost::look(place)?, count);
        let name = format!("broker.publish_{in_flight}_in_flight");
        outcome.put(&format!("{name}.per_s"), count as f64 / took.as_secs_f64());
        outcome.put_all(&name, Outcome::of_bill(&bill));
    }
    let all = arguments.messages + arguments.messages / 15;
    let (cost, begun) = (Cost::look(place)?, Instant::now());
    consume(&channel, all).await?;
    let took = begun.elapsed();
    let bill = cost.until(&Cost::look(place)?, all);
    outcome.put("broker.consume.per_s", all as f64 / took.as_secs_f64());
    outcome.put_all("broker.consume", Outcome::of_bill(&bill));
    channel
        .queue_delete(QUEUE.into(), QueueDeleteOptions::default())
        .await?;
    connection.close(200, "done".into()).await?;
    Ok(())
}

async fn publish(
    channel: &Channel,
    bytes: usize,
    count: usize,
    in_flight: usize,
) -> anyhow::Result<()> {
    let body = vec![b'x'; bytes];
    let properties = BasicProperties::default().with_delivery_mode(DURABLE);
    let mut left = count;
    while left > 0 {
        let portion = left.min(in_flight);
        let mut confirms = Vec::with_capacity(portion);
        for _ in 0..portion {
            let options = BasicPublishOptions::default();
            let publish =
                channel.basic_publish("".into(), QUEUE.into(), options, &body, properties.clone());
            confirms.push(publish.await?);
        }
        for confirmed in try_join_all(confirms).await? {
            ensure!(
                matches!(confirmed, Confirmation::Ack(None)),
                "{confirmed:?}"
            );
        }
        left -= portion;
    }
    Ok(())
}

async fn consume(channel: &Channel, count: usize) -> anyhow::Result<()> {
    const PREFETCH: u16 = 500;
    const ACK_EVERY: usize = 50;
    channel
        .basic_qos(PREFETCH, BasicQosOptions::default())
        .await?;
    let mut consumer = channel
        .basic_consume(
            QUEUE.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    for no in 1..=count {
        let Some(delivery) = consumer.next().await else {
            anyhow::bail!("the consumer ended after {no} messages");
        };
        let delivery = delivery?;
        if no % ACK_EVERY == 0 || no == count {
            delivery
                .acker
                .ack(BasicAckOptions { multiple: true })
                .await?;
        }
    }
    Ok(())
}

/// What one step of a booking writes at least: an inbox row, the booking, two claims, two messages to be sent.
async fn database(
    place: &Place,
    arguments: &Arguments,
    connections: usize,
    batch: usize,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let database = Database::connect(&place.mysql).await?;
    database.make_parts().await?;
    let bookings = if batch == 1 {
        arguments.bookings / 4
    } else {
        arguments.bookings
    };
    let each = bookings / connections / batch;
    let (cost, begun) = (Cost::look(place)?, Instant::now());
    let mut writers = JoinSet::new();
    for _ in 0..connections {
        let writer = Database::connect(&place.mysql).await?;
        writers.spawn(async move {
            for _ in 0..each {
                writer.write_parts(batch).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    let took = begun.elapsed();
    let written = each * connections * batch;
    let bill = cost.until(&Cost::look(place)?, written);
    let name = format!("database.{connections}_connections_batch_{batch}");
    outcome.put(
        &format!("{name}.bookings_per_s"),
        written as f64 / took.as_secs_f64(),
    );
    outcome.put_all(&name, Outcome::of_bill(&bill));
    database.drop_parts().await
}
