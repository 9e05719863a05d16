//! What is told to partners about their bookings, and how they read again what they missed.

use super::{
    partner_out::{NewPartnerOut, row},
    rows,
};
use boxoffice_contracts::{
    BookingId, Instant, Kind, MessageId,
    partner::{PartnerId, kinds::to_partner},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Statement, Value,
};
use std::collections::{BTreeSet, HashMap};

/// What a partner calls a booking of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    pub reference: Option<String>,
    pub correlation_id: Option<String>,
}

/// Of the bookings, those whose tenant is a partner that is to be told, with its names for them. One query.
///
/// A tenant without a row is nobody who could read.
///
/// # Errors
/// When the database refuses.
pub async fn names(
    db: &impl ConnectionTrait,
    bookings: &[(BookingId, PartnerId)],
) -> Result<HashMap<BookingId, Names>, DbErr> {
    if bookings.is_empty() {
        return Ok(HashMap::new());
    }
    let partners: BTreeSet<&str> = bookings.iter().map(|(_, id)| id.as_str()).collect();
    let partners = rows::padded(partners);
    let ids: BTreeSet<BookingId> = bookings.iter().map(|(id, _)| *id).collect();
    let ids = rows::padded(ids);
    let marks = |count: usize| vec!["?"; count].join(",");
    // Each half by its primary key, whatever the server thinks of joins.
    let sql = format!(
        "SELECT id AS partner_id, NULL AS booking_id, NULL AS reference, NULL AS correlation_id
         FROM partners WHERE id IN ({})
         UNION ALL SELECT partner_id, booking_id, reference, correlation_id
         FROM partner_bookings WHERE booking_id IN ({})",
        marks(partners.len()),
        marks(ids.len())
    );
    let values = partners
        .iter()
        .map(|id| Value::from(*id))
        .chain(ids.iter().map(|id| Value::from(id.0)));
    let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let (mut known, mut named) = (BTreeSet::new(), HashMap::new());
    for row in db.query_all_raw(ask).await? {
        let partner: String = row.try_get("", "partner_id")?;
        match row.try_get::<Option<uuid::Uuid>>("", "booking_id")? {
            None => {
                known.insert(partner);
            }
            Some(id) => {
                let names = Names {
                    reference: row.try_get("", "reference")?,
                    correlation_id: row.try_get("", "correlation_id")?,
                };
                named.insert((partner, BookingId(id)), names);
            }
        }
    }
    let told = bookings
        .iter()
        .filter(|(_, partner)| known.contains(partner.as_str()))
        .map(|(id, partner)| {
            let names = named.get(&(partner.as_str().to_owned(), *id));
            (*id, names.cloned().unwrap_or_default())
        });
    Ok(told.collect())
}

/// A message to a partner whose routing key is its kind.
///
/// # Errors
/// When it can't be encoded.
pub fn message(
    partner: &PartnerId,
    kind: Kind,
    id: MessageId,
    booking: Option<BookingId>,
    correlation_id: Option<&str>,
    at: Instant,
    data: &impl serde::Serialize,
) -> Result<NewPartnerOut, DbErr> {
    let mut event = to_partner(kind, id, at, data).map_err(unencodable)?;
    event.subject = booking.map(|id| id.to_string());
    event.correlationid = correlation_id.map(str::to_owned);
    Ok(NewPartnerOut {
        partner: partner.clone(),
        message_id: id,
        routing_key: kind.as_str().to_owned(),
        booking,
        correlation_id: event.correlationid.clone(),
        body: serde_json::to_vec(&event).map_err(unencodable)?,
    })
}

pub(super) fn unencodable(error: serde_json::Error) -> DbErr {
    DbErr::Type(format!("partner_out.body: {error}"))
}

/// A message as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub sequence: u64,
    /// A `CloudEvent` without its `sequence`.
    pub body: Vec<u8>,
}

/// What followed a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// There is no such partner, or no more.
    NoPartner,
    /// What followed is no longer kept, or not all of it.
    Gone { last_sequence: u64 },
    /// In order and without a gap; at most as many as were asked for.
    Messages {
        messages: Vec<Sent>,
        /// The number of the last message to the partner.
        last_sequence: u64,
    },
}

/// The messages that were sent after the one of this number.
///
/// # Errors
/// When the database refuses.
pub async fn after(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    after: u64,
    limit: u64,
) -> Result<Followed, DbErr> {
    // Numbers are given when messages are sent, one by one: the last one is asked for before the messages, so that
    // one that is sent in between is no gap.
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT out_sequence FROM partners WHERE id = ? AND state <> 'removed'",
        [partner.as_str().into()],
    );
    let Some(found) = db.query_one_raw(ask).await? else {
        return Ok(Followed::NoPartner);
    };
    let last_sequence: u64 = found.try_get("", "out_sequence")?;
    let rows: Vec<(Option<u64>, Vec<u8>)> = row::Entity::find()
        .select_only()
        .columns([row::Column::Sequence, row::Column::Body])
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .filter(row::Column::Sequence.gt(after))
        .order_by_asc(row::Column::Sequence)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    let messages: Vec<Sent> = rows
        .into_iter()
        .filter_map(|(sequence, body)| {
            Some(Sent {
                sequence: sequence?,
                body,
            })
        })
        .collect();
    let next = messages.first().map(|first| first.sequence);
    let is_gone = match next {
        Some(next) => next > after.saturating_add(1),
        None => last_sequence > after,
    };
    Ok(if is_gone {
        Followed::Gone { last_sequence }
    } else {
        Followed::Messages {
            last_sequence: messages
                .last()
                .map_or(last_sequence, |m| m.sequence.max(last_sequence)),
            messages,
        }
    })
}

/// Forgets at most `limit` messages that were sent before `before`; returns how many. Those of lower numbers go
/// first, so that what is left of a partner has no gap; what was not sent stays.
///
/// # Errors
/// When the database refuses.
pub async fn forget_before(
    db: &impl ConnectionTrait,
    before: Instant,
    limit: u64,
) -> Result<u64, DbErr> {
    let old: Vec<u64> = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::SentAt.lt(before))
        .order_by_asc(row::Column::SentAt)
        .order_by_asc(row::Column::Sequence)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    if old.is_empty() {
        return Ok(0);
    }
    let done = row::Entity::delete_many()
        .filter(row::Column::Id.is_in(old))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}
