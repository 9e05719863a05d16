//! What a partner's feeds and requests for snapshots do. The gate calls it for one message at a time.
//!
//! Safe to run twice: a repetition has the sequence and the content that were taken, and is accepted again without
//! a trace; what it tells has ids that derive from it, and is added once.

mod numbers;
mod places;
mod show;

use boxoffice_contracts::{
    Code, Instant, MessageId, ShowId,
    partner::{
        PartnerId,
        check::Checked,
        event::CloudEvent,
        feed::{FeedEntity, ResyncRequested},
        kinds::RESYNC_REQUESTED,
        snapshot::SnapshotRequest,
    },
    request::fields::FieldError,
};
use boxoffice_runtime::{Cause, Failure};
use boxoffice_store::mysql::{
    partner_events, partner_out::NewPartnerOut, partner_snapshot, partners::Partner,
};
use numbers::Number;
use sea_orm::ConnectionTrait;

pub use boxoffice_contracts::partner::check::check;

/// What became of a message, and what is to be told beside its reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handled {
    pub outcome: Outcome,
    /// To be added to the partner's outbox in the same transaction.
    pub out: Vec<NewPartnerOut>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Accepted {
        /// The house's id of the show that the feed is about.
        show: Option<ShowId>,
    },
    /// Nothing was written.
    Rejected { code: Code, errors: Vec<FieldError> },
}

/// Carries out a message of a feed, or a request for a snapshot.
///
/// `db` must be a transaction: what is read is locked until what is written is committed.
///
/// # Errors
/// When the database refuses; `park` for a kind that is none of these.
pub async fn handle(
    db: &impl ConnectionTrait,
    partner: &Partner,
    message: &CloudEvent,
    now: Instant,
) -> Result<Handled, Failure> {
    let checked = match check(&message.kind, &message.data) {
        Ok(checked) => checked,
        Err(errors) => return Ok(rejected(Code::ValidationFailed, errors)),
    };
    let id = &partner.id;
    match checked {
        Checked::Show(data) => {
            let state = match Number::of(message, FeedEntity::Show, &data.id, &data) {
                Ok(state) => state,
                Err(missing) => return Ok(missing),
            };
            feed(db, id, message, state, now, async |_| {
                show::apply(db, id, &data, now).await
            })
            .await
        }
        Checked::Price(data) => {
            let state = match Number::of(message, FeedEntity::Price, &data.show_id, &data) {
                Ok(state) => state,
                Err(missing) => return Ok(missing),
            };
            feed(db, id, message, state, now, async |_| {
                places::price(db, id, &data).await
            })
            .await
        }
        Checked::Inventory(data) => {
            let state = match Number::of(message, FeedEntity::Inventory, &data.show_id, &data) {
                Ok(state) => state,
                Err(missing) => return Ok(missing),
            };
            feed(db, id, message, state, now, async |_| {
                places::capacity(db, id, &data).await
            })
            .await
        }
        Checked::Snapshot(request) => snapshot(db, id, message, &request, now).await,
        Checked::Submit(_) | Checked::Cancel(_) => Err(Failure::Park(Cause::new(
            "not_a_feed",
            "bookings are commands of their own",
        ))),
    }
}

/// What a feed's message came to: the show that it is about, or why not.
type Applied = Result<ShowId, (Code, Vec<FieldError>)>;

/// Takes a numbered state once, and in order; a gap is told and harms nothing, as each state is whole.
async fn feed(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    message: &CloudEvent,
    number: Number<'_>,
    now: Instant,
    apply: impl AsyncFnOnce(()) -> Result<Applied, Failure>,
) -> Result<Handled, Failure> {
    let last = number.last(db, partner).await?;
    let missing = match number.judge(last.as_ref()) {
        numbers::Verdict::Taken(show) => return Ok(accepted(show, Vec::new())),
        numbers::Verdict::Outdated(mistake) => {
            return Ok(rejected(Code::SequenceOutdated, vec![mistake]));
        }
        numbers::Verdict::Next => None,
        numbers::Verdict::Gap(missing) => Some(missing),
    };
    let show = match apply(()).await? {
        Ok(show) => show,
        Err((code, errors)) => return Ok(rejected(code, errors)),
    };
    number.save(db, partner, show, last.is_none(), now).await?;
    let out = match missing {
        None => Vec::new(),
        Some((missing_from, missing_until)) => {
            let resync = ResyncRequested {
                entity: number.entity,
                id: number.own_id.to_owned(),
                missing_from,
                missing_until,
                at: now,
            };
            vec![tell_resync(partner, message, &resync, now)?]
        }
    };
    Ok(accepted(Some(show), out))
}

fn tell_resync(
    partner: &PartnerId,
    message: &CloudEvent,
    resync: &ResyncRequested,
    now: Instant,
) -> Result<NewPartnerOut, Failure> {
    let cause = MessageId::of_partner(partner.as_str(), &message.id);
    let id = MessageId::of_answer(cause, RESYNC_REQUESTED.as_str());
    let correlation = message.correlationid.as_deref();
    let told = partner_events::message(
        partner,
        RESYNC_REQUESTED,
        id,
        None,
        correlation,
        now,
        resync,
    )?;
    Ok(told)
}

async fn snapshot(
    db: &impl ConnectionTrait,
    partner: &PartnerId,
    message: &CloudEvent,
    request: &SnapshotRequest,
    now: Instant,
) -> Result<Handled, Failure> {
    if partner_snapshot::has_backlog(db, partner).await? {
        return Ok(rejected(Code::RateLimited, Vec::new()));
    }
    let id = MessageId::of_partner(partner.as_str(), &message.id);
    let correlation = message.correlationid.as_deref();
    let snapshot = partner_snapshot::read(db, partner, id, correlation, request.after, now).await?;
    Ok(accepted(None, snapshot.messages))
}

const fn accepted(show: Option<ShowId>, out: Vec<NewPartnerOut>) -> Handled {
    Handled {
        outcome: Outcome::Accepted { show },
        out,
    }
}

const fn rejected(code: Code, errors: Vec<FieldError>) -> Handled {
    Handled {
        outcome: Outcome::Rejected { code, errors },
        out: Vec::new(),
    }
}

/// A refusal that points at one field.
fn refuse<T>(
    code: Code,
    pointer: impl Into<String>,
    detail: impl Into<std::borrow::Cow<'static, str>>,
) -> Result<T, (Code, Vec<FieldError>)> {
    Err((code, vec![FieldError::new(pointer, code.as_str(), detail)]))
}
