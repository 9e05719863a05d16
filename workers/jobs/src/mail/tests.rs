//! What the tests of this worker share, and the ones of its configuration.

use super::*;
use boxoffice_contracts::{BookingId, Currency, ShowId, TicketId, message::booking::LatePolicy};
use boxoffice_saga::{Booking, Position, Status, booking::RefundPolicy};
use boxoffice_store::{
    mongo,
    mysql::show_facts::{CustomerFacts, PositionFacts, SeatFacts, ShowFacts},
    reference::reference,
};

/// A completed booking of two seats.
pub(crate) fn booking() -> Booking {
    let since = "2026-11-21T10:00:00Z".parse().unwrap();
    let position = |no| Position {
        no,
        price_minor: 1150,
        retained_minor: 0,
        live: true,
    };
    Booking {
        id: BookingId::derive("house", "s", "k"),
        show_id: ShowId::from_slug("show"),
        version: 5,
        status: Status::Completed,
        since,
        resends: 0,
        epoch: 1,
        currency: Currency::EUR,
        positions: vec![position(1), position(2)],
        hold: None,
        tender: boxoffice_contracts::message::booking::Tender::Card,
        payment: boxoffice_saga::booking::Payment::default(),
        refunds: Vec::new(),
        pending_cancel: None,
        late_policy: LatePolicy::SameSeats,
        refund_policy: RefundPolicy {
            cancel_until: since,
            fee_minor: 0,
        },
        ticket_revision: 1,
        mailed_revision: 1,
        rendered_revision: 1,
        mail_copies: 0,
        code: None,
        attention: None,
        disputed: false,
    }
}

pub(crate) fn facts() -> BookingFacts {
    let booking = booking();
    let id = booking.id;
    let position = |no: u16| PositionFacts {
        no,
        seat: Some(SeatFacts {
            zone: "Stalls".into(),
            row: "F".into(),
            number: no.to_string(),
        }),
        area: None,
        category: "Standard".into(),
        price_minor: 1150,
        live: true,
        ticket: Some(TicketId::derive(id, no, 1)),
    };
    BookingFacts {
        booking,
        reference: reference(id),
        customer: CustomerFacts {
            email: "ada@example.org".into(),
            name: "Ada Ёлка".into(),
            locale: "de-AT".into(),
        },
        show: ShowFacts {
            id: ShowId::from_slug("show"),
            film: "Zimt und Asche".into(),
            runtime_min: 104,
            venue: "Astor Lichtspiele".into(),
            address: "Lange Zeile 14, 10437 Berlin".into(),
            hall: "Astor 1".into(),
            entrance: String::new(),
            starts_at: "2026-11-27T18:30:00Z".parse().unwrap(),
            zone: "Europe/Berlin".into(),
        },
        positions: vec![position(1), position(2)],
    }
}

async fn configured(change: impl FnOnce(&mut MailConfig)) -> Result<SendMail, MailConfigError> {
    let documents = mongo::connect("mongodb://127.0.0.1:1", "boxoffice", "test")
        .await
        .unwrap();
    let mut config = MailConfig {
        smtp: SmtpConfig::new("127.0.0.1", 25, SmtpTls::None),
        from: "Box office <tickets@house.example>".to_owned(),
        message_id_domain: "house.example".to_owned(),
        links_base_url: "https://house.example/".to_owned(),
        ticket_links: None,
    };
    change(&mut config);
    SendMail::new(documents, config)
}

#[tokio::test]
async fn a_broken_key_is_named() {
    assert!(configured(|_| {}).await.is_ok());
    let key = |result: Result<SendMail, MailConfigError>| result.unwrap_err().key;
    assert_eq!(
        key(configured(|c| c.from = "nobody".to_owned()).await),
        "from"
    );
    assert_eq!(
        key(configured(|c| c.message_id_domain = "a b".to_owned()).await),
        "message_id_domain"
    );
    assert_eq!(
        key(configured(|c| c.links_base_url = "ftp://x".to_owned()).await),
        "links_base_url"
    );
}

#[test]
fn nothing_of_the_login_or_the_customer_is_printed() {
    let mut smtp = SmtpConfig::new("mail.example", 587, SmtpTls::StartTls);
    smtp.login = Some(("user".to_owned(), "geheim".to_owned()));
    let text = format!("{smtp:?} {:?}", facts());
    for secret in ["geheim", "ada@example.org", "Ada"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
