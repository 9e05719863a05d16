//! The shape of what people and programs write into a field: the same rules at every door.
//!
//! Only the shape is judged. Whether a seat exists or a mail address is somebody's, others know.

use crate::{
    Instant, SeatId,
    message::booking::{LatePolicy, PaymentMethod},
};

/// Why a value is not what it should be: a word for programs and one for people.
pub type Wrong = (&'static str, &'static str);

/// Most characters of a customer's name.
pub const NAME_CHARS_MAX: usize = 200;
/// Most characters of a category's name.
pub const CATEGORY_CHARS_MAX: usize = 64;
/// Longest mail address, in bytes.
pub const EMAIL_BYTES_MAX: usize = 254;

/// # Errors
/// When it isn't a UUID.
pub fn uuid(text: String) -> Result<uuid::Uuid, Wrong> {
    uuid::Uuid::try_parse(&text).map_err(|_error| ("malformed", "must be a UUID"))
}

/// # Errors
/// When it isn't a seat's id.
pub fn seat(text: String) -> Result<SeatId, Wrong> {
    SeatId::new(text).map_err(|_error| {
        (
            "malformed",
            "has 1 to 64 visible ASCII characters without spaces",
        )
    })
}

/// # Errors
/// When it isn't a method of the gateway.
pub fn method(method: String) -> Result<PaymentMethod, Wrong> {
    let method = PaymentMethod { method };
    if method.is_well_formed() {
        Ok(method)
    } else {
        Err((
            "malformed",
            "must be a payment method of the gateway, such as pm_card_visa",
        ))
    }
}

/// # Errors
/// When there is no such policy.
pub fn late_policy(text: String) -> Result<LatePolicy, Wrong> {
    match text.as_str() {
        "same_seats" => Ok(LatePolicy::SameSeats),
        "refuse" => Ok(LatePolicy::Refuse),
        _ => Err(("malformed", "must be same_seats or refuse")),
    }
}

/// # Errors
/// When it isn't an instant.
pub fn instant(text: String) -> Result<Instant, Wrong> {
    chrono::DateTime::parse_from_rfc3339(&text)
        .map(|at| at.to_utc())
        .map_err(|_error| {
            (
                "malformed",
                "must be an instant such as 2026-11-21T18:40:00Z",
            )
        })
}

/// Text for people: not empty, not long, no control characters that could break a mail or a log line.
///
/// # Errors
/// Which of the three it is.
pub fn short(text: String, chars_max: usize) -> Result<String, Wrong> {
    if text.trim().is_empty() {
        Err(("required", "is empty"))
    } else if text.chars().count() > chars_max {
        Err(("out_of_range", "is too long"))
    } else if text.chars().any(is_unprintable) {
        Err(("malformed", "holds control characters"))
    } else {
        Ok(text)
    }
}

/// Control characters, and the marks that turn the direction of text that follows.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The shape that mail servers agree on; whether it exists only a mail can tell.
///
/// # Errors
/// When it has another shape.
pub fn email(text: String) -> Result<String, Wrong> {
    const WRONG: Wrong = ("malformed", "must be an email address");
    if text.len() > EMAIL_BYTES_MAX {
        return Err(("out_of_range", "is too long"));
    }
    let (local, domain) = text.rsplit_once('@').ok_or(WRONG)?;
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&b);
    let local_fits = (1..=64).contains(&local.len())
        && local.bytes().all(atom)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let domain_fits = domain.contains('.') && domain.split('.').all(label);
    if local_fits && domain_fits {
        Ok(text)
    } else {
        Err(WRONG)
    }
}

/// A BCP 47 tag by its shape, such as `de` or `de-AT`.
///
/// # Errors
/// When it has another shape.
pub fn locale(text: String) -> Result<String, Wrong> {
    let mut subtags = text.split('-');
    let language = subtags.next().unwrap_or_default();
    let fits = (2..=35).contains(&text.len())
        && (2..=3).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags
            .all(|s| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric()));
    if fits {
        Ok(text)
    } else {
        Err(("malformed", "must be a language tag such as de-AT"))
    }
}
