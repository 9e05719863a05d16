//! Worker `partner-gate`: the only bridge between partners and the house.
//!
//! What partners send comes by queues of their own, in a virtual host of their own; each message is checked, answered
//! with one reply, and — accepted — handed on as the same command that HTTP gives. What they are to know is sent to
//! them from `partner_out`. The queue `partner-gate` of the house only brings what staff release from quarantine.

mod apply;
mod check;
mod door;
mod envelope;
mod kinds;
mod quota;
pub(crate) mod reply;
mod send;
mod strict_json;

use crate::tickets::{ask_documents, documents_are_up};
use apply::{Candidate, Source};
use boxoffice_contracts::{
    MessageId,
    message::partner::Release,
    partner::PartnerId,
    topology::{self, Queue},
};
use boxoffice_runtime::{Beside, BrokerConfig, Cause, Decide, Failure, Job, Tx, Verdict, accepted};
use boxoffice_store::{
    mongo::quarantine::{self, Status},
    status_link::Proofs,
};
use check::{Raw, Way};
use mongodb::Database;
use std::sync::Arc;

accepted! {
    /// What the house tells the gate.
    pub enum Accepted {
        Release(Release),
    }
}

/// What the gate is made of.
#[derive(Clone)]
pub struct GateConfig {
    /// The partners' virtual host; without one the door stays closed.
    pub broker: Option<BrokerConfig>,
    /// What clients call the API by; begins the `type` of problems and links.
    pub public_url: String,
    /// Signs status links, as the API does.
    pub status_link_secret: String,
    /// Deadline of a command whose sender named none, and the furthest that one may name.
    pub deadline_secs: u32,
    pub deadline_secs_max: u32,
    /// Accepted commands that may wait for the house before partners' messages wait in their own queues; at least 1.
    pub backlog_max: u32,
}

impl std::fmt::Debug for GateConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GateConfig")
            .field("broker", &self.broker)
            .finish_non_exhaustive()
    }
}

/// Lets messages that staff release from quarantine pass the gate again.
///
/// Safe to run twice: what is judged is noted under the identity of the message, in the transaction of its reply and of
/// the command that it leads to; a repetition finds the note and sends the same reply once more.
#[derive(Clone, Debug)]
pub struct PartnerGate(Arc<Gate>);

/// What every message is judged with.
#[derive(Debug)]
struct Gate {
    config: GateConfig,
    documents: Database,
    proofs: Proofs,
    layouts: crate::reservations::Layouts,
}

impl PartnerGate {
    #[must_use]
    pub fn new(
        config: GateConfig,
        documents: Database,
        layouts: crate::reservations::Layouts,
    ) -> Self {
        Self(Arc::new(Gate {
            proofs: Proofs::new(&config.status_link_secret),
            config,
            documents,
            layouts,
        }))
    }

    /// The door itself: reads what partners send and sends them what they are to know, until the process stops.
    pub fn door(&self) -> impl FnOnce(Beside) -> futures::future::BoxFuture<'static, ()> + use<> {
        let gate = Arc::clone(&self.0);
        move |beside| Box::pin(door::run(gate, beside))
    }

    async fn release(&self, tx: &mut Tx, job: &Job<Accepted>) -> Result<Verdict, Failure> {
        let Accepted::Release(release) = &job.message;
        let Ok(partner) = release.partner_id.parse::<PartnerId>() else {
            return Ok(park("partner_unknown", "the id is none"));
        };
        let id = release.quarantine_id;
        let found = ask_documents(quarantine::find(&self.0.documents, id)).await?;
        let Some(kept) = found.filter(|kept| kept.partner == partner) else {
            return Ok(park("quarantine_unknown", "no such message is kept"));
        };
        if kept.status == Status::Rejected {
            return Ok(Verdict::Done);
        }
        let body = match &release.event {
            Some(event) => serde_json::to_vec(event)
                .map_err(|error| Failure::Park(Cause::new("unencodable", error.to_string())))?,
            None => kept.body,
        };
        // Of the quarantined message, not of this command: released twice, it is judged once.
        let identity = MessageId::of_answer(MessageId(id), "partner.release.v1");
        let by = Way::Quarantine { identity };
        let candidate = Candidate {
            examined: check::examine(&partner, Raw { body: &body, by }),
            source: Source {
                routing_key: None,
                content_type: None,
                user_id: kept.user_id,
            },
            body,
            redelivered: true,
            over_quota: None,
            repaired_by: Some(release.released_by.subject.clone()),
        };
        apply::judge(&self.0, tx, &partner, &[Arc::new(candidate)]).await?;
        ask_documents(quarantine::close(
            &self.0.documents,
            id,
            Status::Released,
            None,
        ))
        .await?;
        Ok(Verdict::Done)
    }
}

fn park(code: &'static str, detail: &str) -> Verdict {
    Verdict::Park(Cause::new(code, detail))
}

impl Decide for PartnerGate {
    const QUEUES: &'static [Queue] = &[topology::PARTNER_GATE];
    type Message = Accepted;

    async fn decide(&self, tx: &mut Tx, jobs: &[Job<Accepted>]) -> Result<Vec<Verdict>, Failure> {
        let mut verdicts = Vec::with_capacity(jobs.len());
        for job in jobs {
            verdicts.push(self.release(tx, job).await?);
        }
        Ok(verdicts)
    }

    async fn probe(&self) -> bool {
        documents_are_up(&self.0.documents).await
    }
}
