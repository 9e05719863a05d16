//! The database's history: ordered, reversible, the same on MariaDB 10.11 and MySQL 8.4 or later.
//!
//! Changes expand first and contract a release later, so that two versions of the workers run side by side.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod m0001_first_booking;
mod m0002_cancel_reason;
mod m0003_areas;
mod m0004_audit;
mod m0005_partners;
mod m0006_partner_credit;
mod m0007_queues;
mod m0008_mending;
mod m0009_desk;
mod m0010_prefetch;
mod m0011_intake_journal;
mod m0012_mail_orders;
mod sql;

#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_first_booking::Migration),
            Box::new(m0002_cancel_reason::Migration),
            Box::new(m0003_areas::Migration),
            Box::new(m0004_audit::Migration),
            Box::new(m0005_partners::Migration),
            Box::new(m0006_partner_credit::Migration),
            Box::new(m0007_queues::Migration),
            Box::new(m0008_mending::Migration),
            Box::new(m0009_desk::Migration),
            Box::new(m0010_prefetch::Migration),
            Box::new(m0011_intake_journal::Migration),
            Box::new(m0012_mail_orders::Migration),
        ]
    }
}
