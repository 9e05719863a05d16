//! Partners: the same bookings through the other door, by messages.

use super::{
    Crowd,
    door::Door,
    ended::Ended,
    visit::Visitor,
    wish::{Course, Follow, Wish},
};
use crate::stage::Stage;
use boxoffice_contracts::{BookingId, OperationId, Owner, Role, partner::broker};
use boxoffice_integration::{State, customer::new_key, partner::PartnerUser};
use boxoffice_invariants::{
    Accepted,
    history::{Asked, Learned},
};
use futures::StreamExt as _;
use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions},
    types::FieldTable,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::Mutex as AsyncMutex,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

/// Until the broker has confirmed a message.
const CONFIRM_MAX: Duration = Duration::from_secs(5);
/// How long a partner tries to be heard.
const PATIENCE: Duration = Duration::from_secs(90);
const AGAIN: Duration = Duration::from_millis(500);
/// Of a hundred messages of a partner.
const MALFORMED_PERCENT: u32 = 1;
/// So that no booking ever lacks it; minor units.
const LIMIT_MINOR: i64 = 100_000_000;

/// One partner's line to the broker, rebuilt whenever it breaks.
pub struct Line {
    user: PartnerUser,
    door: Door,
    /// Pays by credit, or by card.
    credit: bool,
    channel: AsyncMutex<Option<(Connection, Channel)>>,
    /// Replies by outcome and code.
    replies: Arc<Mutex<BTreeMap<String, u64>>>,
    listener: Mutex<Option<AbortHandle>>,
}

impl Line {
    /// Makes two partners at a house that is well: one sells on credit, one by card.
    ///
    /// # Panics
    /// The house doesn't take them.
    pub async fn open_all(stage: &Arc<Stage>) -> Vec<Arc<Self>> {
        let world = stage.world.lock().await;
        let mut lines = Vec::new();
        for (name, credit) in [("lender", true), ("carder", false)] {
            let id = world.partner_id(name);
            let limits = json!({"rate_per_sec": 1_000, "burst": 1_000});
            let user = world.add_partner(&id, limits).await;
            if credit {
                let path = format!("/v1/partners/{id}/credit");
                let limit =
                    json!({"currency": "EUR", "limit_minor": LIMIT_MINOR, "reason": "chaos"});
                let admin = world.someone("root", Role::Admin);
                let answer = admin.post(&path, &new_key(), &limit).await.unwrap();
                assert_eq!(answer.status, 200, "{}", answer.body);
            }
            let owner = Owner {
                tenant: id.clone(),
                subject: id,
            };
            let http = reqwest::Client::new();
            let line = Arc::new(Self {
                door: Door::new(stage, &http, owner, Role::Partner),
                user,
                credit,
                channel: AsyncMutex::default(),
                replies: Arc::default(),
                listener: Mutex::default(),
            });
            let listening = tokio::spawn(listen(line.user.clone(), Arc::clone(&line.replies)));
            *line.listener.lock().unwrap() = Some(listening.abort_handle());
            lines.push(line);
        }
        lines
    }

    /// Replies by outcome and code.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn replies(&self) -> BTreeMap<String, u64> {
        self.replies.lock().unwrap().clone()
    }

    /// # Panics
    /// Never.
    pub fn hang_up(&self) {
        if let Some(listener) = self.listener.lock().unwrap().take() {
            listener.abort();
        }
    }

    /// Publishes once, and waits for the broker's word.
    async fn publish(&self, kind: &str, body: &[u8]) -> Result<(), String> {
        let mut line = self.channel.lock().await;
        let sent = timeout(CONFIRM_MAX, self.send(&mut line, kind, body)).await;
        let sent = sent.unwrap_or_else(|_late| Err("timeout".to_owned()));
        if sent.is_err() {
            // Whatever it is, the next one begins anew.
            *line = None;
        }
        sent
    }

    async fn send(
        &self,
        line: &mut Option<(Connection, Channel)>,
        kind: &str,
        body: &[u8],
    ) -> Result<(), String> {
        let channel = match line {
            Some((_, channel)) if channel.status().connected() => channel,
            _ => {
                let opened = open(&self.user).await.map_err(|error| error.to_string())?;
                &line.insert(opened).1
            }
        };
        let exchange = broker::exchange_in(&self.user.id);
        let options = BasicPublishOptions::default();
        let properties = self.user.properties();
        let confirm = channel
            .basic_publish(exchange.into(), kind.into(), options, body, properties)
            .await
            .map_err(|error| error.to_string())?
            .await
            .map_err(|error| error.to_string())?;
        if confirm.is_ack() {
            Ok(())
        } else {
            Err("nack".to_owned())
        }
    }

    fn event(&self, id: &str, wish: &Wish) -> Value {
        let customer =
            json!({"email": format!("{id}@example.org"), "name": "Ada Byron", "locale": "en"});
        let mut data =
            json!({"show_id": wish.show.id, "positions": wish.positions, "customer": customer});
        if self.credit {
            data["tender"] = json!("partner_credit");
        } else {
            data["payment"] = json!({"method": "pm_card_visa"});
        }
        json!({
            "specversion": "1.0", "id": id, "source": "https://partner.example/chaos",
            "type": "booking.submit.v1", "time": "2026-11-21T18:30:00Z", "correlationid": id, "data": data,
        })
    }
}

/// A partner books, and follows what becomes of it by HTTP.
pub(super) async fn visit(crowd: Arc<Crowd>, wish: Wish, line: Arc<Line>) -> Ended {
    let mut pen = crowd.diary.pen();
    let id = format!("{}-{}", &crowd.run[..12], pen.client);
    let tenant = line.user.id.as_str().to_owned();
    let booking = BookingId::derive(&tenant, &tenant, &id);
    let mut ended = Ended::new(booking, &wish, false, crowd.diary.now());
    ended.straight = false;
    ended.course = if line.credit {
        "partner, credit"
    } else {
        "partner, card"
    };
    let kind = "booking.submit.v1";
    // The client's number decides, so that the dice of the run stay where they are.
    if pen.client % 100 < MALFORMED_PERCENT {
        ended.course = "partner, malformed";
        let sent = line
            .publish(kind, b"{\"specversion\": \"1.0\", \"id\":")
            .await;
        ended.refuse(if sent.is_ok() {
            "quarantined"
        } else {
            "no answer"
        });
        return ended;
    }
    let body = line.event(&id, &wish).to_string();
    let asked = Asked::Submit {
        booking,
        show: wish.show.id,
        seats: wish.seats.clone(),
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let call = pen.ask(asked.clone());
        match line.publish(kind, body.as_bytes()).await {
            Ok(()) => {
                pen.learn(call, Learned::Accepted);
                break;
            }
            Err(why) => pen.unknown(call, &why),
        }
        crowd.stage.meter.add("partner.unconfirmed");
        if Instant::now() >= deadline {
            ended.refuse("no answer");
            return ended;
        }
        sleep(AGAIN).await;
    }
    ended.accepted_at = Some(crowd.diary.now());
    let operation = OperationId::derive(booking, &tenant, &tenant, "submit", &id);
    crowd.note(Accepted {
        booking,
        operation,
        kind: "submit".to_owned(),
    });
    crowd.waits(pen.client);
    let mut visitor = Visitor {
        crowd,
        door: line.door.clone(),
        pen,
        booking,
        link: format!("/v1/bookings/{booking}"),
        last: State(Value::Null),
        ended,
    };
    visitor
        .go(Course::Pays { at_once: true }, Follow::LongPoll)
        .await;
    visitor.leave()
}

async fn open(user: &PartnerUser) -> Result<(Connection, Channel), lapin::Error> {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&user.address(), properties).await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    Ok((connection, channel))
}

/// Takes what the house tells the partner, across every break.
async fn listen(user: PartnerUser, replies: Arc<Mutex<BTreeMap<String, u64>>>) {
    loop {
        // An end without an error is an end, too.
        let _ = take(&user, &replies).await;
        sleep(AGAIN).await;
    }
}

async fn take(
    user: &PartnerUser,
    replies: &Mutex<BTreeMap<String, u64>>,
) -> Result<(), lapin::Error> {
    let (_connection, channel) = open(user).await?;
    let queue = broker::queue_out(&user.id);
    let mut consumer = channel
        .basic_consume(
            queue.into(),
            "chaos".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let event: Value = serde_json::from_slice(&delivery.data).unwrap_or_default();
        if event["type"] == "partner.reply.v1" {
            let text = |pointer: &str| {
                event
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let words = [text("/data/outcome"), text("/data/problem/code")];
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            *replies.lock().unwrap().entry(words.join("/")).or_default() += 1;
        }
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}
