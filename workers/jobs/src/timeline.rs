//! The timeline worker: writes every event of a booking to MongoDB.

use crate::tickets::{ask_documents, documents_are_up};
use boxoffice_contracts::{
    message::event::{self, BookingFact},
    topology::{self, Queue},
};
use boxoffice_runtime::{Cause, Decide, Failure, Job, Tx, Verdict};
use boxoffice_store::mongo::timelines::{self, Line};
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
        Refunded(event::Refunded),
        Rejected(event::Rejected),
    }
}

impl Accepted {
    /// All events say the same things; their kind tells them apart.
    fn fact(&self) -> &BookingFact {
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
            | Self::Rejected(event::Rejected(fact)) => fact,
        }
    }
}

/// Appends a batch of events to the timelines of their bookings.
///
/// Safe to run twice: a line's id is (booking, version, kind) and a line never changes, so one that is there
/// already is left as it is.
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

    async fn decide(&self, _tx: &mut Tx, jobs: &[Job<Accepted>]) -> Result<Vec<Verdict>, Failure> {
        let lines: Vec<Line> = jobs.iter().map(line).collect();
        let refused = ask_documents(timelines::append(&self.documents, &lines)).await?;
        let mut verdicts = vec![Verdict::Done; jobs.len()];
        for refused in refused {
            if let Some(verdict) = verdicts.get_mut(refused.index) {
                let detail = format!("MongoDB error {}", refused.code);
                *verdict = Verdict::Park(Cause::new("timeline_refused", detail));
            }
        }
        Ok(verdicts)
    }

    async fn probe(&self) -> bool {
        documents_are_up(&self.documents).await
    }
}

fn line(job: &Job<Accepted>) -> Line {
    let fact = job.message.fact();
    Line {
        booking: fact.booking_id,
        show: fact.show_id,
        version: fact.version,
        kind: job.envelope.kind.clone(),
        status: fact.status.clone(),
        code: fact.code.map(|code| code.as_str().to_owned()),
        at: fact.at,
        message: job.id(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_runtime::Decode;

    #[test]
    fn every_kind_of_the_queue_is_known_and_no_other() {
        let mut known = Accepted::KINDS.to_vec();
        known.sort();
        assert_eq!(known, topology::TIMELINE.accepts);
    }
}
