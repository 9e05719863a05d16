//! What the runtime's engine does in a transaction, in memory: inbox, outbox, parked messages, and the commit with
//! what may become of it.

use crate::{
    Planted,
    broker::SimPublisher,
    store::{SimTx, Unsent, down, sent},
};
use boxoffice_contracts::MessageId;
use boxoffice_runtime::{
    Cause, Failure, Outgoing, Wire,
    simulation::{Key, Outbox, Parking, Publish as _, SWEEP_AFTER_SECS, Sent, Transaction},
};
use chrono::TimeDelta;
use std::collections::HashSet;

impl Transaction for SimTx {
    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    async fn claim(&mut self, keys: &[Key]) -> Result<HashSet<Key>, Failure> {
        let keys = keys.to_vec();
        Ok(self
            .on(|state| {
                let outside = state.settings.is(Planted::InboxOutside);
                let mut won = HashSet::new();
                for key in keys {
                    if state.data.inbox.contains_key(&key) {
                        continue;
                    }
                    won.insert(key);
                    if outside {
                        state.data.inbox.insert(key, ());
                    } else {
                        state.put(|data| &mut data.inbox, key, Some(()));
                    }
                }
                won
            })
            .await)
    }

    async fn release(&mut self, keys: &[Key]) -> Result<(), Failure> {
        self.on(|state| {
            for key in keys {
                if !state.settings.is(Planted::InboxOutlivesRetry) {
                    state.put(|data| &mut data.inbox, *key, None);
                }
            }
        })
        .await;
        Ok(())
    }

    async fn unsent_of(&mut self, causes: &[MessageId]) -> Result<Vec<Sent>, Failure> {
        Ok(self
            .on(|state| {
                let before = state.now - TimeDelta::seconds(i64::from(SWEEP_AFTER_SECS));
                let rows = state.data.outbox.iter();
                rows.filter(|(_, row)| row.cause.is_some_and(|cause| causes.contains(&cause)))
                    .filter(|(_, row)| row.at < before)
                    .map(|(id, row)| sent(*id, row))
                    .collect()
            })
            .await)
    }

    async fn park(&mut self, parkings: &[Parking<'_>]) -> Result<(), Failure> {
        self.on(|state| {
            for parking in parkings {
                let key = (parking.queue.to_owned(), parking.envelope.message_id);
                let why = format!(
                    "{} {}: {}",
                    parking.envelope.kind, parking.code, parking.reason
                );
                state.put(|data| &mut data.parked, key, Some(why));
            }
        })
        .await;
        Ok(())
    }

    async fn resolve(&mut self, _replayed: &[Key]) -> Result<(), Failure> {
        Ok(())
    }

    async fn insert(&mut self, outgoing: Vec<Outgoing>) -> Result<Vec<Sent>, Failure> {
        let mut all = Vec::with_capacity(outgoing.len());
        for each in outgoing {
            let message = each.envelope.message_id;
            let unsent = Unsent {
                message,
                cause: each.cause,
                wire: Wire::new(each.exchange, &each.envelope, each.body),
                at: self.port.sim.state().now,
            };
            all.push(
                self.on(|state| {
                    state.data.last_row += 1;
                    let id = state.data.last_row;
                    let written = sent(id, &unsent);
                    state.put(|data| &mut data.outbox, id, Some(unsent));
                    if let Some(open) = &mut state.open {
                        open.wrote.push(message);
                    }
                    written
                })
                .await,
            );
        }
        if self
            .port
            .sim
            .state()
            .settings
            .is(Planted::PublishBeforeCommit)
        {
            let early = SimPublisher(self.port.clone());
            let wires: Vec<Wire> = all.iter().map(|sent| sent.wire.clone()).collect();
            early.publish(&wires).await;
        }
        Ok(all)
    }

    async fn commit(mut self) -> Result<(), Failure> {
        self.port.step("commits", self.number).await;
        let assumed = self.port.sim.state().settings.is(Planted::CommitAssumed);
        let outcome = self
            .on(|state| {
                if state.fault(60) {
                    state.note("store", "deadlock", 0);
                    state.roll_back();
                    return Err(Failure::Conflict(Cause::new(
                        "transaction_conflict",
                        "1213",
                    )));
                }
                let unanswered = state.fault(50);
                if state.is_down || (unanswered && state.chance.one_in(2)) {
                    state.note("store", "no answer, rolled back", 0);
                    state.roll_back();
                    return if assumed {
                        Ok(())
                    } else {
                        Err(down("commit_unknown"))
                    };
                }
                state.commit();
                if unanswered {
                    state.note("store", "no answer, committed", 0);
                    return Err(down("commit_unknown"));
                }
                Ok(())
            })
            .await;
        self.port
            .step("has an answer", u64::from(outcome.is_ok()))
            .await;
        outcome
    }
}
