//! Every mail in every language: complete, escaped where it must be, and one line in the header.

use boxoffice_documents::mail::{LOGO_CONTENT_ID, LOGO_PNG, render};
use boxoffice_documents::{Language, MailFacts, MailSeat, RenderError, Template};

fn facts() -> MailFacts {
    let seat = |number: &str| MailSeat {
        row: "F".to_owned(),
        number: number.to_owned(),
        category: "Premium".to_owned(),
        price: "€12.50".to_owned(),
    };
    MailFacts {
        customer_name: "Ada Łukasz".to_owned(),
        reference: "K7QF-31".to_owned(),
        film: "The Quiet Cartographer".to_owned(),
        venue: "Astor Lichtspiele".to_owned(),
        hall: "Astor 1".to_owned(),
        starts: "Friday, 27 November 2026, 19:30 CET (UTC+01:00)".to_owned(),
        seats: vec![seat("12"), seat("13")],
        total: "€27.50".to_owned(),
        booking_url: "https://tickets.example/b/K7QF-31?a=1&b=2".to_owned(),
        pay_url: Some("https://tickets.example/pay".to_owned()),
        tickets_url: Some("https://tickets.example/tickets.pdf".to_owned()),
        attached: true,
        refund: Some("€26.00".to_owned()),
        sold_by_partner: false,
        hold_until: Some("18:45".to_owned()),
    }
}

#[test]
fn every_mail_renders_in_every_language_with_its_facts() {
    for template in Template::ALL {
        for language in Language::ALL {
            let parts = render(template, language, &facts()).unwrap();
            let name = format!("{}.{}", template.name(), language.tag());
            assert!(
                parts.subject.contains("The Quiet Cartographer"),
                "{name}: {}",
                parts.subject
            );
            for part in [&parts.text, &parts.html] {
                for fact in ["Ada Łukasz", "K7QF-31", "19:30 CET", "Astor 1"] {
                    assert!(part.contains(fact), "{name} lacks {fact}");
                }
                assert!(
                    !part.contains("{{") && !part.contains("undefined"),
                    "{name}"
                );
            }
            assert!(
                parts
                    .html
                    .contains(&format!("<html lang=\"{}\">", language.tag())),
                "{name}"
            );
            // The one picture goes along and says nothing: the mail reads the same without it.
            assert_eq!(parts.html.matches("<img").count(), 1, "{name}");
            let logo =
                format!("<img src=\"cid:{LOGO_CONTENT_ID}\" width=\"36\" height=\"36\" alt=\"\"");
            assert!(parts.html.contains(&logo), "{name}");
            for foreign in ["<script", "src=\"http", "url(", "<link"] {
                assert!(!parts.html.contains(foreign), "{name}: {foreign}");
            }
        }
    }
}

/// The money of a booking that a partner sold goes to the partner: its buyer is promised none, and has no bank in it.
#[test]
fn who_bought_from_a_partner_is_promised_no_money() {
    let facts = MailFacts {
        sold_by_partner: true,
        ..facts()
    };
    for template in Template::ALL {
        // Nothing is captured from credit that was reserved and is gone: nobody is asked to pay again.
        if template == Template::PayAgain {
            continue;
        }
        for language in Language::ALL {
            let parts = render(template, language, &facts).unwrap();
            let name = format!("{}.{}", template.name(), language.tag());
            for text in [&parts.subject, &parts.text, &parts.html] {
                for promise in [
                    "26.00",
                    "bank",
                    "Bank",
                    "charged",
                    "berechnet",
                    "another card",
                ] {
                    assert!(!text.contains(promise), "{name} says {promise}: {text}");
                }
                assert!(text.contains("The Quiet Cartographer"), "{name}");
            }
        }
    }
}

#[test]
fn names_and_templates_find_each_other() {
    for template in Template::ALL {
        assert_eq!(Template::from_name(template.name()), Some(template));
    }
    assert_eq!(Template::from_name("../../etc/passwd"), None);
}

#[test]
fn text_is_plain_and_html_is_escaped() {
    let facts = MailFacts {
        customer_name: "O'Brien <b>&".to_owned(),
        film: "Tom & <script>alert(1)</script>".to_owned(),
        ..facts()
    };
    let parts = render(Template::Confirmation, Language::En, &facts).unwrap();
    assert!(parts.text.starts_with("Hello O'Brien <b>&,\n"));
    assert!(parts.subject.contains("Tom & <script>"));
    assert!(parts.html.contains("O&#x27;Brien &lt;b&gt;&amp;"));
    assert!(!parts.html.contains("<script"));
}

#[test]
fn no_fact_can_add_a_header_or_a_line() {
    let facts = MailFacts {
        film: "Film\r\nBcc: everybody@example.org\0".to_owned(),
        customer_name: "Eve\n\nYour tickets are void\u{202e}".to_owned(),
        ..facts()
    };
    for template in Template::ALL {
        let parts = render(template, Language::De, &facts).unwrap();
        assert!(
            !parts.subject.contains(['\r', '\n', '\0']),
            "{:?}",
            parts.subject
        );
        assert!(parts.subject.chars().count() <= 200);
        assert!(
            parts
                .text
                .starts_with("Guten Tag Eve Your tickets are void,\n")
        );
    }
}

#[test]
fn a_customer_without_a_name_is_greeted_all_the_same() {
    let facts = MailFacts {
        customer_name: String::new(),
        ..facts()
    };
    let parts = render(Template::Expired, Language::En, &facts).unwrap();
    assert!(parts.text.starts_with("Hello,\n"));
}

#[test]
fn a_mail_that_lacks_what_it_promises_is_refused() {
    let without = MailFacts {
        pay_url: None,
        tickets_url: None,
        refund: None,
        ..facts()
    };
    for (template, missing) in [
        (Template::PayAgain, "pay_url"),
        (Template::Confirmation, "tickets_url"),
        (Template::Refunded, "refund"),
        (Template::Apology, "refund"),
    ] {
        let refused = render(template, Language::En, &without).unwrap_err();
        assert!(matches!(refused, RenderError::MissingFact { fact, .. } if fact == missing));
    }
    let unpaid = render(Template::Cancelled, Language::En, &without).unwrap();
    assert!(unpaid.text.contains("You have not been charged."));
}

#[test]
fn only_web_links_are_linked() {
    for link in [
        "javascript:alert(1)",
        "https://x/\" onclick=\"x",
        "https://x/ y",
        "https://x/\n",
        "",
    ] {
        let facts = MailFacts {
            booking_url: link.to_owned(),
            ..facts()
        };
        let refused = render(Template::Expired, Language::En, &facts).unwrap_err();
        assert!(
            matches!(
                refused,
                RenderError::NotALink {
                    fact: "booking_url"
                }
            ),
            "{link:?}"
        );
    }
}

/// Every mail as it reads, kept in `snapshots/`: a change of words is seen in a review.
#[test]
fn every_mail_reads_like_this() {
    for template in Template::ALL {
        for language in Language::ALL {
            let parts = render(template, language, &facts()).unwrap();
            let name = format!("{}.{}", template.name(), language.tag());
            insta::assert_snapshot!(
                format!("{name}.text"),
                format!("{}\n\n{}", parts.subject, parts.text)
            );
            insta::assert_snapshot!(format!("{name}.html"), parts.html);
        }
    }
}

#[test]
fn a_confirmation_says_attached_only_when_the_tickets_are() {
    for (language, said, instead) in [
        (Language::En, "attached to this mail", "ready to be fetched"),
        (Language::De, "hängen an dieser Mail", "für Sie bereit"),
    ] {
        for attached in [true, false] {
            let facts = MailFacts {
                attached,
                ..facts()
            };
            let parts = render(Template::Confirmation, language, &facts).unwrap();
            for part in [parts.text.replace('\n', " "), parts.html.clone()] {
                assert_eq!(part.contains(said), attached, "{part}");
                assert_eq!(part.contains(instead), !attached, "{part}");
                assert!(part.contains("https://tickets.example/tickets.pdf"));
            }
            insta::assert_snapshot!(
                format!("confirmation.{}.attached_{attached}.text", language.tag()),
                parts.text
            );
        }
    }
}

#[test]
fn the_logo_is_a_small_png() {
    assert!(LOGO_PNG.starts_with(b"\x89PNG\r\n\x1a\n") && LOGO_PNG.len() < 4_096);
}

#[test]
fn a_place_without_a_number_is_listed_without_row_and_seat() {
    let mut facts = facts();
    facts.seats[0].row = Language::En.general_admission().to_owned();
    facts.seats[0].number = String::new();
    let parts = render(Template::Confirmation, Language::En, &facts).unwrap();
    let line = |text: &str| {
        let found = text.lines().find(|line| line.contains("General admission"));
        found.unwrap().to_owned()
    };
    assert_eq!(
        line(&parts.text).trim(),
        "General admission  Premium  €12.50"
    );
    assert!(line(&parts.html).contains(r#"<td colspan="2""#));
    assert_eq!(parts.text.matches("Row F, Seat").count(), 1);
}
