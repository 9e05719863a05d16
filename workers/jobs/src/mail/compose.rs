//! From the facts of a booking to the mail as it goes over the wire.
//!
//! Every part is base64 and every header goes through lettre's types (RUSTSEC-2026-0561): no line of ours
//! or of a customer can become a line of the conversation.

use super::{TicketLinks, truth::refunded_minor};
use crate::calendar::{self, CalendarNames};
use boxoffice_contracts::{
    Instant,
    message::{booking::Tender, mail::Template},
};
use boxoffice_documents::{
    Language, MailFacts, MailSeat, RenderError, ics, mail, money_text, time_text,
};
use boxoffice_saga::{Capture, Status};
use boxoffice_store::{
    document_link::LinkedDocument,
    mongo::documents::StoredPdf,
    mysql::show_facts::{BookingFacts, PositionFacts},
};
use chrono_tz::Tz;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{
            ContentDisposition, ContentId, ContentTransferEncoding, ContentType, Header,
            HeaderName, HeaderValue,
        },
    },
};
use std::error::Error as StdError;

/// What is the same in every mail.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub(super) from: Mailbox,
    /// Right of the `@` in ids of mails and calendar entries.
    pub(super) domain: String,
    /// Where customers look at their bookings; no slash at the end.
    pub(super) links_base_url: String,
    pub(super) ticket_links: Option<super::TicketLinks>,
}

/// Everything about one mail.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) template: Template,
    pub(super) revision: u16,
    /// Without brackets.
    pub(super) message_id: &'a str,
    /// When it was ordered: a repetition has the same date.
    pub(super) ordered_at: Instant,
    pub(super) facts: &'a BookingFacts,
    pub(super) tickets: Option<&'a StoredPdf>,
}

/// Why there is no mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unsendable {
    /// The customer's address cannot be one.
    Address,
    /// The facts or a template are at fault.
    Render(String),
}

impl From<RenderError> for Unsendable {
    fn from(error: RenderError) -> Self {
        Self::Render(error.to_string())
    }
}

/// The mail, with its attachments.
pub(super) fn message(order: &Order<'_>, sender: &Sender) -> Result<Message, Unsendable> {
    let customer = &order.facts.customer;
    let address: Address = customer
        .email
        .parse()
        .map_err(|_malformed| Unsendable::Address)?;
    let language = Language::from_tag(&customer.locale);
    let parts = mail::render(
        template(order.template),
        language,
        &facts(order, sender, language)?,
    )?;

    let logo = SinglePart::builder()
        .header(kind("image/png")?)
        .header(ContentTransferEncoding::Base64)
        .header(ContentId::from(format!("<{}>", mail::LOGO_CONTENT_ID)))
        .header(ContentDisposition::inline_with_name("logo.png"))
        .body(mail::LOGO_PNG.to_vec());
    let html = MultiPart::related()
        .singlepart(part(ContentType::TEXT_HTML, None, parts.html.into_bytes()))
        .singlepart(logo);
    let alternatives = MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, None, parts.text.into_bytes()))
        .multipart(html);
    let mut body = MultiPart::mixed().multipart(alternatives);
    for attachment in attachments(order, sender)? {
        body = body.singlepart(attachment);
    }
    Message::builder()
        .from(sender.from.clone())
        .to(Mailbox::new(header_text(&customer.name), address))
        .subject(parts.subject)
        .date(order.ordered_at.into())
        .message_id(Some(format!("<{}>", order.message_id)))
        .header(AutoSubmitted("auto-generated".to_owned()))
        .header(XBookingId(order.facts.booking.id.to_string()))
        .multipart(body)
        .map_err(|error| Unsendable::Render(error.to_string()))
}

fn part(kind: ContentType, attached_as: Option<&str>, body: Vec<u8>) -> SinglePart {
    let part = SinglePart::builder()
        .header(kind)
        .header(ContentTransferEncoding::Base64);
    match attached_as {
        Some(name) => part.header(ContentDisposition::attachment(name)).body(body),
        None => part.body(body),
    }
}

fn kind(text: &str) -> Result<ContentType, Unsendable> {
    ContentType::parse(text).map_err(|error| Unsendable::Render(error.to_string()))
}

fn attachments(order: &Order<'_>, sender: &Sender) -> Result<Vec<SinglePart>, Unsendable> {
    let cancelled = takes_back(order);
    if !order.template.brings_tickets() && !cancelled {
        return Ok(Vec::new());
    }
    let mut parts = Vec::new();
    if let Some(pdf) = order.tickets.filter(|_| !cancelled) {
        let name = format!("tickets-{}.pdf", order.facts.reference);
        parts.push(part(
            kind("application/pdf")?,
            Some(&name),
            pdf.bytes.clone(),
        ));
    }
    let calendar = kind("text/calendar; charset=utf-8; method=PUBLISH")?;
    parts.push(part(
        calendar,
        Some("show.ics"),
        ics::render(&calendar_entry(order, sender)?),
    ));
    Ok(parts)
}

/// Whether the mail ends what a confirmation put into a calendar.
fn takes_back(order: &Order<'_>) -> bool {
    let booking = &order.facts.booking;
    let ended = matches!(booking.status, Status::Cancelled | Status::Refunded);
    let told = matches!(order.template, Template::Cancelled | Template::Refunded);
    ended && told && booking.mailed_revision > 0
}

fn zone(order: &Order<'_>) -> Result<Tz, Unsendable> {
    let zone = &order.facts.show.zone;
    zone.parse()
        .map_err(|_unknown| Unsendable::Render(format!("time zone {zone:?}")))
}

/// The one that `tickets.ics` shows too.
fn calendar_entry(order: &Order<'_>, sender: &Sender) -> Result<ics::CalendarEntry, Unsendable> {
    let names = CalendarNames {
        domain: sender.domain.clone(),
        links_base_url: sender.links_base_url.clone(),
    };
    let (booking, stamp) = (&order.facts.booking, order.ordered_at);
    let entry = if takes_back(order) {
        // Revisions of tickets only rise; the end comes after the last of them.
        let last = booking.ticket_revision.saturating_add(1);
        calendar::entry(order.facts, last, stamp, &names).map(|entry| ics::CalendarEntry {
            cancelled: true,
            ..entry
        })
    } else {
        calendar::entry(order.facts, order.revision, stamp, &names)
    };
    entry.map_err(|unknown| Unsendable::Render(unknown.to_string()))
}

/// What the mail is about: the places that admit, or all of them when none does.
fn places<'a>(order: &'a Order<'_>) -> impl Iterator<Item = &'a PositionFacts> {
    let live_only = order.template.brings_tickets();
    order
        .facts
        .positions
        .iter()
        .filter(move |place| place.live || !live_only)
}

struct Links {
    booking: String,
    tickets: String,
    pay: String,
}

fn links(order: &Order<'_>, sender: &Sender) -> Links {
    let booking = format!(
        "{}/bookings/{}",
        sender.links_base_url, order.facts.booking.id
    );
    // The same mail again has the same link: it counts from the order.
    let tickets = match &sender.ticket_links {
        Some(TicketLinks { links, ttl }) => {
            let id = order.facts.booking.id;
            let link = links.link(id, LinkedDocument::TicketsPdf, order.ordered_at, *ttl);
            format!("{}{link}", sender.links_base_url)
        }
        None => format!("{booking}/tickets.pdf"),
    };
    Links {
        tickets,
        pay: format!("{booking}/pay"),
        booking,
    }
}

fn facts(order: &Order<'_>, sender: &Sender, language: Language) -> Result<MailFacts, Unsendable> {
    let BookingFacts { booking, show, .. } = order.facts;
    let zone = zone(order)?;
    let money = |minor: i64| money_text::format(minor, booking.currency.as_str(), language);
    let refund = match order.template {
        Template::Refunded => Some(refunded_minor(booking)),
        // Reserved and let go again, in full.
        Template::Apology => Some(booking.total_minor()),
        // Without an amount the mail says that nothing was charged.
        Template::Cancelled => {
            (booking.payment.captured_minor > 0).then(|| refunded_minor(booking))
        }
        Template::Confirmation
        | Template::ConfirmationAgain
        | Template::Expired
        | Template::PaymentFailed
        | Template::PayAgain => None,
    };
    let hold_until = match booking.status {
        Status::Confirmed(Capture::Failed { pay_again_until }) => Some(pay_again_until),
        _ => None,
    };
    let links = links(order, sender);
    let seat = |place: &PositionFacts| MailSeat {
        row: place.seat.as_ref().map_or_else(
            || language.general_admission().to_owned(),
            |seat| seat.row.clone(),
        ),
        number: place
            .seat
            .as_ref()
            .map(|seat| seat.number.clone())
            .unwrap_or_default(),
        category: place.category.clone(),
        price: money(place.price_minor),
    };
    Ok(MailFacts {
        customer_name: header_text(&order.facts.customer.name).unwrap_or_default(),
        reference: order.facts.reference.clone(),
        film: show.film.clone(),
        venue: show.venue.clone(),
        hall: show.hall.clone(),
        starts: time_text::local_start(show.starts_at, zone, language),
        seats: places(order).map(seat).collect(),
        total: money(places(order).map(|place| place.price_minor).sum()),
        booking_url: links.booking,
        pay_url: Some(links.pay),
        tickets_url: Some(links.tickets),
        attached: order.tickets.is_some(),
        refund: refund.map(money),
        sold_by_partner: booking.tender == Tender::PartnerCredit,
        hold_until: hold_until.map(|at| time_text::local_start(at, zone, language)),
    })
}

const fn template(template: Template) -> mail::Template {
    match template {
        Template::Confirmation | Template::ConfirmationAgain => mail::Template::Confirmation,
        Template::Expired => mail::Template::Expired,
        Template::PaymentFailed => mail::Template::PaymentFailed,
        Template::Cancelled => mail::Template::Cancelled,
        Template::Refunded => mail::Template::Refunded,
        Template::Apology => mail::Template::Apology,
        Template::PayAgain => mail::Template::PayAgain,
    }
}

/// Longest name that is written into a header.
const HEADER_CHARS_MAX: usize = 200;

/// A text of customers in one line: line breaks and other control characters are gone.
pub(super) fn header_text(text: &str) -> Option<String> {
    let clean: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(HEADER_CHARS_MAX)
        .collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// A header of one word that we made ourselves.
macro_rules! plain_header {
    ($name:ident, $text:literal) => {
        #[derive(Debug, Clone)]
        struct $name(String);

        impl Header for $name {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($text)
            }

            fn parse(text: &str) -> Result<Self, Box<dyn StdError + Send + Sync>> {
                Ok(Self(text.to_owned()))
            }

            fn display(&self) -> HeaderValue {
                HeaderValue::new(Self::name(), self.0.clone())
            }
        }
    };
}

// Keeps holiday notices of recipients from answering (RFC 3834).
plain_header!(AutoSubmitted, "Auto-Submitted");
plain_header!(XBookingId, "X-Booking-Id");

#[cfg(test)]
mod tests;
