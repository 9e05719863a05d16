//! What the customer receives: the ticket as a PDF, the signed code in it, the mails, the calendar entry.
//!
//! Facts in, bytes out. Nothing in this crate reads a clock, a file, a database, a socket or a
//! source of randomness; the same facts give the same bytes, so a document can be rendered twice
//! and stored once.

pub mod ics;
pub mod mail;
pub mod money_text;
pub mod ticket_pdf;
pub mod time_text;
pub mod token;

mod base45;
mod clean_text;
mod error;
mod language;

pub use error::RenderError;
pub use ics::CalendarEntry;
pub use language::Language;
pub use mail::{MailFacts, MailParts, MailSeat, Template};
pub use money_text::Money;
pub use ticket_pdf::{TicketDocument, TicketPage, TicketTotals};
pub use token::{TicketKeys, TicketSigner, TicketToken, TokenError};
