use super::super::tests::facts;
use super::*;
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};

fn sender() -> Sender {
    Sender {
        from: "Box office <tickets@house.example>".parse().unwrap(),
        domain: "house.example".to_owned(),
        links_base_url: "https://house.example".to_owned(),
        ticket_links: None,
    }
}

#[test]
fn the_link_to_the_tickets_opens_them_and_is_the_same_in_the_same_mail() {
    use boxoffice_store::document_link::DocumentLinks;
    let sender = Sender {
        ticket_links: Some(TicketLinks {
            links: DocumentLinks::new("a secret of more than thirty-two characters"),
            ttl: std::time::Duration::from_secs(3_600),
        }),
        ..sender()
    };
    let facts = facts();
    let order = Order {
        template: Template::Confirmation,
        revision: 1,
        message_id: "id@house.example",
        ordered_at: "2026-11-21T12:00:00Z".parse().unwrap(),
        facts: &facts,
        tickets: None,
    };
    let link = links(&order, &sender).tickets;
    let start = format!(
        "https://house.example/v1/bookings/{}/tickets.pdf?expires=",
        facts.booking.id
    );
    assert!(link.starts_with(&start), "{link}");
    assert_eq!(link, links(&order, &sender).tickets);
}

fn compose(
    template: Template,
    facts: &BookingFacts,
    tickets: Option<&StoredPdf>,
) -> Result<String, Unsendable> {
    let order = Order {
        template,
        revision: 1,
        message_id: "id@house.example",
        ordered_at: "2026-11-21T12:00:00Z".parse().unwrap(),
        facts,
        tickets,
    };
    message(&order, &sender()).map(|mail| String::from_utf8(mail.formatted()).unwrap())
}

fn pdf() -> StoredPdf {
    StoredPdf {
        bytes: b"%PDF-1.7 \xff".to_vec(),
        sha256: String::new(),
        revision: 1,
    }
}

/// Headers of the mail itself, unfolded.
fn headers(mail: &str) -> String {
    mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ")
}

#[test]
fn a_confirmation_carries_the_tickets_and_the_calendar_entry() {
    let mail = compose(Template::Confirmation, &facts(), Some(&pdf())).unwrap();
    let head = headers(&mail);
    for header in [
        "Message-ID: <id@house.example>",
        "Auto-Submitted: auto-generated",
        "Date: Sat, 21 Nov 2026 12:00:00 +0000",
        &format!("X-Booking-Id: {}", facts().booking.id),
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
    assert!(mail.contains("Content-Type: application/pdf"));
    assert!(mail.contains("text/calendar"));
    assert!(mail.contains("show.ics"));
}

#[test]
fn every_part_is_base64_and_every_byte_ascii() {
    let mail = compose(Template::Confirmation, &facts(), Some(&pdf())).unwrap();
    assert!(mail.is_ascii());
    let parts =
        mail.matches("Content-Type: ").count() - mail.matches("Content-Type: multipart/").count();
    assert_eq!(parts, 5);
    assert_eq!(
        mail.matches("Content-Transfer-Encoding: base64").count(),
        parts
    );
    assert!(
        mail.split("\r\n")
            .all(|line| line.len() <= 998 && !line.contains(['\r', '\n']))
    );
}

#[test]
fn without_a_document_the_mail_goes_with_its_link_and_other_mails_have_no_attachment() {
    let mail = compose(Template::Confirmation, &facts(), None).unwrap();
    assert!(!mail.contains("application/pdf") && mail.contains("show.ics"));
    assert!(words(&mail).contains("liegen unter dem Link unten"));
    let with = compose(Template::Confirmation, &facts(), Some(&pdf())).unwrap();
    assert!(words(&with).contains("hängen an dieser Mail"));
    let mail = compose(Template::Expired, &facts(), Some(&pdf())).unwrap();
    assert!(!mail.contains("attachment"));
}

/// The text part, in one line.
fn words(mail: &str) -> String {
    let part = mail.split("Content-Type: text/plain").nth(1).unwrap();
    let body = part.split("\r\n\r\n").nth(1).unwrap();
    let body: String = body
        .lines()
        .take_while(|line| !line.starts_with("--"))
        .collect();
    String::from_utf8(BASE64.decode(body).unwrap())
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_picture_goes_along_under_the_name_that_the_html_calls_it_by() {
    let mail = compose(Template::Expired, &facts(), None).unwrap();
    assert!(mail.contains("Content-Type: multipart/related"), "{mail}");
    assert!(mail.contains(&format!("Content-ID: <{}>", mail::LOGO_CONTENT_ID)));
    assert!(mail.contains("Content-Disposition: inline"));
}

#[test]
fn the_end_of_a_booking_takes_its_calendar_entry_back() {
    let order = |template, facts| Order {
        template,
        revision: 1,
        message_id: "id@house.example",
        ordered_at: "2026-11-21T12:00:00Z".parse().unwrap(),
        facts,
        tickets: None,
    };
    let mut ended = facts();
    ended.booking.status = Status::Refunded;
    (ended.booking.ticket_revision, ended.booking.mailed_revision) = (2, 2);
    let entry = calendar_entry(&order(Template::Refunded, &ended), &sender()).unwrap();
    assert!(entry.cancelled);
    assert_eq!(entry.sequence, 3, "after every confirmation");
    let before = calendar_entry(&order(Template::Confirmation, &facts()), &sender()).unwrap();
    assert_eq!(entry.uid, before.uid);
    assert!(
        compose(Template::Refunded, &ended, None)
            .unwrap()
            .contains("show.ics")
    );
    // Nothing was ever put into a calendar.
    ended.booking.status = Status::Cancelled;
    ended.booking.mailed_revision = 0;
    assert!(
        !compose(Template::Cancelled, &ended, None)
            .unwrap()
            .contains("show.ics")
    );
}

#[test]
fn every_mail_is_rendered_in_every_language() {
    for template in Template::ALL {
        for locale in ["en", "de"] {
            let mut facts = facts();
            facts.customer.locale = locale.to_owned();
            let pay_again_until = "2026-11-21T12:15:00Z".parse().unwrap();
            facts.booking.status = Status::Confirmed(Capture::Failed { pay_again_until });
            compose(template, &facts, None).unwrap();
        }
    }
}

#[test]
fn a_name_cannot_add_a_header_or_a_recipient() {
    let mut facts = facts();
    facts.customer.name = "Ada\r\nBcc: all@example.org\0".to_owned();
    let head = headers(&compose(Template::Expired, &facts, None).unwrap());
    assert!(!head.contains("\r\nBcc:"), "{head}");
    assert_eq!(head.matches("\r\nTo: ").count(), 1);

    facts.customer.email = "ada@example.org\r\nRCPT TO:<eve@example.org>".to_owned();
    assert_eq!(
        compose(Template::Expired, &facts, None),
        Err(Unsendable::Address)
    );
    facts.customer.email = "nobody".to_owned();
    assert_eq!(
        compose(Template::Expired, &facts, None),
        Err(Unsendable::Address)
    );
}

#[test]
fn the_same_mail_again_has_the_same_calendar_entry_and_names() {
    let order = |facts| Order {
        template: Template::Confirmation,
        revision: 2,
        message_id: "id@house.example",
        ordered_at: "2026-11-21T12:00:00Z".parse().unwrap(),
        facts,
        tickets: None,
    };
    let facts = facts();
    let entry = calendar_entry(&order(&facts), &sender()).unwrap();
    assert_eq!(entry, calendar_entry(&order(&facts), &sender()).unwrap());
    assert_eq!(entry.uid, format!("{}@house.example", facts.booking.id));
    assert_eq!(entry.sequence, 2);
    assert_eq!((entry.ends_at - entry.starts_at).num_minutes(), 104);
    assert!(entry.description.contains("Stalls F 1\nStalls F 2"));
}

#[test]
fn control_characters_leave_a_name_readable() {
    assert_eq!(
        header_text(" Ada\tLovelace\r\n").as_deref(),
        Some("AdaLovelace")
    );
    assert_eq!(header_text("\r\n\0"), None);
    assert_eq!(header_text(&"x".repeat(500)).unwrap().len(), 200);
}

#[test]
fn a_place_without_a_number_is_named_by_its_area() {
    let mut facts = facts();
    facts.positions[0].seat = None;
    facts.positions[0].area = Some("Dance floor".to_owned());
    let order = Order {
        template: Template::Confirmation,
        revision: 1,
        message_id: "id@house.example",
        ordered_at: "2026-11-21T12:00:00Z".parse().unwrap(),
        facts: &facts,
        tickets: None,
    };
    let entry = calendar_entry(&order, &sender()).unwrap();
    assert!(entry.description.contains("Dance floor\nStalls F 2"));
    let told = super::facts(&order, &sender(), Language::De).unwrap();
    assert_eq!(told.seats[0].row, "Freie Platzwahl");
    assert_eq!(told.seats[0].number, "");
}
