//! How a visit ended.

use super::wish::Wish;
use boxoffice_contracts::BookingId;
use boxoffice_integration::State;
use serde::Serialize;
use std::time::Duration;

/// Times are since the run began.
#[derive(Debug, Clone, Serialize)]
pub struct Ended {
    pub booking: BookingId,
    /// `hot-0`, `wide-2`, `probe` …
    pub show: &'static str,
    /// What the visitor did.
    pub course: &'static str,
    pub probe: bool,
    /// Nobody but the house had a step to make between submit and end.
    pub straight: bool,
    pub came_at: Duration,
    /// Of the 202.
    pub accepted_at: Option<Duration>,
    /// Of the first end; a cancellation may have followed.
    pub ended_at: Option<Duration>,
    /// Status, or why there is no booking.
    pub status: String,
    pub code: String,
}

impl Ended {
    #[must_use]
    pub fn new(booking: BookingId, wish: &Wish, probe: bool, now: Duration) -> Self {
        Self {
            booking,
            show: wish.show.slug,
            course: wish.course.as_str(),
            probe,
            straight: wish.course.first_card() == Some("pm_card_visa"),
            came_at: now,
            accepted_at: None,
            ended_at: None,
            status: String::new(),
            code: String::new(),
        }
    }

    /// There will be no booking.
    pub(super) fn refuse(&mut self, code: &str) {
        "not accepted".clone_into(&mut self.status);
        code.clone_into(&mut self.code);
    }

    /// Where it stands; the first end is remembered.
    pub(super) fn end(&mut self, state: &State, now: Duration) {
        state.status().clone_into(&mut self.status);
        state.code().clone_into(&mut self.code);
        if state.has_ended() {
            self.ended_at.get_or_insert(now);
        }
    }

    /// It was accepted and the client never saw how it ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.accepted_at.is_some() && self.ended_at.is_none()
    }

    /// From 202 to the end.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        Some(self.ended_at? - self.accepted_at?)
    }
}
