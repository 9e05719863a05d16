//! Every metric that the product counts, as one table: name, type, unit, labels, meaning.
//!
//! `docs/metrics.md`, the help texts of `/metrics` and the alerts are written from it. `cargo xtask tidy`
//! refuses a metric in code that is not a constant from here, or has other labels.

/// What Prometheus calls the type of a metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Counter,
    Gauge,
    Histogram,
}

impl Type {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The constant that code names it by.
    pub constant: &'static str,
    pub name: &'static str,
    pub kind: Type,
    /// What one of it is: `seconds`, or a plural noun; `1` for a yes or no.
    pub unit: &'static str,
    pub labels: &'static [&'static str],
    pub doc: &'static str,
}

macro_rules! metrics {
    ($($kind:ident $constant:ident = $name:literal, $unit:literal, [$($label:literal),*], $doc:literal;)+) => {
        $(#[doc = $doc] pub const $constant: &str = $name;)+

        /// Every metric, sorted by name.
        pub const METRICS: &[Metric] = &[$(Metric {
            constant: stringify!($constant),
            name: $name,
            kind: Type::$kind,
            unit: $unit,
            labels: &[$($label),*],
            doc: $doc,
        }),+];
    };
}

metrics! {
    Gauge ALERTS_RAISED = "boxoffice_alerts_raised", "alerts", ["rule"],
        "Alerts that are raised now, as `queue-watch` sees them.";
    Counter ATTENTION_TOTAL = "boxoffice_attention_total", "bookings", ["reason"],
        "Bookings that came to need a person. Zero for each reason from the start, so that the first one is seen.";
    Counter AUTH_REFUSED_TOTAL = "boxoffice_auth_refused_total", "requests", ["reason"],
        "Requests whose credential was not taken.";
    Histogram BATCH_MESSAGES = "boxoffice_batch_messages", "messages", ["queue"],
        "Messages per transaction.";
    Gauge BOOKINGS_WATCHED = "boxoffice_bookings_watched", "bookings", [],
        "Bookings that clients of this process wait for news of.";
    Gauge BROKER_STATE = "boxoffice_broker_state", "1", ["link", "state"],
        "1 for the state (down, up, blocked) that a broker connection is in.";
    Histogram CALL_SECONDS = "boxoffice_call_seconds", "seconds", ["queue"],
        "Outside calls: gateway, rendering, mail.";
    Histogram CONFIRM_SECONDS = "boxoffice_confirm_seconds", "seconds", ["by"],
        "From publish to confirm of a batch, by relay or intake.";
    Counter CONFLICTS_TOTAL = "boxoffice_conflicts_total", "transactions", ["queue"],
        "Transactions that lost against another and ran again.";
    Counter CONSUMERS_OPENED_TOTAL = "boxoffice_consumers_opened_total", "channels", ["queue"],
        "Channels opened to consume. A rising rate is a connection that comes and goes.";
    Counter DECISIONS_TOTAL = "boxoffice_decisions_total", "decisions", ["input", "decision"],
        "What the saga decided: advance, reject, stay, sleep, defer, refuse.";
    Counter DOCUMENT_LINKS_REFUSED_TOTAL = "boxoffice_document_links_refused_total", "requests", ["reason"],
        "Signed links that opened nothing.";
    Counter DOCUMENTS_READ_TOTAL = "boxoffice_documents_read_total", "documents", ["document", "by"],
        "Documents that were handed out, by token or by link.";
    Gauge HELD = "boxoffice_held", "1", ["role", "queue"],
        "1 while a person holds the queue, or the role (`boxoffice pause`, `drain`).";
    Counter HTTP_PANICS_TOTAL = "boxoffice_http_panics_total", "requests", [],
        "Requests whose handler panicked. Zero is the only good value.";
    Counter HTTP_RATE_LIMITED_TOTAL = "boxoffice_http_rate_limited_total", "requests", ["policy"],
        "Requests beyond what one client may ask.";
    Histogram HTTP_REQUEST_SECONDS = "boxoffice_http_request_seconds", "seconds", ["method", "route"],
        "From the request's head to the answer's; waits that a client asked for are in it.";
    Counter HTTP_REQUESTS_TOTAL = "boxoffice_http_requests_total", "requests", ["method", "route", "status"],
        "Requests answered. `route` is the pattern, never the path.";
    Counter HTTP_SHED_TOTAL = "boxoffice_http_shed_total", "requests", [],
        "Requests refused because all places were taken.";
    Counter HTTP_WAITERS_REFUSED_TOTAL = "boxoffice_http_waiters_refused_total", "requests", ["reason"],
        "Requests that wanted to wait and had no place: the client's own, or all.";
    Counter INTAKE_JOURNAL_RESENT_TOTAL = "boxoffice_intake_journal_resent_total", "commands", [],
        "Kept commands that had no outcome and were published again.";
    Counter INTAKE_REFUSED_TOTAL = "boxoffice_intake_refused_total", "commands", ["reason"],
        "Commands that were answered with 503 because they could not be made durable.";
    Gauge INVARIANT_VIOLATIONS = "boxoffice_invariant_violations", "violations", ["check"],
        "What breaks a promise, by check of docs/invariants.md. Zero for each check from the first look on.";
    Gauge INVARIANTS_UNCHECKED = "boxoffice_invariants_unchecked", "1", ["check"],
        "1 while a check can't be made.";
    Histogram MESSAGE_WAIT_SECONDS = "boxoffice_message_wait_seconds", "seconds", ["queue"],
        "Age of a message when its worker takes it the first time. Waits between attempts are not in it.";
    Counter MESSAGES_HANDLED_TOTAL = "boxoffice_messages_handled_total", "messages", ["queue", "outcome"],
        "Messages settled: done, repeated, retried, deferred, parked, undecodable.";
    Counter NOTICES_TOTAL = "boxoffice_notices_total", "notices", ["channel", "outcome"],
        "Notices of alerts: sent, failed (tried again), given_up.";
    Gauge OUTBOX_OLDEST_PENDING_SECONDS = "boxoffice_outbox_oldest_pending_seconds", "seconds", [],
        "Age of the oldest message that waits in the outbox; 0 when there is none.";
    Counter OUTBOX_SWEPT_TOTAL = "boxoffice_outbox_swept_total", "messages", [],
        "Messages that the sweeper had to send because their own process did not.";
    Gauge PARKED_OPEN_MESSAGES = "boxoffice_parked_open_messages", "messages", ["queue"],
        "Parked messages that nobody has retried or archived yet. Every worker process tells the same number.";
    Histogram PARTNER_JUDGED_SECONDS = "boxoffice_partner_judged_seconds", "seconds", [],
        "From taking a batch of a partner's messages to the commit of their replies; the wait for a turn is in it.";
    Counter PARTNER_MESSAGES_TOTAL = "boxoffice_partner_messages_total", "messages", ["kind", "outcome"],
        "Messages of partners by how they were judged: accepted, rejected, quarantined. Repetitions are not in it.";
    Histogram PARTNER_SENT_SECONDS = "boxoffice_partner_sent_seconds", "seconds", [],
        "From publishing a portion of messages to a partner to their confirms.";
    Gauge PAUSED = "boxoffice_paused", "1", ["role"],
        "1 while a consumer is paused because a service is away.";
    Counter PAUSES_TOTAL = "boxoffice_pauses_total", "pauses", ["role", "service"],
        "Pauses of a consumer, by the service that was away.";
    Counter RETENTION_ROWS_TOTAL = "boxoffice_retention_rows_total", "rows", ["table"],
        "Rows that were old enough to be forgotten.";
    Counter RETRIED_MESSAGES_TOTAL = "boxoffice_retried_messages_total", "messages", ["outcome"],
        "Parked messages that retries sent, and what became of them: sent, done, failed, skipped.";
    Counter SPANS_DROPPED_TOTAL = "boxoffice_spans_dropped_total", "spans", [],
        "Spans that nobody took in time: the collector is slow or away.";
    Counter STALE_ACKS_TOTAL = "boxoffice_stale_acks_total", "acks", ["queue"],
        "Acks that came too late because their channel was gone; the messages come again.";
    Counter TICKETS_UNCOVERED_TOTAL = "boxoffice_tickets_uncovered_total", "documents", [],
        "Ticket documents with a character that no font has.";
    Histogram TRANSACTION_SECONDS = "boxoffice_transaction_seconds", "seconds", ["queue"],
        "From BEGIN to the answer to COMMIT of a batch.";
    Counter UNCONFIRMED_TOTAL = "boxoffice_unconfirmed_total", "batches", ["by", "why"],
        "Publishes that were not confirmed.";
    Counter WATCH_BLIND_TOTAL = "boxoffice_watch_blind_total", "looks", [],
        "Looks of `queue-watch` at the broker's exporter that got no answer.";
    Counter WEBHOOKS_REFUSED_TOTAL = "boxoffice_webhooks_refused_total", "requests", ["reason"],
        "Webhooks that were not taken: signature, age, form.";
    Counter WEBHOOKS_TOTAL = "boxoffice_webhooks_total", "events", ["use"],
        "Webhooks taken: handed on to the payments worker, or only kept.";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prometheus' naming: own prefix, base units, unit last, `_total` for counters and nothing else.
    #[test]
    fn names_follow_the_convention() {
        assert!(METRICS.is_sorted_by(|a, b| a.name < b.name));
        for metric in METRICS {
            let name = metric.name;
            let plain = name.strip_prefix("boxoffice_").unwrap_or_default();
            assert!(!plain.is_empty(), "{name}: prefix");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}: lower case and underscores"
            );
            assert_eq!(
                metric.kind == Type::Counter,
                name.ends_with("_total"),
                "{name}: _total is for counters"
            );
            for unit in ["milli", "micro", "minute", "hour", "_ms", "kilo", "percent"] {
                assert!(!name.contains(unit), "{name}: base units only");
            }
            for taken in ["_bucket", "_sum", "_count"] {
                assert!(!name.ends_with(taken), "{name}: a histogram's own suffix");
            }
            if metric.kind == Type::Histogram || metric.unit == "seconds" {
                assert!(
                    name.ends_with(&format!("_{}", metric.unit)),
                    "{name}: the unit comes last"
                );
            }
            assert!(metric.doc.ends_with('.'), "{name}: a sentence");
        }
    }

    /// A label with a value per customer, booking or message would fill the server's memory.
    #[test]
    fn no_label_names_a_single_thing() {
        for metric in METRICS {
            for label in metric.labels {
                let single = label.ends_with("id") || ["booking", "path", "email"].contains(label);
                assert!(!single, "{}: {label}", metric.name);
            }
        }
    }
}
