//! Reading a booking for one caller.

use crate::{
    AppState, Problem,
    auth::Caller,
    seats,
    view::{BookingView, Decided, Links, OperationView, PaymentView, PositionView, TicketsView},
};
use boxoffice_contracts::{
    BookingId, Code, Currency, Message, Money, Role, message::booking::Submit,
};
use boxoffice_store::{
    document_link::LinkedDocument,
    mysql::{
        attempts::AttemptState,
        status::{self, WholeStatus},
    },
    reference::reference,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// One who looks at one booking.
#[derive(Clone)]
pub(crate) struct Look {
    pub state: AppState,
    pub caller: Caller,
    pub id: BookingId,
    /// As the link carried it.
    pub proof: Option<String>,
}

impl Look {
    /// As it is now.
    ///
    /// # Errors
    /// 404 for what never was and for what is somebody else's.
    pub(crate) async fn load(&self) -> Result<BookingView, Problem> {
        let found = self.read().await?;
        self.show(found).await
    }

    /// As it was a moment ago, and how long ago, if nothing was heard of it since; for who asks again and again.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn glance(&self) -> Result<(BookingView, Option<Duration>), Problem> {
        let kept = &self.state.kept;
        match kept.find(self.id, &self.caller.reach, self.state.now()) {
            Some(told) => Ok((self.show(Some(told.found)).await?, Some(told.age))),
            None => Ok((self.load().await?, None)),
        }
    }

    async fn read(&self) -> Result<Option<Arc<WholeStatus>>, Problem> {
        let db = &self.state.db;
        let asked_at = Instant::now();
        let Some(found) = status::find_whole_for(db, &self.caller.reach, self.id).await? else {
            return Ok(None);
        };
        let found = Arc::new(found);
        self.state.kept.keep(asked_at, &found);
        Ok(Some(found))
    }

    async fn show(&self, found: Option<Arc<WholeStatus>>) -> Result<BookingView, Problem> {
        let proof = self.proof.as_deref().and_then(|proof| {
            self.state
                .proofs
                .check(self.id, &self.caller.principal.owner, proof)
        });
        match (found, proof) {
            (Some(found), Some(proof)) if !proof.is_of(&found.booking.request_hash) => {
                Ok(self.rejected(Code::IdempotencyKeyReused))
            }
            (Some(found), _) => self.decided(&found).await,
            (None, Some(proof)) => {
                let parked = status::is_parked(&self.state.db, self.id, Submit::KIND).await?;
                if parked && proof.deadline < self.state.now() {
                    return Ok(self.rejected(Code::InternalError));
                }
                let mut view = self.undecided("queued");
                view.phase = parked.then(|| "needs_attention".to_owned());
                Ok(view)
            }
            (None, None) => Err(Problem::new(Code::NotFound)),
        }
    }

    async fn decided(&self, found: &WholeStatus) -> Result<BookingView, Problem> {
        let WholeStatus {
            booking: row,
            positions,
            operations,
        } = found;
        let is_owner = row.owner == self.caller.principal.owner;
        let asks_customer = matches!(row.phase.as_deref(), Some("action_required" | "repaying"));
        let attempt = if is_owner && asks_customer {
            status::last_attempt(&self.state.db, self.id).await?
        } else {
            None
        };
        // The attempt may be ahead of the booking: what is done needs no secret any more.
        let attempt = attempt.filter(|a| a.state == AttemptState::ActionRequired.as_str());
        let currency = Currency::new(&row.currency).map_err(|error| {
            tracing::error!(booking.id = %self.id, %error, "a booking's currency is broken");
            Problem::new(Code::InternalError)
        })?;
        let money = |minor| Money::new(minor, currency);
        let mut links = self.links();
        let has_tickets = is_owner && matches!(row.status.as_str(), "completed" | "paid");
        if has_tickets {
            links.tickets_pdf = Some(self.document_link(LinkedDocument::TicketsPdf));
            links.tickets_ics = Some(self.document_link(LinkedDocument::TicketsIcs));
        }
        let code = row.known_code();
        let alternatives = if row.status == "rejected" && code == Some(Code::SeatsUnavailable) {
            seats::alternatives(&self.state, row.show_id, positions).await
        } else {
            None
        };
        let decided = Decided {
            show_id: row.show_id,
            positions: positions
                .iter()
                .map(|position| PositionView::of(position, currency))
                .collect(),
            total: money(row.total_minor),
            currency,
            tender: row.tender,
            captured: money(row.captured_minor),
            refunded: money(row.refunded_minor),
            hold_expires_at: row.hold_expires_at,
            payment: attempt.map(|attempt| PaymentView {
                attempt: attempt.attempt,
                state: attempt.state,
                client_secret: attempt.client_secret,
                action_url: attempt.action_url,
            }),
            operations: operations.iter().map(OperationView::of).collect(),
            tickets: (is_owner && row.status == "completed").then(|| TicketsView {
                pdf: format!("/v1/bookings/{}/tickets.pdf", self.id),
            }),
            alternatives,
        };
        Ok(BookingView {
            id: row.id,
            reference: reference(row.id),
            status: row.status.clone(),
            phase: row.phase.clone(),
            version: row.version,
            code,
            attention: row.attention.clone().filter(|_| self.sees_attention()),
            server_time: self.state.now(),
            decided: Some(decided),
            links,
        })
    }

    fn undecided(&self, status: &str) -> BookingView {
        BookingView {
            id: self.id,
            reference: reference(self.id),
            status: status.to_owned(),
            phase: None,
            version: 0,
            code: None,
            attention: None,
            server_time: self.state.now(),
            decided: None,
            links: self.links(),
        }
    }

    fn rejected(&self, code: Code) -> BookingView {
        BookingView {
            code: Some(code),
            ..self.undecided("rejected")
        }
    }

    fn links(&self) -> Links {
        Links::of(self.id, self.proof.as_deref())
    }

    fn document_link(&self, document: LinkedDocument) -> String {
        let ttl = Duration::from_secs(u64::from(self.state.config.document_link_ttl_secs));
        let now = self.state.now();
        self.state.links.link(self.id, document, now, ttl)
    }

    fn sees_attention(&self) -> bool {
        !matches!(self.caller.principal.role, Role::Customer | Role::Partner)
    }
}
