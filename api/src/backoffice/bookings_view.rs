//! How staff are shown bookings and what is on record about them.

use crate::{Problem, words};
use boxoffice_contracts::{
    BookingId, Code, Currency, Instant, Money, Owner, Role, ShowId, message::booking::MendAction,
};
use boxoffice_store::{
    mysql::{
        desk::{Found, Records},
        parked_lines::ParkedLine,
    },
    reference::{reference, serial},
};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// Whether names and addresses are made unreadable.
#[derive(Clone, Copy)]
pub(super) struct Masked(bool);

impl Masked {
    /// Those who talk to customers see who they are.
    pub(super) const fn for_role(role: Role) -> Self {
        Self(!matches!(role, Role::Support | Role::Admin))
    }

    fn email(self, email: &str) -> String {
        match email.rsplit_once('@') {
            _ if !self.0 => email.to_owned(),
            Some((local, domain)) => format!("{}@{domain}", first_of(local)),
            None => first_of(email),
        }
    }

    fn name(self, name: &str) -> String {
        if self.0 {
            first_of(name)
        } else {
            name.to_owned()
        }
    }
}

fn first_of(text: &str) -> String {
    let first = text.chars().next();
    first.into_iter().chain("•••".chars()).collect()
}

/// A booking as staff find it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FoundBooking")]
pub(crate) struct FoundView {
    id: BookingId,
    /// What the customer calls it by.
    reference: String,
    owner: Owner,
    #[schemars(extend("enum" = words::STATUSES))]
    status: String,
    phase: Option<String>,
    version: u32,
    code: Option<String>,
    /// Why a person must look, if one must.
    attention: Option<String>,
    disputed: bool,
    /// What it waits for; null at rest.
    waits_for: Option<&'static str>,
    total: Money,
    captured: Money,
    refunded: Money,
    show: FoundShow,
    /// Shortened but for support and admins.
    customer: FoundCustomer,
    hold_expires_at: Option<Instant>,
    /// When it is looked at next without anybody's doing.
    wakes_at: Option<Instant>,
    created_at: Instant,
    updated_at: Instant,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FoundShow {
    id: ShowId,
    starts_at: Option<Instant>,
    film: Option<String>,
    venue: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct FoundCustomer {
    email: String,
    name: String,
}

impl std::fmt::Debug for FoundCustomer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FoundCustomer(***)")
    }
}

impl FoundView {
    pub(super) fn of(found: &Found, masked: Masked) -> Result<Self, Problem> {
        let currency = Currency::new(&found.currency).map_err(|error| {
            tracing::error!(booking.id = %found.id, %error, "a booking's currency is broken");
            Problem::new(Code::InternalError)
        })?;
        let money = |minor| Money::new(minor, currency);
        let show = &found.show;
        Ok(Self {
            id: found.id,
            reference: reference(found.id),
            owner: found.owner.clone(),
            status: found.status.clone(),
            phase: found.phase.clone(),
            version: found.version,
            code: found.code.clone(),
            attention: found.attention.clone(),
            disputed: found.saga.disputed,
            waits_for: found.saga.waits_for(),
            total: money(found.total_minor),
            captured: money(found.captured_minor),
            refunded: money(found.refunded_minor),
            show: FoundShow {
                id: show.id,
                starts_at: show.starts_at,
                film: show.film.clone(),
                venue: show.venue.clone(),
            },
            customer: FoundCustomer {
                email: masked.email(&found.email),
                name: masked.name(&found.name),
            },
            hold_expires_at: found.hold_expires_at,
            wakes_at: found.wake_at,
            created_at: found.created_at,
            updated_at: found.updated_at,
        })
    }
}

/// A booking that somebody should look at.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StuckBooking")]
pub(crate) struct StuckView {
    booking: FoundView,
    /// `overdue`, or why it is marked for a person.
    why: String,
    since: Option<Instant>,
    stuck_secs: i64,
    /// What may be ordered now: nothing else would be carried out.
    actions: Vec<Allowed>,
}

/// `why` of a booking that is not marked.
const OVERDUE: &str = "overdue";

impl StuckView {
    pub(super) fn of(
        found: &Found,
        masked: Masked,
        now: Instant,
        allowed: Vec<MendAction>,
    ) -> Result<Self, Problem> {
        let since = found.stuck_at;
        Ok(Self {
            booking: FoundView::of(found, masked)?,
            why: found.attention.as_deref().unwrap_or(OVERDUE).to_owned(),
            since,
            stuck_secs: since.map_or(0, |since| (now - since).num_seconds().max(0)),
            actions: allowed.into_iter().map(Allowed::of).collect(),
        })
    }
}

/// An action that the state of the booking allows.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AllowedAction")]
pub(crate) struct Allowed {
    action: MendAction,
    /// What it does.
    meaning: &'static str,
}

impl Allowed {
    pub(super) const fn of(action: MendAction) -> Self {
        Self {
            action,
            meaning: action.meaning(),
        }
    }
}

/// Rows about a booking.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Recorded {
    payment_intents: Vec<RecordedIntent>,
    attempts: Vec<RecordedAttempt>,
    refunds: Vec<RecordedRefund>,
    tickets: Vec<RecordedTicket>,
    mails: Vec<RecordedMail>,
    /// Messages that were put aside for a person, and what became of them.
    parked: Vec<RecordedParked>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RecordedIntent {
    generation: u16,
    /// The gateway's id.
    id: Option<String>,
    state: String,
    amount: Money,
    captured: Money,
    updated_at: Instant,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RecordedAttempt {
    attempt: u16,
    generation: u16,
    state: String,
    /// The gateway's word, or ours.
    code: Option<String>,
    created_at: Instant,
    updated_at: Instant,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RecordedRefund {
    id: Uuid,
    operation_id: Option<Uuid>,
    amount: Money,
    state: String,
    code: Option<String>,
    gateway_refund_id: Option<String>,
    updated_at: Instant,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RecordedTicket {
    id: Uuid,
    /// As it is printed below the code.
    serial: String,
    position: u16,
    revision: u16,
    state: String,
    issued_at: Instant,
    voided_at: Option<Instant>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RecordedMail {
    template: String,
    revision: u16,
    message_id: String,
    state: String,
    detail: Option<String>,
    updated_at: Instant,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RecordedParked {
    queue: String,
    message_id: Uuid,
    kind: String,
    code: String,
    reason: String,
    state: String,
    failures: u32,
    replays: u32,
    first_failed_at: Instant,
    last_failed_at: Instant,
}

impl Recorded {
    pub(super) fn of(records: Records, currency: Currency) -> Self {
        let money = |minor| Money::new(minor, currency);
        let intents = records.intents.into_iter().map(|row| RecordedIntent {
            generation: row.generation,
            id: row.intent_id,
            state: row.state,
            amount: money(row.amount_minor),
            captured: money(row.captured_minor),
            updated_at: row.updated_at,
        });
        let attempts = records.attempts.into_iter().map(|row| RecordedAttempt {
            attempt: row.attempt,
            generation: row.generation,
            state: row.state,
            code: row.code,
            created_at: row.created_at,
            updated_at: row.updated_at,
        });
        let refunds = records.refunds.into_iter().map(|row| RecordedRefund {
            id: row.id,
            operation_id: row.operation_id,
            amount: money(row.amount_minor),
            state: row.state,
            code: row.code,
            gateway_refund_id: row.gateway_refund_id,
            updated_at: row.updated_at,
        });
        let tickets = records.tickets.into_iter().map(|row| RecordedTicket {
            serial: serial(row.id.into()),
            id: row.id,
            position: row.position,
            revision: row.revision,
            state: row.state,
            issued_at: row.issued_at,
            voided_at: row.voided_at,
        });
        let mails = records.mails.into_iter().map(|row| RecordedMail {
            template: row.template,
            revision: row.revision,
            message_id: row.message_id,
            state: row.state,
            detail: row.detail,
            updated_at: row.updated_at,
        });
        Self {
            payment_intents: intents.collect(),
            attempts: attempts.collect(),
            refunds: refunds.collect(),
            tickets: tickets.collect(),
            mails: mails.collect(),
            parked: records.parked.into_iter().map(parked).collect(),
        }
    }
}

fn parked(line: ParkedLine) -> RecordedParked {
    RecordedParked {
        queue: line.queue,
        message_id: line.message_id.0,
        kind: line.kind,
        code: line.code,
        reason: line.reason,
        state: line.status,
        failures: line.failures,
        replays: line.replays,
        first_failed_at: line.first_failed_at,
        last_failed_at: line.last_failed_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_support_and_admins_read_whole_addresses() {
        for role in Role::ALL {
            let masked = Masked::for_role(role);
            let whole = matches!(role, Role::Support | Role::Admin);
            let (email, name) = (masked.email("ada.l@example.org"), masked.name("Ada L"));
            let expected = if whole {
                ("ada.l@example.org", "Ada L")
            } else {
                ("a•••@example.org", "A•••")
            };
            assert_eq!((email.as_str(), name.as_str()), expected, "{role}");
        }
        assert_eq!(Masked(true).email("nonsense"), "n•••");
        assert_eq!(Masked(true).name(""), "•••");
    }
}
