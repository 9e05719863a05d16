//! `Prefer: wait=n` (RFC 7240).

use crate::layers::WAIT_SECS_MAX;
use axum::http::{HeaderMap, HeaderName};
use std::time::Duration;

pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the client wants to wait for an outcome, cut to what is allowed. `respond-async` wins.
pub(crate) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences: Vec<String> = headers
        .get_all(PREFER)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|one| {
            one.split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase()
        })
        .collect();
    if preferences.iter().any(|one| one == "respond-async") {
        return None;
    }
    // The first of several counts.
    let secs = preferences
        .iter()
        .filter_map(|one| one.split_once('='))
        .find(|(name, _)| name.trim() == "wait")
        .and_then(|(_, value)| value.trim().trim_matches('"').parse::<u64>().ok())?;
    (secs > 0).then(|| Duration::from_secs(secs.min(WAIT_SECS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_understood_and_cut() {
        let ask = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("prefer", line.parse().unwrap());
            }
            wait(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(ask(&["wait=10"]), Some(10));
        assert_eq!(ask(&["return=minimal, Wait = \"5\""]), Some(5));
        assert_eq!(ask(&["return=minimal", "wait=99"]), Some(30));
        assert_eq!(ask(&["wait=10, respond-async"]), None);
        for nothing in ["", "wait", "wait=", "wait=-1", "wait=0", "handling=lenient"] {
            assert_eq!(ask(&[nothing]), None, "{nothing}");
        }
    }
}
