//! Customers who look at an open stream of their booking, and how late each learns of a step.

use crate::{crowd::Accepted, http::Http, place::Place, spread::Spread};
use anyhow::Context as _;
use boxoffice_contracts::{BookingId, Instant, message::event::BookingFact};
use http_body_util::BodyExt as _;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinHandle};

/// The streams that are open, and what they said.
#[derive(Debug)]
pub(crate) struct Watchers {
    heard: Arc<Mutex<Heard>>,
    opening: JoinHandle<()>,
}

/// Of each step: when it was decided, and when its watcher read of it.
#[derive(Debug, Default)]
struct Heard {
    decided: HashMap<(BookingId, u32), Instant>,
    read: HashMap<(BookingId, u32), SystemTime>,
    /// Whose streams are open.
    open: VecDeque<Accepted>,
    failed: Option<String>,
}

impl Watchers {
    /// Opens a stream for each booking that is accepted; the oldest is closed when there are more than `max`.
    pub(crate) fn open(
        place: &Place,
        mut accepted: UnboundedReceiver<Accepted>,
        max: usize,
    ) -> Self {
        let heard = Arc::<Mutex<Heard>>::default();
        let (place, shared, http) = (place.clone(), Arc::clone(&heard), Http::new(0));
        let opening = tokio::spawn(async move {
            let mut streams = VecDeque::new();
            while let Some(accepted) = accepted.recv().await {
                let id = accepted.id;
                let url = format!("{}{}", place.api, accepted.links.events);
                let token = place.token(accepted.customer).map(str::to_owned);
                let (http, heard) = (http.clone(), Arc::clone(&shared));
                let stream = async move {
                    let read = follow(&http, &url, token.as_deref(), BookingId(id), &heard).await;
                    if let Err(error) = read {
                        lock(&heard).failed = Some(format!("{error:#}"));
                    }
                };
                streams.push_back(Stream(tokio::spawn(stream)));
                let mut heard = lock(&shared);
                heard.open.push_back(accepted);
                if streams.len() > max {
                    streams.pop_front();
                    heard.open.pop_front();
                }
            }
        });
        Self { heard, opening }
    }

    /// To be told of every step as it is decided.
    pub(crate) fn listener(&self) -> impl FnMut(&BookingFact) + Send + use<> {
        let heard = Arc::clone(&self.heard);
        move |fact| {
            let key = (fact.booking_id, fact.version);
            lock(&heard).decided.insert(key, fact.at);
        }
    }

    /// Whose streams are open.
    pub(crate) fn watched(&self) -> Vec<Accepted> {
        lock(&self.heard).open.iter().cloned().collect()
    }

    /// Forgets the steps so far, and begins anew.
    pub(crate) fn forget(&self) {
        let mut heard = lock(&self.heard);
        heard.decided.clear();
        heard.read.clear();
    }

    /// From the decision of a step, which is before its commit, to the watcher's event.
    ///
    /// # Errors
    /// A stream failed.
    pub(crate) fn delays(&self) -> anyhow::Result<Spread> {
        let heard = lock(&self.heard);
        if let Some(failed) = &heard.failed {
            anyhow::bail!("a stream failed: {failed}");
        }
        let delays = heard.decided.iter().filter_map(|(key, decided)| {
            let read = heard.read.get(key)?;
            let decided = SystemTime::from(*decided);
            // Both are this machine's clock.
            Some(read.duration_since(decided).unwrap_or(Duration::ZERO))
        });
        Ok(delays.collect())
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        self.opening.abort();
    }
}

/// Closed when dropped.
struct Stream(JoinHandle<()>);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Writes down when each version came.
#[expect(
    clippy::disallowed_methods,
    reason = "compared with the time that an event tells, on one machine"
)]
async fn follow(
    http: &Http,
    url: &str,
    token: Option<&str>,
    id: BookingId,
    heard: &Mutex<Heard>,
) -> anyhow::Result<()> {
    let mut body = http.follow(url, token).await?;
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        let at = SystemTime::now();
        let Ok(data) = frame.context("the stream broke")?.into_data() else {
            continue;
        };
        text += std::str::from_utf8(&data).context("an event is no text")?;
        while let Some((event, rest)) = text.split_once("\n\n") {
            if let Some(version) = version_of(event) {
                lock(heard).read.entry((id, version)).or_insert(at);
            }
            text = rest.to_owned();
        }
    }
    Ok(())
}

/// A comment has none.
fn version_of(event: &str) -> Option<u32> {
    let id = event.lines().find_map(|line| line.strip_prefix("id:"))?;
    id.trim().parse().ok()
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_version_and_a_comment_none() {
        assert_eq!(version_of("event: booking\nid: 4\ndata: {}"), Some(4));
        assert_eq!(version_of(": heartbeat"), None);
    }
}
