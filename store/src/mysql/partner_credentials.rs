//! Credentials of partners. The broker's salted hash is kept; the password itself is shown once and kept nowhere.

use boxoffice_contracts::{
    Instant,
    partner::{PartnerId, broker},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Set, sea_query::Expr,
};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "partner_credentials")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub partner_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub serial: u16,
        pub password_hash: String,
        pub created_at: DateTimeUtc,
        pub expires_at: Option<DateTimeUtc>,
        pub revoked_at: Option<DateTimeUtc>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Credentials of a partner that may live at once: one, and its successor during rotation.
pub const LIVE_MAX: usize = 2;

/// One user of a partner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    pub serial: u16,
    /// As [`crate::broker_password::hash`] makes it.
    pub password_hash: String,
    pub created_at: Instant,
    /// When it ends by itself, set when its successor is made.
    pub expires_at: Option<Instant>,
    /// When it ended.
    pub ended_at: Option<Instant>,
}

impl Credential {
    #[must_use]
    pub fn is_live(&self, now: Instant) -> bool {
        self.ended_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }

    #[must_use]
    pub fn user(&self, partner: &PartnerId) -> String {
        broker::user(partner, self.serial)
    }
}

impl From<row::Model> for Credential {
    fn from(row: row::Model) -> Self {
        Self {
            serial: row.serial,
            password_hash: row.password_hash,
            created_at: row.created_at,
            expires_at: row.expires_at,
            ended_at: row.revoked_at,
        }
    }
}

/// All of a partner, the oldest first.
///
/// # Errors
/// When the database can't be asked.
pub async fn of(db: &impl ConnectionTrait, partner: &PartnerId) -> Result<Vec<Credential>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .order_by_asc(row::Column::Serial)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(Credential::from).collect())
}

/// # Errors
/// When the database refuses.
pub async fn insert(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    credential: &Credential,
) -> Result<(), DbErr> {
    let row = row::ActiveModel {
        partner_id: Set(partner.as_str().to_owned()),
        serial: Set(credential.serial),
        password_hash: Set(credential.password_hash.clone()),
        created_at: Set(credential.created_at),
        expires_at: Set(credential.expires_at),
        revoked_at: Set(credential.ended_at),
    };
    row.insert(db).await?;
    Ok(())
}

/// Every credential that has no sooner end ends then.
///
/// # Errors
/// When the database refuses.
pub async fn expire_at(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    at: Instant,
) -> Result<(), DbErr> {
    let later_or_never = Condition::any()
        .add(row::Column::ExpiresAt.is_null())
        .add(row::Column::ExpiresAt.gt(at));
    row::Entity::update_many()
        .col_expr(row::Column::ExpiresAt, Expr::value(at))
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .filter(row::Column::RevokedAt.is_null())
        .filter(later_or_never)
        .exec(db)
        .await?;
    Ok(())
}

/// Ends one now; one that has ended stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn end(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    serial: u16,
    now: Instant,
) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::RevokedAt, Expr::value(now))
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .filter(row::Column::Serial.eq(serial))
        .filter(row::Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(())
}

/// Partners with a credential whose time is over and whose end is not written down yet.
///
/// # Errors
/// When the database can't be asked.
pub async fn expired(db: &impl ConnectionTrait, now: Instant) -> Result<Vec<PartnerId>, DbErr> {
    let ids: Vec<String> = row::Entity::find()
        .select_only()
        .column(row::Column::PartnerId)
        .distinct()
        .filter(row::Column::RevokedAt.is_null())
        .filter(row::Column::ExpiresAt.lte(now))
        .into_tuple()
        .all(db)
        .await?;
    let broken = |_error| DbErr::Custom("partner_credentials.partner_id".to_owned());
    ids.iter().map(|id| id.parse().map_err(broken)).collect()
}

/// Writes down that those ended whose time is over.
///
/// # Errors
/// When the database refuses.
pub async fn end_expired(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    now: Instant,
) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::RevokedAt, Expr::col(row::Column::ExpiresAt))
        .filter(row::Column::PartnerId.eq(partner.as_str()))
        .filter(row::Column::RevokedAt.is_null())
        .filter(row::Column::ExpiresAt.lte(now))
        .exec(db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};

    #[test]
    fn a_credential_lives_until_it_expires_or_is_ended() {
        let now = DateTime::UNIX_EPOCH;
        let second = TimeDelta::seconds(1);
        let mut credential = Credential {
            serial: 1,
            password_hash: String::new(),
            created_at: now,
            expires_at: None,
            ended_at: None,
        };
        assert!(credential.is_live(now));
        credential.expires_at = Some(now + second);
        assert!(credential.is_live(now));
        assert!(!credential.is_live(now + second));
        credential.ended_at = Some(now);
        assert!(!credential.is_live(now));
    }
}
