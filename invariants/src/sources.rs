//! Whom the checks ask. Whoever is not at hand is not asked, and his checks are not in the report.

use crate::history::Record;
use boxoffice_contracts::{BookingId, Instant, OperationId};
use boxoffice_documents::TicketKeys;
use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Everybody who knows something.
#[derive(Clone)]
pub struct Sources {
    /// From the runtime's pool: its sessions are told what the product's are.
    pub db: DatabaseConnection,
    pub documents: Option<mongodb::Database>,
    /// Public halves of the keys of ticket codes; without them codes are not read.
    pub ticket_keys: Option<TicketKeys>,
    pub gateway: Option<Arc<dyn GatewayBooks>>,
    pub mails: Option<Arc<dyn MailSink>>,
    pub queues: Option<Arc<dyn QueueBooks>>,
    /// Every command that was answered with 202, as the clients wrote it down.
    pub accepted: Option<Vec<Accepted>>,
    /// What the clients asked and learned, in any order.
    pub history: Option<Vec<Record>>,
}

impl Sources {
    /// Only the database.
    #[must_use]
    pub fn of(db: DatabaseConnection) -> Self {
        Self {
            db,
            documents: None,
            ticket_keys: None,
            gateway: None,
            mails: None,
            queues: None,
            accepted: None,
            history: None,
        }
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sources(..)")
    }
}

/// A command that a door of the house took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub booking: BookingId,
    pub operation: OperationId,
    /// `submit`, `pay`, `cancel`: as `operations.kind` has it.
    pub kind: String,
}

/// How strict, and how much.
#[derive(Debug, Clone)]
pub struct Options {
    /// What others hold is compared for bookings that have been at rest for so long.
    pub grace: Duration,
    /// Suspects are looked at again after so long before they are called violations.
    pub look_again: Duration,
    /// Bookings of one snapshot.
    pub page: u64,
    /// Bookings of one run; the report says where the next one goes on.
    pub bookings_max: Option<u64>,
    /// The first booking is the one after this.
    pub after: Option<BookingId>,
    pub examples_max: usize,
    /// The whole house is at rest, and nobody comes: nothing may be due, unsent or waiting in a queue.
    pub at_rest: bool,
    pub allowed: Allowed,
}

impl Default for Options {
    /// For a house that is live.
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(120),
            look_again: Duration::from_secs(5),
            page: 500,
            bookings_max: None,
            after: None,
            examples_max: 5,
            at_rest: false,
            allowed: Allowed::default(),
        }
    }
}

impl Options {
    /// For the end of a test or a chaos run: nobody works any more, so everything is compared at once.
    #[must_use]
    pub fn at_rest() -> Self {
        Self {
            grace: Duration::ZERO,
            look_again: Duration::from_secs(1),
            examples_max: 20,
            at_rest: true,
            ..Self::default()
        }
    }
}

/// What was done on purpose, and is no violation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// So many messages wait for a person; more or fewer are wrong.
    pub parked: u64,
    /// A mail may come more than once, under one id: a process was killed, or an answer was lost.
    pub mail_copies: bool,
    /// The gateway was told to lose webhooks.
    pub lost_webhooks: bool,
}

/// What the gateway says of one payment intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    pub id: String,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// `requires_capture`, `succeeded`, `canceled` …; empty where only money that moved is listed.
    #[serde(default)]
    pub status: String,
    /// In lower case.
    pub currency: String,
    /// Minor units.
    pub captured: i64,
    /// Succeeded, or still may; minor units.
    pub refunded: i64,
    pub captures: u32,
}

impl Judged {
    #[must_use]
    pub fn booking(&self) -> Option<BookingId> {
        self.metadata.get("booking_id")?.parse().ok()
    }
}

/// The books of the payment gateway.
#[derive(Debug, Clone, Default)]
pub struct GatewayLedger {
    pub intents: Vec<Judged>,
    /// From here on it is whole; bookings that are older are not compared.
    pub since: Option<Instant>,
    /// Intents that took nothing are listed too, with their status.
    pub lists_open: bool,
    /// Events that no receiver has taken yet, where that is known.
    pub webhooks_undelivered: Option<u64>,
}

#[async_trait::async_trait]
pub trait GatewayBooks: Send + Sync {
    /// # Errors
    /// A line that says why they can't be read.
    async fn ledger(&self) -> Result<GatewayLedger, String>;
}

/// Mails as they arrived somewhere, by `Message-ID`.
pub type Arrived = BTreeMap<String, Mail>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    pub to: BTreeSet<String>,
    pub copies: u32,
}

/// A mail server that keeps everything: of tests and demos.
#[async_trait::async_trait]
pub trait MailSink: Send + Sync {
    /// Mails to customers; what operators get is left out.
    ///
    /// # Errors
    /// A line that says why they can't be read.
    async fn arrived(&self) -> Result<Arrived, String>;
}

/// A queue of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDepth {
    pub name: String,
    pub ready: u64,
    /// Zero where it isn't known.
    pub unacked: u64,
}

#[async_trait::async_trait]
pub trait QueueBooks: Send + Sync {
    /// Every queue of the house's vhost.
    ///
    /// # Errors
    /// A line that says why they can't be read.
    async fn depths(&self) -> Result<Vec<QueueDepth>, String>;
}
