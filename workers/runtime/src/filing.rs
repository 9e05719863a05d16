//! The role that files parked messages: what could not be decoded, what could not be parked in its own
//! transaction, and what the broker dead-lettered, from the queue into the table.
//!
//! Safe to run twice: rows are keyed by queue and message, and a message is acknowledged only when its row
//! has committed.

use crate::{
    Failure, amqp, guard,
    hand::Delivered,
    parked::{self, Parking},
    publish::Wire,
    role::{self, Env, Role},
    settle::{Move, Settlement},
    telemetry, tx,
};
use boxoffice_contracts::topology::{Exchange, PARKED, Queue, queue};
use std::sync::Arc;

/// Name of the role.
pub(crate) const ROLE: &str = PARKED.name;

/// What the broker calls it when a message was handed out too often.
const DELIVERY_LIMIT: &str = "delivery_limit";

const QUEUES: &[Queue] = &[PARKED];

pub(crate) async fn run(env: Env) {
    let role = Role::start(ROLE, QUEUES, role::no_probe(), env);
    while let Some(batch) = role.take(usize::from(PARKED.batch_max)).await {
        let mut part = batch;
        loop {
            part.retain(|delivered| delivered.usable());
            if part.is_empty() {
                break;
            }
            let attempt = role
                .env
                .tasks
                .spawn(attempt(Arc::clone(&role), part.clone()));
            match guard::guarded(attempt).await {
                Ok(settlement) => {
                    role.progressed();
                    role.settler.settle(settlement).await;
                    break;
                }
                Err(Failure::Down(service, cause)) => {
                    if !role.pause(service, cause).await {
                        break;
                    }
                }
                Err(Failure::Conflict(_)) => role.conflict(ROLE, 1).await,
                Err(failure) => {
                    // There is nowhere further to move it: kept, told, tried again one by one.
                    tracing::error!(%failure, messages = part.len(), "parked messages not filed");
                    if part.len() > 1 {
                        let rest = part.split_off(1);
                        role.hand.put_back(rest);
                    } else {
                        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
                    }
                    if role.env.stop.is_cancelled() {
                        break;
                    }
                }
            }
        }
    }
    role.end().await;
}

async fn attempt(role: Arc<Role>, batch: Vec<Arc<Delivered>>) -> Result<Settlement, Failure> {
    let mut settlement = Settlement::default();
    let (again, filed): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .partition(|delivered| one_more_chance(delivered));
    settlement.moves = again.iter().map(back).collect();
    if filed.is_empty() {
        return Ok(settlement);
    }
    let (db, _) = tx::begin(&role.env.db, &role.env.tasks).await?.into_parts();
    let reasons: Vec<_> = filed.iter().map(|delivered| reason(delivered)).collect();
    let parkings: Vec<_> = filed
        .iter()
        .zip(&reasons)
        .map(|(delivered, (code, reason))| Parking {
            queue: delivered.read.failed_queue.as_deref().unwrap_or(ROLE),
            envelope: &delivered.read.envelope,
            body: &delivered.body,
            code,
            reason,
        })
        .collect();
    parked::park(&db, &parkings).await?;
    tx::commit(db).await?;
    telemetry::handled(ROLE, "done", filed.len());
    filed.iter().for_each(|delivered| delivered.mark.done());
    settlement.ack = filed;
    Ok(settlement)
}

/// The broker's limit counts a worker's crashes on every message in its hands: the first time a message is
/// sent back, to be handled alone.
fn one_more_chance(delivered: &Delivered) -> bool {
    let read = &delivered.read;
    let origin = read.failed_queue.as_deref().and_then(queue);
    read.death_reason.as_deref() == Some(DELIVERY_LIMIT) && !read.alone && origin.is_some()
}

fn back(delivered: &Arc<Delivered>) -> Move {
    let read = &delivered.read;
    tracing::warn!(queue = read.failed_queue, message.id = %read.envelope.message_id,
        "delivered too often: one more chance, alone");
    Move {
        wire: Wire {
            exchange: Exchange::Return.name().to_owned(),
            routing_key: read.failed_queue.clone().unwrap_or_default(),
            properties: amqp::alone_properties(&read.envelope),
            body: delivered.body.clone(),
            mandatory: true,
        },
        delivered: Arc::clone(delivered),
    }
}

/// `code: detail`, as [`crate::settle`] wrote it; else what the broker says.
fn reason(delivered: &Delivered) -> (String, String) {
    let read = &delivered.read;
    match read
        .cause
        .as_deref()
        .and_then(|cause| cause.split_once(": "))
    {
        Some((code, detail)) if read.death_reason.is_none() => (code.to_owned(), detail.to_owned()),
        _ => {
            let death = read.death_reason.as_deref().unwrap_or("unknown");
            let cause = read.cause.as_deref().unwrap_or("the broker gave up on it");
            (death.to_owned(), cause.to_owned())
        }
    }
}
