//! The ledger: double entry, the lines of an operation sum to zero, and an operation is posted once.

use super::rows;
use boxoffice_contracts::{BookingId, Instant, Money};
use sea_orm::{ConnectionTrait, DbErr, Set, sea_query::OnConflict};

pub mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ledger_entries")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub operation_key: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub account: String,
        pub booking_id: Uuid,
        pub amount_minor: i64,
        pub currency: String,
        pub at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Accounts. A positive amount flows in, a negative one out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// What the gateway owes us.
    Gateway,
    /// What partners owe us.
    PartnerCredit,
    /// What was sold.
    Sales,
    /// What went back by our order.
    Refunds,
    /// What went back without one.
    RefundsOutside,
}

impl Account {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::PartnerCredit => "partner_credit",
            Self::Sales => "sales",
            Self::Refunds => "refunds",
            Self::RefundsOutside => "refunds_outside",
        }
    }
}

/// An amount that goes into one account and out of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Names the operation: it is posted once.
    pub operation_key: String,
    pub booking: BookingId,
    pub into: Account,
    pub out_of: Account,
    pub amount: Money,
}

/// Posts these. Posting an operation again changes nothing.
///
/// # Errors
/// When the database refuses.
pub async fn post(
    db: &impl ConnectionTrait,
    postings: &[Posting],
    now: Instant,
) -> Result<(), DbErr> {
    let line = |posting: &Posting, account: Account, minor: i64| row::ActiveModel {
        operation_key: Set(posting.operation_key.clone()),
        account: Set(account.as_str().to_owned()),
        booking_id: Set(posting.booking.0),
        amount_minor: Set(minor),
        currency: Set(posting.amount.currency.as_str().to_owned()),
        at: Set(now),
    };
    let rows = postings.iter().flat_map(|posting| {
        let minor = posting.amount.minor;
        [
            line(posting, posting.into, minor),
            line(posting, posting.out_of, -minor),
        ]
    });
    let keep = OnConflict::new()
        .update_column(row::Column::OperationKey)
        .to_owned();
    rows::insert(db, rows, Some(keep)).await
}
