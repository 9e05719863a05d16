//! Links to documents that open without a token: whoever holds one may read one document of one booking, for a
//! while.
//!
//! `expires` and `signature` in the query; the signature is half of an HMAC-SHA256 over the booking, the document
//! and the expiry. The API serves them; whoever writes to a customer may make one with the same secret.

use boxoffice_contracts::{BookingId, Instant};
use chrono::{DateTime, TimeDelta};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::time::Duration;

/// What a link opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkedDocument {
    TicketsPdf,
    TicketsIcs,
}

/// Signs and checks.
#[derive(Clone)]
pub struct DocumentLinks {
    key: Hmac<Sha256>,
}

/// Half a SHA-256: 128 bits can't be guessed, and the link stays short.
const HALF: usize = 16;

/// Sets these MACs apart from any other use of the secret.
const PURPOSE: &[u8] = b"boxoffice.document-link.v1\0";

/// Expiries fall on whole hours: within one hour a document has one link, which caches and people recognise.
const STEP_SECS: i64 = 3_600;

impl LinkedDocument {
    /// The last part of the path.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::TicketsPdf => "tickets.pdf",
            Self::TicketsIcs => "tickets.ics",
        }
    }
}

impl DocumentLinks {
    #[must_use]
    pub fn new(secret: &str) -> Self {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let key = Hmac::new_from_slice(secret.as_bytes()).expect("any length");
        Self { key }
    }

    /// The path and query that open the document for at least `ttl`.
    #[must_use]
    pub fn link(
        &self,
        booking: BookingId,
        document: LinkedDocument,
        now: Instant,
        ttl: Duration,
    ) -> String {
        let ttl = TimeDelta::from_std(ttl).unwrap_or(TimeDelta::MAX);
        let until = now
            .checked_add_signed(ttl)
            .unwrap_or(DateTime::<chrono::Utc>::MAX_UTC);
        let expires = (until.timestamp() + STEP_SECS - 1).div_euclid(STEP_SECS) * STEP_SECS;
        let mac = self.mac(booking, document, expires).finalize().into_bytes();
        let signature: String = mac[..HALF]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!(
            "/v1/bookings/{booking}/{}?expires={expires}&signature={signature}",
            document.file_name()
        )
    }

    /// Whether we signed this link; compared in constant time. Whether it has expired is for the caller to see.
    #[must_use]
    pub fn is_ours(
        &self,
        booking: BookingId,
        document: LinkedDocument,
        expires: i64,
        signature: &str,
    ) -> bool {
        unhex(signature).is_some_and(|signature| {
            let mac = self.mac(booking, document, expires);
            mac.verify_truncated_left(&signature).is_ok()
        })
    }

    fn mac(&self, booking: BookingId, document: LinkedDocument, expires: i64) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(PURPOSE);
        mac.update(booking.0.as_bytes());
        mac.update(document.file_name().as_bytes());
        mac.update(&[0]);
        mac.update(&expires.to_be_bytes());
        mac
    }
}

impl std::fmt::Debug for DocumentLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DocumentLinks(***)")
    }
}

fn unhex(text: &str) -> Option<[u8; HALF]> {
    let digits = text.as_bytes();
    let is_digit = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    if digits.len() != 2 * HALF || !digits.iter().all(is_digit) {
        return None;
    }
    let mut bytes = [0; HALF];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

    fn at(secs: i64) -> Instant {
        DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
    }

    fn parts(link: &str) -> (i64, String) {
        let (_, query) = link.split_once("?expires=").unwrap();
        let (expires, signature) = query.split_once("&signature=").unwrap();
        (expires.parse().unwrap(), signature.to_owned())
    }

    #[test]
    fn a_link_opens_one_document_of_one_booking_until_it_expires() {
        use LinkedDocument::{TicketsIcs, TicketsPdf};
        let links = DocumentLinks::new(&"k".repeat(32));
        let booking = BookingId::derive("house", "ada", "key");
        let link = links.link(booking, TicketsPdf, at(0), WEEK);
        assert!(link.starts_with(&format!("/v1/bookings/{booking}/tickets.pdf?expires=")));
        let (expires, signature) = parts(&link);
        assert!(links.is_ours(booking, TicketsPdf, expires, &signature));

        let (hour, week) = (3_600, 7 * 24 * 3_600);
        let ttl = expires - at(0).timestamp();
        assert!((week..week + hour).contains(&ttl), "{ttl}");
        // The whole hour has one link.
        let soon = links.link(booking, TicketsPdf, at(1), WEEK);
        assert_eq!(soon, link);

        let other = BookingId::derive("house", "ada", "key2");
        assert!(!links.is_ours(other, TicketsPdf, expires, &signature));
        assert!(!links.is_ours(booking, TicketsIcs, expires, &signature));
        assert!(!links.is_ours(booking, TicketsPdf, expires + hour, &signature));
        let elsewhere = DocumentLinks::new(&"l".repeat(32));
        assert!(!elsewhere.is_ours(booking, TicketsPdf, expires, &signature));
    }

    #[test]
    fn no_digit_of_a_signature_may_change_or_be_missing() {
        let links = DocumentLinks::new(&"k".repeat(32));
        let booking = BookingId::derive("house", "ada", "key");
        let link = links.link(booking, LinkedDocument::TicketsIcs, at(0), WEEK);
        let (expires, signature) = parts(&link);
        let check = |signature: &str| {
            links.is_ours(booking, LinkedDocument::TicketsIcs, expires, signature)
        };
        for place in 0..signature.len() {
            let digit = if signature.as_bytes()[place] == b'0' {
                "1"
            } else {
                "0"
            };
            let mut changed = signature.clone();
            changed.replace_range(place..=place, digit);
            assert!(!check(&changed), "{changed}");
        }
        for rubbish in [
            "",
            "00",
            "é",
            &signature[..30],
            &signature.to_uppercase(),
            &format!("{signature}00"),
            &format!("+{}", &signature[1..]),
        ] {
            assert!(!check(rubbish), "{rubbish}");
        }
        assert!(check(&signature));
    }
}
