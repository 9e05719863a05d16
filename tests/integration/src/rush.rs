//! Everybody at once: customers who pay, hesitate, are declined, authenticate, walk away and change their mind.

use crate::{
    customer::{Booking, Customer, Order, State, new_key},
    fixture::{self, Show},
    wait::secs,
    world::World,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{collections::BTreeMap, time::Duration};
use tokio::{task::JoinSet, time::sleep};

/// Longest that anybody follows a booking: through every fault of a test and some.
const FOLLOW_MAX: Duration = secs(90);

/// What a crowd does.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub clients: usize,
    /// They come one after the other during this time.
    pub during: Duration,
    /// Everybody pays for one seat with a good card, or people are as people are.
    pub simple: bool,
    pub seed: u64,
}

/// How the bookings of a crowd ended: status, or status and code, and how often.
pub type Outcomes = BTreeMap<String, usize>;

/// The customers of a crowd, under way.
pub struct Rush(JoinSet<State>);

impl World {
    /// Sends a crowd to a show.
    #[must_use]
    pub fn rush(&self, show: &Show, crowd: Crowd) -> Rush {
        let mut dice = StdRng::seed_from_u64(crowd.seed);
        let mut customers = JoinSet::new();
        for number in 0..crowd.clients {
            let customer = self.customer(&format!("rush-{number}"));
            let wish = Wish::of(number, crowd, &mut dice);
            customers.spawn(visit(customer, show.clone(), wish, self.gateway.address()));
        }
        Rush(customers)
    }
}

impl Rush {
    /// Waits until everybody knows how it ended.
    pub async fn end(mut self) -> Outcomes {
        let mut outcomes = Outcomes::new();
        while let Some(state) = self.0.join_next().await {
            let state = state.unwrap();
            let words = [state.status(), state.code()];
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            *outcomes.entry(words.join("/")).or_default() += 1;
        }
        outcomes
    }
}

#[derive(Debug)]
struct Wish {
    comes_after: Duration,
    seats: Vec<String>,
    card: Option<&'static str>,
    /// Pays again after a decline.
    persistent: bool,
    cancels: bool,
}

impl Wish {
    fn of(number: usize, crowd: Crowd, dice: &mut StdRng) -> Self {
        let comes_after = crowd.during.mul_f64(dice.random());
        let seats = fixture::seats();
        let first = number % seats.len();
        if crowd.simple {
            let seats = vec![seats[first].clone()];
            return Self {
                comes_after,
                seats,
                card: Some("pm_card_visa"),
                persistent: false,
                cancels: false,
            };
        }
        // Pairs in either order: whoever locks seats as they are named would deadlock.
        let mut wanted = vec![seats[first].clone()];
        if dice.random_bool(0.4) {
            wanted.push(seats[(first + 1) % seats.len()].clone());
        }
        if dice.random_bool(0.5) {
            wanted.reverse();
        }
        let card = match dice.random_range(0..100) {
            0..10 => None,
            10..20 => Some("pm_card_chargeDeclined"),
            20..30 => Some("pm_card_authenticationRequired"),
            _ => Some("pm_card_visa"),
        };
        Self {
            comes_after,
            seats: wanted,
            card,
            persistent: dice.random_bool(0.5),
            cancels: dice.random_bool(0.15),
        }
    }
}

async fn visit(customer: Customer, show: Show, wish: Wish, gateway: String) -> State {
    sleep(wish.comes_after).await;
    let seats: Vec<&str> = wish.seats.iter().map(String::as_str).collect();
    let mut order = Order::of(&show, &seats);
    if let Some(card) = wish.card {
        order = order.paid_with(card);
    }
    let booking = customer.book_with(&new_key(), order).await;
    let state = follow(&booking).await;
    let state = match (state.status(), state.phase()) {
        ("held", _) if wish.card.is_some() && wish.persistent => {
            booking.pay("pm_card_visa").await;
            ended(&booking).await
        }
        ("authorizing", "action_required") => {
            let url = state.0["payment"]["action_url"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let page = url.split('?').next().unwrap_or_default();
            assert!(page.contains(&gateway), "a door of the gateway: {url}");
            let passed = reqwest::Client::new()
                .post(format!("{page}/complete"))
                .send()
                .await;
            passed.unwrap();
            ended(&booking).await
        }
        ("held", _) => ended(&booking).await,
        _ => state,
    };
    if state.status() == "completed" && wish.cancels {
        let operation = booking.cancel(None).await;
        let outcome = booking.wait_for("an outcome", FOLLOW_MAX, |state| {
            state
                .operation(operation)
                .is_some_and(|word| word != "pending")
        });
        outcome.await;
        return booking
            .wait_for("refunded", FOLLOW_MAX, |state| state.status() == "refunded")
            .await;
    }
    state
}

/// Until the next move is the customer's, or there is none.
async fn follow(booking: &Booking) -> State {
    booking
        .wait_for("an end or a pause", FOLLOW_MAX, |state| {
            state.has_ended() || state.status() == "held" || state.phase() == "action_required"
        })
        .await
}

async fn ended(booking: &Booking) -> State {
    booking
        .wait_for("an end", FOLLOW_MAX, State::has_ended)
        .await
}
