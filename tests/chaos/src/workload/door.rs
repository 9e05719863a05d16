//! The HTTP door as a good client uses it: deadlines, the same key again, `Retry-After`.

use crate::{
    diary::{Call, Pen},
    stage::Stage,
};
use boxoffice_contracts::{Owner, Role};
use boxoffice_invariants::history::{Asked, Learned};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Of one request that changes something.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Told to come again later, a client does so, but not after more than this.
const LATER_MAX: Duration = Duration::from_secs(5);
/// After silence.
const AGAIN: Duration = Duration::from_millis(300);

/// Somebody at the door.
#[derive(Clone)]
pub(super) struct Door {
    pub owner: Owner,
    stage: Arc<Stage>,
    http: Client,
    token: String,
}

/// What the API said.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub location: Option<String>,
    /// `Age`, zero when it was read just now.
    pub age_secs: u64,
    pub body: Value,
}

/// How a command ended that was repeated until it had an answer.
#[derive(Debug, Clone)]
pub(super) enum Taken {
    /// 202 or 200.
    Yes(Said),
    /// 4xx: for good.
    No(Said),
    /// Nobody took it in time; it may yet have had its effect.
    Unknown,
}

impl Said {
    #[must_use]
    pub(super) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Whether it says that nothing was done and that it may be tried again.
    const fn is_later(&self) -> bool {
        matches!(self.status, 429 | 503)
    }
}

impl Door {
    #[must_use]
    pub(super) fn new(stage: &Arc<Stage>, http: &Client, owner: Owner, role: Role) -> Self {
        Self {
            token: stage.token(&owner, role),
            owner,
            stage: Arc::clone(stage),
            http: http.clone(),
        }
    }

    /// One request. What is counted is what a client sees.
    ///
    /// # Errors
    /// No answer, or none that was whole: a word for it.
    pub(super) async fn ask(&self, request: RequestBuilder) -> Result<Said, &'static str> {
        let meter = &self.stage.meter;
        let answer = self.read(request).await;
        match &answer {
            Ok(said) => {
                meter.add(&format!("http.{}", said.status));
                if said.status == 503 {
                    let told = said.retry_after.is_some();
                    meter.add(if told { "503.with" } else { "503.without" });
                }
                if said.status >= 500 && said.status != 503 {
                    meter.add(&format!("http.{}.{}", said.status, said.code()));
                }
            }
            Err(why) => meter.add(&format!("silence.{why}")),
        }
        answer
    }

    async fn read(&self, request: RequestBuilder) -> Result<Said, &'static str> {
        let answer = request.send().await.map_err(|error| word(&error))?;
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let (retry_after, location) = (header("retry-after"), header("location"));
        let age_secs = header("age").and_then(|secs| secs.parse().ok());
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| word(&error))?;
        let seconds = retry_after.and_then(|secs| secs.parse().ok());
        Ok(Said {
            status,
            retry_after: seconds.map(Duration::from_secs),
            location,
            age_secs: age_secs.unwrap_or_default(),
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
        })
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.stage.api);
        self.http.request(method, url).bearer_auth(&self.token)
    }

    /// A command once.
    async fn post(&self, path: &str, key: &str, body: &Value) -> Result<Said, &'static str> {
        let request = self.request(Method::POST, path).timeout(ANSWER_MAX);
        self.ask(request.header("idempotency-key", key).json(body))
            .await
    }

    /// A command under one key until it is taken or refused. Every try is a call in the history.
    pub(super) async fn insist(
        &self,
        pen: &mut Pen,
        (path, key): (&str, &str),
        body: &Value,
        asked: &Asked,
        patience: Duration,
    ) -> Taken {
        let deadline = Instant::now() + patience;
        let mut silent = false;
        loop {
            let call = pen.ask(asked.clone());
            let pause = match self.post(path, key, body).await {
                Ok(said) if matches!(said.status, 200 | 202) => {
                    pen.learn(call, Learned::Accepted);
                    return Taken::Yes(said);
                }
                Ok(said) if said.is_later() => {
                    pen.fail(call, said.code());
                    said.retry_after.unwrap_or(AGAIN).min(LATER_MAX)
                }
                Ok(said) if said.status < 500 => {
                    pen.fail(call, said.code());
                    return Taken::No(said);
                }
                Ok(said) => {
                    pen.unknown(call, &said.status.to_string());
                    silent = true;
                    AGAIN
                }
                Err(why) => {
                    pen.unknown(call, why);
                    silent = true;
                    AGAIN
                }
            };
            if Instant::now() + pause >= deadline {
                // 503s alone: certainly nothing happened, but that is for the history to say.
                self.stage.meter.add(if silent {
                    "given_up.unknown"
                } else {
                    "given_up.refused"
                });
                return Taken::Unknown;
            }
            sleep(pause).await;
        }
    }

    /// Closes a call that looked at a booking.
    pub(super) fn note(
        pen: &Pen,
        call: Call,
        answer: &Result<Said, &'static str>,
    ) -> Option<Value> {
        match answer {
            Ok(said) if said.status == 200 => {
                pen.learn(call, learned(&said.body, said.age_secs));
                Some(said.body.clone())
            }
            Ok(said) => {
                pen.fail(call, said.code());
                None
            }
            Err(why) => {
                pen.unknown(call, why);
                None
            }
        }
    }
}

/// What a body of GET tells of the booking.
pub(super) fn learned(body: &Value, age_secs: u64) -> Learned {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    Learned::Booking {
        status: text("status").unwrap_or_default(),
        code: text("code"),
        seats: None,
        age_secs,
    }
}

fn word(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else {
        "cut"
    }
}
