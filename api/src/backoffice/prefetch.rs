//! How many messages the consumers of a queue take ahead: another number than the topology's, and back again.

use super::{Actor, of_the_house, reason};
use crate::{
    AppState, Problem,
    auth::Caller,
    body,
    fields::{Fields, Mistakes, whole},
    layers::Trace,
    params::Id,
};
use axum::{Json, extract::State};
use boxoffice_contracts::{
    Code, Instant,
    topology::{self, Queue},
};
use boxoffice_runtime::{
    pool,
    prefetch::{self, PREFETCH_MAX, Prefetch},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// What a consumer of the queue takes ahead.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Prefetch")]
pub(crate) struct PrefetchView {
    /// Messages, for each consumer.
    pub messages: u16,
    /// What the topology says.
    pub default: u16,
    /// Why it is another number; absent where it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Instant>,
}

impl PrefetchView {
    pub(crate) fn of(queue: &Queue, orders: &[Prefetch]) -> Self {
        let order = prefetch::of(orders, queue.name);
        Self {
            messages: order.map_or(queue.prefetch, |order| order.prefetch),
            default: queue.prefetch,
            reason: order.map(|order| order.reason.clone()),
            by: order.map(|order| order.by.clone()),
            at: order.map(|order| order.at),
        }
    }
}

/// `POST /v1/backoffice/queues/{name}/prefetch`.
pub(crate) async fn set(
    State(state): State<AppState>,
    caller: Caller,
    Trace(trace): Trace,
    Id(name): Id<String>,
    body::Json(body): body::Json,
) -> Result<Json<PrefetchView>, Problem> {
    let queue = topology::queue(&name).ok_or_else(|| Problem::new(Code::NotFound))?;
    of_the_house(&caller)?;
    let Wanted { prefetch, reason } = Wanted::read(body)?;
    let now = state.now();
    let tx = pool::begin(&state.db).await?;
    let order = prefetch.map(|prefetch| Prefetch {
        queue: name.clone(),
        prefetch,
        reason: reason.clone(),
        by: caller.principal.owner.subject.clone(),
        at: now,
    });
    let before = match &order {
        Some(order) => prefetch::set(&tx, order).await?,
        None => prefetch::reset(&tx, &name).await?,
    };
    let actor = Actor {
        caller: &caller,
        trace,
        now,
    };
    let detail = json!({
        "from": before.map_or(queue.prefetch, |before| before.prefetch),
        "to": prefetch.unwrap_or(queue.prefetch),
        "default": prefetch.is_none(),
    });
    let target = format!("queue:{name}");
    actor
        .audit(&tx, "queue.prefetch", &target, Some(&reason), detail)
        .await?;
    tx.commit().await?;
    let orders: Vec<Prefetch> = order.into_iter().collect();
    Ok(Json(PrefetchView::of(queue, &orders)))
}

/// What the body says.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    /// `None`: what the topology says.
    prefetch: Option<u16>,
    reason: String,
}

impl Wanted {
    fn read(body: Value) -> Result<Self, Problem> {
        let mut mistakes = Mistakes::default();
        let (mut said, mut prefetch) = (None, None);
        if let Some(mut fields) = Fields::of(body, String::new(), &mut mistakes) {
            said = reason(&mut fields, &mut mistakes);
            prefetch = fields.optional(
                "prefetch",
                &mut mistakes,
                whole(1..=u64::from(PREFETCH_MAX)),
            );
            fields.finish(&mut mistakes);
        }
        mistakes.refuse()?;
        let reason = said.ok_or_else(|| Problem::new(Code::ValidationFailed))?;
        let prefetch = prefetch.and_then(|prefetch| u16::try_from(prefetch).ok());
        Ok(Self { prefetch, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_bounds_and_no_number_is_the_default() {
        let read = |body: Value| {
            Wanted::read(body).map_err(|problem| {
                let errors = problem.errors.into_iter();
                errors
                    .map(|error| (error.pointer, error.code))
                    .collect::<Vec<_>>()
            })
        };
        let wanted = |prefetch| {
            Ok(Wanted {
                prefetch,
                reason: "x".to_owned(),
            })
        };
        assert_eq!(read(json!({"reason": "x", "prefetch": 1})), wanted(Some(1)));
        assert_eq!(
            read(json!({"reason": "x", "prefetch": 2000})),
            wanted(Some(2000))
        );
        assert_eq!(read(json!({"reason": "x"})), wanted(None));
        for (prefetch, code) in [
            (json!(0), "out_of_range"),
            (json!(2001), "out_of_range"),
            (json!(-1), "wrong_type"),
            (json!("8"), "wrong_type"),
        ] {
            let wrong = read(json!({"reason": "x", "prefetch": prefetch})).unwrap_err();
            assert_eq!(wrong, [("/prefetch".to_owned(), code)]);
        }
        assert_eq!(read(json!({"prefetch": 1})).unwrap_err()[0].0, "/reason");
    }

    #[test]
    fn what_is_shown_is_the_order_or_the_default() {
        let queue = topology::queue("tickets").unwrap();
        let order = Prefetch {
            queue: "tickets".to_owned(),
            prefetch: 3,
            reason: "the disk is slow".to_owned(),
            by: "ada".to_owned(),
            at: crate::testing::clock_at(0),
        };
        let other = Prefetch {
            queue: "mail".to_owned(),
            ..order.clone()
        };
        let view = PrefetchView::of(queue, &[other]);
        assert_eq!((view.messages, view.reason), (queue.prefetch, None));
        let view = PrefetchView::of(queue, &[order]);
        assert_eq!((view.messages, view.default), (3, queue.prefetch));
    }
}
