//! Outbox to partners: added in the transaction of what a message tells, sent by the gate, kept for recovery.

use super::rows;
use boxoffice_contracts::{BookingId, Instant, MessageId, partner::PartnerId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set, Statement, sea_query::OnConflict,
};
use std::fmt::Write;

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "partner_out")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: u64,
        pub partner_id: String,
        pub message_id: Uuid,
        /// Given when it is sent.
        pub sequence: Option<u64>,
        pub routing_key: String,
        pub booking_id: Option<Uuid>,
        pub correlation_id: Option<String>,
        pub body: Vec<u8>,
        pub created_at: DateTimeUtc,
        pub sent_at: Option<DateTimeUtc>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A message to a partner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPartnerOut {
    pub partner: PartnerId,
    /// Derived from what caused it: added twice it is sent once.
    pub message_id: MessageId,
    pub routing_key: String,
    pub booking: Option<BookingId>,
    /// The partner's own, from the command that began the story.
    pub correlation_id: Option<String>,
    /// A `CloudEvent` without its `sequence`, which is written into it when it is sent.
    pub body: Vec<u8>,
}

/// A message that is to be sent, numbered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsent {
    pub id: u64,
    pub message_id: MessageId,
    pub sequence: u64,
    pub routing_key: String,
    pub correlation_id: Option<String>,
    pub body: Vec<u8>,
}

/// Adds messages; one that is there already stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn append(
    db: &impl ConnectionTrait,
    messages: &[NewPartnerOut],
    now: Instant,
) -> Result<(), DbErr> {
    if messages.is_empty() {
        return Ok(());
    }
    let rows = messages.iter().map(|message| row::ActiveModel {
        partner_id: Set(message.partner.as_str().to_owned()),
        message_id: Set(message.message_id.0),
        sequence: Set(None),
        routing_key: Set(message.routing_key.clone()),
        booking_id: Set(message.booking.map(|id| id.0)),
        correlation_id: Set(message.correlation_id.clone()),
        body: Set(message.body.clone()),
        created_at: Set(now),
        sent_at: Set(None),
        ..Default::default()
    });
    let once = OnConflict::columns([row::Column::PartnerId, row::Column::MessageId])
        .update_column(row::Column::MessageId)
        .to_owned();
    rows::insert(db, rows, Some(once)).await
}

/// Lets messages be sent once more, under the same id and sequence; returns those that are still known.
///
/// Waits for a round that is sending them just now: what it leaves is sent once more, or not sent yet.
///
/// # Errors
/// When the database refuses.
pub async fn send_again(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    messages: impl IntoIterator<Item = MessageId>,
) -> Result<Vec<MessageId>, DbErr> {
    let ids = rows::padded(messages.into_iter().map(|id| id.0));
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let known = row::Entity::find()
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .filter(row::Column::MessageId.is_in(ids))
        .lock_exclusive()
        .all(db)
        .await?;
    let sent: Vec<u64> = known
        .iter()
        .filter(|row| row.sent_at.is_some())
        .map(|row| row.id)
        .collect();
    if !sent.is_empty() {
        row::Entity::update_many()
            .col_expr(
                row::Column::SentAt,
                sea_orm::sea_query::Expr::value(None::<Instant>),
            )
            .filter(row::Column::Id.is_in(rows::padded(sent)))
            .exec(db)
            .await?;
    }
    Ok(known
        .into_iter()
        .map(|row| MessageId(row.message_id))
        .collect())
}

/// Partners that something waits for.
///
/// # Errors
/// When the database refuses.
pub async fn waiting(db: &impl ConnectionTrait) -> Result<Vec<PartnerId>, DbErr> {
    let ask = Statement::from_string(
        DbBackend::MySql,
        "SELECT DISTINCT partner_id FROM partner_out WHERE sent_at IS NULL",
    );
    let rows = db.query_all_raw(ask).await?;
    let ids = rows
        .iter()
        .map(|row| row.try_get::<String>("", "partner_id"))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
}

/// Locks what is sent to a partner, so that nobody else sends or numbers meanwhile; returns the last sequence.
/// `None` when another has the lock, or there is no such partner.
///
/// # Errors
/// When the database refuses.
pub async fn lock(db: &impl ConnectionTrait, partner: &PartnerId) -> Result<Option<u64>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT out_sequence FROM partners WHERE id = ? FOR UPDATE SKIP LOCKED",
        [partner.as_str().into()],
    );
    let row = db.query_one_raw(ask).await?;
    row.map(|row| row.try_get("", "out_sequence")).transpose()
}

/// Numbers messages that have no number yet, in the order of their ids, from the one after `last`; returns the new
/// last one. Under [`lock`]. What commits later is numbered later, so no number is ever left out.
///
/// # Errors
/// When the database refuses.
pub async fn number(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    last: u64,
    max: u64,
) -> Result<u64, DbErr> {
    let new = row::Entity::find()
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .filter(row::Column::Sequence.is_null())
        .order_by_asc(row::Column::Id)
        .limit(max)
        .all(db)
        .await?;
    if new.is_empty() {
        return Ok(last);
    }
    // As text with nothing but digits and hexadecimal in it: one round trip for any number of rows.
    let (mut sequences, mut bodies, mut ids) = (String::new(), String::new(), String::new());
    let mut sequence = last;
    for row in &new {
        sequence += 1;
        let comma = if ids.is_empty() { "" } else { "," };
        // Writing to a String can't fail.
        let _ = write!(ids, "{comma}{}", row.id);
        let _ = write!(sequences, " WHEN {} THEN {sequence}", row.id);
        let _ = write!(bodies, " WHEN {} THEN x'", row.id);
        for byte in numbered(&row.body, sequence) {
            let _ = write!(bodies, "{byte:02x}");
        }
        bodies.push('\'');
    }
    let update = format!(
        "UPDATE partner_out SET sequence = CASE id{sequences} END, body = CASE id{bodies} END WHERE id IN ({ids})"
    );
    db.execute_unprepared(&update).await?;
    let update = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE partners SET out_sequence = ? WHERE id = ?",
        [sequence.into(), partner.as_str().into()],
    );
    db.execute_raw(update).await?;
    Ok(sequence)
}

/// The event with its sequence: added as the last field, the rest as it was.
fn numbered(body: &[u8], sequence: u64) -> Vec<u8> {
    let Some(open) = body.trim_ascii_end().strip_suffix(b"}") else {
        return body.to_vec();
    };
    let comma = if open.trim_ascii_end().ends_with(b"{") {
        ""
    } else {
        ","
    };
    [open, format!("{comma}\"sequence\":{sequence}}}").as_bytes()].concat()
}

/// Numbered messages that are not known to be sent, in the order of their numbers. Under [`lock`].
///
/// Their rows are locked until it is noted what was sent, so that [`send_again`] is not overwritten.
///
/// # Errors
/// When the database refuses.
pub async fn unsent(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    max: u64,
) -> Result<Vec<Unsent>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::SentAt.is_null())
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .filter(row::Column::Sequence.is_not_null())
        .order_by_asc(row::Column::Sequence)
        .limit(max)
        .lock_exclusive()
        .all(db)
        .await?;
    let unsent = |row: row::Model| {
        Some(Unsent {
            id: row.id,
            message_id: MessageId(row.message_id),
            sequence: row.sequence?,
            routing_key: row.routing_key,
            correlation_id: row.correlation_id,
            body: row.body,
        })
    };
    Ok(rows.into_iter().filter_map(unsent).collect())
}

/// Notes that the broker has confirmed these.
///
/// # Errors
/// When the database refuses.
pub async fn mark_sent(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = u64>,
    now: Instant,
) -> Result<(), DbErr> {
    let ids = rows::padded(ids);
    if ids.is_empty() {
        return Ok(());
    }
    row::Entity::update_many()
        .col_expr(
            row::Column::SentAt,
            sea_orm::sea_query::Expr::value(Some(now)),
        )
        .filter(row::Column::Id.is_in(ids))
        .exec(db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn a_sequence_is_added_and_nothing_else_changes() {
        assert_eq!(
            numbered(br#"{"b":1.50,"a":{}}"#, 7),
            br#"{"b":1.50,"a":{},"sequence":7}"#
        );
        assert_eq!(numbered(b"{ } ", 1), br#"{ "sequence":1}"#);
        assert_eq!(numbered(b"[]", 1), b"[]");
    }
}
