//! Messages that nobody of ours would send. Each must be kept with its reason, and hurt no neighbour.

use super::{
    kind,
    tools::{channel, one_of, until},
};
use crate::{
    fault::{Fault, Kind},
    stage::Stage,
};
use anyhow::ensure;
use async_trait::async_trait;
use lapin::{
    BasicProperties, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use rand::{Rng as _, rngs::StdRng};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// Until the broker has it: the other lane may have struck it, or filled the queue.
const SENT_MAX: Duration = Duration::from_secs(60);
/// Until it lies where a person sees it; other faults may be on the way.
const PARKED_MAX: Duration = Duration::from_secs(60);

pub(super) const KINDS: &[Kind] = &[
    kind("messages.poison", 3, |dice| {
        let (queue, kind, body) = rubbish(dice);
        sent(dice, "messages.poison", queue, kind, body)
    }),
    kind("messages.oversized", 2, |dice| {
        let (queue, kind) = one_of(dice, ROUTES);
        let body = vec![b' '; dice.random_range(70_000..900_000)];
        sent(dice, "messages.oversized", queue, kind, body)
    }),
    kind("messages.forged", 3, |dice| {
        let (queue, kind, body) = forgery(dice);
        sent(dice, "messages.forged", queue, kind, body)
    }),
];

const ROUTES: &[(&str, &str)] = &[
    ("payments", "payment.capture.v1"),
    ("reservations", "booking.pay.v1"),
    ("reservations.submit", "booking.submit.v1"),
    ("reservations.submit.2", "booking.submit.v1"),
    ("tickets", "tickets.render.v1"),
    ("mail", "mail.send.v1"),
];

/// Not what it says it is.
fn rubbish(dice: &mut StdRng) -> (&'static str, &'static str, Vec<u8>) {
    let (queue, kind) = one_of(dice, ROUTES);
    let deep = [vec![b'['; 20_000], vec![b']'; 20_000]].concat();
    match dice.random_range(0..5) {
        0 => (queue, kind, vec![0xff, 0, 1, 2]),
        1 => (queue, kind, b"{\"booking_id\":".to_vec()),
        2 => (queue, kind, deep),
        3 => (queue, kind, b"{}".to_vec()),
        _ => (queue, "booking.moonrise.v7", b"{}".to_vec()),
    }
}

/// Well formed, and impossible: nobody asked for this money, and nobody booked.
fn forgery(dice: &mut StdRng) -> (&'static str, &'static str, Vec<u8>) {
    let nobody = id(dice);
    let text = |value: Value| value.to_string().into_bytes();
    match dice.random_range(0..2) {
        0 => {
            let amount = json!({"minor": 100, "currency": "EUR"});
            let body = json!({"booking_id": nobody, "generation": 1, "amount": amount});
            ("reservations", "payment.captured.v1", text(body))
        }
        _ => {
            let body = json!({"booking_id": nobody, "template": "expired", "revision": 1});
            ("mail", "mail.send.v1", text(body))
        }
    }
}

/// Of the dice, so that a run can be repeated.
fn id(dice: &mut StdRng) -> Uuid {
    uuid::Builder::from_random_bytes(dice.random()).into_uuid()
}

fn sent(
    dice: &mut StdRng,
    name: &'static str,
    queue: &'static str,
    kind: &'static str,
    body: Vec<u8>,
) -> Box<dyn Fault> {
    Box::new(Sent {
        kind: name,
        queue,
        of_kind: kind,
        id: id(dice),
        body,
        confirmed: false,
        seen: None,
    })
}

struct Sent {
    kind: &'static str,
    queue: &'static str,
    of_kind: &'static str,
    id: Uuid,
    body: Vec<u8>,
    confirmed: bool,
    seen: Option<String>,
}

impl Sent {
    /// Sends it, under the same id whenever it is called: whoever doubts that it has arrived sends it again.
    async fn put(&self, stage: &Stage) -> anyhow::Result<()> {
        let (connection, channel) = channel(stage).await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_type(self.of_kind.into())
            .with_message_id(self.id.to_string().into());
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let publish = channel.basic_publish(
            "".into(),
            self.queue.into(),
            options,
            &self.body,
            properties,
        );
        let confirmed = publish.await?.await?;
        ensure!(
            matches!(confirmed, Confirmation::Ack(None)),
            "{}: {confirmed:?}",
            self.queue
        );
        let _ = connection.close(200, "done".into()).await;
        Ok(())
    }
}

#[async_trait]
impl Fault for Sent {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn target(&self) -> String {
        format!(
            "{} {} of {} bytes",
            self.queue,
            self.of_kind,
            self.body.len()
        )
    }

    fn lasts(&self) -> Duration {
        Duration::ZERO
    }

    async fn strike(&mut self, stage: &Stage) -> anyhow::Result<()> {
        stage.expected.add(self.id, self.queue);
        // The other lane may have taken the broker away: then it arrives with the heal.
        self.confirmed = self.put(stage).await.is_ok();
        Ok(())
    }

    async fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        if !self.confirmed {
            let sent = || self.put(stage);
            until("the message is confirmed", SENT_MAX, sent).await?;
            self.confirmed = true;
        }
        let reason = until("the message is parked", PARKED_MAX, || async {
            let query = Statement::from_sql_and_values(
                DbBackend::MySql,
                "SELECT code FROM parked_messages WHERE message_id = ?",
                [self.id.into()],
            );
            let row = stage.db.query_one_raw(query).await;
            let row = row.map_err(|error| error.to_string())?;
            let row = row.ok_or_else(|| "not there".to_owned())?;
            row.try_get_by_index::<String>(0)
                .map_err(|error| error.to_string())
        })
        .await?;
        self.seen = Some(format!("parked: {reason}"));
        Ok(())
    }

    async fn effect(&mut self, _stage: &Stage) -> Option<String> {
        self.seen.clone()
    }
}
