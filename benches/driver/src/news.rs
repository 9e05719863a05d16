//! Hears the house's events as any subscriber does: a queue of its own, bound to the exchange of facts.

use crate::book::{Book, Step};
use anyhow::Context as _;
use boxoffice_contracts::{message::event::BookingFact, topology::Exchange};
use futures::StreamExt as _;
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use std::sync::Arc;
use tokio::{task::JoinHandle, time::Instant};

/// Until it is dropped.
#[derive(Debug)]
pub(crate) struct News {
    connection: Connection,
    listening: JoinHandle<()>,
}

impl News {
    /// Writes down whatever is told of these steps.
    pub(crate) async fn listen(
        amqp: &str,
        steps: &[Step],
        book: Arc<Book>,
    ) -> anyhow::Result<Self> {
        let write_down = move |fact: BookingFact, step, at| book.told(&fact, step, at);
        Self::hear(amqp, steps, write_down).await
    }

    /// Tells of each of these steps.
    pub(crate) async fn hear(
        amqp: &str,
        steps: &[Step],
        mut tell: impl FnMut(BookingFact, Step, Instant) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let connection = Connection::connect(amqp, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let queue = declare(&channel, steps).await?;
        // Without acknowledgements: they would be the bench's cost, and nothing is lost that matters.
        let options = BasicConsumeOptions {
            no_ack: true,
            exclusive: true,
            ..BasicConsumeOptions::default()
        };
        let mut consumer = channel
            .basic_consume(
                queue.as_str().into(),
                "".into(),
                options,
                FieldTable::default(),
            )
            .await?;
        let steps = steps.to_vec();
        let listening = tokio::spawn(async move {
            // The channel lives as long as somebody listens.
            let _channel = channel;
            while let Some(Ok(delivery)) = consumer.next().await {
                let at = Instant::now();
                if let Some((fact, step)) = read(&delivery, &steps) {
                    tell(fact, step, at);
                }
            }
        });
        Ok(Self {
            connection,
            listening,
        })
    }

    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.connection.close(200, "done".into()).await?;
        self.listening.await.context("the listener")
    }
}

async fn declare(channel: &Channel, steps: &[Step]) -> anyhow::Result<String> {
    let options = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let queue = channel
        .queue_declare("".into(), options, FieldTable::default())
        .await?;
    let name = queue.name().to_string();
    for step in steps {
        channel
            .queue_bind(
                name.as_str().into(),
                Exchange::Events.name().into(),
                step.kind().as_str().into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
    }
    Ok(name)
}

fn read(delivery: &lapin::message::Delivery, steps: &[Step]) -> Option<(BookingFact, Step)> {
    let key = delivery.routing_key.as_str();
    let step = steps.iter().find(|step| {
        key.strip_prefix("booking.")
            .and_then(|rest| rest.strip_suffix(".v1"))
            == Some(step.name())
    })?;
    let fact: BookingFact = serde_json::from_slice(&delivery.data).ok()?;
    Some((fact, *step))
}
