//! Who of the staff did what, and why. Rows are added in the transaction of what they tell, and never changed.

use boxoffice_contracts::{Instant, Owner, Role};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use serde_json::Value;

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: u64,
        pub at: DateTimeUtc,
        pub tenant: String,
        pub subject: String,
        pub role: String,
        pub action: String,
        pub target: String,
        pub reason: Option<String>,
        pub detail: Json,
        pub trace_id: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Most characters of a reason that are kept.
pub const REASON_CHARS_MAX: usize = 500;
/// Longest target, in characters.
const TARGET_CHARS_MAX: usize = 191;

/// One deed.
#[derive(Debug, Clone)]
pub struct Deed<'a> {
    pub at: Instant,
    pub who: &'a Owner,
    pub role: Role,
    /// `area.verb`, such as `parked.retry` or `partner.suspend`.
    pub action: &'a str,
    /// What it was done to: `booking:<id>`, `queue:<name>`, `partner:<id>`, `parked:<queue>/<message>` …
    pub target: &'a str,
    pub reason: Option<&'a str>,
    /// What else tells the story: before and after, counts. No personal data and no secrets.
    pub detail: Value,
    pub trace_id: Option<String>,
}

/// Adds a deed; returns its number.
///
/// # Errors
/// When the database refuses.
pub async fn append(db: &impl ConnectionTrait, deed: &Deed<'_>) -> Result<u64, DbErr> {
    let cut = |text: &str, chars: usize| text.chars().take(chars).collect::<String>();
    let row = row::ActiveModel {
        at: Set(deed.at),
        tenant: Set(deed.who.tenant.clone()),
        subject: Set(deed.who.subject.clone()),
        role: Set(deed.role.as_str().to_owned()),
        action: Set(deed.action.to_owned()),
        target: Set(cut(deed.target, TARGET_CHARS_MAX)),
        reason: Set(deed.reason.map(|reason| cut(reason, REASON_CHARS_MAX))),
        detail: Set(deed.detail.clone()),
        trace_id: Set(deed.trace_id.clone()),
        ..Default::default()
    };
    Ok(row.insert(db).await?.id)
}

/// What is looked for in the audit. Everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    pub subject: Option<String>,
    /// `parked.retry`, or `parked.` for everything of the kind.
    pub action: Option<String>,
    pub target: Option<String>,
}

/// Which way a page goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The latest first, before this number.
    Before(u64),
    /// The oldest first, after this number.
    After(u64),
}

/// A page of deeds.
///
/// # Errors
/// When the database refuses.
pub async fn page(
    db: &impl ConnectionTrait,
    filter: &AuditFilter,
    from: From,
    limit: u64,
) -> Result<Vec<row::Model>, DbErr> {
    let mut query = row::Entity::find();
    if let Some(subject) = &filter.subject {
        query = query.filter(row::Column::Subject.eq(subject.as_str()));
    }
    if let Some(action) = &filter.action {
        query = if action.ends_with('.') {
            query.filter(row::Column::Action.starts_with(action.as_str()))
        } else {
            query.filter(row::Column::Action.eq(action.as_str()))
        };
    }
    if let Some(target) = &filter.target {
        query = query.filter(row::Column::Target.eq(target.as_str()));
    }
    query = match from {
        From::Before(id) => query
            .filter(row::Column::Id.lt(id))
            .order_by_desc(row::Column::Id),
        From::After(id) => query
            .filter(row::Column::Id.gt(id))
            .order_by_asc(row::Column::Id),
    };
    query.limit(limit).all(db).await
}
