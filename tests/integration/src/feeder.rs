//! A partner as the tables have it, what it publishes, and what is told to it. No broker takes part.

use crate::{Setup, Show, World};
use boxoffice_contracts::{
    BookingId, Instant, MessageId, VenueId,
    partner::{PartnerId, event::CloudEvent},
};
use boxoffice_jobs::partner_feed::{self, Handled, Outcome};
use boxoffice_runtime::{Failure, clock, pool};
use boxoffice_store::mysql::{
    partner_out,
    partners::{self, Partner},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, Value};
use serde_json::Value as Json;

/// With the partners' door closed: what is told stays in the outbox, where a story looks at it.
#[must_use]
pub fn closed() -> Setup {
    World::setup()
        .setting("BOXOFFICE__PARTNERS__AMQP_URL", "")
        .setting("BOXOFFICE__PARTNERS__MANAGEMENT_URL", "")
}

/// The same with a show on sale.
#[must_use]
pub fn evening() -> Setup {
    closed().show(Show::named("evening"))
}

/// Adds a partner, with the venues that it may publish shows of.
pub async fn add(db: &DatabaseConnection, id: &str, venues: &[&str]) -> Partner {
    let limits = "'active', 100, 100, 10000, 10, 50, 1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)";
    let insert = format!(
        "INSERT INTO partners (id, name, state, rate_per_sec, burst, queue_length_max, connections_max, channels_max, \
         version, created_at, updated_at) VALUES (?, ?, {limits})"
    );
    run(db, &insert, vec![id.into(), id.into()]).await;
    for venue in venues {
        let assign = "INSERT INTO partner_venues (partner_id, venue_id) VALUES (?, ?)";
        run(
            db,
            assign,
            vec![id.into(), VenueId::from_slug(venue).0.into()],
        )
        .await;
    }
    let id: PartnerId = id.parse().unwrap();
    partners::find(db, &id).await.unwrap().unwrap()
}

/// What a partner calls a booking, as the gate notes it before it publishes the command.
pub async fn name(db: &DatabaseConnection, partner: &str, booking: BookingId, word: &str) {
    let insert = "INSERT INTO partner_bookings (booking_id, partner_id, reference, correlation_id, created_at) \
                  VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6))";
    let correlation = format!("story-{word}");
    let values = vec![
        booking.0.into(),
        partner.into(),
        word.into(),
        correlation.into(),
    ];
    run(db, insert, values).await;
}

/// A message of a partner.
#[must_use]
pub fn message(kind: &str, id: &str, sequence: Option<u64>, data: Json) -> CloudEvent {
    CloudEvent {
        specversion: "1.0".to_owned(),
        id: id.to_owned(),
        source: "https://acme.example".to_owned(),
        kind: kind.to_owned(),
        time: clock::now(),
        subject: None,
        datacontenttype: None,
        dataschema: None,
        correlationid: None,
        idempotencykey: None,
        sequence,
        expirytime: None,
        traceparent: None,
        data,
    }
}

/// Hands a message to the feeds as the gate does: in one transaction with what is told.
pub async fn hand_over(
    db: &DatabaseConnection,
    partner: &Partner,
    message: &CloudEvent,
) -> Result<Handled, Failure> {
    let tx = pool::begin(db).await?;
    let now: Instant = clock::now();
    let handled = partner_feed::handle(&tx, partner, message, now).await?;
    partner_out::append(&tx, &handled.out, now).await?;
    tx.commit().await?;
    Ok(handled)
}

/// The code of a refusal and the places that it names; `accepted` without one.
#[must_use]
pub fn verdict(handled: &Handled) -> String {
    match &handled.outcome {
        Outcome::Accepted { .. } => "accepted".to_owned(),
        Outcome::Rejected { code, errors } => {
            let places = errors.iter().map(|error| error.pointer.as_str());
            let words: Vec<&str> = std::iter::once(code.as_str()).chain(places).collect();
            words.join(" ")
        }
    }
}

/// A message to a partner that was added to its outbox.
#[derive(Debug, Clone)]
pub struct Told {
    pub message_id: MessageId,
    pub routing_key: String,
    pub booking: Option<BookingId>,
    pub event: CloudEvent,
}

impl Told {
    /// The version of the booking that it tells of.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.event.data["version"].as_u64().unwrap()
    }
}

/// Everything that was added for a partner, in order.
pub async fn told(db: &DatabaseConnection, partner: &str) -> Vec<Told> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT message_id, routing_key, booking_id, body FROM partner_out WHERE partner_id = ? ORDER BY id",
        [partner.into()],
    );
    let rows = db.query_all_raw(ask).await.unwrap();
    let told = rows.iter().map(|row| {
        let booking: Option<uuid::Uuid> = row.try_get("", "booking_id").unwrap();
        let body: Vec<u8> = row.try_get("", "body").unwrap();
        Told {
            message_id: MessageId(row.try_get("", "message_id").unwrap()),
            routing_key: row.try_get("", "routing_key").unwrap(),
            booking: booking.map(BookingId),
            event: serde_json::from_slice(&body).unwrap(),
        }
    });
    told.collect()
}

/// Numbers what was not sent, as the gate does when it sends.
pub async fn send_all(db: &DatabaseConnection, partner: &str) {
    let number = "UPDATE partner_out o JOIN (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS n FROM partner_out \
                  WHERE partner_id = ? AND sent_at IS NULL) u ON u.id = o.id \
                  JOIN partners p ON p.id = o.partner_id \
                  SET o.sequence = p.out_sequence + u.n, o.sent_at = UTC_TIMESTAMP(6)";
    run(db, number, vec![partner.into()]).await;
    let last = "UPDATE partners SET out_sequence = (SELECT COALESCE(MAX(sequence), 0) FROM partner_out \
                WHERE partner_id = ?) WHERE id = ?";
    run(db, last, vec![partner.into(), partner.into()]).await;
}

pub async fn run(db: &DatabaseConnection, sql: &str, values: Vec<Value>) -> u64 {
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    db.execute_raw(statement).await.unwrap().rows_affected()
}
