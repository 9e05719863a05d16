//! Documents of a booking.

use crate::{
    AppState, Problem,
    auth::Caller,
    bookings::{none_match, put},
    params::{Id, Options},
};
use async_trait::async_trait;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use boxoffice_contracts::{BookingId, Code};
use boxoffice_store::{
    mongo::{
        documents::{self, StoredPdf},
        timelines::{self, Cursor},
    },
    mysql::status,
    reference::reference,
    timeline::Line,
};
use serde::Deserialize;

/// Where documents are kept. MongoDB in the product, nothing in this crate's tests.
#[async_trait]
pub trait Documents: Send + Sync {
    /// The newest ticket document of a booking, if one was rendered.
    ///
    /// # Errors
    /// When the store can't be asked.
    async fn ticket_pdf(&self, booking: BookingId) -> Result<Option<StoredPdf>, DocumentsDown>;

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
}

/// The product's store.
pub struct MongoDocuments(pub mongodb::Database);

#[async_trait]
impl Documents for MongoDocuments {
    async fn ticket_pdf(&self, booking: BookingId) -> Result<Option<StoredPdf>, DocumentsDown> {
        let found = documents::find_ticket_pdf(&self.0, booking).await;
        found.map_err(|error| DocumentsDown(error.to_string()))
    }

    async fn timeline(
        &self,
        booking: BookingId,
        after: Option<Cursor>,
        limit: u16,
    ) -> Result<Vec<Line>, DocumentsDown> {
        let found = timelines::find(&self.0, booking, after.as_ref(), limit).await;
        found.map_err(|error| DocumentsDown(error.to_string()))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the documents can't be reached: {0}")]
pub struct DocumentsDown(pub String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoOptions {}

/// `GET /v1/bookings/{id}/tickets.pdf`: a page per seat, for the owner.
pub(crate) async fn tickets_pdf(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<BookingId>,
    Options(NoOptions {}): Options<NoOptions>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let booking = status::find_for(&state.db, &caller.reach, id)
        .await?
        .ok_or_else(|| Problem::new(Code::NotFound))?;
    if booking.status != "completed" && booking.status != "paid" {
        return Err(without_tickets(&booking.status));
    }
    let stored = state.documents.ticket_pdf(id).await.map_err(|error| {
        tracing::warn!(booking.id = %id, %error, "a document was not read");
        Problem::because(Code::Unavailable, "The documents can't be reached.").retry_after(2)
    })?;
    // An older revision may show a seat that was given back since.
    let pdf = stored
        .filter(|pdf| pdf.revision >= booking.ticket_revision)
        .ok_or_else(|| Problem::new(Code::DocumentNotReady).retry_after(1))?;

    let tag = format!("\"{}\"", pdf.sha256);
    let mut response = if none_match(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = pdf.bytes.into_response();
        put(&mut response, header::CONTENT_TYPE, "application/pdf");
        let name = format!("inline; filename=\"tickets-{}.pdf\"", reference(id));
        put(&mut response, header::CONTENT_DISPOSITION, &name);
        response
    };
    put(&mut response, header::ETAG, &tag);
    put(&mut response, header::CACHE_CONTROL, "private, no-cache");
    Ok(response)
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
