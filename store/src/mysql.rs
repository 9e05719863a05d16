//! Tables, one file each or one file per group that changes together.

pub mod bookings;
pub mod catalogue;
pub mod claims;
pub mod operations;
pub mod positions;
pub mod shows;
pub mod ticket_states;
pub mod status;
pub mod attempts;
pub mod calls;
pub mod intents;
pub mod ledger;
pub mod refunds;
pub mod webhooks;
pub mod import;
pub mod mails;
pub mod show_facts;
