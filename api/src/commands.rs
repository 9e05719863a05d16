//! Commands on a booking: `POST …/payment` and `POST …/cancel`. Each has an operation id whose outcome GET
//! lists.

use crate::{
    AppState, Problem,
    auth::Caller,
    body::Json,
    bookings::{Accepted, accept, answer_after_wait, default_deadline, find_or_proven},
    follow::wait_until,
    idempotency::{self, RequestHash, Seen},
    intake,
    layers::{Slot, Trace},
    look::Look,
    params::BookingLink,
    prefer,
    submission::{Cancellation, read_cancellation, read_payment},
    view::{BookingView, Links},
};
use axum::{extract::State, http::HeaderMap, response::Response};
use boxoffice_contracts::{
    Code, Envelope, Instant, Message, MessageId, OperationId, Owner,
    message::booking::{Cancel, CancelledBy, Pay},
    trace::TraceParent,
};
use boxoffice_store::mysql::status::Reach;
use std::time::Duration;

/// An operation that changes nothing raises no version: while a client waits for one, look this often.
const OUTCOME_RECHECK: Duration = Duration::from_secs(1);

/// `POST /v1/bookings/{id}/payment`: pays, or begins a payment that the client finishes with the gateway.
pub(crate) async fn pay(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    slot: Slot,
    BookingLink { id, proof }: BookingLink,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<Response, Problem> {
    let hash = idempotency::request_hash(&body);
    let payment = read_payment(body)?;
    let accepted_at = state.now();
    let look = Look {
        state,
        caller,
        id,
        proof,
    };
    Order {
        kind: "pay",
        look,
        trace,
        slot,
        headers,
        hash,
    }
    .give(|operation_id, deadline| Pay {
        booking_id: id,
        operation_id,
        payment,
        accepted_at,
        deadline,
    })
    .await
}

/// `POST /v1/bookings/{id}/cancel`: the whole booking, or some of its positions.
pub(crate) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    slot: Slot,
    BookingLink { id, proof }: BookingLink,
    headers: HeaderMap,
    Json(body): Json,
) -> Result<Response, Problem> {
    let hash = idempotency::request_hash(&body);
    let Cancellation { positions, reason } = read_cancellation(body)?;
    // Whoever reaches bookings that are not their own acts for the house.
    let by = match caller.reach {
        Reach::Owned(_) => CancelledBy::Customer,
        Reach::Venue { .. } | Reach::Tenant(_) | Reach::AnyOfVenue(_) | Reach::Any => {
            CancelledBy::Staff
        }
        // No command comes by a link to a document.
        Reach::SignedLink(_) => return Err(Problem::new(Code::Forbidden)),
    };
    let look = Look {
        state,
        caller,
        id,
        proof,
    };
    Order {
        kind: "cancel",
        look,
        trace,
        slot,
        headers,
        hash,
    }
    .give(|operation_id, deadline| Cancel {
        booking_id: id,
        operation_id,
        positions,
        by,
        reason,
        deadline,
    })
    .await
}

/// What all commands on a booking have.
pub(crate) struct Order {
    pub(crate) kind: &'static str,
    pub(crate) look: Look,
    pub(crate) trace: TraceParent,
    pub(crate) slot: Slot,
    pub(crate) headers: HeaderMap,
    pub(crate) hash: RequestHash,
}

impl Order {
    /// Publishes the command; waits for its outcome if that was preferred.
    ///
    /// Safe to send twice: the key names the operation, and its message has the same id every time.
    pub(crate) async fn give<M: Message>(
        self,
        command: impl FnOnce(OperationId, Instant) -> M,
    ) -> Result<Response, Problem> {
        let Self {
            kind,
            look,
            trace,
            slot,
            headers,
            hash,
        } = self;
        let state = look.state.clone();
        let key = idempotency::key(&headers)?;
        let (status, version) = find_or_proven(&look).await?;
        let Owner { tenant, subject } = &look.caller.principal.owner;
        let operation_id = OperationId::derive(look.id, tenant, subject, kind, key);
        let now = state.now();
        let mut deadline = default_deadline(&state, now);
        match state.recent.come(operation_id.0, hash, deadline) {
            Seen::Reused => return idempotency::reused(),
            Seen::Same { deadline: first } => deadline = first,
            Seen::Unknown => {}
        }
        let waiting = prefer::wait(&headers)
            .map(|wait| {
                let permit = slot.begin_to_wait(&state)?;
                Ok::<_, Problem>((wait, permit, state.watch.subscribe(look.id)?))
            })
            .transpose()?;

        let message_id = MessageId::of_operation(look.id, operation_id);
        let mut envelope = Envelope::root::<M>(message_id, look.id, now, trace);
        envelope.tenant.clone_from(tenant);
        envelope.deadline = Some(deadline);
        intake::send(
            state.intake.as_ref(),
            envelope,
            &command(operation_id, deadline),
        )
        .await?;
        state.recent.accepted(operation_id.0, hash);

        let accepted = Accepted {
            id: look.id,
            operation_id,
            status,
            version,
            deadline,
            links: Links::of(look.id, look.proof.as_deref()),
        };
        let Some((wait, _permit, mut watching)) = waiting else {
            return Ok(accept(&accepted));
        };
        let until = tokio::time::Instant::now() + wait;
        let reached = |view: &BookingView| view.has_outcome(operation_id) && view.is_at_rest();
        let view = wait_until(&look, &mut watching, until, Some(OUTCOME_RECHECK), reached).await;
        let view = view.ok().filter(|view| view.has_outcome(operation_id));
        Ok(answer_after_wait(&accepted, view, wait))
    }
}
