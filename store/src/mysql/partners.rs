//! Partners as they are to be; what the broker has of them follows.

use boxoffice_contracts::{Instant, partner::PartnerId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryOrder, Statement};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "partners")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub state: String,
        pub state_reason: Option<String>,
        pub rate_per_sec: u32,
        pub burst: u32,
        pub queue_length_max: u32,
        pub connections_max: u32,
        pub channels_max: u32,
        pub version: u32,
        pub applied_version: u32,
        pub apply_error: Option<String>,
        pub out_sequence: u64,
        /// Of a removed one: what it left unread goes, too.
        pub discard_unread: bool,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Where a partner stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartnerState {
    /// Publishes and reads.
    Active,
    /// Reads what is there; publishes nothing.
    Suspended,
    /// Has no users any more. What it left unread is kept until a person says otherwise.
    Removed,
}

impl PartnerState {
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Removed];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Removed => "removed",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A partner and its limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partner {
    pub id: PartnerId,
    pub name: String,
    pub state: PartnerState,
    pub state_reason: Option<String>,
    /// Messages per second that the gate takes in the long run.
    pub rate_per_sec: u32,
    /// Messages that it takes at once after a silence.
    pub burst: u32,
    /// Bound of the partner's intake queue.
    pub queue_length_max: u32,
    pub connections_max: u32,
    pub channels_max: u32,
    /// Rises with every change.
    pub version: u32,
    /// The version that the broker was brought to.
    pub applied_version: u32,
    pub apply_error: Option<String>,
}

impl Partner {
    pub(super) fn of(row: row::Model) -> Result<Self, DbErr> {
        let broken = |what: &str| DbErr::Custom(format!("partners.{what} of {}", row.id));
        Ok(Self {
            id: row.id.parse().map_err(|_error| broken("id"))?,
            state: PartnerState::from_text(&row.state).ok_or_else(|| broken("state"))?,
            name: row.name,
            state_reason: row.state_reason,
            rate_per_sec: row.rate_per_sec,
            burst: row.burst,
            queue_length_max: row.queue_length_max,
            connections_max: row.connections_max,
            channels_max: row.channels_max,
            version: row.version,
            applied_version: row.applied_version,
            apply_error: row.apply_error,
        })
    }
}

/// # Errors
/// When the database can't be asked, or holds what no partner is.
pub async fn find(db: &impl ConnectionTrait, id: &PartnerId) -> Result<Option<Partner>, DbErr> {
    let row = row::Entity::find_by_id(id.as_str()).one(db).await?;
    row.map(Partner::of).transpose()
}

/// All of them, by id.
///
/// # Errors
/// When the database can't be asked, or holds what no partner is.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<Partner>, DbErr> {
    let rows = row::Entity::find()
        .order_by_asc(row::Column::Id)
        .all(db)
        .await?;
    rows.into_iter().map(Partner::of).collect()
}

/// Suspends an active partner; `false` when it is not active.
///
/// # Errors
/// When the database refuses.
pub async fn suspend(
    db: &impl ConnectionTrait,
    id: &PartnerId,
    reason: &str,
    now: Instant,
) -> Result<bool, DbErr> {
    let update = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE partners SET state = 'suspended', state_reason = ?, version = version + 1, updated_at = ? \
         WHERE id = ? AND state = 'active'",
        [reason.into(), now.into(), id.as_str().into()],
    );
    Ok(db.execute_raw(update).await?.rows_affected() == 1)
}
