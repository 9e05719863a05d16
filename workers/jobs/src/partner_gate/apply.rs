//! Judges a batch of one partner in one transaction: what was said before is said again, what is new gets a reply, and
//! what is accepted becomes a command of the house. All of it commits together.

mod orders;

use super::{
    Gate,
    check::{Examined, Refusal, Understood},
    kinds::Order,
    reply,
};
use crate::{partner_feed, tickets::ask_documents};
use boxoffice_contracts::{
    BookingId, Code, Instant, MessageId, Owner, Role, ShowId, metric,
    partner::{
        PartnerId, kinds,
        reply::{Outcome, Reply, Warned, routing_key},
    },
    principal::TENANT_HOUSE,
};
use boxoffice_runtime::{Cause, Failure, Tx};
use boxoffice_store::{
    mongo::quarantine::{self, BODY_BYTES_MAX, Quarantined, Status},
    mysql::{
        audit,
        partner_inbox::{self, Judged},
        partner_out::{self, NewPartnerOut},
        partners::{self, Partner},
    },
};
use chrono::{SubsecRound, TimeDelta};
use orders::Orders;
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use uuid::Uuid;

/// So many messages in quarantine within [`WINDOW`], and the partner is warned.
pub(super) const WARN_AT: u64 = 20;
/// So many, and it is suspended.
pub(super) const SUSPEND_AT: u64 = 200;
const WINDOW: TimeDelta = TimeDelta::minutes(5);

/// A message that was examined, and what else is known of it.
#[derive(Debug)]
pub(super) struct Candidate {
    pub examined: Examined,
    pub source: Source,
    pub body: Vec<u8>,
    /// The broker handed it out before: what was judged then stands.
    pub redelivered: bool,
    /// Seconds until there is quota again.
    pub over_quota: Option<u32>,
    /// Who released it from quarantine.
    pub repaired_by: Option<String>,
}

/// Properties that are kept with a quarantined message.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    pub routing_key: Option<String>,
    pub content_type: Option<String>,
    pub user_id: Option<String>,
}

/// What an accepted message led to.
#[derive(Debug, Clone, Default)]
pub(super) struct Accepted {
    pub booking: Option<BookingId>,
    pub version: Option<u32>,
    pub status_link: Option<String>,
    /// The show that a feed is about.
    pub show: Option<ShowId>,
}

/// How a batch went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judgement {
    pub new: usize,
    pub repeated: usize,
    pub suspended: bool,
}

/// Judges messages in the order of their arrival.
///
/// Locks nothing that others wait for; written is only what is the partner's own, and the outbox.
pub(super) async fn judge(
    gate: &Gate,
    tx: &mut Tx,
    partner: &PartnerId,
    candidates: &[Arc<Candidate>],
) -> Result<Judgement, Failure> {
    let now = tx.now().await?;
    let before = partner_inbox::find(
        tx.db(),
        partner,
        candidates.iter().map(|each| identity(each)),
    )
    .await?;
    let (mut fresh, repeated) = sort(tx, partner, candidates, &before).await?;
    fresh.sort_by_key(|(at, _)| *at);
    let mut orders = Orders::load(gate, tx, partner, fresh.iter().map(|(_, c)| *c), now).await?;
    let mut page = Page::default();
    let mut feeder = Feeder::default();
    for (_, candidate) in &fresh {
        let result = match &candidate.examined.result {
            Err(refusal) => Err(refusal.clone()),
            Ok(_) if candidate.over_quota.is_some() => Err(Refusal {
                retry_after_secs: candidate.over_quota,
                ..Refusal::rejected(Code::QuotaExceeded)
            }),
            Ok(understood) => match &understood.order {
                Order::Feed => {
                    let feeder = feeder.get_or_load(tx, partner).await?;
                    let handled =
                        partner_feed::handle(tx.db(), feeder, &understood.event, now).await?;
                    page.out.extend(handled.out);
                    told_by_feed(handled.outcome)
                }
                Order::Submit(_) | Order::Cancel(_) => {
                    orders.carry_out(gate, candidate, understood)
                }
            },
        };
        page.add(
            gate,
            partner,
            candidate,
            before.get(&identity(candidate)),
            result,
            now,
        )?;
    }
    ask_documents(quarantine::keep(&gate.documents, &page.quarantined)).await?;
    orders.write(tx, partner).await?;
    partner_inbox::note(tx.db(), partner, &page.judged).await?;
    let suspended = escalate(tx, partner, &mut page, now).await?;
    partner_out::append(tx.db(), &page.out, now).await?;
    page.count();
    Ok(Judgement {
        new: fresh.len(),
        repeated,
        suspended,
    })
}

/// The partner's row, for the feeds; read when the first of a batch asks for it.
#[derive(Default)]
struct Feeder(Option<Partner>);

impl Feeder {
    async fn get_or_load(&mut self, tx: &Tx, id: &PartnerId) -> Result<&Partner, Failure> {
        let partner = match self.0.take() {
            Some(partner) => partner,
            None => partners::find(tx.db(), id).await?.ok_or_else(|| {
                Failure::Park(Cause::new(
                    "partner_unknown",
                    "its row is not there any more",
                ))
            })?,
        };
        Ok(self.0.insert(partner))
    }
}

fn told_by_feed(outcome: partner_feed::Outcome) -> Result<Accepted, Refusal> {
    match outcome {
        partner_feed::Outcome::Accepted { show } => Ok(Accepted {
            show,
            ..Accepted::default()
        }),
        partner_feed::Outcome::Rejected { code, errors } => Err(Refusal::rejected(code).at(errors)),
    }
}

fn identity(candidate: &Candidate) -> MessageId {
    candidate.examined.identity
}

type Placed<'a> = (usize, &'a Candidate);

/// What is new, and how many were said before and are said again.
///
/// A refusal that may pass later is judged anew when the partner sends the message again, but not when the broker
/// does: a delivery has one reply.
async fn sort<'a>(
    tx: &Tx,
    partner: &PartnerId,
    candidates: &'a [Arc<Candidate>],
    before: &HashMap<MessageId, Judged>,
) -> Result<(Vec<Placed<'a>>, usize), Failure> {
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    let mut met = HashSet::new();
    let mut twice = 0;
    for (at, candidate) in candidates.iter().enumerate() {
        if !met.insert(identity(candidate)) {
            twice += 1;
            continue;
        }
        match before.get(&identity(candidate)) {
            Some(judged) if candidate.redelivered || !may_pass_later(judged) => {
                again.push((at, &**candidate, judged.reply_id));
            }
            Some(_) | None => fresh.push((at, &**candidate)),
        }
    }
    let known =
        partner_out::send_again(tx.db(), partner, again.iter().map(|(_, _, id)| *id)).await?;
    let repeated = twice + known.len();
    // What was forgotten is judged anew, which its keys make harmless: nobody stays without a reply.
    let forgotten = again.into_iter().filter(|(_, _, id)| !known.contains(id));
    fresh.extend(forgotten.map(|(at, candidate, _)| (at, candidate)));
    Ok((fresh, repeated))
}

fn may_pass_later(judged: &Judged) -> bool {
    let code = judged.code.as_deref().and_then(Code::from_text);
    judged.outcome == Outcome::Rejected && code.is_some_and(Code::retryable)
}

/// What is to be written about a batch.
#[derive(Default)]
struct Page {
    judged: Vec<Judged>,
    out: Vec<NewPartnerOut>,
    quarantined: Vec<Quarantined>,
    counts: Vec<(&'static str, Outcome)>,
}

impl Page {
    fn add(
        &mut self,
        gate: &Gate,
        partner: &PartnerId,
        candidate: &Candidate,
        before: Option<&Judged>,
        result: Result<Accepted, Refusal>,
        now: Instant,
    ) -> Result<(), Failure> {
        let examined = &candidate.examined;
        let (label, known) = (&examined.label, examined.known);
        // Another judgement of the same message is another reply.
        let reply_id = match before {
            None => MessageId::of_answer(examined.identity, kinds::PARTNER_REPLY.as_str()),
            Some(before) => MessageId::of_answer(before.reply_id, kinds::PARTNER_REPLY.as_str()),
        };
        let mut said = Reply {
            outcome: Outcome::Accepted,
            kind: known.map(str::to_owned),
            message_id: label.event_id.clone(),
            booking_id: None,
            version: None,
            status_link: None,
            show_id: None,
            problem: None,
            quarantine_id: None,
            kept_until: None,
            repaired_by: candidate.repaired_by.clone(),
        };
        let mut code = None;
        match result {
            Ok(accepted) => {
                said.booking_id = accepted.booking;
                said.version = accepted.version;
                said.status_link = accepted.status_link;
                said.show_id = accepted.show;
            }
            Err(refusal) => {
                let problem = reply::problem(gate, &refusal);
                said.outcome = refusal.outcome;
                code = Some(refusal.code.as_str().to_owned());
                if refusal.outcome == Outcome::Quarantined {
                    let problem = serde_json::to_string(&problem).unwrap_or_default();
                    let kept = keep(partner, candidate, problem, now);
                    said.quarantine_id = Some(kept.id.to_string());
                    said.kept_until = Some(kept.kept_until().trunc_subsecs(0));
                    self.quarantined.push(kept);
                }
                said.problem = Some(problem);
            }
        }
        let subject = said.booking_id.map(|id| id.to_string());
        let correlation = label.correlation_id.as_deref();
        self.out.push(NewPartnerOut {
            partner: partner.clone(),
            message_id: reply_id,
            routing_key: routing_key(known, said.outcome),
            booking: said.booking_id,
            correlation_id: label.correlation_id.clone(),
            body: reply::event(
                reply_id,
                kinds::PARTNER_REPLY,
                subject,
                correlation,
                now,
                &said,
            )?,
        });
        self.judged.push(Judged {
            message_id: examined.identity,
            outcome: said.outcome,
            code,
            reply_id,
            at: now,
        });
        self.counts.push((known.unwrap_or("unknown"), said.outcome));
        Ok(())
    }

    /// Told when the transaction is as good as committed; a rare repetition counts twice.
    fn count(&self) {
        for (kind, outcome) in &self.counts {
            metrics::counter!(metric::PARTNER_MESSAGES_TOTAL, "kind" => *kind, "outcome" => outcome.as_str())
                .increment(1);
        }
    }
}

fn keep(partner: &PartnerId, candidate: &Candidate, problem: String, now: Instant) -> Quarantined {
    let label = &candidate.examined.label;
    let id: Uuid = MessageId::of_answer(candidate.examined.identity, "partner.quarantine").0;
    let Source {
        routing_key,
        content_type,
        user_id,
    } = candidate.source.clone();
    let cut = candidate.body.len() > BODY_BYTES_MAX;
    Quarantined {
        id,
        partner: partner.clone(),
        event_id: label.event_id.clone(),
        kind: label.kind.clone(),
        correlation_id: label.correlation_id.clone(),
        routing_key,
        content_type,
        user_id,
        body: candidate.body[..candidate.body.len().min(BODY_BYTES_MAX)].to_vec(),
        cut,
        problem,
        at: now.trunc_subsecs(3),
        status: Status::Waiting,
        closed: None,
    }
}

/// Warns a partner that sends much that can't be understood, and suspends it in the end. `true` when it was.
async fn escalate(
    tx: &Tx,
    partner: &PartnerId,
    page: &mut Page,
    now: Instant,
) -> Result<bool, Failure> {
    let new = page.quarantined.len() as u64;
    if new == 0 {
        return Ok(false);
    }
    let count = partner_inbox::quarantined_since(tx.db(), partner, now - WINDOW).await?;
    let crossed = |line| count >= line && count.saturating_sub(new) < line;
    if crossed(WARN_AT) {
        tracing::warn!(partner.id = %partner, quarantined = count, "partner warned");
        let window = now.timestamp().div_euclid(WINDOW.num_seconds());
        let id = MessageId::of_partner(
            partner.as_str(),
            &format!("{} {window}", kinds::PARTNER_WARNED),
        );
        let warned = Warned {
            code: Code::QuotaExceeded,
            detail: format!(
                "{count} messages were quarantined within {} minutes.",
                WINDOW.num_minutes()
            ),
            observed: Some(count),
            limit: Some(SUSPEND_AT),
            at: now,
        };
        page.out.push(NewPartnerOut {
            partner: partner.clone(),
            message_id: id,
            routing_key: kinds::PARTNER_WARNED.as_str().to_owned(),
            booking: None,
            correlation_id: None,
            body: reply::event(id, kinds::PARTNER_WARNED, None, None, now, &warned)?,
        });
    }
    if count < SUSPEND_AT {
        return Ok(false);
    }
    let reason = format!("{count} messages were quarantined within 5 minutes");
    let suspended = partners::suspend(tx.db(), partner, &reason, now).await?;
    if suspended {
        tracing::warn!(partner.id = %partner, quarantined = count, "partner suspended");
        let who = Owner {
            tenant: TENANT_HOUSE.to_owned(),
            subject: "partner-gate".to_owned(),
        };
        let deed = audit::Deed {
            at: now,
            who: &who,
            role: Role::Operator,
            action: "partner.suspend",
            target: &format!("partner:{partner}"),
            reason: Some(&reason),
            detail: json!({ "quarantined": count }),
            trace_id: None,
        };
        audit::append(tx.db(), &deed).await?;
    }
    Ok(suspended)
}

/// The message that a candidate brings, for who knows that it was understood.
pub(super) fn understood(candidate: &Candidate) -> Option<&Understood> {
    candidate.examined.result.as_ref().ok()
}
