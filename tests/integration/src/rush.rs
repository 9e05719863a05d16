//! Everybody at once: customers who pay, hesitate, are declined, authenticate, walk away and change their mind.

use crate::{
    customer::{Booking, Customer, Order, State, new_key},
    fixture::{self, Hall, Show},
    wait::secs,
    world::World,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
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
    /// Everybody pays for one place with a good card, or people are as people are.
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
            let wish = Wish::of(number, crowd, show.hall, &mut dice);
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
    /// As a submit names them.
    positions: Vec<Value>,
    card: Option<&'static str>,
    /// Pays again after a decline.
    persistent: bool,
    cancels: bool,
}

impl Wish {
    fn of(number: usize, crowd: Crowd, hall: Hall, dice: &mut StdRng) -> Self {
        let comes_after = crowd.during.mul_f64(dice.random());
        if crowd.simple {
            return Self {
                comes_after,
                positions: vec![match hall {
                    Hall::Cinema => seat(&fixture::seats(), number),
                    Hall::Wide => json!({"seat_id": format!("R1-{}", number + 1)}),
                    Hall::Club | Hall::Field => json!({"category": "Standing", "count": 1}),
                }],
                card: Some("pm_card_visa"),
                persistent: false,
                cancels: false,
            };
        }
        // In either order: whoever locks places as they are named would deadlock.
        let mut wanted = match hall {
            Hall::Cinema => pair(&fixture::seats(), number, dice.random_bool(0.4)),
            Hall::Wide => vec![json!({"seat_id": format!("R1-{}", number + 1)})],
            Hall::Field => vec![json!({"category": "Standing", "count": 1})],
            Hall::Club => mixture(number, dice),
        };
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
            positions: wanted,
            card,
            persistent: dice.random_bool(0.5),
            cancels: dice.random_bool(0.15),
        }
    }
}

fn seat(seats: &[String], index: usize) -> Value {
    json!({ "seat_id": seats[index % seats.len()] })
}

/// A seat, or two beside each other.
fn pair(seats: &[String], first: usize, two: bool) -> Vec<Value> {
    (first..=first + usize::from(two))
        .map(|index| seat(seats, index))
        .collect()
}

/// Standing places; or some with a place at the bar, or with seats above.
fn mixture(number: usize, dice: &mut StdRng) -> Vec<Value> {
    let standing = json!({"category": "Standing", "count": dice.random_range(1..=3)});
    let mut wanted = vec![standing];
    if dice.random_bool(0.3) {
        wanted.push(json!({"category": "Bar", "count": 1}));
    }
    if dice.random_bool(0.3) {
        let gallery: Vec<String> = (1..=fixture::GALLERY_SEATS)
            .map(|number| format!("G-{number}"))
            .collect();
        wanted.extend(pair(&gallery, number, dice.random_bool(0.4)));
    }
    wanted
}

async fn visit(customer: Customer, show: Show, wish: Wish, gateway: String) -> State {
    sleep(wish.comes_after).await;
    let mut order = Order::of(&show, &[]).with("positions", json!(wish.positions));
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
