//! What the gate has decided about each message of a partner.

use super::rows;
use boxoffice_contracts::{Instant, MessageId, partner::PartnerId, partner::reply::Outcome};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, PaginatorTrait, QueryFilter, Set,
    Statement, sea_query::OnConflict,
};
use std::collections::HashMap;

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "partner_inbox")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub partner_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub message_id: Uuid,
        pub outcome: String,
        pub code: Option<String>,
        pub reply_id: Uuid,
        pub at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A message and how it was judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    pub message_id: MessageId,
    pub outcome: Outcome,
    pub code: Option<String>,
    /// The message to the partner that says so.
    pub reply_id: MessageId,
    pub at: Instant,
}

/// Which of these messages were judged before, and how.
///
/// # Errors
/// When the database refuses, or holds an outcome that is none.
pub async fn find(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    messages: impl IntoIterator<Item = MessageId>,
) -> Result<HashMap<MessageId, Judged>, DbErr> {
    let ids = rows::padded(messages.into_iter().map(|id| id.0));
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = row::Entity::find()
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .filter(row::Column::MessageId.is_in(ids))
        .all(db)
        .await?;
    let judged = |row: row::Model| {
        let outcome = Outcome::from_text(&row.outcome)
            .ok_or_else(|| DbErr::Custom(format!("partner_inbox.outcome of {}", row.message_id)))?;
        let judged = Judged {
            message_id: MessageId(row.message_id),
            outcome,
            code: row.code,
            reply_id: MessageId(row.reply_id),
            at: row.at,
        };
        Ok((judged.message_id, judged))
    };
    found.into_iter().map(judged).collect()
}

/// Notes how messages were judged; the latest judgement stands.
///
/// # Errors
/// When the database refuses.
pub async fn note(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    judged: &[Judged],
) -> Result<(), DbErr> {
    let rows = judged.iter().map(|judged| row::ActiveModel {
        partner_id: Set(partner.as_str().to_owned()),
        message_id: Set(judged.message_id.0),
        outcome: Set(judged.outcome.as_str().to_owned()),
        code: Set(judged.code.clone()),
        reply_id: Set(judged.reply_id.0),
        at: Set(judged.at),
    });
    let latest = OnConflict::columns([row::Column::PartnerId, row::Column::MessageId])
        .update_columns([
            row::Column::Outcome,
            row::Column::Code,
            row::Column::ReplyId,
            row::Column::At,
        ])
        .to_owned();
    rows::insert(db, rows, Some(latest)).await
}

/// How many messages of a partner were quarantined since then.
///
/// # Errors
/// When the database refuses.
pub async fn quarantined_since(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    since: Instant,
) -> Result<u64, DbErr> {
    row::Entity::find()
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .filter(row::Column::Outcome.eq(Outcome::Quarantined.as_str()))
        .filter(row::Column::At.gte(since))
        .count(db)
        .await
}

/// Forgets at most `rows_max` old rows; returns how many.
///
/// # Errors
/// When the database refuses.
pub async fn forget_before(
    db: &impl ConnectionTrait,
    before: Instant,
    rows_max: u64,
) -> Result<u64, DbErr> {
    let delete = Statement::from_sql_and_values(
        DbBackend::MySql,
        "DELETE FROM partner_inbox WHERE at < ? LIMIT ?",
        [before.into(), rows_max.into()],
    );
    Ok(db.execute_raw(delete).await?.rows_affected())
}
