//! Sends partners what they are to know, in the order of its numbers, each at least once under one id and one number.
//!
//! A number is given in a transaction of its own before the message leaves: whoever dies after that leaves a row that is
//! sent again as it was. One process sends to a partner at a time, under the lock of its row.

use super::{
    door::{Door, Told},
    reply,
};
use boxoffice_contracts::{
    Instant, MessageId, metric,
    partner::{
        PartnerId,
        broker::{self, CONTENT_TYPE},
        kinds::{PARTNER_ALIVE, PARTNER_REPLY},
        reply::Alive,
    },
};
use boxoffice_runtime::{Cause, Failure, Foreign, Publisher, Service, Wire, clock};
use boxoffice_store::mysql::{
    partner_out::{self, Unsent},
    partners::{Partner, PartnerState},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// Messages of one round.
const ROUND_MAX: u64 = 100;
/// How long the confirms of a round may take; a row is locked meanwhile.
const CONFIRM: Duration = Duration::from_secs(2);
/// How often it is asked for whom something waits, that others wrote.
const ASK_EVERY: Duration = Duration::from_millis(150);
const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// What is promised of it: a round may be under way.
const ALIVE_WITHIN_SECS: u32 = 15;
/// After a round that did not succeed.
const AGAIN_FIRST: Duration = Duration::from_millis(200);
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// Wakes the senders of partners that something waits for, until it is time for something else.
pub(super) async fn wake_waiting(
    door: &Door,
    until: tokio::time::Instant,
    wakes: HashMap<PartnerId, Arc<Notify>>,
) {
    while tokio::time::Instant::now() < until {
        // Who can't ask now says so where the list of partners can't be read.
        let waiting = partner_out::waiting(&door.beside.db)
            .await
            .unwrap_or_default();
        for partner in waiting {
            if let Some(wake) = wakes.get(&partner) {
                wake.notify_one();
            }
        }
        sleep(ASK_EVERY).await;
    }
}

/// Sends to one partner.
pub(super) struct Sender {
    door: Arc<Door>,
    partner: watch::Receiver<Partner>,
    wake: Arc<Notify>,
    /// A channel of its own: an exchange that is gone takes its channel with it.
    publisher: Publisher,
}

/// What a round did.
enum Round {
    /// Everything is sent up to this number.
    Done(u64),
    /// There is more.
    More,
    /// Another process sends.
    Elsewhere,
}

impl Sender {
    pub(super) fn new(
        door: Arc<Door>,
        partner: watch::Receiver<Partner>,
        wake: Arc<Notify>,
    ) -> Self {
        let publisher = Publisher::new(&door.broker);
        Self {
            door,
            partner,
            wake,
            publisher,
        }
    }

    pub(super) async fn run(self, stop: CancellationToken) {
        let id = self.partner.borrow().id.clone();
        let mut alive = interval(ALIVE_EVERY);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut wait) = (Told::default(), AGAIN_FIRST);
        loop {
            let tick = tokio::select! {
                () = self.wake.notified() => false,
                _ = alive.tick() => true,
                () = stop.cancelled() => return,
            };
            let sent = self.rounds(&id, tick, &stop).await;
            let Err(failure) = sent else {
                (told, wait) = (Told::default(), AGAIN_FIRST);
                continue;
            };
            told.once(|| {
                tracing::warn!(partner.id = %id, %failure, "messages to a partner wait");
            });
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(AGAIN_MAX),
                () = stop.cancelled() => return,
            }
            self.wake.notify_one();
        }
    }

    /// Sends until nothing is left; then says that we are alive, if it is time.
    async fn rounds(
        &self,
        id: &PartnerId,
        tick: bool,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        loop {
            match self.round(id).await? {
                Round::More if stop.is_cancelled() => return Ok(()),
                Round::More => {}
                Round::Elsewhere => return Ok(()),
                Round::Done(last) => {
                    let active = self.partner.borrow().state == PartnerState::Active;
                    return if tick && active {
                        self.say_alive(id, last).await
                    } else {
                        Ok(())
                    };
                }
            }
        }
    }

    async fn round(&self, id: &PartnerId) -> Result<Round, Failure> {
        let partner = id.clone();
        let numbered = self.door.beside.transaction(move |tx| async move {
            let last = match partner_out::lock(tx.db(), &partner).await? {
                Some(last) => Some(partner_out::number(tx.db(), &partner, last, ROUND_MAX).await?),
                None => None,
            };
            Ok((tx, last))
        });
        let Some(last) = numbered.await? else {
            return Ok(Round::Elsewhere);
        };
        let (partner, publisher) = (id.clone(), self.publisher.clone());
        let sent = self.door.beside.transaction(move |tx| async move {
            if partner_out::lock(tx.db(), &partner).await?.is_none() {
                return Ok((tx, None));
            }
            let unsent = partner_out::unsent(tx.db(), &partner, ROUND_MAX).await?;
            let results = publish(&publisher, &partner, &unsent).await;
            let confirmed = unsent.iter().zip(&results);
            let confirmed = confirmed.filter(|(_, result)| result.is_ok());
            let confirmed: Vec<u64> = confirmed.map(|(unsent, _)| unsent.id).collect();
            partner_out::mark_sent(tx.db(), confirmed, tx.now().await?).await?;
            let refused = results.into_iter().find_map(Result::err);
            Ok((tx, Some((unsent.len(), refused))))
        });
        match sent.await? {
            None => Ok(Round::Elsewhere),
            Some((_, Some(refused))) => Err(Failure::Down(
                Service::Broker,
                Cause::new("partner_refuses", refused.to_string()),
            )),
            Some((0, None)) => Ok(Round::Done(last)),
            Some((_, None)) => Ok(Round::More),
        }
    }

    async fn say_alive(&self, id: &PartnerId, last_sequence: u64) -> Result<(), Failure> {
        let at = clock::now();
        let name = MessageId::of_partner(
            id.as_str(),
            &format!("{PARTNER_ALIVE} {}", at.timestamp_micros()),
        );
        let data = Alive {
            at,
            last_sequence,
            next_within_secs: ALIVE_WITHIN_SECS,
        };
        let body = reply::event(name, PARTNER_ALIVE, None, None, at, &data)?;
        let wire = Wire::from(foreign(id, &name, PARTNER_ALIVE.as_str(), None, at, body));
        // The next one follows: what can't be said now is not worth a warning of its own.
        if let Err(error) = self
            .publisher
            .publish_within(&[wire], CONFIRM)
            .await
            .remove(0)
        {
            tracing::debug!(partner.id = %id, %error, "a sign of life was not sent");
        }
        Ok(())
    }
}

async fn publish(
    publisher: &Publisher,
    partner: &PartnerId,
    unsent: &[Unsent],
) -> Vec<Result<(), boxoffice_runtime::PublishError>> {
    let since = tokio::time::Instant::now();
    let now = clock::now();
    let wires: Vec<Wire> = unsent
        .iter()
        .map(|message| {
            let correlation = message.correlation_id.clone();
            let body = message.body.clone();
            let key = &message.routing_key;
            Wire::from(foreign(
                partner,
                &message.message_id,
                key,
                correlation,
                now,
                body,
            ))
        })
        .collect();
    let results = publisher.publish_within(&wires, CONFIRM).await;
    if !wires.is_empty() {
        metrics::histogram!(metric::PARTNER_SENT_SECONDS).record(since.elapsed().as_secs_f64());
    }
    results
}

fn foreign(
    partner: &PartnerId,
    id: &MessageId,
    routing_key: &str,
    correlation_id: Option<String>,
    at: Instant,
    body: Vec<u8>,
) -> Foreign {
    let kind = if routing_key.starts_with("reply.") {
        PARTNER_REPLY.as_str()
    } else {
        routing_key
    };
    Foreign {
        exchange: broker::exchange_out(partner),
        routing_key: routing_key.to_owned(),
        content_type: CONTENT_TYPE,
        message_id: id.to_string(),
        kind: kind.to_owned(),
        correlation_id,
        at,
        body,
    }
}
