//! The tickets worker: makes the ticket document of a booking and stores it, with a calendar entry beside it.

mod document;
mod shelf;

use crate::{
    calendar::{self, CalendarNames},
    facts::Facts,
};
use boxoffice_contracts::{
    BookingId, Instant, Message as _, MessageId,
    message::{
        booking::POSITIONS_MAX,
        ticket::{Render, Rendered},
    },
    metric,
    topology::{self, Exchange, Queue},
};
use boxoffice_documents::{RenderError, TicketDocument, TicketSigner, ics, ticket_pdf};
use boxoffice_runtime::{Call, Cause, Failure, Intended, Job, Service, Tx};
use boxoffice_saga::Status;
use boxoffice_store::{
    mongo::{
        self,
        documents::{self, NewPdf},
    },
    mysql::show_facts::BookingFacts,
};
use mongodb::Database;
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};

use shelf::Shelf;

pub use document::TicketsConfig;

boxoffice_runtime::accepted! {
    /// What the tickets worker is told.
    pub enum Accepted { Render(Render) }
}

/// Renders a document, stores it and says so.
///
/// Safe to run twice: a document is stored once per (booking, revision), by its key; whoever comes second, or again
/// after a crash, answers with the hash of the one that is stored.
#[derive(Debug, Clone)]
pub struct RenderTickets {
    documents: Database,
    shelf: Shelf,
    signer: Arc<TicketSigner>,
    config: Arc<TicketsConfig>,
    calendar: Arc<CalendarNames>,
}

/// How long one document may take; five hundred times what it takes. The thread is not stopped by it, but ends by
/// itself: the renderer refuses more than [`ticket_pdf::PAGES_MAX`] pages and looks at no text beyond a few hundred
/// characters, so that the largest document takes seconds and a few megabytes (`documents/tests/bounds.rs`).
const RENDER_MAX: Duration = Duration::from_secs(10);

impl RenderTickets {
    #[must_use]
    pub fn new(
        documents: Database,
        signer: TicketSigner,
        config: TicketsConfig,
        calendar: CalendarNames,
    ) -> Self {
        Self {
            shelf: Shelf::new(documents.clone()),
            documents,
            signer: Arc::new(signer),
            config: Arc::new(config),
            calendar: Arc::new(calendar),
        }
    }

    /// Renders on a thread that may be busy; whatever panics there ends here.
    async fn render(&self, facts: BookingFacts) -> Result<Vec<u8>, Failure> {
        let (signer, config) = (Arc::clone(&self.signer), Arc::clone(&self.config));
        let rendering = tokio::task::spawn_blocking(move || {
            let document = document::of(&facts, &signer, &config)?;
            warn_of_uncovered(facts.booking.id, &document);
            ticket_pdf::render(&document).map_err(|error: RenderError| error.to_string())
        });
        match tokio::time::timeout(RENDER_MAX, rendering).await {
            Ok(Ok(Ok(bytes))) => Ok(bytes),
            // The same facts fail again: a person must look.
            Ok(Ok(Err(detail))) => Err(Failure::Park(Cause::new(RENDER_FAILED, detail))),
            Ok(Err(_panicked)) => Err(Failure::Park(Cause::new(RENDER_FAILED, "panicked"))),
            // The machine may have been busy.
            Err(_elapsed) => Err(Failure::Retry(Cause::new(
                "render_slow",
                "no document in time",
            ))),
        }
    }
}

/// No ticket fails for a character, but somebody should know that `□` stands in its place.
fn warn_of_uncovered(booking: BookingId, document: &TicketDocument) {
    let missing = ticket_pdf::uncovered(document).unwrap_or_default();
    if missing.is_empty() {
        return;
    }
    metrics::counter!(metric::TICKETS_UNCOVERED_TOTAL).increment(1);
    let characters: Vec<String> = missing
        .iter()
        .take(UNCOVERED_SHOWN_MAX)
        .map(|&c| format!("U+{:04X}", u32::from(c)))
        .collect();
    tracing::warn!(
        booking.id = %booking,
        ticket.uncovered = characters.join(" "),
        "the ticket's fonts lack characters of the show"
    );
}

const UNCOVERED_SHOWN_MAX: usize = 20;
/// Every booking that is accepted can be rendered.
const _: () = assert!(POSITIONS_MAX <= ticket_pdf::PAGES_MAX);

const RENDER_FAILED: &str = "render_failed";

/// What is to be rendered.
#[derive(Debug)]
pub struct ToRender {
    facts: BookingFacts,
    now: Instant,
}

impl Call for RenderTickets {
    const QUEUE: Queue = topology::TICKETS;
    type Message = Accepted;
    type Intent = ToRender;
    /// Hash of the stored document, in hex.
    type Answer = String;
    type Desk = Facts;

    async fn open(&self, _tx: &Tx, jobs: &[&Job<Accepted>]) -> Result<Facts, Failure> {
        let of = |job: &&Job<Accepted>| {
            let Accepted::Render(order) = &job.message;
            order.booking_id
        };
        Ok(Facts::of(jobs.iter().map(of)))
    }

    async fn intend(
        &self,
        tx: &mut Tx,
        desk: &mut Facts,
        job: &Job<Accepted>,
    ) -> Result<Intended<ToRender>, Failure> {
        let Accepted::Render(order) = &job.message;
        let Some(facts) = desk.find(tx, order.booking_id).await? else {
            let detail = order.booking_id.to_string();
            return Err(Failure::Park(Cause::new("booking_unknown", detail)));
        };
        if !is_wanted(&facts, order.revision) {
            tracing::info!(booking.id = %order.booking_id, revision = order.revision, "tickets overtaken");
            return Ok(Intended::Done);
        }
        Ok(Intended::Call(ToRender {
            facts,
            now: tx.now().await?,
        }))
    }

    async fn call(&self, job: &Job<Accepted>, intent: ToRender) -> Result<String, Failure> {
        let Accepted::Render(order) = &job.message;
        let ToRender { facts, now } = intent;
        let Render {
            booking_id: booking,
            revision,
        } = *order;
        let db = &self.documents;
        // A document that is there all the same, by an order of another id, stays and is answered with.
        if job.again {
            let find = documents::find_ticket_hash(db, booking, revision);
            if let Some(sha256) = ask_documents(find).await? {
                return Ok(sha256);
            }
        }
        let entry = calendar::entry(&facts, revision, now, &self.calendar).map_err(|unknown| {
            Failure::Park(Cause::new("ticket_render_failed", unknown.to_string()))
        })?;
        let entry = ics::render(&entry);
        let bytes = self.render(facts).await?;
        let document = NewPdf {
            booking,
            revision,
            sha256: hash_of(&bytes),
            bytes,
            calendar: entry,
            now,
        };
        ask_documents(self.shelf.store(document)).await
    }

    async fn record(
        &self,
        tx: &mut Tx,
        _desk: &mut Facts,
        job: &Job<Accepted>,
        sha256: String,
    ) -> Result<(), Failure> {
        let Accepted::Render(order) = &job.message;
        let booking: BookingId = order.booking_id;
        let answer = Rendered {
            booking_id: booking,
            revision: order.revision,
            sha256,
        };
        let id = MessageId::of_answer(job.id(), Rendered::KIND.as_str());
        let now = tx.now().await?;
        tx.send(Exchange::Commands, &job.envelope, id, booking, &answer, now)
    }

    async fn probe(&self) -> bool {
        documents_are_up(&self.documents).await
    }
}

/// Whether these tickets are still the ones that admit, and nobody has stored them: orders are repeated while the first
/// one waits, until the booking hears that it was carried out. A void ticket is never printed.
fn is_wanted(facts: &BookingFacts, revision: u16) -> bool {
    let stands = match facts.booking.status {
        Status::Paid | Status::Completed | Status::Refunding => true,
        Status::Waiting
        | Status::Held
        | Status::Authorizing(_)
        | Status::Confirmed(_)
        | Status::Cancelling
        | Status::Rejected
        | Status::PaymentFailed
        | Status::Expired
        | Status::Cancelled
        | Status::Refunded => false,
    };
    let booking = &facts.booking;
    let missing = booking.rendered_revision < revision;
    stands && missing && booking.ticket_revision <= revision && facts.admitted().next().is_some()
}

fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// How long MongoDB may take: the driver itself waits for ever on a server that hangs.
const DOCUMENTS_MAX: Duration = Duration::from_secs(8);

/// Asks MongoDB, and tells an outage from a fault of this message.
pub(crate) async fn ask_documents<T>(
    asked: impl Future<Output = Result<T, mongodb::error::Error>> + Send,
) -> Result<T, Failure> {
    let down = |cause| Failure::Down(Service::Documents, cause);
    match tokio::time::timeout(DOCUMENTS_MAX, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if mongo::is_outage(&error) => {
            Err(down(Cause::new("documents_unreachable", error.to_string())))
        }
        Ok(Err(error)) => Err(Failure::Retry(Cause::new(
            "documents_refused",
            error.to_string(),
        ))),
        Err(_elapsed) => Err(down(Cause::new("documents_slow", "no answer in time"))),
    }
}

/// Whether MongoDB takes writes.
pub(crate) async fn documents_are_up(documents: &Database) -> bool {
    tokio::time::timeout(DOCUMENTS_MAX, mongo::is_up(documents))
        .await
        .unwrap_or(false)
}

#[cfg(test)]
mod tests;
