//! The timeline worker: keeps what happened to each booking in MongoDB, for staff to read.

use crate::tickets::{ask_documents, documents_are_up};
use boxoffice_contracts::{
    BookingId, Instant, Message as _, MessageId,
    message::event::{self, BookingFact, Part, Recorded},
    topology::{self, Exchange, Queue},
};
use boxoffice_runtime::{Cause, Decide, Failure, Job, Tx, Verdict};
use boxoffice_store::{
    mongo::timelines,
    timeline::{self, SourceError, Wanted},
};
use mongodb::Database;

boxoffice_runtime::accepted! {
    /// Every event that there is.
    pub enum Accepted {
        ActionRequired(event::ActionRequired),
        AttentionNeeded(event::AttentionNeeded),
        Cancelled(event::Cancelled),
        Completed(event::Completed),
        Confirmed(event::Confirmed),
        Declined(event::Declined),
        Expired(event::Expired),
        Held(event::Held),
        OperationRefused(event::OperationRefused),
        Paid(event::Paid),
        PaymentFailed(event::PaymentFailed),
        PaymentStarted(event::PaymentStarted),
        PositionsCancelled(event::PositionsCancelled),
        Recorded(event::Recorded),
        Refunded(event::Refunded),
        Rejected(event::Rejected),
    }
}

/// What an event says about where to look.
enum Hint<'a> {
    Fact(&'a BookingFact),
    Recorded(&'a Recorded),
}

impl Accepted {
    fn hint(&self) -> Hint<'_> {
        match self {
            Self::ActionRequired(event::ActionRequired(fact))
            | Self::AttentionNeeded(event::AttentionNeeded(fact))
            | Self::Cancelled(event::Cancelled(fact))
            | Self::Completed(event::Completed(fact))
            | Self::Confirmed(event::Confirmed(fact))
            | Self::Declined(event::Declined(fact))
            | Self::Expired(event::Expired(fact))
            | Self::Held(event::Held(fact))
            | Self::OperationRefused(event::OperationRefused(fact))
            | Self::Paid(event::Paid(fact))
            | Self::PaymentFailed(event::PaymentFailed(fact))
            | Self::PaymentStarted(event::PaymentStarted(fact))
            | Self::PositionsCancelled(event::PositionsCancelled(fact))
            | Self::Refunded(event::Refunded(fact))
            | Self::Rejected(event::Rejected(fact)) => Hint::Fact(fact),
            Self::Recorded(recorded) => Hint::Recorded(recorded),
        }
    }

    fn booking(&self) -> BookingId {
        match self.hint() {
            Hint::Fact(fact) => fact.booking_id,
            Hint::Recorded(recorded) => recorded.booking_id,
        }
    }
}

/// Writes the lines that a batch of events hints at.
///
/// Safe to run twice: lines are made from what is committed, not from messages; each has a name, and one that is
/// there is replaced only by a newer state of the same row.
#[derive(Debug, Clone)]
pub struct WriteTimeline {
    documents: Database,
}

impl WriteTimeline {
    #[must_use]
    pub const fn new(documents: Database) -> Self {
        Self { documents }
    }
}

impl Decide for WriteTimeline {
    const QUEUES: &'static [Queue] = &[topology::TIMELINE];
    type Message = Accepted;

    async fn decide(&self, tx: &mut Tx, jobs: &[Job<Accepted>]) -> Result<Vec<Verdict>, Failure> {
        let wanted = wanted(jobs.iter().map(|job| &job.message));
        let lines = match timeline::lines(tx.db(), &self.documents, wanted).await {
            Ok(lines) => lines,
            Err(SourceError::Mysql(error)) => return Err(error.into()),
            Err(SourceError::Documents(error)) => {
                return ask_documents(std::future::ready(Err(error))).await;
            }
        };
        let refused = ask_documents(timelines::write(&self.documents, &lines)).await?;
        let mut verdicts = vec![Verdict::Done; jobs.len()];
        for refused in refused {
            for (job, verdict) in jobs.iter().zip(&mut verdicts) {
                if job.message.booking() == refused.booking {
                    let detail = format!("MongoDB error {}", refused.code);
                    *verdict = Verdict::Park(Cause::new("timeline_refused", detail));
                }
            }
        }
        Ok(verdicts)
    }

    async fn probe(&self) -> bool {
        documents_are_up(&self.documents).await
    }
}

fn wanted<'a>(events: impl Iterator<Item = &'a Accepted>) -> Wanted {
    let mut wanted = Wanted::default();
    for event in events {
        let booking = event.booking();
        let version = match event.hint() {
            Hint::Fact(fact) => fact.version,
            Hint::Recorded(recorded) => match recorded.part {
                Part::Decision => recorded.version,
                Part::Call => {
                    wanted.calls.insert(booking);
                    continue;
                }
                Part::Document => {
                    wanted.documents.insert(booking);
                    continue;
                }
                Part::Mail => {
                    wanted.mails.insert(booking);
                    continue;
                }
            },
        };
        let from = wanted.decisions.entry(booking).or_insert(version);
        *from = version.min(*from);
    }
    wanted
}

/// Says that a worker wrote something down about a booking which no other event tells.
pub(crate) fn touch<M>(
    tx: &mut Tx,
    job: &Job<M>,
    booking_id: BookingId,
    part: Part,
    at: Instant,
) -> Result<(), Failure> {
    let recorded = Recorded {
        booking_id,
        part,
        version: 0,
        at,
    };
    let id = MessageId::of_answer(job.id(), Recorded::KIND.as_str());
    tx.send(
        Exchange::Events,
        &job.envelope,
        id,
        booking_id,
        &recorded,
        at,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::ShowId;
    use boxoffice_runtime::Decode;

    #[test]
    fn every_kind_of_the_queue_is_known_and_no_other() {
        let mut known = Accepted::KINDS.to_vec();
        known.sort();
        assert_eq!(known, topology::TIMELINE.accepts);
    }

    #[test]
    fn a_batch_looks_once_at_each_booking_from_its_first_version_on() {
        let (one, two) = (
            BookingId::derive("house", "s", "1"),
            BookingId::derive("house", "s", "2"),
        );
        let at = "2026-11-21T12:00:00Z".parse().unwrap();
        let fact = |booking_id, version| BookingFact {
            booking_id,
            show_id: ShowId::from_slug("show"),
            version,
            status: "paid".to_owned(),
            at,
            code: None,
        };
        let recorded = |booking_id, part, version| {
            Accepted::Recorded(Recorded {
                booking_id,
                part,
                version,
                at,
            })
        };
        let events = [
            Accepted::Paid(event::Paid(fact(one, 4))),
            Accepted::Confirmed(event::Confirmed(fact(one, 3))),
            recorded(two, Part::Mail, 0),
            recorded(one, Part::Decision, 5),
        ];
        let wanted = wanted(events.iter());
        assert_eq!(wanted.decisions.into_iter().collect::<Vec<_>>(), [(one, 3)]);
        assert_eq!(wanted.mails.into_iter().collect::<Vec<_>>(), [two]);
        assert!(wanted.calls.is_empty() && wanted.documents.is_empty());
    }
}
