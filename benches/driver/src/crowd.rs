//! Submits bookings: as many as are finished, or so many a second whatever happens.

use crate::{
    book::{Book, Step},
    http::{Answer, Http},
    orders::{Order, Orders},
    place::Place,
    spread::Spread,
};
use anyhow::Context as _;
use hyper::StatusCode;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

/// Connections of all customers together.
const CONNECTIONS: usize = 512;
/// When the house says 503 without saying when to come again, which it never should.
pub(crate) const COME_AGAIN: Duration = Duration::from_secs(1);
/// No booking moves for so long: the run is over.
pub(crate) const STUCK: Duration = Duration::from_secs(30);

/// Everybody who books.
#[derive(Debug)]
pub(crate) struct Crowd {
    http: Http,
    place: Place,
    orders: Orders,
    pub(crate) book: Arc<Book>,
    /// From the request to its 202.
    accepted: Mutex<Spread>,
    turned_away: AtomicU64,
    /// Who is told of each booking that is accepted.
    told: Option<UnboundedSender<Accepted>>,
}

/// A booking that a customer of this number has begun.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) customer: usize,
    pub(crate) id: Uuid,
    pub(crate) links: Links,
}

/// Where to ask for it; good before anything is decided.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Links {
    #[serde(rename = "self")]
    pub(crate) status: String,
    pub(crate) events: String,
}

impl Crowd {
    pub(crate) fn new(place: Place, orders: Orders, book: Arc<Book>) -> Arc<Self> {
        Arc::new(Self::of(place, orders, book, None))
    }

    /// The same; somebody is told of each booking that is accepted.
    pub(crate) fn telling(
        place: Place,
        orders: Orders,
        book: Arc<Book>,
    ) -> (Arc<Self>, UnboundedReceiver<Accepted>) {
        let (told, accepted) = unbounded_channel();
        (
            Arc::new(Self::of(place, orders, book, Some(told))),
            accepted,
        )
    }

    fn of(
        place: Place,
        orders: Orders,
        book: Arc<Book>,
        told: Option<UnboundedSender<Accepted>>,
    ) -> Self {
        Self {
            http: Http::new(CONNECTIONS),
            place,
            orders,
            book,
            accepted: Mutex::default(),
            turned_away: AtomicU64::new(0),
            told,
        }
    }

    /// Answers of 202 and what they took.
    pub(crate) fn accepted(&self) -> Spread {
        self.accepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Bookings that were accepted.
    pub(crate) fn submitted(&self) -> usize {
        let accepted = self.accepted.lock();
        accepted.unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Answers of 503; each was asked again.
    pub(crate) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// `count` bookings, of which never more than `under_way` are short of `last`. Returns when all are there.
    pub(crate) async fn in_turn(
        self: &Arc<Self>,
        count: usize,
        under_way: usize,
        last: Step,
    ) -> anyhow::Result<()> {
        let before = self.book.count(last);
        let mut submitting = JoinSet::new();
        for submitted in 0..count {
            if submitted >= under_way {
                let done = before + submitted + 1 - under_way;
                self.book.until(last, done, STUCK).await?;
            }
            while let Some(ended) = submitting.try_join_next() {
                ended??;
            }
            let order = self.orders.next().context("the house is sold out")?;
            let crowd = Arc::clone(self);
            submitting.spawn(async move { crowd.submit(order, Instant::now()).await });
        }
        while let Some(ended) = submitting.join_next().await {
            ended??;
        }
        self.book.until(last, before + count, STUCK).await
    }

    /// `rate` bookings a second for so long, each at its time even if those before it are not answered yet. Returns
    /// when all have come to `last`.
    pub(crate) async fn at_rate(
        self: &Arc<Self>,
        rate: f64,
        lasts: Duration,
        last: Step,
    ) -> anyhow::Result<()> {
        let before = self.book.count(last);
        let begun = Instant::now();
        let count = (rate * lasts.as_secs_f64()) as usize;
        let mut submitting = JoinSet::new();
        for no in 0..count {
            let meant_at = begun + Duration::from_secs_f64(no as f64 / rate);
            sleep_until(meant_at).await;
            let order = self.orders.next().context("the house is sold out")?;
            let crowd = Arc::clone(self);
            submitting.spawn(async move { crowd.submit(order, meant_at).await });
            while let Some(ended) = submitting.try_join_next() {
                ended??;
            }
        }
        while let Some(ended) = submitting.join_next().await {
            ended??;
        }
        self.book.until(last, before + count, STUCK).await
    }

    /// `count` bookings as fast as they are accepted by so many customers at once.
    pub(crate) async fn storm(
        self: &Arc<Self>,
        count: usize,
        customers: usize,
    ) -> anyhow::Result<()> {
        let left = Arc::new(AtomicU64::new(count as u64));
        let mut all = JoinSet::new();
        for _ in 0..customers {
            let (crowd, left) = (Arc::clone(self), Arc::clone(&left));
            all.spawn(async move {
                let take = |left: u64| left.checked_sub(1);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                    .is_ok()
                {
                    let order = crowd.orders.next().context("the house is sold out")?;
                    crowd.submit(order, Instant::now()).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = all.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// One booking, until it is accepted.
    async fn submit(&self, order: Order, meant_at: Instant) -> anyhow::Result<()> {
        let url = format!("{}/v1/bookings", self.place.api);
        let token = self.place.token(order.no);
        let key = Uuid::new_v4().to_string();
        loop {
            let asked_at = Instant::now();
            let body = order.body.clone();
            let answer = self.http.post(&url, token, &key, body).await?;
            if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                self.turned_away.fetch_add(1, Ordering::Relaxed);
                sleep(answer.retry_after_s.map_or(COME_AGAIN, Duration::from_secs)).await;
                continue;
            }
            let answer = answer.require(StatusCode::ACCEPTED)?;
            let took = asked_at.elapsed();
            let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
            accepted.add(took);
            drop(accepted);
            let id = id_of(&answer)?;
            self.book.submitted(id, meant_at);
            if let Some(told) = &self.told {
                let accepted = Accepted {
                    customer: order.no,
                    id,
                    links: links_of(&answer)?,
                };
                // Nobody listens any more when the run is over.
                let _ = told.send(accepted);
            }
            return Ok(());
        }
    }
}

fn links_of(answer: &Answer) -> anyhow::Result<Links> {
    #[derive(serde::Deserialize)]
    struct Receipt {
        links: Links,
    }
    let receipt: Receipt = serde_json::from_slice(&answer.body).context("a 202 without links")?;
    Ok(receipt.links)
}

/// Of the booking that was accepted.
pub(crate) fn id_of(answer: &Answer) -> anyhow::Result<Uuid> {
    #[derive(serde::Deserialize)]
    struct Receipt {
        id: Uuid,
    }
    let receipt: Receipt = serde_json::from_slice(&answer.body).context("a 202 without an id")?;
    Ok(receipt.id)
}
