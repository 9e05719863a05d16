//! Mails and how they ended: one row per (booking, template, revision), which is sent at most once.

use super::rows;
use boxoffice_contracts::{BookingId, Instant, MessageId, message::mail::Template};
use sea_orm::{
    Condition, ConnectionTrait, DbErr, EntityTrait, QuerySelect, Set,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};
use std::collections::HashMap;

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "mails")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub booking_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub template: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub revision: u16,
        pub message_id: String,
        pub state: String,
        pub detail: Option<String>,
        pub lease_id: Option<Uuid>,
        pub leased_until: Option<DateTimeUtc>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl row::Model {
    fn key(&self) -> Result<MailKey, DbErr> {
        let mut all = Template::ALL.into_iter();
        let template = all.find(|template| template.as_str() == self.template);
        Ok(MailKey {
            booking: BookingId(self.booking_id),
            template: template
                .ok_or_else(|| DbErr::Type(format!("mails.template: {}", self.template)))?,
            revision: self.revision,
        })
    }
}

/// Which mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailKey {
    pub booking: BookingId,
    pub template: Template,
    pub revision: u16,
}

impl MailKey {
    /// The `Message-ID` without its brackets: the same for every attempt, so that a repetition is recognised.
    #[must_use]
    pub fn message_id(&self, domain: &str) -> String {
        format!(
            "{}.{}.{}@{domain}",
            self.booking,
            self.template.as_str(),
            self.revision
        )
    }
}

/// How far a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailState {
    /// Ordered; a server may have it or not.
    Sending,
    /// A server took it.
    Sent,
    /// No longer true when it was its turn.
    Superseded,
    /// Refused for good by the recipient's server.
    Undeliverable,
}

impl MailState {
    const ALL: [Self; 4] = [
        Self::Sending,
        Self::Sent,
        Self::Superseded,
        Self::Undeliverable,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Superseded => "superseded",
            Self::Undeliverable => "undeliverable",
        }
    }

    fn from_text(text: &str) -> Result<Self, DbErr> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| DbErr::Type(format!("mails.state: {text}")))
    }
}

/// Ends the detail of a mail that is superseded or undeliverable and was attempted more than once: whether a server
/// took it is not known.
pub const MAYBE_SENT: &str = "may have been sent";

/// Who sends a mail, and until when that is believed. The message that orders it is the holder: its own
/// redelivery goes on at once, another order for the same mail waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub holder: MessageId,
    pub until: Instant,
}

/// What is known of the other attempts of a mail by who makes this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Not the first.
    pub repeated: bool,
    /// The end of its lease: another one after it has another.
    pub leased_until: Instant,
}

/// A mail as it is known, its row locked.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Another order is about to send it.
    pub busy: bool,
    /// Somebody began to send it before and left no word: a server may have it.
    pub attempted: bool,
    pub state: MailState,
    /// As it was first given; a changed domain does not change it.
    pub message_id: String,
    pub created_at: Instant,
}

/// Inserts mails that are new, locks the rows of all until the transaction ends, and leases each to who asks unless
/// another has it.
///
/// # Errors
/// When the database refuses.
pub async fn begin(
    db: &impl ConnectionTrait,
    mails: &[(MailKey, String, Lease)],
    now: Instant,
) -> Result<HashMap<MailKey, Mail>, DbErr> {
    // In one order whoever asks, so that two never wait for each other.
    let mut mails: Vec<_> = mails.iter().collect();
    mails.sort_by_key(|(key, ..)| *key);
    mails.dedup_by_key(|(key, ..)| *key);
    let new = mails
        .iter()
        .map(|(key, message_id, lease)| row::ActiveModel {
            booking_id: Set(key.booking.0),
            template: Set(key.template.as_str().to_owned()),
            revision: Set(key.revision),
            message_id: Set(message_id.clone()),
            state: Set(MailState::Sending.as_str().to_owned()),
            detail: Set(None),
            lease_id: Set(Some(lease.holder.0)),
            leased_until: Set(Some(lease.until)),
            created_at: Set(now),
            updated_at: Set(now),
        });
    // A change that changes nothing: the row that is there is locked and stays as it is.
    let same = (row::Column::Revision, Expr::col(row::Column::Revision));
    let there = OnConflict::new().value(same.0, same.1).to_owned();
    rows::insert(db, new, Some(there)).await?;
    let found = row::Entity::find()
        .filter(one_of(mails.iter().map(|(key, ..)| *key)))
        .lock_exclusive()
        .all(db)
        .await?;
    let mut begun = HashMap::with_capacity(mails.len());
    for row in found {
        let key = row.key()?;
        let Some((_, _, lease)) = mails.iter().find(|(asked, ..)| *asked == key) else {
            continue;
        };
        begun.insert(key, lease_to(db, key, row, *lease, now).await?);
    }
    Ok(begun)
}

/// Of a row that is locked. One that was inserted just now is leased already.
async fn lease_to(
    db: &impl ConnectionTrait,
    key: MailKey,
    row: row::Model,
    lease: Lease,
    now: Instant,
) -> Result<Mail, DbErr> {
    let ours = row.lease_id == Some(lease.holder.0);
    let new = ours && row.created_at == now && row.leased_until == Some(lease.until);
    let busy = !ours && row.leased_until.is_some_and(|until| until > now);
    if !new && !busy {
        update(key)
            .col_expr(row::Column::LeaseId, Expr::value(lease.holder.0))
            .col_expr(row::Column::LeasedUntil, Expr::value(lease.until))
            .exec(db)
            .await?;
    }
    Ok(Mail {
        busy,
        attempted: !new && row.lease_id.is_some(),
        state: MailState::from_text(&row.state)?,
        message_id: row.message_id,
        created_at: row.created_at,
    })
}

/// Until when the last attempt of a mail is believed to go on; nothing when there was none.
///
/// # Errors
/// When the database refuses.
pub async fn leased_until(
    db: &impl ConnectionTrait,
    key: MailKey,
) -> Result<Option<Instant>, DbErr> {
    let row = row::Entity::find_by_id((
        key.booking.0,
        key.template.as_str().to_owned(),
        key.revision,
    ));
    Ok(row.one(db).await?.and_then(|row| row.leased_until))
}

/// A server took them.
///
/// # Errors
/// When the database refuses.
pub async fn sent(db: &impl ConnectionTrait, mails: &[MailKey], now: Instant) -> Result<(), DbErr> {
    if mails.is_empty() {
        return Ok(());
    }
    row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(MailState::Sent.as_str()))
        .col_expr(row::Column::Detail, Expr::value(None::<String>))
        .col_expr(row::Column::UpdatedAt, Expr::value(now))
        .filter(one_of(mails.iter().copied()))
        .filter(row::Column::State.ne(MailState::Sent.as_str()))
        .exec(db)
        .await?;
    Ok(())
}

/// Writes how it ended. A mail that was sent stays sent.
///
/// # Errors
/// When the database refuses.
pub async fn settle(
    db: &impl ConnectionTrait,
    key: MailKey,
    state: MailState,
    detail: Option<&str>,
    now: Instant,
) -> Result<(), DbErr> {
    update(key)
        .col_expr(row::Column::State, Expr::value(state.as_str()))
        .col_expr(row::Column::Detail, Expr::value(detail))
        .col_expr(row::Column::UpdatedAt, Expr::value(now))
        .filter(row::Column::State.ne(MailState::Sent.as_str()))
        .exec(db)
        .await?;
    Ok(())
}

/// The server refused it for good. One that was tried before, or is being tried by somebody else meanwhile, may have
/// been sent all the same: an answer that was lost, a message that the broker brought twice.
///
/// # Errors
/// When the database refuses.
pub async fn refuse(
    db: &impl ConnectionTrait,
    key: MailKey,
    code: &str,
    attempt: Attempt,
    now: Instant,
) -> Result<(), DbErr> {
    let alone = row::Column::LeasedUntil
        .eq(attempt.leased_until)
        .and(Expr::value(!attempt.repeated));
    let maybe = format!("{code}, {MAYBE_SENT}");
    let detail = Expr::case(alone, Expr::value(code)).finally(Expr::value(maybe));
    update(key)
        .col_expr(
            row::Column::State,
            Expr::value(MailState::Undeliverable.as_str()),
        )
        .col_expr(row::Column::Detail, detail.into())
        .col_expr(row::Column::UpdatedAt, Expr::value(now))
        .filter(row::Column::State.ne(MailState::Sent.as_str()))
        .exec(db)
        .await?;
    Ok(())
}

/// As many conditions as few statements have shapes.
fn one_of(keys: impl Iterator<Item = MailKey>) -> Condition {
    let key = |key: MailKey| {
        Condition::all()
            .add(row::Column::BookingId.eq(key.booking.0))
            .add(row::Column::Template.eq(key.template.as_str()))
            .add(row::Column::Revision.eq(key.revision))
    };
    let keys = rows::padded(keys).into_iter();
    keys.fold(Condition::any(), |any, one| any.add(key(one)))
}

fn update(key: MailKey) -> sea_orm::UpdateMany<row::Entity> {
    row::Entity::update_many()
        .filter(row::Column::BookingId.eq(key.booking.0))
        .filter(row::Column::Template.eq(key.template.as_str()))
        .filter(row::Column::Revision.eq(key.revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_has_the_same_message_id_and_every_mail_its_own() {
        let booking = BookingId::derive("house", "s", "k");
        let key = |template, revision| MailKey {
            booking,
            template,
            revision,
        };
        let of = |template, revision| key(template, revision).message_id("tickets.example");
        assert_eq!(of(Template::Expired, 1), of(Template::Expired, 1));
        assert_ne!(of(Template::Expired, 1), of(Template::Expired, 2));
        assert_ne!(of(Template::Expired, 1), of(Template::Apology, 1));
        assert_eq!(
            of(Template::Expired, 1),
            format!("{booking}.expired.1@tickets.example")
        );
    }
}
