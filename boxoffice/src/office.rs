//! The back office by command line: everything goes through the API, so that who did what is judged and written
//! down in one place.

mod client;
mod table;

pub(crate) use client::{Office, OfficeArgs, OfficeError};
pub(crate) use table::{Format, Table, show};
