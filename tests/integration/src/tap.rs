//! What goes through the exchanges, listened to and said again.

use boxoffice_contracts::topology::{Exchange, QUEUES};
use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection,
    message::Delivery,
    options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use std::sync::{Arc, Mutex};

/// A message that went to a worker.
#[derive(Debug, Clone)]
pub struct Heard {
    pub exchange: String,
    pub kind: String,
    pub properties: BasicProperties,
    pub body: Vec<u8>,
}

impl Heard {
    /// The queues that it went to.
    #[must_use]
    pub fn queues(&self) -> Vec<&'static str> {
        let bound = |queue: &&boxoffice_contracts::topology::Queue| {
            let bindings = queue.bindings.iter();
            let mut here = bindings.filter(|binding| binding.exchange.name() == self.exchange);
            here.any(|binding| binding.pattern == "#" || binding.pattern == self.kind)
        };
        QUEUES
            .iter()
            .filter(bound)
            .map(|queue| queue.name)
            .collect()
    }

    /// The same order under a new name: what a deliberate second send looks like.
    #[must_use]
    pub fn renamed(&self) -> Self {
        let id = uuid::Uuid::new_v4().to_string();
        Self {
            properties: self.properties.clone().with_message_id(id.into()),
            ..self.clone()
        }
    }
}

/// Hears every message from its start on.
pub struct Tap {
    heard: Arc<Mutex<Vec<Heard>>>,
    _channel: Channel,
}

impl Tap {
    pub(crate) async fn open(connection: &Connection) -> Self {
        let channel = connection.create_channel().await.unwrap();
        let own = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        let queue = channel
            .queue_declare("".into(), own, FieldTable::default())
            .await
            .unwrap();
        for exchange in [Exchange::Intake, Exchange::Commands, Exchange::Events] {
            channel
                .queue_bind(
                    queue.name().clone(),
                    exchange.name().into(),
                    "#".into(),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
                .await
                .unwrap();
        }
        let no_ack = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        let mut consumer = channel
            .basic_consume(
                queue.name().clone(),
                "tap".into(),
                no_ack,
                FieldTable::default(),
            )
            .await
            .unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Some(Ok(delivery)) = consumer.next().await {
                ear.lock().unwrap().push(read(delivery));
            }
        });
        Self {
            heard,
            _channel: channel,
        }
    }

    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

fn read(delivery: Delivery) -> Heard {
    Heard {
        exchange: delivery.exchange.to_string(),
        kind: delivery.routing_key.to_string(),
        properties: delivery.properties,
        body: delivery.data,
    }
}
