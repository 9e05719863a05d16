//! Tables, one file each or one file per group that changes together.

pub mod attempts;
pub mod audit;
pub mod bookings;
pub mod calls;
pub mod catalogue;
pub mod claims;
pub mod import;
pub mod intents;
pub mod ledger;
pub mod mails;
pub mod operations;
pub mod partner_inbox;
pub mod partner_orders;
pub mod partner_out;
pub mod partners;
pub mod positions;
pub mod refunds;
pub(crate) mod rows;
pub mod show_facts;
pub mod shows;
pub mod status;
pub mod ticket_facts;
pub mod ticket_states;
pub mod webhooks;
