//! `infra/docker/prometheus/alerts.yaml`: when a person should be told, from the topology's thresholds.
//!
//! Each alert has a heading of its own name in docs/OPERATIONS.md; `cargo xtask tidy` looks for it.

use boxoffice_contracts::{
    metric,
    topology::{OUTBOX_AGE_MAX, QUEUES, Queue, UNROUTABLE, VHOST},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

/// What the broker's exporter calls the messages of a queue, ready or in hand (`/metrics/detailed`).
pub(super) const BROKER_MESSAGES: &str = "rabbitmq_detailed_queue_messages";
/// The same for its consumers.
pub(super) const BROKER_CONSUMERS: &str = "rabbitmq_detailed_queue_consumers";

/// How much is seen at once where a rate is asked for.
const WINDOW: &str = "5m";

#[derive(Debug, Clone)]
pub(crate) struct Alert {
    pub(crate) name: &'static str,
    pub(crate) expr: String,
    /// How long it must be true.
    lasting: Duration,
    /// `page`: somebody should come now; `ticket`: today.
    severity: &'static str,
    queue: Option<&'static str>,
    summary: String,
}

/// Names of all alerts: the headings that docs/OPERATIONS.md must have.
pub(crate) fn names() -> BTreeSet<&'static str> {
    all().iter().map(|alert| alert.name).collect()
}

/// The rules as Prometheus loads them.
pub(super) fn rules() -> Value {
    let rules: Vec<Value> = all().iter().map(rule).collect();
    json!({"groups": [{"name": "boxoffice", "rules": rules}]})
}

fn rule(alert: &Alert) -> Value {
    let mut labels = json!({"severity": alert.severity});
    if let Some(queue) = alert.queue {
        labels["queue"] = queue.into();
    }
    json!({
        "alert": alert.name,
        "expr": alert.expr,
        "for": format!("{}s", alert.lasting.as_secs()),
        "labels": labels,
        "annotations": {
            "summary": alert.summary,
            "runbook_url": format!("docs/OPERATIONS.md#{}", alert.name.to_lowercase()),
        },
    })
}

pub(super) fn all() -> Vec<Alert> {
    QUEUES.iter().flat_map(of_queue).chain(of_all()).collect()
}

const MINUTE: Duration = Duration::from_secs(60);

fn of_queue(queue: &Queue) -> [Alert; 4] {
    let name = queue.name;
    let alert = |alert, expr, lasting, severity, summary| Alert {
        name: alert,
        expr,
        lasting,
        severity,
        queue: Some(name),
        summary,
    };
    let messages =
        format!("max by (queue) ({BROKER_MESSAGES}{{vhost=\"{VHOST}\",queue=\"{name}\"}})");
    let consumers =
        format!("max by (queue) ({BROKER_CONSUMERS}{{vhost=\"{VHOST}\",queue=\"{name}\"}})");
    let rate =
        |metric: &str| format!("sum by (queue) (rate({metric}{{queue=\"{name}\"}}[{WINDOW}]))");
    let (depth, age) = (queue.alert.depth_max, queue.alert.age_max);
    let (waited, taken) = (
        rate(&format!("{}_sum", metric::MESSAGE_WAIT_SECONDS)),
        rate(&format!("{}_count", metric::MESSAGE_WAIT_SECONDS)),
    );
    let handled = rate(metric::MESSAGES_HANDLED_TOTAL);
    let paused = format!("max({}{{role=\"{}\"}})", metric::PAUSED, queue.role());
    let held = format!("max({}{{queue=\"{name}\"}})", metric::HELD);
    [
        alert(
            "BoxofficeQueueDeep",
            format!("{messages} > {depth}"),
            MINUTE,
            "ticket",
            format!("{name} holds more than {depth} messages"),
        ),
        alert(
            "BoxofficeQueueOld",
            format!("{waited} / {taken} > {}", age.as_secs()),
            MINUTE,
            "page",
            format!("messages wait in {name} for more than {} s", age.as_secs()),
        ),
        alert(
            "BoxofficeQueueStands",
            format!("{messages} > 0 unless {handled} > 0"),
            age.max(MINUTE),
            "page",
            format!("{name} holds messages and none is handled"),
        ),
        alert(
            "BoxofficeQueueUnconsumed",
            format!("{consumers} == 0 unless on () {paused} == 1 unless on () {held} == 1"),
            MINUTE,
            "page",
            format!("nobody consumes {name}"),
        ),
    ]
}

fn of_all() -> Vec<Alert> {
    let alert = |name, expr, lasting, severity, summary: &str| Alert {
        name,
        expr,
        lasting,
        severity,
        queue: None,
        summary: summary.to_owned(),
    };
    let outbox = OUTBOX_AGE_MAX.as_secs();
    let pending = metric::OUTBOX_OLDEST_PENDING_SECONDS;
    vec![
        alert(
            "BoxofficeParked",
            format!("max by (queue) ({}) > 0", metric::PARKED_OPEN_MESSAGES),
            Duration::ZERO,
            "ticket",
            "messages of {{ $labels.queue }} failed for good and wait for a person",
        ),
        alert(
            "BoxofficePaused",
            format!("max by (role) ({}) == 1", metric::PAUSED),
            MINUTE,
            "page",
            "{{ $labels.role }} is paused: a service that it needs is away",
        ),
        alert(
            "BoxofficeUnroutable",
            format!("max({BROKER_MESSAGES}{{vhost=\"{VHOST}\",queue=\"{UNROUTABLE}\"}}) > 0"),
            Duration::ZERO,
            "page",
            "messages found no queue",
        ),
        alert(
            "BoxofficeOutboxBacklog",
            format!("max({pending}) > {outbox}"),
            Duration::ZERO,
            "page",
            &format!("what was decided is not published for more than {outbox} s"),
        ),
        alert(
            "BoxofficeAttention",
            format!(
                "sum by (reason) (increase({}[1h])) > 0",
                metric::ATTENTION_TOTAL
            ),
            Duration::ZERO,
            "ticket",
            "bookings came to need a person: {{ $labels.reason }}",
        ),
        alert(
            "BoxofficeInvariantViolated",
            format!("max by (check) ({}) >= 1", metric::INVARIANT_VIOLATIONS),
            Duration::ZERO,
            "page",
            "a promise is broken: {{ $labels.check }} of docs/invariants.md",
        ),
        alert(
            "BoxofficeInvariantUnchecked",
            format!("max by (check) ({}) == 1", metric::INVARIANTS_UNCHECKED),
            15 * MINUTE,
            "ticket",
            "nobody knows whether {{ $labels.check }} of docs/invariants.md holds",
        ),
        alert(
            "BoxofficeIntakeRefuses",
            format!(
                "sum by (reason) (rate({}[{WINDOW}])) > 0",
                metric::INTAKE_REFUSED_TOTAL
            ),
            MINUTE,
            "page",
            "commands are answered with 503: {{ $labels.reason }}",
        ),
        alert(
            "BoxofficeHandlerPanics",
            format!("increase({}[1h]) > 0", metric::HTTP_PANICS_TOTAL),
            Duration::ZERO,
            "ticket",
            "a request handler panicked",
        ),
        alert(
            "BoxofficeBrokerUnseen",
            format!("absent({BROKER_MESSAGES}{{vhost=\"{VHOST}\"}})"),
            5 * MINUTE,
            "page",
            "the broker's queues are not scraped: the alerts on them are blind",
        ),
        alert(
            "BoxofficeWorkersUnseen",
            format!("absent({pending})"),
            5 * MINUTE,
            "page",
            "no worker is scraped: the alerts on them are blind",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use boxoffice_contracts::metric::{METRICS, Type};
    use promql_parser::parser::{Expr, VectorSelector, parse};

    fn selectors(expr: &Expr, found: &mut Vec<VectorSelector>) {
        match expr {
            Expr::Aggregate(aggregate) => selectors(&aggregate.expr, found),
            Expr::Unary(unary) => selectors(&unary.expr, found),
            Expr::Binary(binary) => {
                selectors(&binary.lhs, found);
                selectors(&binary.rhs, found);
            }
            Expr::Paren(paren) => selectors(&paren.expr, found),
            Expr::Subquery(subquery) => selectors(&subquery.expr, found),
            Expr::VectorSelector(selector) => found.push(selector.clone()),
            Expr::MatrixSelector(selector) => found.push(selector.vs.clone()),
            Expr::Call(call) => call.args.args.iter().for_each(|arg| selectors(arg, found)),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
        }
    }

    /// An alert on a metric that nobody counts never fires, and nobody notices.
    #[test]
    fn alerts_are_promql_over_metrics_and_labels_that_exist() {
        for alert in all() {
            let expr = parse(&alert.expr).unwrap_or_else(|e| panic!("{}: {e}", alert.expr));
            let mut used = Vec::new();
            selectors(&expr, &mut used);
            assert!(!used.is_empty(), "{}", alert.name);
            for selector in used {
                let name = selector.name.clone().unwrap();
                let labels = labels_of(&name)
                    .unwrap_or_else(|| panic!("{}: nobody counts {name}", alert.name));
                for matcher in &selector.matchers.matchers {
                    assert!(
                        labels.contains(&matcher.name.as_str()),
                        "{}: {name} has no label {}",
                        alert.name,
                        matcher.name
                    );
                }
            }
        }
    }

    fn labels_of(name: &str) -> Option<Vec<&'static str>> {
        if [BROKER_MESSAGES, BROKER_CONSUMERS].contains(&name) {
            return Some(vec!["vhost", "queue"]);
        }
        let found = METRICS.iter().find(|metric| {
            let histogram = metric.kind == Type::Histogram;
            let parts = ["_sum", "_count", "_bucket"];
            metric.name == name && !histogram
                || histogram && parts.iter().any(|p| format!("{}{p}", metric.name) == name)
        });
        found.map(|metric| metric.labels.to_vec())
    }

    #[test]
    fn every_queue_has_its_four_and_the_file_is_yaml() {
        let text = super::super::yaml::document(&rules());
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, rules());
        for queue in QUEUES {
            let of_it = all().iter().filter(|a| a.queue == Some(queue.name)).count();
            assert_eq!(of_it, 4, "{}", queue.name);
        }
    }
}
