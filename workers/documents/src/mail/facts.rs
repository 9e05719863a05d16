//! What a mail may say.

use serde::Serialize;

use super::Template;
use crate::{RenderError, clean_text};

/// The facts of a mail, already written as text: see [`crate::money_text`] and [`crate::time_text`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct MailFacts {
    /// May be empty: the mail then greets nobody by name.
    pub customer_name: String,
    pub reference: String,
    pub film: String,
    pub venue: String,
    pub hall: String,
    /// Local start, as of [`crate::time_text::local_start`].
    pub starts: String,
    pub seats: Vec<MailSeat>,
    /// What the booking costs in total.
    pub total: String,
    pub booking_url: String,
    /// Where to pay. `pay_again` needs it.
    pub pay_url: Option<String>,
    /// Where the tickets can be fetched again. `confirmation` needs it.
    pub tickets_url: Option<String>,
    /// Whether the tickets are in the mail itself. Else `confirmation` says where they are.
    pub attached: bool,
    /// What is paid back. `refunded` and `apology` need it; `cancelled` mentions it.
    pub refund: Option<String>,
    /// A partner sold it and was paid: what is paid back goes to the partner, and the mail promises no money.
    pub sold_by_partner: bool,
    /// Until when the seats are held. `pay_again` needs it.
    pub hold_until: Option<String>,
}

/// One seat of the list in a mail; row and number are empty for an admission without a seat.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MailSeat {
    /// For a place without a number, what is said instead of row and seat.
    pub row: String,
    /// Empty for a place without a number.
    pub number: String,
    pub category: String,
    pub price: String,
}

/// A fact longer than this is cut.
const FACT_CHARS_MAX: usize = 300;

impl MailFacts {
    /// Refuses facts that would make the mail promise something and not give it.
    pub(super) fn check(&self, template: Template) -> Result<(), RenderError> {
        for &fact in template.needs() {
            let given = match fact {
                "pay_url" => self.pay_url.is_some(),
                "tickets_url" => self.tickets_url.is_some(),
                "refund" => self.refund.is_some(),
                "hold_until" => self.hold_until.is_some(),
                _ => false,
            };
            if !given {
                return Err(RenderError::MissingFact {
                    template: template.name(),
                    fact,
                });
            }
        }
        let links = [
            ("booking_url", Some(&self.booking_url)),
            ("pay_url", self.pay_url.as_ref()),
            ("tickets_url", self.tickets_url.as_ref()),
        ];
        for (fact, link) in links {
            if link.is_some_and(|link| !is_link(link)) {
                return Err(RenderError::NotALink { fact });
            }
        }
        Ok(())
    }

    pub(super) fn cleaned(&self) -> MailFacts {
        let clean = |text: &String| clean_text::line(text, FACT_CHARS_MAX);
        MailFacts {
            customer_name: clean(&self.customer_name),
            reference: clean(&self.reference),
            film: clean(&self.film),
            venue: clean(&self.venue),
            hall: clean(&self.hall),
            starts: clean(&self.starts),
            seats: self
                .seats
                .iter()
                .map(|seat| MailSeat {
                    row: clean(&seat.row),
                    number: clean(&seat.number),
                    category: clean(&seat.category),
                    price: clean(&seat.price),
                })
                .collect(),
            total: clean(&self.total),
            // Links were checked and may be long.
            booking_url: self.booking_url.clone(),
            pay_url: self.pay_url.clone(),
            tickets_url: self.tickets_url.clone(),
            attached: self.attached,
            refund: self.refund.as_ref().map(clean),
            sold_by_partner: self.sold_by_partner,
            hold_until: self.hold_until.as_ref().map(clean),
        }
    }
}

/// Only http, so that no link runs a script, and nothing that could end the attribute it stands in.
fn is_link(link: &str) -> bool {
    (link.starts_with("https://") || link.starts_with("http://"))
        && link
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '\\'))
}
