//! Carries orders out: asks what is known of shows and bookings, says what can be said at once, and hands the rest on as
//! the command that HTTP gives, under the same ids.

use super::{Accepted, Candidate, understood};
use crate::partner_gate::{
    Gate,
    check::{Refusal, Understood},
    kinds::{CancelOrder, Order, SubmitOrder},
};
use boxoffice_contracts::{
    BookingId, Code, Envelope, Instant, Message, MessageId, OperationId, Owner, SeatId,
    message::booking::{
        AdmissionRequest, Cancel, CancelledBy, PositionRequest, SeatRequest, Submit,
    },
    partner::{PartnerId, event::CloudEvent},
    request::{RequestHash, fields::FieldError},
    topology::Exchange,
    trace::TraceParent,
};
use boxoffice_runtime::{Failure, Outgoing, Tx};
use boxoffice_store::mysql::{
    partner_orders::{self, NewPartnerBooking, Ordered, Standing},
    shows::{self, Show},
};
use chrono::{SubsecRound, TimeDelta};
use std::{collections::HashMap, sync::Arc};

/// What the orders of a batch are judged by, and what they lead to.
pub(super) struct Orders {
    owner: Owner,
    now: Instant,
    shows: HashMap<boxoffice_contracts::ShowId, Show>,
    categories: HashMap<sea_orm::prelude::Uuid, Arc<HashMap<SeatId, String>>>,
    own: HashMap<BookingId, Standing>,
    ordered: HashMap<OperationId, Ordered>,
    bookings: Vec<NewPartnerBooking>,
    operations: Vec<Ordered>,
    commands: Vec<Outgoing>,
}

/// The ids of an order, derived as the API derives them.
#[derive(Clone, Copy)]
struct Ids {
    booking: BookingId,
    operation: OperationId,
}

impl Ids {
    fn of(owner: &Owner, understood: &Understood) -> Self {
        let Owner { tenant, subject } = owner;
        let event = &understood.event;
        let key = event.idempotencykey.as_deref().unwrap_or(&event.id);
        let (booking, kind) = match &understood.order {
            Order::Submit(_) => (BookingId::derive(tenant, subject, key), "submit"),
            Order::Cancel(order) => (order.booking, "cancel"),
            // Has no booking; nothing is kept under what these derive.
            Order::Feed => (BookingId(uuid::Uuid::nil()), "feed"),
        };
        Self {
            booking,
            operation: OperationId::derive(booking, tenant, subject, kind, key),
        }
    }
}

impl Orders {
    /// Asks for everything that the messages touch, in a few queries.
    pub(super) async fn load<'a>(
        gate: &Gate,
        tx: &Tx,
        partner: &PartnerId,
        candidates: impl Iterator<Item = &'a Candidate>,
        now: Instant,
    ) -> Result<Self, Failure> {
        let owner = Owner {
            tenant: partner.as_str().to_owned(),
            subject: partner.as_str().to_owned(),
        };
        let understood: Vec<&Understood> = candidates.filter_map(understood).collect();
        let ids: Vec<Ids> = understood
            .iter()
            .map(|each| Ids::of(&owner, each))
            .collect();
        let mut wanted: Vec<_> = understood
            .iter()
            .filter_map(|each| match &each.order {
                Order::Submit(order) => Some(order.submission.show_id),
                Order::Cancel(_) | Order::Feed => None,
            })
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let shows = shows::find(tx.db(), &wanted).await?;
        let mut categories = HashMap::new();
        for show in shows.values() {
            let layout = gate.layouts.get(tx.db(), show.layout_id).await?;
            categories.insert(show.layout_id, layout);
        }
        Ok(Self {
            own: partner_orders::own(tx.db(), partner, ids.iter().map(|ids| ids.booking)).await?,
            ordered: partner_orders::ordered(tx.db(), ids.iter().map(|ids| ids.operation)).await?,
            owner,
            now,
            shows,
            categories,
            bookings: Vec::new(),
            operations: Vec::new(),
            commands: Vec::new(),
        })
    }

    /// What an order leads to. Nothing is written before [`Orders::write`].
    pub(super) fn carry_out(
        &mut self,
        gate: &Gate,
        candidate: &Candidate,
        understood: &Understood,
    ) -> Result<Accepted, Refusal> {
        let ids = Ids::of(&self.owner, understood);
        let event = &understood.event;
        match &understood.order {
            Order::Submit(order) => self.submit(gate, candidate, event, ids, order),
            Order::Cancel(order) => self.cancel(gate, candidate, event, ids, order),
            Order::Feed => Err(Refusal::rejected(Code::InternalError)),
        }
    }

    fn submit(
        &mut self,
        gate: &Gate,
        candidate: &Candidate,
        event: &CloudEvent,
        ids: Ids,
        order: &SubmitOrder,
    ) -> Result<Accepted, Refusal> {
        if let Some(known) = self.repetition(gate, ids, &order.hash)? {
            return Ok(known);
        }
        // By HTTP, under the same key.
        let born = self
            .own
            .get(&ids.booking)
            .and_then(|own| own.request_hash.as_deref());
        match born {
            Some(hash) if hash == order.hash => {
                let deadline = self.deadline(gate, event, order.submission.deadline)?;
                return Ok(self.accepted(gate, ids, &order.hash, deadline));
            }
            Some(_) => return Err(reused()),
            None => {}
        }
        let deadline = self.deadline(gate, event, order.submission.deadline)?;
        self.is_on_offer(order)?;
        let submission = order.submission.clone();
        let command = Submit {
            booking_id: ids.booking,
            operation_id: ids.operation,
            owner: self.owner.clone(),
            show_id: submission.show_id,
            positions: submission.positions,
            customer: submission.customer,
            payment: submission.payment,
            tender: order.tender,
            late_policy: submission.late_policy,
            request_hash: hex(&order.hash),
            deadline,
        };
        self.hand_on(candidate, event, ids, deadline, &command)?;
        self.bookings.push(NewPartnerBooking {
            booking: ids.booking,
            reference: order.reference.clone(),
            correlation_id: event.correlationid.clone(),
        });
        self.note(ids, &order.hash, deadline);
        self.own.entry(ids.booking).or_insert(Standing {
            version: None,
            request_hash: None,
        });
        Ok(self.accepted(gate, ids, &order.hash, deadline))
    }

    fn cancel(
        &mut self,
        gate: &Gate,
        candidate: &Candidate,
        event: &CloudEvent,
        ids: Ids,
        order: &CancelOrder,
    ) -> Result<Accepted, Refusal> {
        if !self.own.contains_key(&ids.booking) {
            let unknown = FieldError::new("/data/booking_id", "unknown", "is no booking of yours");
            return Err(Refusal::rejected(Code::NotFound).at(vec![unknown]));
        }
        if let Some(known) = self.repetition(gate, ids, &order.hash)? {
            return Ok(known);
        }
        let deadline = self.deadline(gate, event, None)?;
        let command = Cancel {
            booking_id: ids.booking,
            operation_id: ids.operation,
            positions: order.cancellation.positions.clone(),
            by: CancelledBy::Customer,
            reason: order.cancellation.reason.clone(),
            deadline,
        };
        self.hand_on(candidate, event, ids, deadline, &command)?;
        self.note(ids, &order.hash, deadline);
        Ok(self.accepted(gate, ids, &order.hash, deadline))
    }

    /// What was accepted under this key before, if it is the same.
    fn repetition(
        &self,
        gate: &Gate,
        ids: Ids,
        hash: &RequestHash,
    ) -> Result<Option<Accepted>, Refusal> {
        match self.ordered.get(&ids.operation) {
            None => Ok(None),
            Some(known) if known.request_hash == hash => {
                Ok(Some(self.accepted(gate, ids, hash, known.deadline)))
            }
            Some(_) => Err(reused()),
        }
    }

    fn accepted(&self, gate: &Gate, ids: Ids, hash: &RequestHash, deadline: Instant) -> Accepted {
        let version = self.own.get(&ids.booking).and_then(|own| own.version);
        let path = match version {
            Some(_) => format!("/v1/bookings/{}", ids.booking),
            // Nobody else knows yet that it is on its way.
            None => gate
                .proofs
                .status_link(ids.booking, &self.owner, hash, deadline),
        };
        Accepted {
            booking: Some(ids.booking),
            version,
            status_link: Some(format!("{}{path}", gate.base())),
            show: None,
        }
    }

    /// Until when the command is to be decided: what the data and the envelope say, else what is usual.
    fn deadline(
        &self,
        gate: &Gate,
        event: &CloudEvent,
        asked: Option<Instant>,
    ) -> Result<Instant, Refusal> {
        let config = &gate.config;
        let usual = self.now.trunc_subsecs(0) + TimeDelta::seconds(config.deadline_secs.into());
        let furthest = self.now + TimeDelta::seconds(config.deadline_secs_max.into());
        if asked.is_some_and(|asked| asked > furthest) {
            let far = FieldError::new("/data/deadline", "out_of_range", "is too far");
            return Err(Refusal::rejected(Code::ValidationFailed).at(vec![far]));
        }
        let deadline = asked.unwrap_or(usual);
        let deadline = event.expirytime.map_or(deadline, |end| end.min(deadline));
        if deadline <= self.now {
            return Err(Refusal::rejected(Code::DeadlineExceeded));
        }
        Ok(deadline)
    }

    /// What can be said without asking whether seats are free: that is decided where they are claimed.
    fn is_on_offer(&self, order: &SubmitOrder) -> Result<(), Refusal> {
        let wrong = |code: Code, pointer: String, detail: &'static str| {
            Refusal::rejected(code).at(vec![FieldError::new(pointer, code.as_str(), detail)])
        };
        let of_show = |code| wrong(code, "/data/show_id".to_owned(), "can't be booked");
        let submission = &order.submission;
        let show = self
            .shows
            .get(&submission.show_id)
            .ok_or_else(|| of_show(Code::ShowNotFound))?;
        if show.cancelled {
            return Err(of_show(Code::ShowCancelled));
        }
        if self.now < show.sales_from {
            return Err(of_show(Code::SalesNotOpen));
        }
        if self.now >= show.sales_until {
            return Err(of_show(Code::SalesClosed));
        }
        let seats = self.categories.get(&show.layout_id);
        let mut errors = Vec::new();
        let mut first = None;
        for (at, position) in submission.positions.iter().enumerate() {
            let (code, field) = match position {
                PositionRequest::Seat(SeatRequest { seat_id }) => {
                    let category = seats.and_then(|seats| seats.get(seat_id));
                    match category {
                        None => (Code::SeatUnknown, "seat_id"),
                        Some(category) if !show.prices.contains_key(category) => {
                            (Code::CategoryUnknown, "seat_id")
                        }
                        Some(_) => continue,
                    }
                }
                PositionRequest::Admission(AdmissionRequest { category, .. }) => {
                    if show.prices.contains_key(category) {
                        continue;
                    }
                    (Code::CategoryUnknown, "category")
                }
            };
            first.get_or_insert(code);
            let pointer = format!("/data/positions/{at}/{field}");
            errors.push(FieldError::new(
                pointer,
                code.as_str(),
                "is not part of the show",
            ));
        }
        match first {
            None => Ok(()),
            Some(code) => Err(Refusal::rejected(code).at(errors)),
        }
    }

    fn note(&mut self, ids: Ids, hash: &RequestHash, deadline: Instant) {
        let ordered = Ordered {
            operation: ids.operation,
            booking: ids.booking,
            request_hash: hash.to_vec(),
            deadline,
        };
        self.ordered.insert(ids.operation, ordered.clone());
        self.operations.push(ordered);
    }

    /// The command as the API would send it; it leaves with the commit, by the outbox.
    fn hand_on<M: Message>(
        &mut self,
        candidate: &Candidate,
        event: &CloudEvent,
        ids: Ids,
        deadline: Instant,
        command: &M,
    ) -> Result<(), Refusal> {
        let body = serde_json::to_vec(command).map_err(|error| {
            tracing::error!(message.kind = M::KIND.as_str(), %error, "a command can't be encoded");
            Refusal::rejected(Code::InternalError)
        })?;
        let identity = candidate.examined.identity;
        let trace = event
            .traceparent
            .as_deref()
            .and_then(|text| text.parse().ok());
        let trace = trace.unwrap_or_else(|| TraceParent::root(identity.0));
        let id = MessageId::of_operation(ids.booking, ids.operation);
        let mut envelope = Envelope::root::<M>(id, ids.booking, self.now, trace);
        envelope.tenant.clone_from(&self.owner.tenant);
        envelope.deadline = Some(deadline);
        self.commands.push(Outgoing {
            exchange: Exchange::Intake,
            routing_key: command.routing_key().to_owned(),
            envelope,
            body,
            cause: None,
        });
        Ok(())
    }

    /// Writes what was accepted.
    pub(super) async fn write(self, tx: &mut Tx, partner: &PartnerId) -> Result<(), Failure> {
        partner_orders::note(tx.db(), partner, &self.bookings, &self.operations, self.now).await?;
        for command in self.commands {
            tx.publish(command);
        }
        Ok(())
    }
}

fn reused() -> Refusal {
    Refusal::rejected(Code::IdempotencyKeyReused)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
