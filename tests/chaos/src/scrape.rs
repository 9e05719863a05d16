//! What the processes count about themselves, summed over their lives: a counter that falls began anew.

use crate::stage::Stage;
use reqwest::Client;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_secs(2);
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Sums that the report tells, by the beginning of the line that Prometheus gets.
const WANTED: &[(&str, &str, &str)] = &[
    (
        "handled",
        "boxoffice_messages_handled_total{",
        "outcome=\"done\"",
    ),
    (
        "repeated",
        "boxoffice_messages_handled_total{",
        "outcome=\"repeated\"",
    ),
    (
        "parked",
        "boxoffice_messages_handled_total{",
        "outcome=\"parked\"",
    ),
    ("conflicts", "boxoffice_conflicts_total", ""),
    ("pauses", "boxoffice_pauses_total", ""),
    ("consumers_opened", "boxoffice_consumers_opened_total", ""),
    ("swept", "boxoffice_outbox_swept_total", ""),
    ("unconfirmed", "boxoffice_unconfirmed_total", ""),
    ("stale_acks", "boxoffice_stale_acks_total", ""),
];

/// Sums so far. What a process counted between its last visit and its death is lost: they are lower bounds.
#[derive(Debug, Default)]
pub struct Scrape {
    sums: Mutex<BTreeMap<String, u64>>,
    last: Mutex<BTreeMap<(String, String), u64>>,
}

impl Scrape {
    /// Visits every process again and again, until it is dropped with its task.
    pub async fn run(self: Arc<Self>, stage: Arc<Stage>) {
        let http = Client::new();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            for (name, address) in &stage.internals {
                self.visit(&http, name, *address).await;
            }
            if let Some(count) = redelivered(&http, &stage.management).await {
                self.note("broker", "redelivered", count);
            }
        }
    }

    async fn visit(&self, http: &Client, process: &str, address: SocketAddr) {
        let url = format!("http://{address}/metrics");
        let answer = http.get(url).timeout(ANSWER_MAX).send().await;
        let Ok(answer) = answer else { return };
        let Ok(text) = answer.text().await else {
            return;
        };
        for (name, count) in read(&text) {
            self.note(process, name, count);
        }
    }

    fn note(&self, who: &str, name: &str, count: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.insert((who.to_owned(), name.to_owned()), count);
        let more = match before {
            Some(before) if before <= count => count - before,
            _ => count,
        };
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        *sums.entry(name.to_owned()).or_default() += more;
    }

    #[must_use]
    pub fn sums(&self) -> BTreeMap<String, u64> {
        self.sums
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Deliveries that the broker made again, since it started.
async fn redelivered(http: &Client, management: &str) -> Option<u64> {
    let url = format!("{management}/api/overview");
    let answer = http.get(url).timeout(ANSWER_MAX).send().await.ok()?;
    let overview: serde_json::Value = answer.json().await.ok()?;
    overview["message_stats"]["redeliver"].as_u64()
}

fn read(text: &str) -> BTreeMap<&'static str, u64> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        for (name, metric, label) in WANTED {
            if series.starts_with(metric) && series.contains(label) {
                // Counters are whole numbers, however they are written.
                *found.entry(*name).or_default() += value.parse::<f64>().unwrap_or(0.0) as u64;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_their_labels() {
        let text = "# TYPE boxoffice_messages_handled_total counter\n\
            boxoffice_messages_handled_total{queue=\"mail\",outcome=\"done\"} 3\n\
            boxoffice_messages_handled_total{queue=\"mail\",outcome=\"repeated\"} 2\n\
            boxoffice_messages_handled_total{queue=\"payments\",outcome=\"repeated\"} 5\n\
            boxoffice_pauses_total{role=\"mail\"} 1\nother 7\n";
        let expected = [("handled", 3), ("pauses", 1), ("repeated", 7)];
        assert_eq!(read(text), expected.into());
    }
}
