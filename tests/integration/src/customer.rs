//! A customer: a token, a mail address, and the few things that one can do with a booking.

use crate::{fixture::Show, wait::secs};
use boxoffice_contracts::{BookingId, OperationId, Owner};
use futures::{Stream, StreamExt};
use reqwest::{Client, Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a booking may take to get where a test expects it.
pub const PATIENCE: Duration = secs(30);
/// How long a client asks again when it is told to come later.
const PERSISTENCE: Duration = secs(60);

#[derive(Clone)]
pub struct Customer {
    pub owner: Owner,
    pub email: String,
    pub name: String,
    http: Client,
    api: String,
    token: String,
    journal: Arc<Journal>,
}

/// Every command that was answered with 202: each must come to an end.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Vec<Accepted>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub booking: BookingId,
    pub operation: OperationId,
    pub kind: &'static str,
}

impl Journal {
    #[must_use]
    pub fn all(&self) -> Vec<Accepted> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A command that a door of the house took, other than the API.
    pub(crate) fn add(&self, accepted: Accepted) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(accepted);
    }

    fn note(&self, answer: &Answer, kind: &'static str) {
        if !matches!(answer.status.as_u16(), 200 | 202) {
            return;
        }
        let id = |name: &str| answer.body[name].as_str().and_then(|id| id.parse().ok());
        // A status that was waited for names no operation.
        if let (Some(booking), Some(operation)) = (id("id"), id("operation_id")) {
            self.add(Accepted {
                booking: BookingId(booking),
                operation: OperationId(operation),
                kind,
            });
        }
    }
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

/// A booking as GET shows it.
#[derive(Debug, Clone)]
pub struct State(pub Value);

/// Body of a submit.
#[derive(Debug, Clone)]
pub struct Order(pub Value);

impl Order {
    #[must_use]
    pub fn of(show: &Show, seats: &[&str]) -> Self {
        let positions: Vec<Value> = seats
            .iter()
            .map(|seat| json!({ "seat_id": seat }))
            .collect();
        Self(json!({"show_id": show.id, "positions": positions}))
    }

    /// Places without numbers beside the seats.
    #[must_use]
    pub fn and(mut self, category: &str, count: u32) -> Self {
        let place = json!({"category": category, "count": count});
        self.0["positions"].as_array_mut().unwrap().push(place);
        self
    }

    /// Pays as soon as the seats are held.
    #[must_use]
    pub fn paid_with(mut self, method: &str) -> Self {
        self.0["payment"] = json!({ "method": method });
        self
    }

    /// Any other field.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.0[field] = value;
        self
    }
}

impl Customer {
    #[must_use]
    pub fn new(owner: Owner, api: String, token: String, journal: Arc<Journal>) -> Self {
        let email = format!("{}@example.org", owner.subject);
        let name = format!("Customer {}", owner.subject);
        Self {
            owner,
            email,
            name,
            http: Client::new(),
            api,
            token,
            journal,
        }
    }

    /// What authenticates this customer.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The booking that this customer gets with a key, known before it is asked for.
    #[must_use]
    pub fn booking_of(&self, key: &str) -> BookingId {
        BookingId::derive(&self.owner.tenant, &self.owner.subject, key)
    }

    /// Submits until it is accepted, under a key of its own.
    pub async fn book(&self, order: Order) -> Booking {
        self.book_with(&new_key(), order).await
    }

    pub async fn book_with(&self, key: &str, order: Order) -> Booking {
        let answer = self
            .insist("/v1/bookings", key, &self.signed(order).0)
            .await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        Booking {
            customer: self.clone(),
            id: self.booking_of(key),
            link: answer.location(),
        }
    }

    /// Submits once.
    pub async fn submit(&self, key: &str, order: Order) -> Result<Answer, reqwest::Error> {
        self.post("/v1/bookings", key, &self.signed(order).0).await
    }

    /// Adds who the tickets are for, unless it is there.
    fn signed(&self, mut order: Order) -> Order {
        if order.0.get("customer").is_none() {
            order.0["customer"] = json!({"email": self.email, "name": self.name, "locale": "en"});
        }
        order
    }

    /// Posts under the same key until the answer is not "later".
    pub async fn insist(&self, path: &str, key: &str, body: &Value) -> Answer {
        let deadline = Instant::now() + PERSISTENCE;
        loop {
            let why = match self.post(path, key, body).await {
                Ok(answer) if !matches!(answer.status.as_u16(), 429 | 503) => return answer,
                Ok(answer) => answer.body.to_string(),
                Err(error) => error.to_string(),
            };
            assert!(
                Instant::now() < deadline,
                "{path} was never accepted: {why}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub async fn post(
        &self,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Result<Answer, reqwest::Error> {
        let request = self
            .request(Method::POST, path)
            .header("idempotency-key", key)
            .json(body);
        let answer = Answer::of(request.send().await?).await?;
        let kind = match path
            .split('?')
            .next()
            .and_then(|path| path.rsplit('/').next())
        {
            Some("payment") => "pay",
            Some("cancel") => "cancel",
            Some("actions") if body["action"] == "cancel" => "cancel",
            Some("actions") => "mend",
            _ => "submit",
        };
        self.journal.note(&answer, kind);
        Ok(answer)
    }

    pub async fn get(&self, path: &str) -> Result<Answer, reqwest::Error> {
        Answer::of(self.request(Method::GET, path).send().await?).await
    }

    /// A request with the token, for whatever has no helper.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.api);
        self.http
            .request(method, url)
            .bearer_auth(&self.token)
            .timeout(secs(40))
    }

    /// Seats of a show that nobody has.
    pub async fn free_seats(&self, show: &Show) -> Vec<String> {
        let map = self
            .get(&format!("/v1/shows/{}/seats", show.id))
            .await
            .unwrap()
            .body;
        let seats = map["seats"].as_array().unwrap();
        let free = seats.iter().filter(|seat| seat["state"] == "free");
        free.map(|seat| seat["seat_id"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Customer {
    /// Places of a category without numbers: taken and free, as the seat map has them now.
    pub async fn places(&self, show: &Show, category: &str) -> (u64, u64) {
        // The map is a moment old at most; whoever waits for a change asks again.
        let map = self
            .get(&format!("/v1/shows/{}/seats", show.id))
            .await
            .unwrap()
            .body;
        let categories = map["categories"].as_array().unwrap();
        let found = categories.iter().find(|c| c["name"] == category).unwrap();
        let number = |field: &str| found[field].as_u64().unwrap();
        let (taken, free) = (number("taken"), number("free"));
        assert_eq!(taken + free, number("capacity"), "{found}");
        (taken, free)
    }
}

/// A booking and who made it.
#[derive(Clone)]
pub struct Booking {
    pub customer: Customer,
    pub id: BookingId,
    /// The status link, with its proof.
    pub link: String,
}

impl Booking {
    pub async fn state(&self) -> State {
        let answer = self.customer.get(&self.link).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        State(answer.body)
    }

    /// Follows the booking until it has this status.
    pub async fn until(&self, status: &str) -> State {
        self.wait_for(status, PATIENCE, |state| state.status() == status)
            .await
    }

    /// Follows the booking by long-poll until it is as wanted. Outages of the API are waited out.
    pub async fn wait_for(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&State) -> bool,
    ) -> State {
        let deadline = Instant::now() + within;
        let mut last = State(Value::Null);
        loop {
            let separator = if self.link.contains('?') { '&' } else { '?' };
            // Not every step is announced: what nobody tells is seen when the second is over.
            let path = format!("{}{separator}after={}&wait=1", self.link, last.version());
            match self.customer.get(&path).await {
                Ok(answer) if answer.status == StatusCode::OK => last = State(answer.body),
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
            if wanted(&last) {
                return last;
            }
            let in_time = Instant::now() < deadline;
            assert!(
                in_time,
                "{}: expected {what} within {within:?}, is {}",
                self.id, last.0
            );
        }
    }

    /// Orders a payment; returns the operation.
    pub async fn pay(&self, method: &str) -> OperationId {
        self.order("payment", &json!({ "method": method })).await
    }

    /// Cancels everything, or the named positions; returns the operation.
    pub async fn cancel(&self, positions: Option<&[u16]>) -> OperationId {
        let body = positions.map_or_else(|| json!({}), |named| json!({ "positions": named }));
        self.order("cancel", &body).await
    }

    /// Follows the booking until the operation has its last word: `done`, or the code of its refusal.
    pub async fn outcome(&self, operation: OperationId) -> String {
        let settled = |state: &State| state.operation(operation).is_some_and(|o| o != "pending");
        let state = self.wait_for("an outcome", PATIENCE, settled).await;
        state.operation(operation).unwrap()
    }

    async fn order(&self, what: &str, body: &Value) -> OperationId {
        let path = self.path(what);
        let answer = self.customer.insist(&path, &new_key(), body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        answer.body["operation_id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// The link of something that belongs to the booking, with the proof.
    #[must_use]
    pub fn path(&self, what: &str) -> String {
        let (path, query) = self.link.split_once('?').unwrap_or((&self.link, ""));
        format!("{path}/{what}?{query}")
    }

    pub async fn tickets_pdf(&self) -> Vec<u8> {
        let path = format!("/v1/bookings/{}/tickets.pdf", self.id);
        let answer = self
            .customer
            .request(Method::GET, &path)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.text().await);
        answer.bytes().await.unwrap().to_vec()
    }

    /// The server-sent events: version and state, as long as the stream lasts.
    pub async fn events(
        &self,
        last_event_id: Option<u32>,
    ) -> impl Stream<Item = (u32, State)> + use<> {
        let mut request = self.customer.request(Method::GET, &self.path("events"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id.to_string());
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut text = String::new();
        let chunks = answer.bytes_stream();
        chunks.flat_map(move |chunk| {
            text.push_str(std::str::from_utf8(&chunk.unwrap_or_default()).unwrap());
            let mut events = Vec::new();
            while let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                events.extend(read_event(&event));
            }
            futures::stream::iter(events)
        })
    }
}

fn read_event(event: &str) -> Option<(u32, State)> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    let id = field("id:")?.trim().parse().ok()?;
    let state = serde_json::from_str(field("data:")?).ok()?;
    Some((id, State(state)))
}

impl State {
    #[must_use]
    pub fn status(&self) -> &str {
        self.0["status"].as_str().unwrap_or_default()
    }

    #[must_use]
    pub fn phase(&self) -> &str {
        self.0["phase"].as_str().unwrap_or_default()
    }

    #[must_use]
    pub fn code(&self) -> &str {
        self.0["code"].as_str().unwrap_or_default()
    }

    #[must_use]
    pub fn version(&self) -> u32 {
        self.0["version"]
            .as_u64()
            .map_or(0, |version| u32::try_from(version).unwrap())
    }

    /// Minor units of a field of money.
    #[must_use]
    pub fn minor(&self, field: &str) -> i64 {
        self.0[field]["minor"]
            .as_i64()
            .unwrap_or_else(|| panic!("no {field} in {}", self.0))
    }

    /// `done`, `pending`, or the code of a refusal.
    #[must_use]
    pub fn operation(&self, id: OperationId) -> Option<String> {
        let id = id.to_string();
        let found = self.0["operations"]
            .as_array()?
            .iter()
            .find(|o| o["id"] == id.as_str())?;
        let word = found["code"].as_str().or(found["outcome"].as_str())?;
        Some(word.to_owned())
    }

    /// Nothing more happens by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let ends = [
            "rejected",
            "payment_failed",
            "expired",
            "cancelled",
            "refunded",
            "completed",
        ];
        ends.contains(&self.status())
    }
}

impl Answer {
    /// Reads an answer; whatever is an error must say so as all errors do.
    pub async fn of(answer: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if status.is_client_error() || status.is_server_error() {
            assert_eq!(
                headers["content-type"], "application/problem+json",
                "{status} {body}"
            );
            assert!(
                body["code"].is_string() && body["trace_id"].is_string(),
                "{status} {body}"
            );
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            assert!(
                headers.contains_key("retry-after"),
                "503 without Retry-After: {body}"
            );
        }
        Ok(Self {
            status,
            headers,
            body,
        })
    }

    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    #[must_use]
    pub fn location(&self) -> String {
        self.headers["location"].to_str().unwrap().to_owned()
    }
}

#[must_use]
pub fn new_key() -> String {
    uuid::Uuid::new_v4().to_string()
}
