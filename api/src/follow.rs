//! Waiting for news: long-poll, `Prefer: wait`, server-sent events. Always subscribe, then read, then wait.

use crate::{
    AppState, Problem, auth::Caller, bookings::put, layers::Slot, look::Look, params::BookingLink,
    view::BookingView, waiters::Waiting, watch::Watching,
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use boxoffice_contracts::Code;
use std::{convert::Infallible, time::Duration};
use tokio::time::Instant;

/// A stream ends after that; clients come back with `Last-Event-ID`.
const STREAM_SECS_MAX: u64 = 3_600;
/// How soon a client comes back after a stream broke.
const RECONNECT: Duration = Duration::from_secs(2);

/// `GET /v1/bookings/{id}/events`: the present state, then every further one.
pub(crate) async fn events(
    State(state): State<AppState>,
    caller: Caller,
    slot: Slot,
    BookingLink { id, proof }: BookingLink,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sent = last_event_id(&headers)?;
    let waiting = slot.begin_to_wait(&state)?;
    let watching = state.watch.subscribe(id)?;
    let heartbeat = Duration::from_secs(u64::from(state.config.heartbeat_secs));
    let look = Look {
        state,
        caller,
        id,
        proof,
    };
    let first = look.load().await?;
    let stream = Follower {
        ends_at: Instant::now() + stream_life(&look),
        look,
        watching,
        sent,
        next: Some(first),
        _waiting: waiting,
    };
    let stream = futures::stream::unfold(stream, |mut follower| async move {
        let view = follower.next().await?;
        let event = event_of(&view)?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let beat = KeepAlive::new().interval(heartbeat).text("heartbeat");
    let mut response = Sse::new(stream).keep_alive(beat).into_response();
    put(&mut response, header::CACHE_CONTROL, "private, no-store");
    // Reverse proxies that buffer would hold the news back.
    put(
        &mut response,
        HeaderName::from_static("x-accel-buffering"),
        "no",
    );
    Ok(response)
}

/// One open stream.
struct Follower {
    look: Look,
    watching: Watching,
    /// Version of the last event that the client has.
    sent: Option<u32>,
    /// Read before the stream began.
    next: Option<BookingView>,
    ends_at: Instant,
    _waiting: Waiting,
}

impl Follower {
    /// The next state that the client hasn't seen; none when the stream should end.
    async fn next(&mut self) -> Option<BookingView> {
        loop {
            let view = match self.next.take() {
                Some(view) => view,
                // The client comes back and is told with a status what is wrong.
                None => self.look.load().await.ok()?,
            };
            if self.sent.is_none_or(|sent| view.version > sent) {
                self.sent = Some(view.version);
                return Some(view);
            }
            tokio::select! {
                () = self.watching.changed() => {}
                () = tokio::time::sleep_until(self.ends_at) => return None,
                () = self.look.state.draining.cancelled() => return None,
            }
        }
    }
}

fn event_of(view: &BookingView) -> Option<Event> {
    Event::default()
        .id(view.version.to_string())
        .event("booking")
        .retry(RECONNECT)
        .json_data(view)
        .map_err(
            |error| tracing::error!(booking.id = %view.id, %error, "a status can't be encoded"),
        )
        .ok()
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u32>, Problem> {
    let Some(line) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let version = line.to_str().ok().and_then(|text| text.trim().parse().ok());
    version
        .map(Some)
        .ok_or_else(|| Problem::because(Code::ValidationFailed, "Last-Event-ID is a version."))
}

/// No longer than the token is believed.
fn stream_life(look: &Look) -> Duration {
    let left = look.caller.principal.expires_at - look.state.now();
    left.to_std()
        .unwrap_or_default()
        .min(Duration::from_secs(STREAM_SECS_MAX))
}

/// Reads until `reached`, or until the time is up; returns what was read last.
///
/// # Errors
/// What reading may answer.
pub(crate) async fn wait_until(
    look: &Look,
    watching: &mut Watching,
    until: Instant,
    recheck: Option<Duration>,
    reached: impl Fn(&BookingView) -> bool,
) -> Result<BookingView, Problem> {
    loop {
        let view = look.load().await?;
        let now = Instant::now();
        if reached(&view) || now >= until {
            return Ok(view);
        }
        let pause = recheck.map_or(until, |every| until.min(now + every));
        tokio::select! {
            () = watching.changed() => {}
            () = tokio::time::sleep_until(pause) => {}
            () = look.state.draining.cancelled() => return Ok(view),
        }
    }
}
