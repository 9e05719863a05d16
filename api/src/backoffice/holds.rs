//! Holding and releasing queues and roles: one order each, written with its audit.

use super::{Actor, of_the_house, only_reason, reason};
use crate::{
    AppState, Problem,
    auth::Caller,
    body,
    fields::{Fields, Mistakes, Wrong, text},
    layers::Trace,
    params::Id,
};
use axum::{Json, extract::State};
use boxoffice_contracts::{Code, Instant, topology, topology::roles::ROLES, trace::TraceParent};
use boxoffice_runtime::{
    controls::{self, Control, Hold, Target},
    pool,
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt, future::BoxFuture};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// Furthest end of a hold that ends by itself.
const DAYS_MAX: i64 = 30;

/// One order as it is shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Hold")]
pub(crate) struct HoldView {
    /// `queue` or `role`.
    pub target: &'static str,
    pub name: String,
    /// `pause` or `drain`.
    pub mode: &'static str,
    pub reason: String,
    pub by: String,
    pub at: Instant,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Instant>,
}

impl HoldView {
    pub(crate) fn of(control: &Control) -> Self {
        Self {
            target: control.target.kind(),
            name: control.target.name().to_owned(),
            mode: control.hold.as_str(),
            reason: control.reason.clone(),
            by: control.by.clone(),
            at: control.at,
            until: control.until,
        }
    }
}

/// A queue or role that is held now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Held")]
pub(crate) struct HeldView {
    pub hold: HoldView,
    /// What this means beyond the queue itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<&'static str>,
}

/// A queue or role that is no longer held by this order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Released")]
pub(crate) struct ReleasedView {
    /// The order that was taken back; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<HoldView>,
    /// Orders that hold it all the same.
    pub still: Vec<HoldView>,
}

/// A queue that has a worker; what only waits can't be held.
pub(crate) fn queue(name: &str) -> Result<Target, Problem> {
    match topology::queue(name) {
        Some(queue) => Ok(Target::Queue(queue.name.to_owned())),
        None => Err(Problem::new(Code::NotFound)),
    }
}

/// A role that a worker runs.
pub(crate) fn role(name: &str) -> Result<Target, Problem> {
    let known = ROLES.iter().any(|role| role.name == name && name != "api");
    if known {
        Ok(Target::Role(name.to_owned()))
    } else {
        Err(Problem::new(Code::NotFound))
    }
}

/// What a handler answers.
type Answer<T> = BoxFuture<'static, Result<Json<T>, Problem>>;

/// Finds what a path names.
type Named = fn(&str) -> Result<Target, Problem>;

/// What an order does.
type Carry<V> = for<'a> fn(Order<'a>, Value) -> BoxFuture<'a, Result<V, Problem>>;

pub(crate) fn pause(order: Order<'_>, body: Value) -> BoxFuture<'_, Result<HeldView, Problem>> {
    order.hold(Hold::Pause, body).boxed()
}

pub(crate) fn drain(order: Order<'_>, body: Value) -> BoxFuture<'_, Result<HeldView, Problem>> {
    order.hold(Hold::Drain, body).boxed()
}

pub(crate) fn resume(
    order: Order<'_>,
    body: Value,
) -> BoxFuture<'_, Result<ReleasedView, Problem>> {
    order.release(body).boxed()
}

/// Handler of `POST /v1/backoffice/{queues|workers}/{name}/{pause|drain|resume}`.
pub(crate) fn handler<V: Send + 'static>(
    named: Named,
    carry: Carry<V>,
) -> impl Fn(State<AppState>, Caller, Trace, Id<String>, body::Json) -> Answer<V>
+ Clone
+ Send
+ Sync
+ 'static {
    move |State(state): State<AppState>,
          caller,
          Trace(trace),
          Id(name): Id<String>,
          body::Json(body)| {
        let done = async move {
            let order = Order {
                state: &state,
                caller: &caller,
                trace,
                target: named(&name)?,
            };
            Ok(Json(carry(order, body).await?))
        };
        done.boxed()
    }
}

/// What an operator should know before the telephone rings.
fn warning(name: &str) -> Option<&'static str> {
    Some(match name {
        "alerts" => "Nobody is told of alerts while it is held; they are told afterwards.",
        "hold-expiry" => {
            "No hold lapses and no lost command is sent again while it is held: seats stay taken."
        }
        "mail" => {
            "Customers get no mail while it is held; mails that are no longer true are not sent afterwards."
        }
        "parked" => {
            "What fails is not filed while it is held: it waits in the queue, and the list of parked messages lacks it."
        }
        "payments" => "No payment moves while it is held; holds of seats lapse at their time.",
        "queue-watch" => {
            "Nobody looks while it is held: figures stay as they are and no alert is raised."
        }
        "reservations" => {
            "No booking moves while it is held, paid ones included; holds of seats lapse at their time."
        }
        "reservations.submit" => {
            "New bookings stay `queued` while it is held, those of its other lines, too."
        }
        line if topology::queue(line).is_some_and(|queue| queue.line_of.is_some()) => {
            "New bookings of the shows in this line stay `queued` while it is held."
        }
        "tickets" => "Bookings complete without their documents after a minute.",
        _ => return None,
    })
}

/// Who orders it, and within which request.
pub(crate) struct Order<'a> {
    pub state: &'a AppState,
    pub caller: &'a Caller,
    pub trace: TraceParent,
    pub target: Target,
}

impl Order<'_> {
    /// Holds the target until it is released, or until the time that the body names.
    ///
    /// # Errors
    /// 422 for the body; what the database refuses.
    pub(crate) async fn hold(self, hold: Hold, body: Value) -> Result<HeldView, Problem> {
        of_the_house(self.caller)?;
        let now = self.state.now();
        let Terms { reason, until } = Terms::read(body, now)?;
        let control = Control {
            target: self.target.clone(),
            hold,
            reason,
            by: self.caller.principal.owner.subject.clone(),
            at: now,
            until,
        };
        let tx = pool::begin(&self.state.db).await?;
        controls::set(&tx, &control).await?;
        let detail = json!({"mode": hold.as_str(), "until": until});
        self.audit(&tx, hold.as_str(), &control.reason, detail)
            .await?;
        tx.commit().await?;
        Ok(HeldView {
            hold: HoldView::of(&control),
            warning: warning(self.target.name()),
        })
    }

    /// Takes the order back.
    ///
    /// # Errors
    /// 422 for the body; what the database refuses.
    pub(crate) async fn release(self, body: Value) -> Result<ReleasedView, Problem> {
        of_the_house(self.caller)?;
        let reason = only_reason(body)?;
        let tx = pool::begin(&self.state.db).await?;
        let was = controls::lift(&tx, &self.target).await?;
        if let Some(was) = &was {
            let detail = json!({"mode": was.hold.as_str(), "held_since": was.at, "by": was.by});
            self.audit(&tx, "resume", &reason, detail).await?;
        }
        let still = controls::effective(&tx).await?;
        tx.commit().await?;
        let still = still.iter().filter(|control| match &self.target {
            Target::Queue(name) => {
                topology::queue(name).is_some_and(|queue| control.concerns(queue.role(), name))
            }
            Target::Role(role) => match &control.target {
                Target::Role(name) => name == role,
                Target::Queue(name) => {
                    topology::queue(name).is_some_and(|queue| queue.role() == role)
                }
            },
        });
        Ok(ReleasedView {
            was: was.as_ref().map(HoldView::of),
            still: still.map(HoldView::of).collect(),
        })
    }

    async fn audit(
        &self,
        tx: &sea_orm::DatabaseTransaction,
        verb: &str,
        reason: &str,
        detail: Value,
    ) -> Result<(), Problem> {
        let actor = Actor {
            caller: self.caller,
            trace: self.trace,
            now: self.state.now(),
        };
        let kind = self.target.kind();
        let (action, target) = (
            format!("{kind}.{verb}"),
            format!("{kind}:{}", self.target.name()),
        );
        actor
            .audit(tx, &action, &target, Some(reason), detail)
            .await?;
        Ok(())
    }
}

/// What the body of a hold says.
#[derive(Debug, PartialEq, Eq)]
struct Terms {
    reason: String,
    until: Option<Instant>,
}

impl Terms {
    fn read(body: Value, now: Instant) -> Result<Self, Problem> {
        let mut mistakes = Mistakes::default();
        let (mut said, mut until) = (None, None);
        if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
            said = reason(&mut fields, &mut mistakes);
            let both = fields.has("until") && fields.has("for");
            until = fields.optional("until", &mut mistakes, text(|text| instant(&text, now)));
            let lasting = fields.optional("for", &mut mistakes, text(|text| lasting(&text)));
            if both {
                mistakes.add("/for", ("conflict", "goes without `until`"));
            }
            until = until.or(lasting.map(|lasting| now + lasting));
            fields.finish(&mut mistakes);
        }
        mistakes.refuse()?;
        let reason = said.ok_or_else(|| Problem::new(Code::ValidationFailed))?;
        Ok(Self { reason, until })
    }
}

fn instant(text: &str, now: Instant) -> Result<Instant, Wrong> {
    let Ok(at) = DateTime::parse_from_rfc3339(text) else {
        return Err(("malformed", "is no time such as 2026-11-21T20:15:00Z"));
    };
    let at = at.with_timezone(&Utc);
    if at <= now || at > now + TimeDelta::days(DAYS_MAX) {
        return Err(("out_of_range", "lies in the future, at most 30 days ahead"));
    }
    Ok(at)
}

/// `90s`, `15m`, `2h`, `1d`.
fn lasting(text: &str) -> Result<TimeDelta, Wrong> {
    let malformed = ("malformed", "is no time such as 90s, 15m, 2h or 1d");
    let unit = text.chars().last().ok_or(malformed)?;
    let number = &text[..text.len() - unit.len_utf8()];
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) || number.len() > 9 {
        return Err(malformed);
    }
    let number: i64 = number.parse().map_err(|_error| malformed)?;
    let unit_secs = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(malformed),
    };
    let lasting = TimeDelta::seconds(number * unit_secs);
    if lasting <= TimeDelta::zero() || lasting > TimeDelta::days(DAYS_MAX) {
        return Err(("out_of_range", "is more than nothing and at most 30d"));
    }
    Ok(lasting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::clock_at;

    fn read(body: Value) -> Result<Terms, Vec<(String, &'static str)>> {
        Terms::read(body, clock_at(0)).map_err(|problem| {
            let errors = problem.errors.into_iter();
            errors.map(|error| (error.pointer, error.code)).collect()
        })
    }

    #[test]
    fn a_hold_has_a_reason_and_may_have_an_end() {
        let until = |body: Value| read(body).unwrap().until;
        assert_eq!(until(json!({"reason": "deploy"})), None);
        for (lasting, secs) in [("90s", 90), ("15m", 900), ("2h", 7_200), ("1d", 86_400)] {
            let body = json!({"reason": "deploy", "for": lasting});
            assert_eq!(until(body), Some(clock_at(secs)), "{lasting}");
        }
        let body = json!({"reason": "deploy", "until": clock_at(60)});
        assert_eq!(until(body), Some(clock_at(60)));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let wrong = |body: Value| read(body).unwrap_err();
        let told = |at: &str, code| vec![(at.to_owned(), code)];
        assert_eq!(wrong(json!({})), told("/reason", "required"));
        for lasting in ["", "m", "15", "15x", "-1m", "1.5h", "15µ", "99999999999d"] {
            let body = json!({"reason": "x", "for": lasting});
            assert_eq!(wrong(body), told("/for", "malformed"), "{lasting}");
        }
        for lasting in ["0m", "31d"] {
            let body = json!({"reason": "x", "for": lasting});
            assert_eq!(wrong(body), told("/for", "out_of_range"), "{lasting}");
        }
        let past = json!({"reason": "x", "until": clock_at(-1)});
        assert_eq!(wrong(past), told("/until", "out_of_range"));
        let both = json!({"reason": "x", "for": "1m", "until": clock_at(60)});
        assert_eq!(wrong(both), told("/for", "conflict"));
        let unknown = json!({"reason": "x", "force": true});
        assert_eq!(wrong(unknown), told("/force", "unknown_field"));
    }

    #[test]
    fn only_what_a_worker_takes_can_be_held() {
        assert!(queue("tickets").is_ok() && role("hold-expiry").is_ok());
        for name in ["unroutable", "retry.1s", "", "Tickets"] {
            assert_eq!(queue(name).unwrap_err().code, Code::NotFound, "{name}");
        }
        for name in ["api", "nobody"] {
            assert_eq!(role(name).unwrap_err().code, Code::NotFound, "{name}");
        }
    }
}
