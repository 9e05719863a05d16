//! What is kept, and how it is asked for: MySQL for bookings and money, MongoDB for documents.
//!
//! An entity and its queries stand side by side. Every query takes a connection or a transaction and says
//! what it locks. Absent on purpose: the broker.

pub mod broker_password;
pub mod document_link;
pub mod mongo;
pub mod mysql;
pub mod reading;
pub mod reference;
pub mod seating_plan;
pub mod status_link;
pub mod timeline;
