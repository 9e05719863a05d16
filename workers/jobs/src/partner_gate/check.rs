//! The gate's checks that need nothing but the message: a pure function, in their order.
//!
//! Size, content type, sender, JSON, envelope, kind, schema: who fails one of these is quarantined. Then the
//! sequence, which is refused. Quota and business follow where they can be known.

use super::{
    envelope::{self, Label},
    kinds::{self, Known, Order},
    strict_json,
};
use boxoffice_contracts::{
    Code, MessageId,
    partner::{
        PartnerId,
        broker::{CONTENT_TYPE, MESSAGE_BYTES_MAX, of_user},
        event::CloudEvent,
        reply::Outcome,
    },
    request::{
        card::refuse_cards,
        fields::{FieldError, Mistakes, code_of},
        request_hash,
    },
};
use sha2::{Digest, Sha256};

/// A message as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    pub body: &'a [u8],
    pub by: Way<'a>,
}

/// What is known of the way that it came.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'a> {
    /// By the partner's exchange.
    Exchange {
        routing_key: &'a str,
        content_type: Option<&'a str>,
        /// The property that the broker compares with the connection's user, where it is given.
        user_id: Option<&'a str>,
        /// Properties that stand in for the body's `id` and `correlationid` where it isn't read.
        message_id: Option<&'a str>,
        correlation_id: Option<&'a str>,
    },
    /// Out of quarantine, by a person who answers for the sender. It keeps the identity that it gets there.
    Quarantine { identity: MessageId },
}

/// What the message says.
#[derive(Debug, Clone)]
pub(super) struct Examined {
    /// The same message has the same one, whenever it comes.
    pub identity: MessageId,
    pub label: Label,
    pub known: Option<&'static str>,
    pub result: Result<Understood, Refusal>,
}

/// A message that is what it should be.
#[derive(Debug, Clone)]
pub(super) struct Understood {
    pub event: CloudEvent,
    pub order: Order,
}

/// Why it isn't carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub outcome: Outcome,
    pub code: Code,
    pub detail: Option<String>,
    pub errors: Vec<FieldError>,
    pub retry_after_secs: Option<u32>,
}

impl Refusal {
    pub(super) fn quarantined(code: Code, detail: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Quarantined,
            detail: Some(detail.into()),
            ..Self::rejected(code)
        }
    }

    pub(super) fn rejected(code: Code) -> Self {
        Self {
            outcome: Outcome::Rejected,
            code,
            detail: None,
            errors: Vec::new(),
            retry_after_secs: None,
        }
    }

    pub(super) fn at(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    fn of_fields(errors: Vec<FieldError>) -> Self {
        Self {
            outcome: Outcome::Quarantined,
            ..Self::rejected(code_of(&errors)).at(errors)
        }
    }
}

/// Looks at a message of `partner`.
pub(super) fn examine(partner: &PartnerId, raw: Raw<'_>) -> Examined {
    let mut examined = Examined {
        identity: identity_of_bytes(partner, raw),
        label: label_of_properties(raw),
        known: None,
        result: Err(Refusal::rejected(Code::InternalError)),
    };
    examined.result = inspect(partner, raw, &mut examined);
    examined
}

fn inspect(
    partner: &PartnerId,
    raw: Raw<'_>,
    examined: &mut Examined,
) -> Result<Understood, Refusal> {
    size(raw)?;
    content_type(raw)?;
    sender(partner, raw)?;
    let value = strict_json::parse(raw.body).map_err(|unsound| {
        Refusal::quarantined(Code::BodyMalformed, unsound.detail).at(unsound.errors)
    })?;
    examined.label = Label::of(&value);
    if let Way::Exchange { .. } = raw.by {
        let id = examined.label.event_id.as_deref().unwrap_or_default();
        let content = request_hash(&value);
        examined.identity = MessageId::of_partner_content(partner.as_str(), id, &content);
    }
    let mut errors = Vec::new();
    refuse_cards(&value, String::new(), &mut errors);
    if !errors.is_empty() {
        // The number may stand in what a reply would echo.
        examined.label = Label::default();
        return Err(Refusal::of_fields(errors));
    }
    let event = envelope(value, raw)?;
    let known = kind(&event)?;
    examined.known = Some(known.kind);
    let order = schema(known, &event)?;
    sequence(known, &event)?;
    Ok(Understood { event, order })
}

/// What the properties say a reply may echo: well-formed, and no card number.
fn label_of_properties(raw: Raw<'_>) -> Label {
    let Way::Exchange {
        message_id,
        correlation_id,
        ..
    } = raw.by
    else {
        return Label::default();
    };
    Label::of_properties(message_id, correlation_id)
}

fn size(raw: Raw<'_>) -> Result<(), Refusal> {
    if raw.body.len() <= MESSAGE_BYTES_MAX {
        return Ok(());
    }
    let detail = format!(
        "A message has at most {MESSAGE_BYTES_MAX} bytes; this one has {}.",
        raw.body.len()
    );
    Err(Refusal::quarantined(Code::BodyTooLarge, detail))
}

fn content_type(raw: Raw<'_>) -> Result<(), Refusal> {
    let Way::Exchange { content_type, .. } = raw.by else {
        return Ok(());
    };
    let mut parts = content_type.unwrap_or_default().split(';');
    let essence = parts.next().unwrap_or_default().trim();
    let utf8 = parts.all(|parameter| {
        let parameter = parameter.trim().to_ascii_lowercase();
        parameter == "charset=utf-8" || parameter == "charset=\"utf-8\""
    });
    if essence.eq_ignore_ascii_case(CONTENT_TYPE) && utf8 {
        return Ok(());
    }
    let detail = format!("Set the property content_type to {CONTENT_TYPE}, in UTF-8.");
    Err(Refusal::quarantined(Code::MediaTypeUnsupported, detail))
}

/// The broker refuses a foreign user id, and takes a message without one: that is refused here.
fn sender(partner: &PartnerId, raw: Raw<'_>) -> Result<(), Refusal> {
    let Way::Exchange { user_id, .. } = raw.by else {
        return Ok(());
    };
    let proved = user_id
        .and_then(of_user)
        .is_some_and(|(id, _serial)| id == *partner);
    if proved {
        return Ok(());
    }
    let detail = "Set the property user_id to the name of the user that you connect as.";
    Err(Refusal::quarantined(Code::SenderUnproved, detail))
}

fn envelope(value: serde_json::Value, raw: Raw<'_>) -> Result<CloudEvent, Refusal> {
    let routing_key = match raw.by {
        Way::Exchange { routing_key, .. } => Some(routing_key),
        Way::Quarantine { .. } => None,
    };
    let mut mistakes = Mistakes::default();
    let event = envelope::read(value, routing_key, &mut mistakes);
    match (event, mistakes.refuse()) {
        (Some(event), Ok(())) => Ok(event),
        (_, Err(mistakes)) => Err(Refusal::of_fields(mistakes.0)),
        (None, Ok(())) => Err(Refusal::of_fields(Vec::new())),
    }
}

fn kind(event: &CloudEvent) -> Result<&'static Known, Refusal> {
    kinds::find(&event.kind).ok_or_else(|| {
        let versions = kinds::versions(&event.kind);
        let detail = if versions.is_empty() {
            "There is no such kind of message.".to_owned()
        } else {
            format!("This kind is known in {}.", versions.join(", "))
        };
        let wrong = FieldError::new("/type", "unknown", "is not a kind that is taken");
        Refusal::quarantined(Code::KindUnknown, detail).at(vec![wrong])
    })
}

fn schema(known: &Known, event: &CloudEvent) -> Result<Order, Refusal> {
    let mut mistakes = Mistakes::default();
    let order = known.read(event, &mut mistakes);
    match (order, mistakes.refuse()) {
        (Some(order), Ok(())) => Ok(order),
        (_, Err(mistakes)) => Err(Refusal::of_fields(mistakes.0)),
        (None, Ok(())) => Err(Refusal::of_fields(Vec::new())),
    }
}

/// What is the state of something has a number; whether it is the next one is known where the last one is kept.
fn sequence(known: &Known, event: &CloudEvent) -> Result<(), Refusal> {
    if !known.sequenced || event.sequence.is_some() {
        return Ok(());
    }
    let missing = FieldError::new("/sequence", "required", "is missing");
    Err(Refusal::rejected(Code::ValidationFailed).at(vec![missing]))
}

/// Identity of what can't be read: all that the first checks look at.
fn identity_of_bytes(partner: &PartnerId, raw: Raw<'_>) -> MessageId {
    match raw.by {
        Way::Quarantine { identity } => identity,
        Way::Exchange {
            routing_key,
            content_type,
            user_id,
            message_id,
            correlation_id: _,
        } => {
            let mut hash = Sha256::new();
            for part in [
                routing_key,
                content_type.unwrap_or_default(),
                user_id.unwrap_or_default(),
                message_id.unwrap_or_default(),
            ] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            hash.update(raw.body);
            MessageId::of_partner_content(partner.as_str(), "", &hash.finalize().into())
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
