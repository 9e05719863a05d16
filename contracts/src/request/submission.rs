//! What a client may ask for: the body of `POST /v1/bookings` and of the commands, checked field by field.
//!
//! The same code reads what partners publish. Only the shape is judged here: whether the seats exist, are free, and
//! what they cost is the worker's word.

use super::fields::{Fields, Mistakes, list, pointer, text, whole};
use crate::{
    Code, Instant, ShowId,
    message::booking::{
        AdmissionRequest, CancelReason, Customer, LatePolicy, POSITIONS_MAX, PaymentMethod,
        PositionRequest, SeatRequest,
    },
    rules::{
        CATEGORY_CHARS_MAX, NAME_CHARS_MAX, email, instant, late_policy, locale, method, seat,
        short, uuid,
    },
};
use serde_json::Value;
use std::collections::HashSet;

/// A booking as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    pub show_id: ShowId,
    pub positions: Vec<PositionRequest>,
    pub customer: Customer,
    pub payment: Option<PaymentMethod>,
    pub late_policy: LatePolicy,
    pub deadline: Option<Instant>,
}

impl Submission {
    /// # Errors
    /// Everything that is wrong.
    pub fn read(body: Value) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let found = Fields::of(body, String::new(), &mut mistakes).and_then(|mut fields| {
            let payment = fields.optional("payment", &mut mistakes, payment);
            let deadline = fields.optional("deadline", &mut mistakes, text(instant));
            let found = Self::take(&mut fields, &mut mistakes);
            fields.finish(&mut mistakes);
            found.map(|found| Self {
                payment,
                deadline,
                ..found
            })
        });
        mistakes.refuse()?;
        found.ok_or_else(Mistakes::default)
    }

    /// Takes what every door asks for out of an object; how it is paid and until when is the door's own matter.
    pub fn take(fields: &mut Fields, mistakes: &mut Mistakes) -> Option<Self> {
        let show_id = fields.required("show_id", mistakes, text(uuid));
        let positions = fields.required("positions", mistakes, list(POSITIONS_MAX, position));
        let customer = fields.required("customer", mistakes, customer);
        let late_policy = fields.optional("late_policy", mistakes, text(late_policy));
        if let Some(positions) = &positions {
            let at = pointer(fields.place(), "positions");
            check_together(positions, &at, mistakes);
        }
        Some(Self {
            show_id: ShowId(show_id?),
            positions: positions?,
            customer: customer?,
            payment: None,
            late_policy: late_policy.unwrap_or_default(),
            deadline: None,
        })
    }

    /// Only for a request that is new: a repetition is answered whatever the time is.
    ///
    /// # Errors
    /// When the deadline has passed or is too far.
    pub fn check_deadline(&self, now: Instant, secs_max: u32) -> Result<(), Mistakes> {
        let Some(deadline) = self.deadline else {
            return Ok(());
        };
        let mut mistakes = Mistakes::default();
        if deadline <= now {
            mistakes.add("/deadline", ("out_of_range", "has passed"));
        } else if (deadline - now).num_seconds() > i64::from(secs_max) {
            mistakes.add("/deadline", ("out_of_range", "is too far"));
        }
        mistakes.refuse()
    }
}

/// Body of `POST …/payment`: `{method}`, or `{}` to finish with the gateway itself.
///
/// # Errors
/// Everything that is wrong.
pub fn read_payment(body: Value) -> Result<Option<PaymentMethod>, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut found = None;
    if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
        found = fields.optional("method", &mut mistakes, text(method));
        fields.finish(&mut mistakes);
    }
    mistakes.refuse().map(|()| found)
}

/// What is to be cancelled, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cancellation {
    /// All when absent.
    pub positions: Option<Vec<u16>>,
    pub reason: Option<CancelReason>,
}

/// Body of `POST …/cancel`: `{positions?, reason?}`.
///
/// # Errors
/// Everything that is wrong.
pub fn read_cancellation(body: Value) -> Result<Cancellation, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut found = Cancellation::default();
    if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
        found = Cancellation::take(&mut fields, &mut mistakes);
        fields.finish(&mut mistakes);
    }
    mistakes.refuse().map(|()| found)
}

impl Cancellation {
    /// Takes it out of an object that may hold more.
    pub fn take(fields: &mut Fields, mistakes: &mut Mistakes) -> Self {
        let no = |value, at: &str, mistakes: &mut Mistakes| {
            whole(1..=u64::from(u16::MAX))(value, at, mistakes)
                .and_then(|no| u16::try_from(no).ok())
        };
        let mut positions = fields.optional("positions", mistakes, list(POSITIONS_MAX, no));
        let reason = |text| short(text, CancelReason::CHARS_MAX).map(CancelReason::from);
        let reason = fields.optional("reason", mistakes, text(reason));
        if let Some(positions) = &mut positions {
            positions.sort_unstable();
            if positions.windows(2).any(|pair| pair[0] == pair[1]) {
                let at = pointer(fields.place(), "positions");
                mistakes.add(at, ("repeated", "names a position twice"));
            }
        }
        Self { positions, reason }
    }
}

/// How to pay at once: `{method}`.
pub(crate) fn payment(value: Value, at: &str, mistakes: &mut Mistakes) -> Option<PaymentMethod> {
    let mut fields = Fields::of(value, at.to_owned(), mistakes)?;
    let method = fields.required("method", mistakes, text(method));
    fields.finish(mistakes);
    method
}

/// A seat by name, or places of a category by number.
fn position(value: Value, at: &str, mistakes: &mut Mistakes) -> Option<PositionRequest> {
    let mut fields = Fields::of(value, at.to_owned(), mistakes)?;
    let found = if fields.has("seat_id") {
        let seat_id = fields.required("seat_id", mistakes, text(seat));
        seat_id.map(|seat_id| PositionRequest::Seat(SeatRequest { seat_id }))
    } else if fields.has("category") || fields.has("count") {
        let category = |text| short(text, CATEGORY_CHARS_MAX);
        let category = fields.required("category", mistakes, text(category));
        let count = fields.required("count", mistakes, whole(1..=POSITIONS_MAX as u64));
        let count = count.and_then(|count| u8::try_from(count).ok());
        category.zip(count).map(|(category, count)| {
            PositionRequest::Admission(AdmissionRequest { category, count })
        })
    } else {
        mistakes.add(
            fields.place(),
            ("required", "needs a seat_id, or a category and a count"),
        );
        None
    };
    fields.finish(mistakes);
    found
}

fn customer(value: Value, at: &str, mistakes: &mut Mistakes) -> Option<Customer> {
    let mut fields = Fields::of(value, at.to_owned(), mistakes)?;
    let email = fields.required("email", mistakes, text(email));
    let name = fields.required("name", mistakes, text(|text| short(text, NAME_CHARS_MAX)));
    let locale = fields.required("locale", mistakes, text(locale));
    fields.finish(mistakes);
    Some(Customer {
        email: email?,
        name: name?,
        locale: locale?,
    })
}

/// What no position shows alone: seats asked for twice, and how many there are in all.
fn check_together(positions: &[PositionRequest], at: &str, mistakes: &mut Mistakes) {
    let mut seen = HashSet::new();
    let mut count = 0;
    for (i, position) in positions.iter().enumerate() {
        match position {
            PositionRequest::Seat(SeatRequest { seat_id }) => {
                count += 1;
                if !seen.insert(seat_id.as_str()) {
                    let wrong = (Code::SeatRepeated.as_str(), "is asked for twice");
                    mistakes.add(format!("{at}/{i}/seat_id"), wrong);
                }
            }
            PositionRequest::Admission(admission) => count += usize::from(admission.count),
        }
    }
    if count > POSITIONS_MAX {
        mistakes.add(at, ("out_of_range", "ask for more than 10 places"));
    }
}

#[cfg(test)]
#[path = "submission_tests.rs"]
mod tests;
