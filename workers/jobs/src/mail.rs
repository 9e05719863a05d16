//! The mail worker: tells customers what became of their booking, if it is still true.

mod again;
mod compose;
mod desk;
mod smtp;
mod truth;

use crate::tickets::{ask_documents, documents_are_up};
use boxoffice_contracts::{
    Instant,
    message::{event::Part, mail},
    planted::{self, Bug},
    topology::{self, Queue},
};
use boxoffice_runtime::{Call, Cause, Failure, Intended, Job, Service, Tx};
use boxoffice_store::{
    document_link::DocumentLinks,
    mongo::documents,
    mysql::{
        mails::{self, Attempt, MailKey, MailState},
        show_facts::BookingFacts,
    },
};
use compose::{Order, Sender, Unsendable};
pub use desk::Desk;
use lettre::message::Mailbox;
use mongodb::Database;
use std::{fmt, sync::Arc, time::Duration};

pub(crate) use again::order_again;
pub(crate) use smtp::{Refusal, SmtpServer};
pub use smtp::{SmtpConfig, SmtpTls};
pub use truth::still_true;

boxoffice_runtime::accepted! {
    /// What the mail worker is told.
    pub enum Accepted { Send(mail::Send) }
}

/// Where mails come from and where they are handed over.
#[derive(Debug, Clone)]
pub struct MailConfig {
    pub smtp: SmtpConfig,
    /// `Box office <tickets@house.example>`.
    pub from: String,
    /// Right of the `@` in the ids of mails; must not change while mails are on their way.
    pub message_id_domain: String,
    /// Where customers look at their bookings: `https://house.example`.
    pub links_base_url: String,
    /// Opens tickets without a token; without it mails point to where one is asked for.
    pub ticket_links: Option<TicketLinks>,
}

/// Links of mails that open the tickets.
#[derive(Debug, Clone)]
pub struct TicketLinks {
    pub links: DocumentLinks,
    /// How long one opens them, from when the mail was ordered.
    pub ttl: Duration,
}

/// A key of [`MailConfig`] that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mail.{key} {reason}")]
pub struct MailConfigError {
    pub key: &'static str,
    pub reason: &'static str,
}

/// Sends a mail about a booking.
///
/// Safe to run twice: a mail has one row, which is leased to the order that sends it and says when it was
/// sent; what a crash sends again has the same `Message-ID`, so that the recipient's server recognises it.
#[derive(Clone)]
pub struct SendMail {
    documents: Database,
    server: Arc<SmtpServer>,
    sender: Arc<Sender>,
}

impl fmt::Debug for SendMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMail")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl SendMail {
    /// # Errors
    /// Which key of the configuration can't be.
    pub fn new(documents: Database, config: MailConfig) -> Result<Self, MailConfigError> {
        let wrong = |key, reason| Err(MailConfigError { key, reason });
        let Ok(from) = config.from.parse::<Mailbox>() else {
            return wrong(
                "from",
                "is no address such as `Box office <tickets@house.example>`",
            );
        };
        let domain = config.message_id_domain;
        let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
        if domain.is_empty() || domain.len() > 150 || !domain.bytes().all(named) {
            return wrong("message_id_domain", "is no host name");
        }
        let base = config.links_base_url.trim_end_matches('/').to_owned();
        if !(base.starts_with("https://") || base.starts_with("http://")) {
            return wrong("links_base_url", "does not begin with https://");
        }
        Ok(Self {
            documents,
            server: Arc::new(SmtpServer::new(config.smtp)),
            sender: Arc::new(Sender {
                from,
                domain,
                links_base_url: base,
                ticket_links: config.ticket_links,
            }),
        })
    }
}

/// How long a mail is left to who is sending it: longer than all answers of a server that are waited for.
const LEASE: chrono::Duration = chrono::Duration::seconds(120);

/// What is to be sent.
#[derive(Debug)]
pub struct ToSend {
    facts: BookingFacts,
    message_id: String,
    ordered_at: Instant,
    attempt: Attempt,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Sent,
    /// With a code, never with what the server wrote.
    Undeliverable(String, Attempt),
}

impl Call for SendMail {
    const QUEUE: Queue = topology::MAIL;
    type Message = Accepted;
    type Intent = ToSend;
    type Answer = Answer;
    type Desk = Desk;

    async fn open(&self, _tx: &Tx, jobs: &[&Job<Accepted>]) -> Result<Desk, Failure> {
        let order = |job: &&Job<Accepted>| {
            let Accepted::Send(order) = &job.message;
            (key(order), job.id())
        };
        Ok(Desk::of(jobs.iter().map(order)))
    }

    async fn close(&self, tx: &mut Tx, desk: Desk) -> Result<(), Failure> {
        desk.close(tx).await
    }

    async fn intend(
        &self,
        tx: &mut Tx,
        desk: &mut Desk,
        job: &Job<Accepted>,
    ) -> Result<Intended<ToSend>, Failure> {
        let Accepted::Send(order) = &job.message;
        let (key, now) = (key(order), tx.now().await?);
        let mail = desk.mail(tx, key, &self.sender.domain).await?;
        match mail.state {
            MailState::Sending => {}
            MailState::Sent | MailState::Superseded | MailState::Undeliverable => {
                return Ok(Intended::Done);
            }
        }
        if mail.busy {
            let cause = Cause::new("mail_busy", "another order is sending it");
            return Err(Failure::Retry(cause));
        }
        let Some(facts) = desk.facts.find(tx, order.booking_id).await? else {
            let detail = order.booking_id.to_string();
            return Err(Failure::Park(Cause::new("booking_unknown", detail)));
        };
        if !still_true(order.template, order.revision, &facts.booking, now) {
            let status = facts.booking.status.as_str();
            let detail = if mail.attempted {
                format!("{status}, {}", mails::MAYBE_SENT)
            } else {
                status.to_owned()
            };
            mails::settle(tx.db(), key, MailState::Superseded, Some(&detail), now).await?;
            crate::timeline::touch(tx, job, order.booking_id, Part::Mail, now)?;
            return Ok(Intended::Done);
        }
        let to_send = ToSend {
            facts,
            message_id: mail.message_id,
            ordered_at: mail.created_at,
            attempt: Attempt {
                repeated: mail.attempted,
                leased_until: now + LEASE,
            },
        };
        if planted::is(Bug::MailBeforeCommit) {
            let answer = self.call(job, to_send).await?;
            self.record(tx, desk, job, answer).await?;
            return Ok(Intended::Done);
        }
        Ok(Intended::Call(to_send))
    }

    async fn call(&self, job: &Job<Accepted>, intent: ToSend) -> Result<Answer, Failure> {
        let Accepted::Send(order) = &job.message;
        let tickets = self.tickets(job, order, &intent.facts).await?;
        let order = Order {
            template: order.template,
            revision: order.revision,
            message_id: &intent.message_id,
            ordered_at: intent.ordered_at,
            facts: &intent.facts,
            tickets: tickets.as_ref(),
        };
        let message = match compose::message(&order, &self.sender) {
            Ok(message) => message,
            Err(Unsendable::Address) => {
                let code = "address_malformed".to_owned();
                return Ok(Answer::Undeliverable(code, intent.attempt));
            }
            Err(Unsendable::Render(detail)) => {
                return Err(Failure::Park(Cause::new("mail_render_failed", detail)));
            }
        };
        match self
            .server
            .send(message.envelope(), &message.formatted())
            .await
        {
            Ok(()) => Ok(Answer::Sent),
            Err(Refusal::Never(code)) => Ok(Answer::Undeliverable(code, intent.attempt)),
            Err(Refusal::Later(code)) => Err(Failure::Retry(Cause::new("mail_deferred", code))),
            Err(Refusal::Unknown(phase)) => {
                Err(Failure::Retry(Cause::new("mail_unanswered", phase)))
            }
            Err(Refusal::Unreachable(phase)) => Err(Failure::Down(
                Service::Mail,
                Cause::new("mail_unreachable", phase),
            )),
        }
    }

    async fn record(
        &self,
        tx: &mut Tx,
        desk: &mut Desk,
        job: &Job<Accepted>,
        answer: Answer,
    ) -> Result<(), Failure> {
        let Accepted::Send(order) = &job.message;
        let (key, now) = (key(order), tx.now().await?);
        match &answer {
            Answer::Sent => desk.sent(key),
            Answer::Undeliverable(code, attempt) => {
                mails::refuse(tx.db(), key, code, *attempt, now).await?;
            }
        }
        crate::timeline::touch(tx, job, order.booking_id, Part::Mail, now)
    }

    /// Both are needed: a mail that waits for its tickets would only pause the queue again.
    async fn probe(&self) -> bool {
        let (server, documents) =
            tokio::join!(self.server.is_up(), documents_are_up(&self.documents));
        server && documents
    }
}

/// Attempts in which a confirmation waits for its tickets; after them it goes without, with a link.
const ATTEMPTS_WITH_TICKETS: u32 = 2;

impl SendMail {
    /// The document to attach. One of older tickets is none: some of those are void.
    async fn tickets(
        &self,
        job: &Job<Accepted>,
        order: &mail::Send,
        facts: &BookingFacts,
    ) -> Result<Option<documents::StoredPdf>, Failure> {
        if !order.template.brings_tickets() {
            return Ok(None);
        }
        let found = documents::find_ticket_pdf(&self.documents, order.booking_id);
        let stored = ask_documents(found).await?;
        let present = stored.filter(|pdf| pdf.revision >= facts.booking.ticket_revision);
        if present.is_none() && job.envelope.attempt < ATTEMPTS_WITH_TICKETS {
            return Err(Failure::Retry(Cause::new(
                "tickets_not_rendered",
                "no document of this revision",
            )));
        }
        Ok(present)
    }
}

fn key(order: &mail::Send) -> MailKey {
    MailKey {
        booking: order.booking_id,
        template: order.template,
        revision: order.revision,
    }
}

#[cfg(test)]
pub(crate) mod tests;
