//! Who orders what: every order asks for two seats that nobody else asks for.

use crate::catalogue::Hall;
use boxoffice_contracts::ShowId;
use hyper::body::Bytes;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A card that the gateway, or its stand-in within the worker, always takes.
const CARD: &str = "pm_card_visa";

/// Hands them out, each once.
#[derive(Debug)]
pub(crate) struct Orders {
    hall: &'static Hall,
    shows: Vec<ShowId>,
    next: AtomicUsize,
}

/// To be submitted.
#[derive(Debug)]
pub(crate) struct Order {
    /// Counted from zero.
    pub(crate) no: usize,
    pub(crate) body: Bytes,
}

impl Orders {
    pub(crate) const fn of(hall: &'static Hall, shows: Vec<ShowId>) -> Self {
        Self {
            hall,
            shows,
            next: AtomicUsize::new(0),
        }
    }

    /// How many there are in all.
    pub(crate) fn capacity(&self) -> usize {
        self.shows.len() * self.hall.pairs()
    }

    /// The next; neighbours are of different shows. None when the house is sold out.
    pub(crate) fn next(&self) -> Option<Order> {
        let no = self.next.fetch_add(1, Ordering::Relaxed);
        let pair = no / self.shows.len().max(1);
        if self.shows.is_empty() || pair >= self.hall.pairs() {
            return None;
        }
        let show = self.shows[no % self.shows.len()];
        let seats = self.hall.pair(pair);
        let positions = seats.map(|seat| json!({ "seat_id": seat }));
        Some(Order {
            no,
            body: submit(show, &positions),
        })
    }
}

/// What a client sends.
pub(crate) fn submit(show: ShowId, positions: &[serde_json::Value]) -> Bytes {
    let order = json!({
        "show_id": show,
        "positions": positions,
        "customer": {"email": "ada@example.com", "name": "Ada Byron", "locale": "en"},
        "payment": {"method": CARD},
    });
    Bytes::from(order.to_string())
}
