//! The payments worker: what the saga orders, asked of the gateway, and the answers.
//!
//! Every message is three steps. *Intend* locks the booking's intent, takes its lease and commits the keys of
//! the calls to come, for a batch of messages at once ([`desk`]); *call* talks to the gateway without a transaction; *record* writes what was learned and
//! answers the saga. A message about an intent that another one calls about waits its turn. What a partner's
//! credit pays is answered by *intend* alone ([`credit`]): there is nobody outside to ask.
//!
//! Safe to run twice: a redelivery finds its own lease and sends the same keys, so the gateway replays what it
//! did; whatever is recorded already is answered from the record without a call. A key older than 20 hours is
//! never sent again: then only what the gateway shows decides.

mod attempt;
mod credit;
mod desk;
mod drive;
mod ids;
mod intend;
mod keys;
mod lock;
mod looks;
mod policy;
mod record;
mod refund;
mod standing;
mod tell;
mod webhook;

pub use policy::PaymentsPolicy;

use crate::gateway::{Gateway, GatewayError, RefundView};
use boxoffice_contracts::{
    BookingId, Instant, MessageId, RefundId,
    message::payment,
    topology::{self, Queue},
};
use boxoffice_runtime::{Call, Cause, Failure, Intended, Job, Service, Tx, pool};
use boxoffice_store::mysql::{
    attempts::Attempt,
    calls::{self, CallOutcome},
    intents::{self, Intent, NewGatewayId},
    looks::{self as kept, Look},
    refunds::Refund,
};
use desk::Desk;
use ids::Ids;
use keys::KeyBook;
use looks::Watched;
use sea_orm::DatabaseConnection;
use standing::Standing;
use std::{sync::Arc, time::Duration};

boxoffice_runtime::accepted! {
    /// What the payments queue brings.
    pub enum Order {
        Authorize(payment::Authorize),
        Reconcile(payment::Reconcile),
        Capture(payment::Capture),
        Void(payment::Void),
        Refund(payment::Refund),
        Webhook(payment::Webhook),
    }
}

impl Order {
    const fn booking(&self) -> BookingId {
        match self {
            Self::Authorize(order) => order.booking_id,
            Self::Reconcile(order) => order.booking_id,
            Self::Capture(order) => order.booking_id,
            Self::Void(order) => order.booking_id,
            Self::Refund(order) => order.booking_id,
            Self::Webhook(order) => order.booking_id,
        }
    }
}

/// Calls the gateway for bookings.
#[derive(Debug, Clone)]
pub struct Payments {
    /// For the short transactions between two calls.
    db: DatabaseConnection,
    gateway: Arc<dyn Gateway>,
    /// Deadline of one call.
    call_timeout: Duration,
    policy: PaymentsPolicy,
    ids: Arc<Ids>,
}

/// A call that is going to be made: what it is about, as it was under the lock.
#[derive(Debug)]
pub struct Plan {
    intent: Intent,
    keys: KeyBook,
    now: Instant,
    task: Task,
}

#[derive(Debug)]
enum Task {
    /// Bring an attempt to an answer, by confirming it or by finding out.
    Attempt(Attempt),
    Capture {
        minor: i64,
    },
    Void,
    Refund(Refund),
    /// See where the intent stands, for the attempt of this number.
    Look {
        attempt: Option<u16>,
        /// The attempt was ordered and not begun: what the gateway says of a decline is not about it.
        untried: bool,
    },
    /// See which refunds there are.
    LookAtRefunds,
}

/// What was learned from the gateway.
#[derive(Debug, Clone)]
pub struct Finding {
    booking: BookingId,
    generation: u16,
    /// How the calls with a key ended.
    endings: Vec<(String, CallOutcome)>,
    /// What was asked without a key.
    looks: Vec<Look>,
    learned: Learned,
}

#[derive(Debug, Clone)]
enum Learned {
    Nothing,
    Standing {
        attempt: Option<u16>,
        standing: Standing,
        door: Door,
    },
    /// The authorisation is gone and the intent canceled.
    CaptureRefused,
    Refund {
        id: RefundId,
        view: RefundView,
    },
    RefundRefused {
        id: RefundId,
        word: String,
    },
    Refunds(Vec<RefundView>),
}

/// How the customer can act.
#[derive(Default, Clone, PartialEq, Eq)]
struct Door {
    client_secret: Option<String>,
    action_url: Option<String>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door(..)")
    }
}

impl Payments {
    #[must_use]
    pub fn new(
        db: DatabaseConnection,
        gateway: Arc<dyn Gateway>,
        call_timeout: Duration,
        policy: PaymentsPolicy,
    ) -> Self {
        Self {
            db,
            gateway,
            call_timeout,
            policy,
            ids: Arc::default(),
        }
    }
}

impl Call for Payments {
    const QUEUE: Queue = topology::PAYMENTS;
    type Message = Order;
    type Intent = Box<Plan>;
    type Answer = Finding;

    type Desk = Desk;

    async fn open(&self, tx: &Tx, jobs: &[&Job<Order>]) -> Result<Desk, Failure> {
        let bookings = jobs.iter().map(|job| job.message.booking());
        let events = jobs.iter().filter_map(|job| match &job.message {
            Order::Webhook(order) => Some(order),
            _ => None,
        });
        let events = events.filter(|order| webhook::is_of_interest(&order.event_type));
        let events = events.map(|order| order.event_id.clone());
        Desk::lay(tx, bookings.collect(), events.collect()).await
    }

    async fn close(&self, tx: &mut Tx, desk: Desk) -> Result<(), Failure> {
        desk.clear(tx).await
    }

    async fn intend(
        &self,
        tx: &mut Tx,
        desk: &mut Desk,
        job: &Job<Order>,
    ) -> Result<Intended<Box<Plan>>, Failure> {
        if desk.is_on_credit(job.message.booking()) {
            credit::handle(tx, desk, job).await?;
            return Ok(Intended::Done);
        }
        let plan = match &job.message {
            Order::Authorize(order) => {
                self.intend_attempt(tx, desk, job, order.booking_id, order.attempt)
                    .await?
            }
            Order::Reconcile(order) => {
                self.intend_reconcile(tx, desk, job, order.booking_id, order.attempt)
                    .await?
            }
            Order::Capture(order) => self.intend_capture(tx, desk, job, order).await?,
            Order::Void(order) => self.intend_void(tx, desk, job, order).await?,
            Order::Refund(order) => self.intend_refund(tx, desk, job, order).await?,
            Order::Webhook(order) => self.intend_webhook(tx, desk, job, order).await?,
        };
        Ok(plan.map_or(Intended::Done, |plan| Intended::Call(Box::new(plan))))
    }

    async fn call(&self, job: &Job<Order>, plan: Box<Plan>) -> Result<Finding, Failure> {
        let mut endings = Vec::new();
        let (booking, generation) = (plan.intent.booking, plan.intent.generation);
        let watched = Watched::new(Arc::clone(&self.gateway), booking, job.id());
        let desk = Self {
            gateway: watched.clone(),
            ..self.clone()
        };
        let learned = match &plan.task {
            Task::Attempt(attempt) => desk.bring_to_answer(&plan, attempt, &mut endings).await,
            Task::Capture { minor } => desk.capture(&plan, *minor, &mut endings).await,
            Task::Void => desk.void(&plan, &mut endings).await,
            Task::Refund(refund) => desk.pay_back(&plan, refund, &mut endings).await,
            Task::Look { attempt, untried } => desk.look_for(&plan, *attempt, *untried).await,
            Task::LookAtRefunds => desk.look_at_refunds(&plan).await,
        };
        let looks = watched.take();
        match learned {
            Ok(learned) => Ok(Finding {
                booking,
                generation,
                endings,
                looks,
                learned,
            }),
            Err(failure) => {
                self.leave(&plan, job.id(), &endings, &looks).await?;
                Err(failure)
            }
        }
    }

    async fn record(
        &self,
        tx: &mut Tx,
        desk: &mut Desk,
        job: &Job<Order>,
        found: Finding,
    ) -> Result<(), Failure> {
        record::record(tx, desk, job, found).await
    }

    async fn probe(&self) -> bool {
        self.gateway.probe().await
    }
}

/// How calls with a key ended, as [`calls::conclude`] takes it.
type Endings = Vec<(String, CallOutcome)>;

impl Payments {
    /// Why a question brought no answer. Silence of the whole gateway pauses the consumer; silence about one
    /// payment is that message's own trouble.
    async fn unanswered(&self, error: GatewayError) -> Failure {
        match error {
            GatewayError::NoAnswer(_) | GatewayError::ServerError { .. }
                if !self.gateway.probe().await =>
            {
                Failure::Down(
                    Service::Gateway,
                    Cause::new("gateway_silent", error.to_string()),
                )
            }
            error => without_effect(error),
        }
    }

    /// Keeps how calls ended although the message isn't done: the next try must know. Others may call meanwhile.
    async fn leave(
        &self,
        plan: &Plan,
        me: MessageId,
        endings: &Endings,
        looks: &[Look],
    ) -> Result<(), Failure> {
        let tx = pool::begin(&self.db).await?;
        intents::release(&tx, plan.intent.booking, plan.intent.generation, me).await?;
        calls::conclude(&tx, endings).await?;
        kept::insert(&tx, looks, plan.now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Keeps the gateway's id of an intent before anything is confirmed on it.
    async fn keep_id(&self, intent: &Intent, id: &str) -> Result<(), Failure> {
        let new = NewGatewayId {
            booking: intent.booking,
            generation: intent.generation,
            gateway_id: id.to_owned(),
        };
        self.ids.keep(&self.db, new).await
    }
}

/// What stops a message whose call changed nothing.
fn without_effect(error: GatewayError) -> Failure {
    let detail = error.to_string();
    match error {
        GatewayError::Unreachable(_)
        | GatewayError::RateLimited
        | GatewayError::Credentials { .. } => {
            Failure::Down(Service::Gateway, Cause::new("gateway_unreachable", detail))
        }
        GatewayError::NoAnswer(_) | GatewayError::ServerError { .. } => {
            Failure::Retry(Cause::new("gateway_no_answer", detail))
        }
        GatewayError::InUse => Failure::Retry(Cause::new("gateway_busy", detail)),
        GatewayError::KeyReused => Failure::Park(Cause::new("key_reused", detail)),
        GatewayError::Declined { .. } | GatewayError::Refused { .. } => {
            Failure::Park(Cause::new("gateway_refused", detail))
        }
    }
}
