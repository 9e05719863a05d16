//! One visit: from the submit until the booking's end, as the customer sees it.

use super::{
    Crowd,
    door::{Door, Taken, learned},
    ended::Ended,
    wish::{Again, Course, Follow, Secure, Wish},
};
use crate::diary::Pen;
use boxoffice_contracts::{BookingId, Owner, Role, principal::TENANT_HOUSE};
use boxoffice_integration::State;
use boxoffice_invariants::{Accepted, history::Asked};
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// How long somebody tries to be heard.
const PATIENCE: Duration = Duration::from_secs(90);
/// The server's part of a long-poll, and the client's.
const POLL_SECS: u64 = 10;
const POLL_MAX: Duration = Duration::from_secs(15);
/// Between two GETs, and after an answer that was none.
const LOOK_EVERY: Duration = Duration::from_millis(700);
/// A stream says something in that time, if only a heartbeat.
const STREAM_SILENT_MAX: Duration = Duration::from_secs(10);

/// Somebody with a booking.
pub(super) struct Visitor {
    pub crowd: Arc<Crowd>,
    pub door: Door,
    pub pen: Pen,
    pub booking: BookingId,
    /// Path and proof.
    pub link: String,
    pub last: State,
    pub ended: Ended,
}

/// A customer comes, and goes.
pub(super) async fn visit(crowd: Arc<Crowd>, wish: Wish, probe: bool) -> Ended {
    let mut pen = crowd.diary.pen();
    let owner = Owner {
        tenant: TENANT_HOUSE.to_owned(),
        subject: format!("{}-{}", if probe { "probe" } else { "c" }, pen.client),
    };
    let door = Door::new(&crowd.stage, &crowd.http, owner, Role::Customer);
    let key = format!("{}-{}", crowd.run, pen.client);
    let booking = BookingId::derive(TENANT_HOUSE, &door.owner.subject, &key);
    let asked = Asked::Submit {
        booking,
        show: wish.show.id,
        seats: wish.seats.clone(),
    };
    let mut ended = Ended::new(booking, &wish, probe, crowd.diary.now());
    let body = submit(&wish, &door.owner.subject);
    let at = ("/v1/bookings", key.as_str());
    if wish.again == Again::AtOnce {
        let (mut hand, other, asked) = (pen.other_hand(), door.clone(), asked.clone());
        let (key, body) = (key.clone(), body.clone());
        tokio::spawn(async move {
            let at = ("/v1/bookings", key.as_str());
            other.insist(&mut hand, at, &body, &asked, PATIENCE).await;
        });
    }
    let said = match door.insist(&mut pen, at, &body, &asked, PATIENCE).await {
        Taken::Yes(said) => said,
        Taken::No(said) => {
            ended.refuse(said.code());
            return ended;
        }
        Taken::Unknown => {
            ended.refuse("no answer");
            return ended;
        }
    };
    ended.accepted_at = Some(crowd.diary.now());
    crowd.took(&said.body, booking, "submit");
    crowd.waits(pen.client);
    if wish.again == Again::Later {
        let (mut hand, other) = (pen.other_hand(), door.clone());
        tokio::spawn(async move {
            sleep(Duration::from_secs(2)).await;
            let at = ("/v1/bookings", key.as_str());
            other.insist(&mut hand, at, &body, &asked, PATIENCE).await;
        });
    }
    let link = said
        .location
        .unwrap_or_else(|| format!("/v1/bookings/{booking}"));
    let mut visitor = Visitor {
        crowd,
        door,
        pen,
        booking,
        link,
        last: State(Value::Null),
        ended,
    };
    visitor.go(wish.course, wish.follow).await;
    visitor.leave()
}

fn submit(wish: &Wish, subject: &str) -> Value {
    let customer = json!({
        "email": format!("{subject}@example.org"), "name": format!("Customer {subject}"), "locale": "en",
    });
    let mut body =
        json!({"show_id": wish.show.id, "positions": wish.positions, "customer": customer});
    if let Some(card) = wish.course.first_card() {
        body["payment"] = json!({ "method": card });
    }
    if wish.course == Course::Malformed {
        body["positions"] = json!([{"seat_id": 7, "count": "many"}]);
    }
    body
}

impl Visitor {
    /// Does what the customer does, until there is nothing more to do.
    pub(super) async fn go(&mut self, course: Course, follow: Follow) {
        let next = |state: &State| {
            state.has_ended() || state.status() == "held" || state.phase() == "action_required"
        };
        if self.until(follow, next).await.is_none() {
            return;
        }
        self.crowd.moved(self.pen.client);
        let held = self.last.status() == "held";
        match course {
            Course::Pays { at_once: false } if held => {
                self.order("payment", &json!({"method": "pm_card_visa"}), "pay")
                    .await;
            }
            Course::CancelsBeforePaying if held => {
                self.order("cancel", &json!({}), "cancel").await;
            }
            // Held again: the card was declined.
            Course::IsDeclined { pays_again: true } if held => {
                self.order("payment", &json!({"method": "pm_card_visa"}), "pay")
                    .await;
            }
            Course::Authenticates(Secure::WalksAway) => {}
            Course::Authenticates(secure) if self.last.phase() == "action_required" => {
                self.authenticate(secure == Secure::Passes).await;
            }
            _ => {}
        }
        // Of whoever pays, the house owes the next step; of whoever walked away, the clock does.
        if !matches!(
            course,
            Course::Abandons | Course::IsDeclined { pays_again: false }
        ) && !matches!(
            course,
            Course::Authenticates(Secure::WalksAway | Secure::Fails)
        ) {
            self.crowd.waits(self.pen.client);
        }
        if self.until(follow, State::has_ended).await.is_none() {
            return;
        }
        if course == Course::CancelsAfterPaying && self.last.status() == "completed" {
            self.note_end();
            self.order("cancel", &json!({}), "cancel").await;
            let refunded = |state: &State| matches!(state.status(), "refunded" | "cancelled");
            self.until(follow, refunded).await;
        }
    }

    /// Follows the booking; none when the house is closed before.
    pub(super) async fn until(
        &mut self,
        follow: Follow,
        wanted: impl Fn(&State) -> bool,
    ) -> Option<()> {
        loop {
            if wanted(&self.last) {
                return Some(());
            }
            if self.crowd.is_closed() {
                return None;
            }
            let looked = match follow {
                Follow::LongPoll => self.look(Some(POLL_SECS)).await,
                Follow::Get => {
                    sleep(LOOK_EVERY).await;
                    self.look(None).await
                }
                Follow::Stream => self.listen(&wanted).await,
            };
            if !looked {
                sleep(LOOK_EVERY).await;
            }
        }
    }

    /// GET, or a long-poll.
    async fn look(&mut self, wait_secs: Option<u64>) -> bool {
        let path = match wait_secs {
            Some(wait) => {
                let separator = if self.link.contains('?') { '&' } else { '?' };
                let after = self.last.version();
                format!("{}{separator}after={after}&wait={wait}", self.link)
            }
            None => self.link.clone(),
        };
        let booking = self.booking;
        let call = self.pen.ask(Asked::Look { booking });
        let request = self.door.request(Method::GET, &path).timeout(POLL_MAX);
        let answer = self.door.ask(request).await;
        match Door::note(&self.pen, call, &answer) {
            Some(body) => {
                self.last = State(body);
                true
            }
            None => false,
        }
    }

    /// The event stream, until it says what is wanted or breaks.
    async fn listen(&mut self, wanted: &impl Fn(&State) -> bool) -> bool {
        let booking = self.booking;
        let mut call = self.pen.ask(Asked::Look { booking });
        let (path, query) = self.link.split_once('?').unwrap_or((&self.link, ""));
        let path = format!("{path}/events?{query}");
        let mut request = self.door.request(Method::GET, &path);
        if self.last.version() > 0 {
            request = request.header("last-event-id", self.last.version().to_string());
        }
        let answer = timeout(STREAM_SILENT_MAX, request.send()).await;
        let Ok(Ok(answer)) = answer else {
            self.pen.unknown(call, "no stream");
            return false;
        };
        if !answer.status().is_success() {
            self.pen.fail(call, answer.status().as_str());
            return false;
        }
        let mut chunks = answer.bytes_stream();
        let mut text = String::new();
        while let Ok(Some(Ok(chunk))) = timeout(STREAM_SILENT_MAX, chunks.next()).await {
            text.push_str(&String::from_utf8_lossy(&chunk));
            while let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                let Some(body) = data.and_then(|data| serde_json::from_str(data).ok()) else {
                    continue;
                };
                self.pen.learn(call, learned(&body, 0));
                self.last = State(body);
                if wanted(&self.last) {
                    return true;
                }
                call = self.pen.ask(Asked::Look { booking });
            }
        }
        self.pen.unknown(call, "the stream ended");
        // Whatever the stream didn't say.
        self.look(None).await
    }

    /// A command about the booking. A refusal is an answer: it came too late.
    async fn order(&mut self, what: &str, body: &Value, kind: &'static str) {
        let booking = self.booking;
        let asked = match kind {
            "pay" => Asked::Pay { booking },
            _ => Asked::Cancel {
                booking,
                seats: None,
            },
        };
        let (path, query) = self.link.split_once('?').unwrap_or((&self.link, ""));
        let path = format!("{path}/{what}?{query}");
        let key = format!("{}-{}-{kind}", self.crowd.run, self.pen.client);
        self.crowd.waits(self.pen.client);
        let at = (path.as_str(), key.as_str());
        let taken = self
            .door
            .insist(&mut self.pen, at, body, &asked, PATIENCE)
            .await;
        if let Taken::Yes(said) = taken {
            self.crowd.took(&said.body, booking, kind);
        }
    }

    /// The customer's own step at the bank.
    async fn authenticate(&self, passes: bool) {
        let url = self.last.0["payment"]["action_url"]
            .as_str()
            .unwrap_or_default();
        let page = url.split('?').next().unwrap_or_default();
        let step = if passes { "complete" } else { "fail" };
        let answer = self.crowd.http.post(format!("{page}/{step}")).send().await;
        if !answer.is_ok_and(|answer| answer.status().is_success()) {
            self.crowd.stage.meter.add("bank.failed");
        }
    }

    fn note_end(&mut self) {
        let now = self.crowd.diary.now();
        self.ended.end(&self.last, now);
    }

    pub(super) fn leave(mut self) -> Ended {
        self.crowd.moved(self.pen.client);
        self.note_end();
        self.ended
    }
}

/// The command as the checks want it, if the answer names it.
pub(super) fn accepted(body: &Value, booking: BookingId, kind: &str) -> Option<Accepted> {
    let operation = body["operation_id"].as_str()?.parse().ok()?;
    Some(Accepted {
        booking,
        operation: boxoffice_contracts::OperationId(operation),
        kind: kind.to_owned(),
    })
}
