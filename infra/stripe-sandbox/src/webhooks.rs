//! Telling the world: signed, repeated until a receiver says 2xx, and unreliable when asked to be.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::app::App;
use crate::clock::{now_ms, secs};
use crate::events::{Delivery, Event};
use crate::faults::{Subject, WebhookPlan};
use crate::ledger::Change;

/// A webhook usually comes after the answer it belongs to; a fault can make it come first.
const AFTER_ANSWER: Duration = Duration::from_millis(30);
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// How long a receiver may think about it.
pub(crate) const RECEIVER_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts the delivery of every event; says whether one of them goes out before the answer.
pub(crate) fn dispatch(app: &Arc<App>, events: Vec<Event>) -> bool {
    let mut any_early = false;
    for event in events {
        let WebhookPlan {
            early,
            copies,
            shuffle_ms,
            dropped,
        } = app.faults.for_webhook(&subject_of(app, &event));
        if dropped {
            mark(app, &event.id, Delivery::Dropped);
            continue;
        }
        any_early |= early;
        let event = Arc::new(event);
        for copy in 0..=copies {
            let shuffled = Duration::from_millis(rand::random_range(0..=shuffle_ms));
            let wait = if early {
                shuffled
            } else {
                AFTER_ANSWER + shuffled
            };
            let (task_app, event) = (Arc::clone(app), Arc::clone(&event));
            app.tasks.spawn(async move {
                tokio::select! {
                    () = deliver(&task_app, &event, wait, copy == 0) => {}
                    () = task_app.shutdown.cancelled() => {}
                }
            });
        }
    }
    any_early
}

/// `t=…,v1=…`: the HMAC covers the time and the exact bytes of the body.
pub fn signature(secret: &str, timestamp: i64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        unreachable!("an HMAC takes a key of any length")
    };
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let digest = hex::encode(mac.finalize().into_bytes());
    format!("t={timestamp},v1={digest}")
}

/// The first copy is repeated until every receiver took it; further copies are sent once.
async fn deliver(app: &Arc<App>, event: &Event, wait: Duration, insist: bool) {
    tokio::time::sleep(wait).await;
    let body = event.body().to_string();
    let mut told: Vec<String> = Vec::new();
    let mut pause = RETRY_FIRST;
    loop {
        // Asked anew each time: receivers may have moved.
        let mut untold = app.listeners();
        untold.retain(|url| !told.contains(url));
        let answers = join_all(untold.iter().map(|url| post(app, url, &body))).await;
        if answers.iter().all(|&taken| taken) {
            mark(app, &event.id, Delivery::Delivered);
            return;
        }
        let answered = untold.into_iter().zip(answers);
        told.extend(answered.filter_map(|(url, taken)| taken.then_some(url)));
        // After a reset there is nothing left to tell.
        if !insist || app.ledger().events.get(&event.id).is_none() {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

async fn post(app: &App, url: &str, body: &str) -> bool {
    let signature = signature(&app.config.webhook_secret, secs(now_ms()), body);
    let sent = app
        .http
        .post(url)
        .header("content-type", "application/json")
        .header("stripe-signature", signature)
        .body(body.to_owned())
        .send()
        .await;
    match sent {
        Ok(response) if response.status().is_success() => true,
        Ok(response) => {
            tracing::debug!(webhook.url = url, status = %response.status(), "webhook not taken");
            false
        }
        Err(error) => {
            tracing::debug!(webhook.url = url, %error, "webhook not delivered");
            false
        }
    }
}

fn mark(app: &App, event: &str, delivery: Delivery) {
    let news = app
        .ledger()
        .events
        .get(event)
        .is_some_and(|event| event.delivery != delivery);
    if !news {
        return;
    }
    let change = Change::Delivery {
        event: event.to_owned(),
        delivery,
    };
    if let Err(error) = app.commit(vec![change]) {
        tracing::error!(%error, event.id = event, "the ledger cannot be written");
    }
}

fn subject_of(app: &App, event: &Event) -> Subject {
    let ledger = app.ledger();
    event
        .payment_intent()
        .and_then(|id| ledger.intents.get(id))
        .map(Subject::of)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_the_hmac_of_time_and_body() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_test
        assert_eq!(
            signature("whsec_test", 1_700_000_000, "{}"),
            "t=1700000000,v1=35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91"
        );
    }
}
