//! Writes every mail in every language as HTML and text into the given folder, to look at.
//!
//! `cargo run -p boxoffice-documents --example mail -- /tmp/mails`

use boxoffice_documents::{Language, MailFacts, MailSeat, Template, mail};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::path::PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "mails".to_owned()),
    );
    std::fs::create_dir_all(&folder)?;
    let seat = |number: &str| MailSeat {
        row: "F".to_owned(),
        number: number.to_owned(),
        category: "Premium".to_owned(),
        price: "€12.50".to_owned(),
    };
    let facts = MailFacts {
        customer_name: "Ёлка O'Brien".to_owned(),
        reference: "K7QF-31".to_owned(),
        film: "The Quiet Cartographer".to_owned(),
        venue: "Astor Lichtspiele".to_owned(),
        hall: "Astor 1".to_owned(),
        starts: "Friday, 27 November 2026, 19:30 CET (UTC+01:00)".to_owned(),
        seats: vec![seat("12"), seat("13")],
        total: "€27.50".to_owned(),
        booking_url: "https://tickets.example/b/K7QF-31".to_owned(),
        pay_url: Some("https://tickets.example/b/K7QF-31/pay".to_owned()),
        tickets_url: Some("https://tickets.example/b/K7QF-31/tickets.pdf".to_owned()),
        attached: true,
        refund: Some("€27.50".to_owned()),
        sold_by_partner: false,
        hold_until: Some("18:45".to_owned()),
    };
    for template in Template::ALL {
        for language in Language::ALL {
            let parts = mail::render(template, language, &facts)?;
            let name = format!("{}.{}", template.name(), language.tag());
            std::fs::write(folder.join(format!("{name}.html")), parts.html)?;
            let text = format!("Subject: {}\n\n{}", parts.subject, parts.text);
            std::fs::write(folder.join(format!("{name}.txt")), text)?;
        }
    }
    Ok(())
}
