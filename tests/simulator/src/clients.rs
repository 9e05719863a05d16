//! The outside: clients at the API, who submit, pay, authenticate, abandon and cancel.

use crate::{
    gateway::finish,
    settings::{Method, Part, Wish},
    sim::{Sim, short},
    store::seat,
};
use boxoffice_contracts::{
    BookingId, Envelope, Message, MessageId, OperationId, Owner,
    message::booking::{
        AdmissionRequest, Cancel, CancelledBy, Customer, LatePolicy, Pay, PaymentMethod,
        PositionRequest, SeatRequest, Submit, Tender,
    },
    topology::Exchange,
    trace::TraceParent,
};
use boxoffice_runtime::Wire;
use boxoffice_saga::{Booking, Capture, Phase, Status};
use chrono::TimeDelta;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Long enough for every fault to pass.
const DEADLINE: TimeDelta = TimeDelta::minutes(20);

/// Payments that one client begins.
const PAYMENTS_MAX: u32 = 4;

pub async fn client(sim: Arc<Sim>, wish: Wish) {
    sleep(wish.begins_after).await;
    submit(&sim, &wish).await;
    if let Some(after) = wish.cancels_after {
        let (sim, wish) = (Arc::clone(&sim), wish.clone());
        tokio::spawn(async move {
            sleep(after).await;
            cancel(&sim, &wish, None, "early").await;
        });
    }
    let (mut paid, mut returned) = (0, false);
    loop {
        let wait = sim.state().chance.millis(500, 6_000);
        sleep(wait).await;
        let seen = sim.state().seen.get(&wish.booking).cloned();
        let Some(booking) = seen else { continue };
        match booking.status {
            Status::Held | Status::Confirmed(Capture::Failed { .. })
                if !wish.never_pays && paid < PAYMENTS_MAX && (paid == 0 || wish.pays_again) =>
            {
                paid += 1;
                // Who was declined takes another card.
                let method = if booking.payment.attempt > 0 {
                    Method::Good
                } else {
                    wish.method
                };
                pay(&sim, &wish, method, paid).await;
            }
            Status::Authorizing(Phase::ActionRequired) => {
                if let Method::Asks {
                    passes,
                    answers: true,
                } = wish.method
                {
                    finish(&sim, wish.booking, passes);
                }
            }
            Status::Completed if !returned && wish.returns.is_some() => {
                returned = true;
                let positions = wish.returns.and_then(|part| first(part, &booking));
                cancel(&sim, &wish, positions, "return").await;
            }
            Status::Completed => return,
            status if status.is_terminal() => return,
            _ => {}
        }
    }
}

fn first(part: Part, booking: &Booking) -> Option<Vec<u16>> {
    match part {
        Part::All => None,
        Part::First => Some(booking.live_positions().into_iter().take(1).collect()),
    }
}

fn operation(wish: &Wish, kind: &str, key: &str) -> OperationId {
    OperationId::derive(wish.booking, "house", "client", kind, key)
}

async fn submit(sim: &Arc<Sim>, wish: &Wish) {
    let operation_id = operation(wish, "submit", &wish.key);
    let (now, show_id) = {
        let state = sim.state();
        (state.now, state.data.show.id)
    };
    let seats = wish
        .seats
        .iter()
        .map(|at| PositionRequest::Seat(SeatRequest { seat_id: seat(*at) }));
    let floor = (wish.admissions > 0).then(|| {
        PositionRequest::Admission(AdmissionRequest {
            category: "floor".to_owned(),
            count: wish.admissions,
        })
    });
    let method = wish.method.name().to_owned();
    let message = Submit {
        booking_id: wish.booking,
        operation_id,
        owner: Owner {
            tenant: "house".to_owned(),
            subject: "client".to_owned(),
        },
        show_id,
        positions: seats.chain(floor).collect(),
        customer: Customer {
            email: "client@example.org".to_owned(),
            name: "Client".to_owned(),
            locale: "en".to_owned(),
        },
        payment: (wish.pays_at_once && !wish.never_pays).then_some(PaymentMethod { method }),
        tender: Tender::Card,
        late_policy: LatePolicy::SameSeats,
        request_hash: "0".repeat(64),
        deadline: now + DEADLINE,
    };
    for _ in 0..wish.submits {
        command(sim, wish.booking, operation_id, &message).await;
    }
}

async fn pay(sim: &Arc<Sim>, wish: &Wish, method: Method, count: u32) {
    let operation_id = operation(wish, "pay", &format!("{}-{count}", wish.key));
    let now = sim.state().now;
    let message = Pay {
        booking_id: wish.booking,
        operation_id,
        payment: Some(PaymentMethod {
            method: method.name().to_owned(),
        }),
        accepted_at: now,
        deadline: now + DEADLINE,
    };
    command(sim, wish.booking, operation_id, &message).await;
}

async fn cancel(sim: &Arc<Sim>, wish: &Wish, positions: Option<Vec<u16>>, why: &str) {
    let operation_id = operation(wish, "cancel", &format!("{}-{why}", wish.key));
    let now = sim.state().now;
    let message = Cancel {
        booking_id: wish.booking,
        operation_id,
        positions,
        by: CancelledBy::Customer,
        reason: None,
        deadline: now + DEADLINE,
    };
    command(sim, wish.booking, operation_id, &message).await;
}

/// Sends a command until it is accepted: the same message, whatever the broker said of the former.
async fn command<M: Message>(
    sim: &Arc<Sim>,
    booking: BookingId,
    operation: OperationId,
    message: &M,
) {
    let id = MessageId::of_operation(booking, operation);
    let now = sim.state().now;
    let envelope = Envelope::root::<M>(id, booking, now, TraceParent::root(booking.0));
    let body = serde_json::to_vec(message).unwrap_or_default();
    let wire = Wire::new(Exchange::Intake, &envelope, body);
    loop {
        let wait = {
            let mut state = sim.state();
            state.note("client", M::KIND.as_str(), short(id));
            state.chance.millis(0, 40)
        };
        sleep(wait).await;
        let accepted = sim
            .publish(std::slice::from_ref(&wire), None)
            .iter()
            .all(Result::is_ok);
        if accepted {
            let mut state = sim.state();
            state.note("client", "202", short(id));
            state.ledger.accepted.insert(operation, id);
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
}
