//! What the back office has in common: reasons that are asked for, and the audit that they are written into.

mod bookings;
mod bookings_view;
pub(crate) mod credit;
mod mend;
pub(crate) mod partners;

pub(crate) use bookings::{FoundPage, Story, StuckPage, find, read, stuck};
pub(crate) use mend::{MendRequest, order};
pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod edit;
pub(crate) mod filter;
pub(crate) mod holds;
pub(crate) mod parked;
pub(crate) mod prefetch;
pub(crate) mod proposals;
pub(crate) mod quarantine;
pub(crate) mod queues;
pub(crate) mod retries;
pub(crate) mod workers;

use crate::{
    Problem,
    auth::Caller,
    fields::{Fields, Mistakes, text},
};
use boxoffice_contracts::{Code, Instant, principal::TENANT_HOUSE, trace::TraceParent};
use boxoffice_store::mysql::audit::{Deed, REASON_CHARS_MAX, append};
use boxoffice_store::mysql::status::Reach;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;

/// Who does something, and within which request.
pub(crate) struct Actor<'a> {
    pub caller: &'a Caller,
    pub trace: TraceParent,
    pub now: Instant,
}

impl Actor<'_> {
    /// Writes what is done into the audit, in the transaction of the deed itself.
    ///
    /// # Errors
    /// When the database refuses: then the deed must not happen.
    pub(crate) async fn audit(
        &self,
        db: &impl ConnectionTrait,
        action: &str,
        target: &str,
        reason: Option<&str>,
        detail: Value,
    ) -> Result<u64, DbErr> {
        let principal = &self.caller.principal;
        let deed = Deed {
            at: self.now,
            who: &principal.owner,
            role: principal.role,
            action,
            target,
            reason,
            detail,
            trace_id: Some(format!("{:032x}", self.trace.trace_id)),
        };
        append(db, &deed).await
    }
}

/// What staff reach in the back office: the house's own answer for everything that is sold here, by partners too.
pub(crate) fn house_reach(caller: &Caller) -> Reach {
    match &caller.reach {
        Reach::Tenant(tenant) if tenant == TENANT_HOUSE => Reach::Any,
        Reach::Venue { tenant, venue } if tenant == TENANT_HOUSE => Reach::AnyOfVenue(*venue),
        own => own.clone(),
    }
}

/// What concerns the whole installation is for the house's own staff.
///
/// # Errors
/// 403 for anybody else.
pub(crate) fn of_the_house(caller: &Caller) -> Result<(), Problem> {
    if caller.principal.owner.tenant == TENANT_HOUSE {
        Ok(())
    } else {
        Err(Problem::new(Code::Forbidden))
    }
}

/// The `reason` of a body; whoever changes something says why.
pub(crate) fn reason(fields: &mut Fields, mistakes: &mut Mistakes) -> Option<String> {
    let check = |reason: String| {
        if reason.trim().is_empty() {
            Err(("required", "is empty"))
        } else if reason.chars().count() > REASON_CHARS_MAX {
            Err(("out_of_range", "is too long"))
        } else if reason.chars().any(char::is_control) {
            Err(("malformed", "holds control characters"))
        } else {
            Ok(reason)
        }
    };
    fields.required("reason", mistakes, text(check))
}

/// A body that holds a reason and nothing else.
///
/// # Errors
/// 422 with everything that is wrong.
pub(crate) fn only_reason(body: Value) -> Result<String, Problem> {
    let mut mistakes = Mistakes::default();
    let mut found = None;
    if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
        found = reason(&mut fields, &mut mistakes);
        fields.finish(&mut mistakes);
    }
    mistakes.refuse()?;
    found.ok_or_else(|| Problem::new(Code::ValidationFailed))
}
