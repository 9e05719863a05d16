//! The world's own view of its vhost: what lies in queues, and messages that nobody of ours would send.

use crate::tap::Tap;
use boxoffice_contracts::topology::{QUEUES, RetryTier, UNROUTABLE};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};

pub struct Vhost {
    connection: Connection,
}

impl Vhost {
    pub async fn connect(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .unwrap();
        Self { connection }
    }

    /// Messages that wait in each queue that isn't empty. What a consumer holds isn't counted.
    pub async fn waiting(&self) -> Vec<(&'static str, u32)> {
        let retries = RetryTier::ALL.iter().map(|tier| tier.queue());
        let names = QUEUES
            .iter()
            .map(|queue| queue.name)
            .chain(retries)
            .chain([UNROUTABLE]);
        let channel = self.connection.create_channel().await.unwrap();
        let mut found = Vec::new();
        for name in names {
            let passive = QueueDeclareOptions {
                passive: true,
                ..QueueDeclareOptions::default()
            };
            let queue = channel
                .queue_declare(name.into(), passive, FieldTable::default())
                .await
                .unwrap();
            if queue.message_count() > 0 {
                found.push((name, queue.message_count()));
            }
        }
        close(channel).await;
        found
    }

    /// How many consumers a queue has now.
    pub async fn consumers(&self, queue: &str) -> u32 {
        let channel = self.connection.create_channel().await.unwrap();
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel
            .queue_declare(queue.into(), passive, FieldTable::default())
            .await
            .unwrap();
        close(channel).await;
        declared.consumer_count()
    }

    /// Puts a message straight into a queue.
    pub async fn put(&self, queue: &str, properties: BasicProperties, body: &[u8]) {
        let channel = self.connection.create_channel().await.unwrap();
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .unwrap();
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let properties = properties.with_delivery_mode(2);
        let publish = channel.basic_publish("".into(), queue.into(), options, body, properties);
        let confirmed = publish.await.unwrap().await.unwrap();
        assert!(
            matches!(confirmed, Confirmation::Ack(None)),
            "{queue}: {confirmed:?}"
        );
        close(channel).await;
    }

    /// Listens to what goes through the exchanges from now on.
    pub async fn tap(&self) -> Tap {
        Tap::open(&self.connection).await
    }

    pub async fn close(&self) {
        let _ = self.connection.close(200, "done".into()).await;
    }
}

async fn close(channel: Channel) {
    let _ = channel.close(200, "done".into()).await;
}
