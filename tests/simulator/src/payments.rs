//! The worker that calls the gateway, in the order of production's: intent, call, record. A model: production's rows of
//! keys, tries and ledger are not here.

use crate::{
    Planted,
    gateway::{Ask, Reply, ask, refund_key},
    settings::Method,
    store::Intent,
    workers::{SimHost, send},
};
use boxoffice_contracts::{BookingId, message::payment};
use boxoffice_runtime::{
    Decode as _, Failure, Job, accepted,
    simulation::{Delivered, Host as _, Sent, Settlement, Store as _, Transaction as _},
};
use std::sync::Arc;
use tokio::time::sleep;

accepted! {
    enum Orders {
        Authorize(payment::Authorize),
        Reconcile(payment::Reconcile),
        Capture(payment::Capture),
        Void(payment::Void),
        Refund(payment::Refund),
        Webhook(payment::Webhook),
    }
}

/// Asks the gateway, one message after the other: intent, call, record.
pub(crate) async fn payments(host: Arc<SimHost>) {
    while let Some(batch) = host.take(1).await {
        for delivered in batch {
            let Ok(message) = Orders::decode(&delivered.read.envelope.kind, &delivered.body) else {
                host.port
                    .sim
                    .state()
                    .broke("an order is what it was declared to be");
                continue;
            };
            let job = Job {
                again: false,
                message,
                envelope: delivered.read.envelope.clone(),
                queue: delivered.key().0,
            };
            let Some(plan) = persist(&host, || intend(&host, &delivered, &job)).await else {
                continue;
            };
            let reply = call(&host, &plan).await;
            persist(&host, || {
                record(&host, &delivered, &job, plan.booking, reply)
            })
            .await;
        }
    }
}

/// Through outages and conflicts.
async fn persist<T, F: Future<Output = Result<T, Failure>>>(
    host: &SimHost,
    run: impl Fn() -> F,
) -> T {
    loop {
        match run().await {
            Ok(done) => return done,
            Err(Failure::Down(service, cause)) => {
                host.pause(service, cause).await;
            }
            Err(_) => host.conflict("payments", 1).await,
        }
    }
}

struct Plan {
    booking: BookingId,
    generation: u16,
    row: Intent,
    ask: Ask,
}

async fn intend(
    host: &SimHost,
    delivered: &Arc<Delivered>,
    job: &Job<Orders>,
) -> Result<Option<Plan>, Failure> {
    let mut tx = host.store.begin().await?;
    tx.clock().await?;
    if tx.handled(delivered.key()).await {
        let sent = tx.unsent_of(&[delivered.id()]).await?;
        drop(tx);
        settle(host, sent, delivered).await;
        return Ok(None);
    }
    let message = &job.message;
    let plan = tx
        .on(|state| {
            let (booking, attempt, generation) = match message {
                Orders::Authorize(order) => (order.booking_id, Some(order.attempt), None),
                Orders::Reconcile(order) => (order.booking_id, Some(order.attempt), None),
                Orders::Capture(order) => (order.booking_id, None, Some(order.generation)),
                Orders::Void(order) => (order.booking_id, None, Some(order.generation)),
                Orders::Refund(order) => (order.booking_id, None, None),
                Orders::Webhook(order) => (order.booking_id, None, None),
            };
            let row = attempt
                .and_then(|no| state.data.attempts.get(&(booking, no)))
                .cloned();
            let generation = generation.or(row.as_ref().map(|row| row.generation));
            let all = state.data.intents.range((booking, 0)..=(booking, u16::MAX));
            let captured = |at: &u16| {
                let there = state.gateway.intents.get(&(booking, *at));
                there.is_some_and(|there| there.captured > 0)
            };
            let known: Vec<u16> = all.map(|((_, generation), _)| *generation).collect();
            let last = match message {
                Orders::Refund(_) => known.iter().copied().find(captured),
                _ => known.last().copied(),
            };
            let generation = generation.or(last)?;
            let intent = *state.data.intents.get(&(booking, generation))?;
            let ask = match message {
                Orders::Authorize(order) => Ask::Confirm {
                    attempt: order.attempt,
                    method: method(row?.method.as_deref()),
                },
                Orders::Reconcile(order) => Ask::Look {
                    attempt: order.attempt,
                },
                Orders::Capture(order) => Ask::Capture {
                    minor: order.amount.minor,
                },
                Orders::Void(_) => Ask::Cancel,
                Orders::Refund(order) => Ask::Refund {
                    refund: order.refund_id,
                    minor: order.amount.minor,
                    key: refund_key(state, order.refund_id),
                },
                Orders::Webhook(_) => Ask::Look {
                    attempt: state.there(booking, generation, intent).attempt.max(1),
                },
            };
            Some(Plan {
                booking,
                generation,
                row: intent,
                ask,
            })
        })
        .await;
    if plan.is_none() {
        tx.on(|state| state.broke("an order finds the rows that were written with it"))
            .await;
    }
    Ok(plan)
}

fn method(name: Option<&str>) -> Method {
    match name {
        Some("pm_card_declined") => Method::Declined,
        Some("pm_card_asks") => Method::Asks {
            passes: true,
            answers: true,
        },
        _ => Method::Good,
    }
}

/// The same question until it is answered; of an authorisation it may be said that nothing was heard.
async fn call(host: &SimHost, plan: &Plan) -> Reply {
    loop {
        if let Some(reply) = ask(
            &host.port,
            plan.booking,
            plan.generation,
            plan.row,
            &plan.ask,
        )
        .await
        {
            return reply;
        }
        if let Ask::Confirm { attempt, .. } | Ask::Look { attempt } = plan.ask
            && host.port.sim.state().chance.one_in(2)
        {
            return Reply::Unknown(attempt);
        }
        sleep(Reply::AGAIN).await;
        if let Ask::Refund { refund, .. } = plan.ask
            && host.port.sim.state().settings.is(Planted::NewRefundKey)
        {
            let key = refund_key(&mut host.port.sim.state(), refund);
            let minor = match plan.ask {
                Ask::Refund { minor, .. } => minor,
                _ => 0,
            };
            let again = Ask::Refund { refund, minor, key };
            if let Some(reply) =
                ask(&host.port, plan.booking, plan.generation, plan.row, &again).await
            {
                return reply;
            }
        }
    }
}

async fn record(
    host: &SimHost,
    delivered: &Arc<Delivered>,
    job: &Job<Orders>,
    booking_id: BookingId,
    reply: Reply,
) -> Result<(), Failure> {
    let mut tx = host.store.begin().await?;
    let now = tx.clock().await?;
    let won = tx.claim(&[delivered.key()]).await?;
    if won.is_empty() {
        let sent = tx.unsent_of(&[delivered.id()]).await?;
        drop(tx);
        settle(host, sent, delivered).await;
        return Ok(());
    }
    let code = Reply::CODE;
    match reply {
        Reply::Authorized(attempt, amount) => send(
            &mut tx,
            job,
            booking_id,
            &payment::Authorized {
                booking_id,
                attempt,
                amount,
            },
            now,
        ),
        Reply::ActionRequired(attempt) => send(
            &mut tx,
            job,
            booking_id,
            &payment::ActionRequired {
                booking_id,
                attempt,
            },
            now,
        ),
        Reply::Declined(attempt) => send(
            &mut tx,
            job,
            booking_id,
            &payment::Declined {
                booking_id,
                attempt,
                code,
            },
            now,
        ),
        Reply::Unknown(attempt) => send(
            &mut tx,
            job,
            booking_id,
            &payment::Unknown {
                booking_id,
                attempt,
            },
            now,
        ),
        Reply::Captured(generation, amount) => send(
            &mut tx,
            job,
            booking_id,
            &payment::Captured {
                booking_id,
                generation,
                amount,
            },
            now,
        ),
        Reply::CaptureFailed(generation) => send(
            &mut tx,
            job,
            booking_id,
            &payment::CaptureFailed {
                booking_id,
                generation,
                code,
            },
            now,
        ),
        Reply::Voided(generation) => send(
            &mut tx,
            job,
            booking_id,
            &payment::Voided {
                booking_id,
                generation,
            },
            now,
        ),
        Reply::Refunded(refund_id, amount) => send(
            &mut tx,
            job,
            booking_id,
            &payment::Refunded {
                booking_id,
                refund_id,
                amount,
            },
            now,
        ),
        Reply::RefundFailed(refund_id, _) => send(
            &mut tx,
            job,
            booking_id,
            &payment::RefundFailed {
                booking_id,
                refund_id,
                code,
            },
            now,
        ),
    }?;
    let outgoing = tx.outbox_mut().take();
    let sent = tx.insert(outgoing).await?;
    tx.commit().await?;
    settle(host, sent, delivered).await;
    Ok(())
}

async fn settle(host: &SimHost, sent: Vec<Sent>, delivered: &Arc<Delivered>) {
    let settlement = Settlement {
        sent,
        ack: vec![Arc::clone(delivered)],
        ..Settlement::default()
    };
    host.settler.settle(settlement).await;
}
