//! A partner as the gate meets it: its exchanges, queues and user at the broker, and a client that has nothing but these.

use crate::{Customer, Show, World, eventually, secs};
use boxoffice_api::token::Grant;
use boxoffice_contracts::{
    BookingId, Owner, Role,
    partner::{
        PartnerId,
        broker::{self, CONTENT_TYPE},
    },
};
use boxoffice_runtime::clock;
use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions},
    types::FieldTable,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// Until a message is answered, whatever else happens.
const PATIENCE: Duration = secs(20);

/// A message that the partner got.
#[derive(Debug, Clone)]
pub struct Told {
    pub routing_key: String,
    pub event: Value,
    pub at: Instant,
}

impl Told {
    #[must_use]
    pub fn data(&self) -> &Value {
        &self.event["data"]
    }

    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.event
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.event["sequence"].as_u64().unwrap()
    }

    /// Pointer and word of every mistake that it tells.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(String, String)> {
        let errors = self.event.pointer("/data/problem/errors");
        let errors = errors
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let text = |error: &Value, field: &str| error[field].as_str().unwrap().to_owned();
        errors
            .iter()
            .map(|error| (text(error, "pointer"), text(error, "code")))
            .collect()
    }
}

/// A partner, connected.
pub struct PartnerSide {
    pub id: PartnerId,
    /// Name of its user.
    pub user: String,
    pub http: Customer,
    pub url: String,
    connection: Connection,
    channel: Channel,
    told: Arc<Mutex<Vec<Told>>>,
}

impl PartnerSide {
    /// Makes a partner with these limits and connects as it. Users are the whole broker's, so its id has a part of its
    /// own beside `name`.
    pub async fn join(world: &World, name: &str, rate_per_sec: u32, burst: u32) -> Self {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let id = format!("{name}-{}", &unique[..8]);
        let limits = json!({"rate_per_sec": rate_per_sec, "burst": burst});
        let user = world.add_partner(&id, limits).await;
        let (id, name) = (user.id.clone(), user.user.clone());
        let url = user.address();
        let connection = connect(&url).await;
        let channel = confirming(&connection).await;
        let told = listen(&connection, &broker::queue_out(&id)).await;
        Self {
            http: http(world, &id),
            id,
            user: name,
            url,
            connection,
            channel,
            told,
        }
    }

    /// Properties of a well-made message.
    #[must_use]
    pub fn properties(&self) -> BasicProperties {
        BasicProperties::default()
            .with_content_type(CONTENT_TYPE.into())
            .with_delivery_mode(2)
            .with_user_id(broker::user(&self.id, 1).into())
    }

    /// Publishes an event as it should be.
    pub async fn send(&self, event: &Value) {
        let key = event["type"].as_str().unwrap().to_owned();
        self.put(&key, self.properties(), event.to_string().as_bytes())
            .await;
    }

    /// Publishes anything, and waits for the broker's word.
    pub async fn put(&self, key: &str, properties: BasicProperties, body: &[u8]) {
        let exchange = broker::exchange_in(&self.id);
        let options = BasicPublishOptions::default();
        self.channel
            .basic_publish(exchange.into(), key.into(), options, body, properties)
            .await
            .unwrap()
            .await
            .unwrap();
    }

    /// Publishes on a channel of its own, which may not survive it.
    pub async fn try_put(&self, key: &str, properties: BasicProperties, body: &[u8]) -> bool {
        let channel = confirming(&self.connection).await;
        let exchange = broker::exchange_in(&self.id);
        let publish = channel.basic_publish(
            exchange.into(),
            key.into(),
            BasicPublishOptions::default(),
            body,
            properties,
        );
        match publish.await {
            Ok(confirm) => confirm.await.is_ok(),
            Err(_) => false,
        }
    }

    /// An event of ours.
    #[must_use]
    pub fn event(&self, id: &str, kind: &str, data: Value) -> Value {
        json!({
            "specversion": "1.0",
            "id": id,
            "source": "https://partner.example/sales",
            "type": kind,
            "time": "2026-11-21T18:30:00Z",
            "correlationid": format!("story-{id}"),
            "data": data,
        })
    }

    /// A submit of seats.
    #[must_use]
    pub fn submit(&self, id: &str, show: &Show, seats: &[&str]) -> Value {
        let positions: Vec<Value> = seats.iter().map(|seat| json!({"seat_id": seat})).collect();
        let customer = json!({"email": "ada@example.org", "name": "Ada Byron", "locale": "en"});
        let data = json!({"show_id": show.id, "positions": positions, "customer": customer});
        self.event(id, "booking.submit.v1", data)
    }

    #[must_use]
    pub fn cancel(&self, id: &str, booking: BookingId) -> Value {
        self.event(id, "booking.cancel.v1", json!({"booking_id": booking}))
    }

    /// The booking that a key of this partner leads to.
    #[must_use]
    pub fn booking_of(&self, key: &str) -> BookingId {
        BookingId::derive(self.id.as_str(), self.id.as_str(), key)
    }

    /// Everything that was told so far.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// Replies to the message of this id, in their order.
    #[must_use]
    pub fn replies_to(&self, id: &str) -> Vec<Told> {
        let mut told = self.told();
        told.retain(|told| {
            told.event["type"] == "partner.reply.v1" && told.text("/data/message_id") == id
        });
        told
    }

    /// Waits for the first reply to a message.
    pub async fn reply_to(&self, id: &str) -> Told {
        self.replies(id, 1).await.remove(0)
    }

    /// Waits for so many replies to messages of this id.
    pub async fn replies(&self, id: &str, count: usize) -> Vec<Told> {
        eventually(&format!("{count} replies to {id}"), PATIENCE, async || {
            let replies = self.replies_to(id);
            if replies.len() >= count {
                Ok(replies)
            } else {
                Err(format!(
                    "{} of {} messages",
                    replies.len(),
                    self.told().len()
                ))
            }
        })
        .await
    }

    /// Waits for the first message that is as wanted.
    pub async fn hear(&self, what: &str, wanted: impl Fn(&Told) -> bool) -> Told {
        eventually(what, PATIENCE, async || {
            let found = self.told().into_iter().find(|told| wanted(told));
            found.ok_or_else(|| {
                self.told()
                    .iter()
                    .map(|told| told.routing_key.clone())
                    .collect::<Vec<_>>()
            })
        })
        .await
    }

    /// Takes the user away, which is the whole broker's.
    pub async fn leave(self, world: &World) {
        let _ = self.connection.close(200, "bye".into()).await;
        let user = broker::user(&self.id, 1);
        world
            .manage(Method::DELETE, &format!("/api/users/{user}"), "")
            .await;
    }
}

fn http(world: &World, id: &PartnerId) -> Customer {
    let owner = Owner {
        tenant: id.as_str().to_owned(),
        subject: id.as_str().to_owned(),
    };
    let grant = Grant {
        subject: owner.subject.clone(),
        tenant: owner.tenant.clone(),
        role: Role::Partner,
        venue: None,
        ttl: secs(3600),
    };
    let token = world.issuer.issue(&grant, clock::now()).unwrap();
    Customer::new(owner, world.api.clone(), token, Arc::clone(&world.journal))
}

async fn connect(url: &str) -> Connection {
    Connection::connect(url, ConnectionProperties::default())
        .await
        .unwrap()
}

async fn confirming(connection: &Connection) -> Channel {
    let channel = connection.create_channel().await.unwrap();
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await.unwrap();
    channel
}

async fn listen(connection: &Connection, queue: &str) -> Arc<Mutex<Vec<Told>>> {
    let channel = connection.create_channel().await.unwrap();
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let mut consumer = channel
        .basic_consume(
            queue.into(),
            "listener".into(),
            options,
            FieldTable::default(),
        )
        .await
        .unwrap();
    let told: Arc<Mutex<Vec<Told>>> = Arc::default();
    let book = Arc::clone(&told);
    tokio::spawn(async move {
        // The channel lives as long as somebody listens.
        let _channel = channel;
        while let Some(Ok(delivery)) = consumer.next().await {
            let event: Value = serde_json::from_slice(&delivery.data).unwrap();
            assert_eq!(
                delivery
                    .properties
                    .content_type()
                    .as_ref()
                    .map(|text| text.as_str()),
                Some(CONTENT_TYPE)
            );
            book.lock().unwrap().push(Told {
                routing_key: delivery.routing_key.as_str().to_owned(),
                event,
                at: Instant::now(),
            });
        }
    });
    told
}
