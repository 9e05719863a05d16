//! Changing what partners are to be, and noting what the broker was brought to.

use super::partners::{self, Partner, PartnerState};
use boxoffice_contracts::{Instant, VenueId, partner::PartnerId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Set, Statement,
    sea_query::{Expr, ExprTrait},
};
use std::collections::BTreeMap;

pub mod venue_row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "partner_venues")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub partner_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub venue_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Longest error that is kept, in characters.
pub const ERROR_CHARS_MAX: usize = 500;

/// What the owner of the limits may set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Messages per second that the gate takes in the long run.
    pub rate_per_sec: u32,
    /// Messages that it takes at once after a silence.
    pub burst: u32,
    /// Bound of the queue in.
    pub queue_length_max: u32,
    /// Of each user.
    pub connections_max: u32,
    pub channels_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate_per_sec: 20,
            burst: 100,
            queue_length_max: 10_000,
            connections_max: 10,
            channels_max: 50,
        }
    }
}

impl Limits {
    #[must_use]
    pub const fn of(partner: &Partner) -> Self {
        Self {
            rate_per_sec: partner.rate_per_sec,
            burst: partner.burst,
            queue_length_max: partner.queue_length_max,
            connections_max: partner.connections_max,
            channels_max: partner.channels_max,
        }
    }
}

/// A partner with what only its administration knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub partner: Partner,
    /// Of a removed one: what it left unread goes, too.
    pub discard_unread: bool,
    pub created_at: Instant,
    pub updated_at: Instant,
}

impl Record {
    fn of(row: partners::row::Model) -> Result<Self, DbErr> {
        Ok(Self {
            discard_unread: row.discard_unread,
            created_at: row.created_at,
            updated_at: row.updated_at,
            partner: Partner::of(row)?,
        })
    }
}

/// Adds a partner at version 1; the database refuses an id that is taken.
///
/// # Errors
/// When the database refuses.
pub async fn insert(
    db: &impl ConnectionTrait,
    id: &PartnerId,
    name: &str,
    limits: Limits,
    now: Instant,
) -> Result<(), DbErr> {
    let row = partners::row::ActiveModel {
        id: Set(id.as_str().to_owned()),
        name: Set(name.to_owned()),
        state: Set(PartnerState::Active.as_str().to_owned()),
        state_reason: Set(None),
        rate_per_sec: Set(limits.rate_per_sec),
        burst: Set(limits.burst),
        queue_length_max: Set(limits.queue_length_max),
        connections_max: Set(limits.connections_max),
        channels_max: Set(limits.channels_max),
        version: Set(1),
        applied_version: Set(0),
        apply_error: Set(None),
        out_sequence: Set(0),
        discard_unread: Set(false),
        created_at: Set(now),
        updated_at: Set(now),
    };
    row.insert(db).await?;
    Ok(())
}

/// The partner, its row locked until the transaction ends.
///
/// # Errors
/// When the database can't be asked, or holds what no partner is.
pub async fn lock(db: &impl ConnectionTrait, id: &PartnerId) -> Result<Option<Record>, DbErr> {
    let row = partners::row::Entity::find_by_id(id.as_str()).lock_exclusive();
    row.one(db).await?.map(Record::of).transpose()
}

/// # Errors
/// When the database can't be asked, or holds what no partner is.
pub async fn find(db: &impl ConnectionTrait, id: &PartnerId) -> Result<Option<Record>, DbErr> {
    let row = partners::row::Entity::find_by_id(id.as_str());
    row.one(db).await?.map(Record::of).transpose()
}

/// All of them, by id.
///
/// # Errors
/// When the database can't be asked, or holds what no partner is.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<Record>, DbErr> {
    let rows = partners::row::Entity::find().order_by_asc(partners::row::Column::Id);
    rows.all(db).await?.into_iter().map(Record::of).collect()
}

/// Writes a locked partner as it is to be, at the next version.
///
/// # Errors
/// When the database refuses.
pub async fn change(db: &impl ConnectionTrait, record: &Record, now: Instant) -> Result<(), DbErr> {
    use partners::row::Column;
    let Record {
        partner,
        discard_unread,
        ..
    } = record;
    partners::row::Entity::update_many()
        .col_expr(Column::State, Expr::value(partner.state.as_str()))
        .col_expr(
            Column::StateReason,
            Expr::value(partner.state_reason.clone()),
        )
        .col_expr(Column::RatePerSec, Expr::value(partner.rate_per_sec))
        .col_expr(Column::Burst, Expr::value(partner.burst))
        .col_expr(
            Column::QueueLengthMax,
            Expr::value(partner.queue_length_max),
        )
        .col_expr(Column::ConnectionsMax, Expr::value(partner.connections_max))
        .col_expr(Column::ChannelsMax, Expr::value(partner.channels_max))
        .col_expr(Column::DiscardUnread, Expr::value(*discard_unread))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(partner.id.as_str()))
        .exec(db)
        .await?;
    Ok(())
}

/// The next partner that the broker does not have as it is to be, beyond those that are `waiting`.
///
/// # Errors
/// When the database can't be asked.
pub async fn due(
    db: &impl ConnectionTrait,
    waiting: &[PartnerId],
) -> Result<Option<PartnerId>, DbErr> {
    use partners::row::Column;
    let ids: Vec<String> = partners::row::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Expr::col(Column::AppliedVersion).lt(Expr::col(Column::Version)))
        .order_by_asc(Column::UpdatedAt)
        .into_tuple()
        .all(db)
        .await?;
    let broken = |_error| DbErr::Custom("partners.id".to_owned());
    let mut ids = ids.iter().map(|id| id.parse().map_err(broken));
    let next = ids.find(|id| id.as_ref().map_or(true, |id| !waiting.contains(id)));
    next.transpose()
}

/// Notes that the broker is as this version says. `false` when the partner was changed meanwhile: it is due again.
///
/// # Errors
/// When the database refuses.
pub async fn applied(
    db: &impl ConnectionTrait,
    id: &PartnerId,
    version: u32,
) -> Result<bool, DbErr> {
    use partners::row::Column;
    let noted = partners::row::Entity::update_many()
        .col_expr(Column::AppliedVersion, Expr::value(version))
        .col_expr(Column::ApplyError, Expr::value(Option::<String>::None))
        .filter(Column::Id.eq(id.as_str()))
        .filter(Column::Version.eq(version))
        .exec(db)
        .await?;
    Ok(noted.rows_affected > 0)
}

/// Notes why the broker is not as it should be.
///
/// # Errors
/// When the database refuses.
pub async fn not_applied(
    db: &impl ConnectionTrait,
    id: &PartnerId,
    error: &str,
) -> Result<(), DbErr> {
    use partners::row::Column;
    let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
    partners::row::Entity::update_many()
        .col_expr(Column::ApplyError, Expr::value(error))
        .filter(Column::Id.eq(id.as_str()))
        .exec(db)
        .await?;
    Ok(())
}

/// Slugs of the venues whose shows each partner may publish; of all partners, or of one.
///
/// # Errors
/// When the database can't be asked.
pub async fn venues(
    db: &impl ConnectionTrait,
    of: Option<&PartnerId>,
) -> Result<BTreeMap<String, Vec<String>>, DbErr> {
    const ALL: &str = "SELECT p.partner_id, v.slug FROM partner_venues p JOIN venues v ON v.id = p.venue_id \
                       WHERE ? IS NULL OR p.partner_id = ? ORDER BY v.slug";
    let of = of.map(|id| id.as_str().to_owned());
    let values = [of.clone().into(), of.into()];
    let ask = Statement::from_sql_and_values(DbBackend::MySql, ALL, values);
    let mut venues: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in db.query_all_raw(ask).await? {
        let of = venues.entry(row.try_get_by_index(0)?).or_default();
        of.push(row.try_get_by_index(1)?);
    }
    Ok(venues)
}

/// Whether there is such a venue.
///
/// # Errors
/// When the database can't be asked.
pub async fn is_venue(db: &impl ConnectionTrait, venue: VenueId) -> Result<bool, DbErr> {
    let ask = "SELECT 1 FROM venues WHERE id = ?";
    let ask = Statement::from_sql_and_values(DbBackend::MySql, ask, [venue.0.into()]);
    Ok(db.query_one_raw(ask).await?.is_some())
}

/// Lets a partner publish shows of these venues, and of no others.
///
/// # Errors
/// When the database refuses.
pub async fn set_venues(
    db: &impl ConnectionTrait,
    id: &PartnerId,
    venues: &[VenueId],
) -> Result<(), DbErr> {
    venue_row::Entity::delete_many()
        .filter(venue_row::Column::PartnerId.eq(id.as_str()))
        .exec(db)
        .await?;
    let rows = venues.iter().map(|venue| venue_row::ActiveModel {
        partner_id: Set(id.as_str().to_owned()),
        venue_id: Set(venue.0),
    });
    super::rows::insert(db, rows, None).await
}
