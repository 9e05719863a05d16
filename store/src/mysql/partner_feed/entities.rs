//! What a partner calls its things, and which of their numbered states was taken last.

use boxoffice_contracts::{
    Instant, ShowId,
    partner::{PartnerId, feed::FeedEntity},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use uuid::Uuid;

/// The state that was taken last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub sequence: u64,
    /// SHA-256 of what it said.
    pub content: Vec<u8>,
    /// The show that it is about.
    pub show: Option<ShowId>,
}

/// Locks an entity that is there. Of two that are new at once, one meets error 1062 when it is saved.
///
/// # Errors
/// When the database refuses.
pub async fn lock(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    kind: FeedEntity,
    own_id: &str,
) -> Result<Option<Entity>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT sequence, content_sha256, entity_id FROM partner_entities
         WHERE partner_id = ? AND kind = ? AND own_id = ? FOR UPDATE",
        [partner.as_str().into(), kind.as_str().into(), own_id.into()],
    );
    let Some(row) = db.query_one_raw(ask).await? else {
        return Ok(None);
    };
    let show: Option<Uuid> = row.try_get("", "entity_id")?;
    Ok(Some(Entity {
        sequence: row.try_get("", "sequence")?,
        content: row.try_get("", "content_sha256")?,
        show: show.map(ShowId),
    }))
}

/// The show that a partner published under this id.
///
/// # Errors
/// When the database refuses.
pub async fn find_show(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    own_id: &str,
) -> Result<Option<ShowId>, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT entity_id FROM partner_entities WHERE partner_id = ? AND kind = ? AND own_id = ?",
        [
            partner.as_str().into(),
            FeedEntity::Show.as_str().into(),
            own_id.into(),
        ],
    );
    let Some(row) = db.query_one_raw(ask).await? else {
        return Ok(None);
    };
    Ok(row.try_get::<Option<Uuid>>("", "entity_id")?.map(ShowId))
}

/// A state that was taken.
#[derive(Debug, Clone)]
pub struct Taken<'a> {
    pub partner: &'a PartnerId,
    pub kind: FeedEntity,
    pub own_id: &'a str,
    pub sequence: u64,
    pub content: [u8; 32],
    pub show: ShowId,
    /// There was none before.
    pub is_first: bool,
}

/// Notes a state that was taken. A first one that is there already is error 1062.
///
/// # Errors
/// When the database refuses.
pub async fn save(db: &impl ConnectionTrait, taken: &Taken<'_>, now: Instant) -> Result<(), DbErr> {
    let write = if taken.is_first {
        "INSERT INTO partner_entities (sequence, content_sha256, entity_id, updated_at, partner_id, kind, own_id)
         VALUES (?, ?, ?, ?, ?, ?, ?)"
    } else {
        "UPDATE partner_entities SET sequence = ?, content_sha256 = ?, entity_id = ?, updated_at = ?
         WHERE partner_id = ? AND kind = ? AND own_id = ?"
    };
    let values = [
        taken.sequence.into(),
        taken.content.to_vec().into(),
        taken.show.0.into(),
        now.into(),
        taken.partner.as_str().into(),
        taken.kind.as_str().into(),
        taken.own_id.into(),
    ];
    db.execute_raw(Statement::from_sql_and_values(
        DbBackend::MySql,
        write,
        values,
    ))
    .await?;
    Ok(())
}
