//! A client of the public API, as small as one can be.

use std::{
    io::{BufRead as _, BufReader},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

pub(crate) struct Client {
    agent: ureq::Agent,
    api: String,
    token: String,
}

/// An answer that was understood, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

const TIMEOUT: Duration = Duration::from_secs(60);

impl Client {
    pub(crate) fn new(api: &str, token: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build()
            .into();
        Self {
            agent,
            api: api.to_owned(),
            token: format!("Bearer {token}"),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Result<Answer> {
        let url = format!("{}{path}", self.api);
        let answer = self
            .agent
            .get(&url)
            .header("authorization", &self.token)
            .call();
        read(answer.with_context(|| format!("GET {path}"))?)
    }

    /// Posts a command; a refused overload is tried again with the same key, as the API asks.
    pub(crate) fn post(&self, path: &str, key: &str, body: &Value) -> Result<Answer> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let url = format!("{}{path}", self.api);
            let answer = self
                .agent
                .post(&url)
                .header("authorization", &self.token)
                .header("idempotency-key", key)
                .send_json(body)
                .with_context(|| format!("POST {path}"))?;
            let answer = read(answer)?;
            let busy = answer.status == 503 || answer.status == 429;
            if !busy || Instant::now() > deadline {
                return Ok(answer);
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    pub(crate) fn download(&self, path: &str) -> Result<Vec<u8>> {
        let url = format!("{}{path}", self.api);
        let mut answer = self
            .agent
            .get(&url)
            .header("authorization", &self.token)
            .call()?;
        if answer.status() != 200 {
            bail!("GET {path} answered {}", answer.status());
        }
        Ok(answer.body_mut().read_to_vec()?)
    }

    /// Follows the booking's event stream until `enough` says so; returns the state it saw last.
    pub(crate) fn follow(
        &self,
        location: &str,
        mut each: impl FnMut(&Value),
        enough: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let (path, query) = location.split_once('?').unwrap_or((location, ""));
        let url = format!("{}{path}/events?{query}", self.api);
        let answer = self
            .agent
            .get(&url)
            .header("authorization", &self.token)
            .header("accept", "text/event-stream")
            .call()?;
        if answer.status() != 200 {
            bail!("GET {path}/events answered {}", answer.status());
        }
        let mut seen = String::new();
        for line in BufReader::new(answer.into_body().into_reader()).lines() {
            let line = line.context("the event stream broke off")?;
            let Some(data) = line.strip_prefix("data:") else {
                continue;
            };
            let state: Value = serde_json::from_str(data.trim())?;
            let now = label(&state);
            if now != seen {
                each(&state);
                seen = now;
            }
            if enough(&state) {
                return Ok(state);
            }
        }
        bail!("the event stream ended before the booking did");
    }
}

/// Status and phase, as a person reads them.
pub(crate) fn label(state: &Value) -> String {
    let status = state["status"].as_str().unwrap_or("?");
    match (state["phase"].as_str(), state["code"].as_str()) {
        (Some(phase), _) => format!("{status} ({phase})"),
        (None, Some(code)) => format!("{status} ({code})"),
        (None, None) => status.to_owned(),
    }
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> Result<Answer> {
    let location = answer
        .headers()
        .get("location")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer {
        status,
        location,
        body,
    })
}

impl Answer {
    /// The address to follow, or the problem that the API answered with.
    pub(crate) fn accepted(self) -> Result<String> {
        match (self.status, self.location) {
            (200 | 202, Some(location)) => Ok(location),
            (status, _) => bail!("the API answered {status}: {}", self.body),
        }
    }
}
