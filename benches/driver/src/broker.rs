//! What the broker counts: messages that came and went, over all queues.

use crate::{http::Http, place::Place};
use anyhow::Context as _;
use hyper::StatusCode;
use std::collections::BTreeMap;

/// Of the exporter (`rabbitmq_prometheus`), summed over protocols and queue types, and what each is called here.
const COUNTERS: [(&str, &str); 4] = [
    (
        "rabbitmq_global_messages_received_total",
        "broker.published",
    ),
    ("rabbitmq_global_messages_routed_total", "broker.routed"),
    (
        "rabbitmq_global_messages_delivered_total",
        "broker.delivered",
    ),
    (
        "rabbitmq_global_messages_acknowledged_total",
        "broker.acknowledged",
    ),
];

/// At one moment; empty when the broker tells nobody.
#[derive(Debug)]
pub(crate) struct Counters(BTreeMap<&'static str, f64>);

impl Counters {
    pub(crate) async fn look(place: &Place) -> anyhow::Result<Self> {
        let Some(exporter) = &place.exporter else {
            return Ok(Self(BTreeMap::new()));
        };
        let url = format!("{exporter}/metrics");
        let answer = Http::new(1).get(&url, None).await?;
        let answer = answer.require(StatusCode::OK)?;
        let text = std::str::from_utf8(&answer.body).context("the exporter's page is no text")?;
        Ok(Self::read(text))
    }

    fn read(text: &str) -> Self {
        let mut counters = BTreeMap::new();
        for line in text.lines() {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let known = COUNTERS.iter().find(|(counter, _)| *counter == name);
            let value = line.rsplit(' ').next().and_then(|value| value.parse().ok());
            if let (Some((_, told)), Some(value)) = (known, value) {
                let value: f64 = value;
                *counters.entry(*told).or_insert(0.0) += value;
            }
        }
        Self(counters)
    }

    /// By name, per booking.
    pub(crate) fn until(&self, end: &Self, bookings: usize) -> BTreeMap<&'static str, f64> {
        let each = |(name, after): (&&'static str, &f64)| {
            let before = self.0.get(name).copied().unwrap_or_default();
            (*name, (after - before) / bookings.max(1) as f64)
        };
        end.0.iter().map(each).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_summed_and_the_rest_is_left_out() {
        let page = "# TYPE rabbitmq_global_messages_received_total counter\n\
                    rabbitmq_global_messages_received_total{protocol=\"amqp091\"} 30\n\
                    rabbitmq_global_messages_received_total{protocol=\"amqp10\"} 2\n\
                    rabbitmq_global_messages_received_confirm_total{protocol=\"amqp091\"} 7\n";
        let before = Counters::read("");
        let each = before.until(&Counters::read(page), 4);
        assert_eq!(
            each.into_iter().collect::<Vec<_>>(),
            [("broker.published", 8.0)]
        );
    }
}
