//! Documents of a booking: for its owner, and for whoever holds a link that we signed.

use crate::{
    AppState, Problem,
    auth::Caller,
    bookings::{none_match, put},
    params::{Id, Options},
};
use async_trait::async_trait;
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use boxoffice_contracts::{BookingId, Code, metric};
use boxoffice_store::{
    document_link::LinkedDocument,
    mongo::{
        documents::{self, StoredCalendar, StoredPdf},
        timelines::{self, Cursor},
    },
    mysql::status::{self, BookingStatus, Reach, WholeStatus},
    reference::reference,
    timeline::{self, Line},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Where documents are kept. MongoDB in the product, nothing in this crate's tests.
#[async_trait]
pub trait Documents: Send + Sync {
    /// The newest ticket document of a booking, if one was rendered.
    ///
    /// # Errors
    /// When the store can't be asked.
    async fn ticket_pdf(&self, booking: BookingId) -> Result<Option<StoredPdf>, DocumentsDown>;

    /// The calendar entry beside the newest ticket document.
    ///
    /// # Errors
    /// When the store can't be asked.
    async fn calendar(&self, booking: BookingId) -> Result<Option<StoredCalendar>, DocumentsDown>;

    /// Lines of a booking's timeline, from the first after `after` on.
    ///
    /// # Errors
    /// When the store can't be asked.
    async fn timeline(
        &self,
        booking: BookingId,
        after: Option<Cursor>,
        limit: u16,
    ) -> Result<Vec<Line>, DocumentsDown>;

    /// Lines of a booking's timeline that tell of its documents, as they are stored now: a document whose answer was
    /// lost with its order, and which nobody needs any more, is told of by no event.
    ///
    /// # Errors
    /// When the store can't be asked.
    async fn stored(&self, booking: BookingId) -> Result<Vec<Line>, DocumentsDown>;

    /// Adds lines of a timeline; what is there and says the same or something newer stays.
    ///
    /// # Errors
    /// When the store can't be asked.
    async fn keep(&self, lines: &[Line]) -> Result<(), DocumentsDown>;

    /// The store itself, for what only the product's can answer.
    fn database(&self) -> Option<&mongodb::Database> {
        None
    }
}

/// The product's store.
pub struct MongoDocuments(pub mongodb::Database);

/// The driver waits for ever on a server that hangs. Far below the deadline of a request, so that the answer
/// says what is wrong.
const READ_MAX: Duration = Duration::from_secs(2);

#[async_trait]
impl Documents for MongoDocuments {
    async fn ticket_pdf(&self, booking: BookingId) -> Result<Option<StoredPdf>, DocumentsDown> {
        within(documents::find_ticket_pdf(&self.0, booking)).await
    }

    async fn calendar(&self, booking: BookingId) -> Result<Option<StoredCalendar>, DocumentsDown> {
        within(documents::find_calendar(&self.0, booking)).await
    }

    async fn timeline(
        &self,
        booking: BookingId,
        after: Option<Cursor>,
        limit: u16,
    ) -> Result<Vec<Line>, DocumentsDown> {
        within(timelines::find(&self.0, booking, after.as_ref(), limit)).await
    }

    async fn stored(&self, booking: BookingId) -> Result<Vec<Line>, DocumentsDown> {
        within(timeline::stored(&self.0, booking)).await
    }

    async fn keep(&self, lines: &[Line]) -> Result<(), DocumentsDown> {
        let refused = within(timelines::write(&self.0, lines)).await?;
        for refused in refused {
            tracing::error!(booking.id = %refused.booking, code = refused.code, "a line was refused");
        }
        Ok(())
    }

    fn database(&self) -> Option<&mongodb::Database> {
        Some(&self.0)
    }
}

async fn within<T>(
    asked: impl Future<Output = Result<T, mongodb::error::Error>> + Send,
) -> Result<T, DocumentsDown> {
    match tokio::time::timeout(READ_MAX, asked).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(DocumentsDown(error.to_string())),
        Err(_elapsed) => Err(DocumentsDown("no answer in time".to_owned())),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the documents can't be reached: {0}")]
pub struct DocumentsDown(pub String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoOptions {}

/// What a signed link carries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkOptions {
    /// Seconds since 1970.
    expires: Option<i64>,
    signature: Option<String>,
}

/// `GET /v1/bookings/{id}/tickets.pdf`: a page per seat.
pub(crate) async fn tickets_pdf(
    State(state): State<AppState>,
    caller: Option<Extension<Caller>>,
    Id(id): Id<BookingId>,
    Options(link): Options<LinkOptions>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = LinkedDocument::TicketsPdf;
    let (booking, by) = open(&state, caller, &link, id, document).await?;
    let stored = state.documents.ticket_pdf(id).await;
    let pdf = present(id, stored)?.filter(|pdf| pdf.revision >= booking.ticket_revision);
    let pdf = pdf.ok_or_else(not_ready)?;
    note(id, document, by);
    let file = File {
        kind: "application/pdf",
        name: format!("inline; filename=\"tickets-{}.pdf\"", reference(id)),
        tag: pdf.sha256,
        bytes: pdf.bytes,
    };
    Ok(file.answer(&headers))
}

/// `GET /v1/bookings/{id}/tickets.ics`: the show, for a calendar.
pub(crate) async fn tickets_ics(
    State(state): State<AppState>,
    caller: Option<Extension<Caller>>,
    Id(id): Id<BookingId>,
    Options(link): Options<LinkOptions>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = LinkedDocument::TicketsIcs;
    let (booking, by) = open(&state, caller, &link, id, document).await?;
    let stored = state.documents.calendar(id).await;
    let entry = present(id, stored)?.filter(|entry| entry.revision >= booking.ticket_revision);
    let entry = entry.ok_or_else(not_ready)?;
    note(id, document, by);
    let file = File {
        kind: "text/calendar; charset=utf-8; method=PUBLISH",
        name: format!("attachment; filename=\"tickets-{}.ics\"", reference(id)),
        tag: hex::encode(Sha256::digest(&entry.bytes)),
        bytes: entry.bytes,
    };
    Ok(file.answer(&headers))
}

/// How somebody came to a document.
#[derive(Clone, Copy)]
enum By {
    Token,
    Link,
}

/// The booking, if whoever asks may see its tickets and it has some.
async fn open(
    state: &AppState,
    caller: Option<Extension<Caller>>,
    link: &LinkOptions,
    id: BookingId,
    document: LinkedDocument,
) -> Result<(BookingStatus, By), Problem> {
    let (reach, by) = match caller {
        Some(Extension(caller)) => (caller.reach, By::Token),
        None => (linked(state, link, id, document)?, By::Link),
    };
    let WholeStatus {
        booking, positions, ..
    } = status::find_whole_for(&state.db, &reach, id)
        .await?
        .ok_or_else(|| Problem::new(Code::NotFound))?;
    let stands = match booking.status.as_str() {
        "completed" | "paid" => true,
        // Some seats go back, the tickets of the others stay valid.
        "refunding" => positions.iter().any(|position| position.live),
        _ => false,
    };
    if stands {
        Ok((booking, by))
    } else {
        Err(without_tickets(&booking.status))
    }
}

/// What a link opens. A forged one and one of a booking that never was are the same answer.
fn linked(
    state: &AppState,
    link: &LinkOptions,
    id: BookingId,
    document: LinkedDocument,
) -> Result<Reach, Problem> {
    let refuse = |why: &'static str| {
        metrics::counter!(metric::DOCUMENT_LINKS_REFUSED_TOTAL, "reason" => why).increment(1);
        Problem::new(Code::NotFound)
    };
    let (Some(expires), Some(signature)) = (link.expires, link.signature.as_deref()) else {
        return Err(refuse("incomplete"));
    };
    if !state.links.is_ours(id, document, expires, signature) {
        return Err(refuse("signature"));
    }
    if state.now().timestamp() >= expires {
        return Err(Problem {
            detail: Some("The link has expired; the booking's status shows a new one.".into()),
            ..refuse("expired")
        });
    }
    Ok(Reach::SignedLink(id))
}

fn present<T>(
    id: BookingId,
    stored: Result<Option<T>, DocumentsDown>,
) -> Result<Option<T>, Problem> {
    stored.map_err(|error| {
        tracing::warn!(booking.id = %id, %error, "a document was not read");
        Problem::because(Code::Unavailable, "The documents can't be reached.").retry_after(2)
    })
}

/// An older revision may show a seat that was given back since.
fn not_ready() -> Problem {
    Problem::new(Code::DocumentNotReady).retry_after(1)
}

/// The record of who read what: by which way, never who.
fn note(id: BookingId, document: LinkedDocument, by: By) {
    let by = match by {
        By::Token => "token",
        By::Link => "link",
    };
    let document = document.file_name();
    metrics::counter!(metric::DOCUMENTS_READ_TOTAL, "document" => document, "by" => by)
        .increment(1);
    tracing::info!(booking.id = %id, document.name = document, document.by = by, "document read");
}

struct File {
    kind: &'static str,
    /// Of `Content-Disposition`.
    name: String,
    tag: String,
    bytes: Vec<u8>,
}

impl File {
    fn answer(self, headers: &HeaderMap) -> Response {
        let tag = format!("\"{}\"", self.tag);
        let mut response = if none_match(headers, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut response = self.bytes.into_response();
            put(&mut response, header::CONTENT_TYPE, self.kind);
            put(&mut response, header::CONTENT_DISPOSITION, &self.name);
            response
        };
        put(&mut response, header::ETAG, &tag);
        put(&mut response, header::CACHE_CONTROL, "private, no-cache");
        response
    }
}

/// Before the payment there are no tickets yet; after the end there are none any more.
fn without_tickets(status: &str) -> Problem {
    match status {
        "waiting" | "held" | "authorizing" | "confirmed" => {
            Problem::new(Code::DocumentNotReady).retry_after(1)
        }
        _ => Problem::new(Code::BookingEnded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_that_hangs_is_given_up_before_the_request_is() {
        let began = tokio::time::Instant::now();
        let answer = within(std::future::pending::<Result<(), mongodb::error::Error>>()).await;
        let problem = present(BookingId::derive("t", "s", "k"), answer.map(Some)).unwrap_err();
        assert_eq!(
            (problem.code, problem.retry_after_secs),
            (Code::Unavailable, Some(2))
        );
        assert!(began.elapsed() < crate::ApiConfig::default().request_timeout());
    }
}
