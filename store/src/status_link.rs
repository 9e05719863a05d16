//! The proof in a status link: a stateless API tells "queued" from "never existed" by it.
//!
//! `<deadline>.<hash>.<mac>`: microseconds, half of the request's SHA-256 and half of an HMAC-SHA256 over the
//! booking, its owner and the two, in base64url. It proves nothing to anybody but its owner.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use boxoffice_contracts::{BookingId, Instant, Owner};
use chrono::DateTime;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Signs and checks.
#[derive(Clone)]
pub struct Proofs {
    key: Hmac<Sha256>,
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proofs(***)")
    }
}

/// What a genuine proof says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    pub deadline: Instant,
    hash: [u8; HALF],
}

/// Half a SHA-256: 128 bits can't be guessed, and the link stays short.
const HALF: usize = 16;

/// Sets these MACs apart from any other use of the secret.
const PURPOSE: &[u8] = b"boxoffice.status-link.v1\0";

impl Proofs {
    #[must_use]
    pub fn new(secret: &str) -> Self {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let key = Hmac::new_from_slice(secret.as_bytes()).expect("any length");
        Self { key }
    }

    #[must_use]
    pub fn sign(
        &self,
        booking: BookingId,
        owner: &Owner,
        request_hash: &[u8; 32],
        deadline: Instant,
    ) -> String {
        let mut hash = [0; HALF];
        hash.copy_from_slice(&request_hash[..HALF]);
        let micros = deadline.timestamp_micros();
        let mac = self
            .mac(booking, owner, &hash, micros)
            .finalize()
            .into_bytes();
        format!("{micros}.{}.{}", B64.encode(hash), B64.encode(&mac[..HALF]))
    }

    /// The path of a booking's status, with the proof that it was accepted.
    #[must_use]
    pub fn status_link(
        &self,
        booking: BookingId,
        owner: &Owner,
        request_hash: &[u8; 32],
        deadline: Instant,
    ) -> String {
        let proof = self.sign(booking, owner, request_hash, deadline);
        format!("/v1/bookings/{booking}?proof={proof}")
    }

    /// The proof, if it is one for this booking and this owner.
    #[must_use]
    pub fn check(&self, booking: BookingId, owner: &Owner, text: &str) -> Option<Proof> {
        let mut parts = text.split('.');
        let (Some(micros), Some(hash), Some(mac), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let micros: i64 = micros.parse().ok()?;
        let hash: [u8; HALF] = B64.decode(hash).ok()?.try_into().ok()?;
        let mac: [u8; HALF] = B64.decode(mac).ok()?.try_into().ok()?;
        self.mac(booking, owner, &hash, micros)
            .verify_truncated_left(&mac)
            .ok()?;
        Some(Proof {
            deadline: DateTime::from_timestamp_micros(micros)?,
            hash,
        })
    }

    fn mac(
        &self,
        booking: BookingId,
        owner: &Owner,
        hash: &[u8; HALF],
        micros: i64,
    ) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(PURPOSE);
        mac.update(booking.0.as_bytes());
        for part in [&owner.tenant, &owner.subject] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(hash);
        mac.update(&micros.to_be_bytes());
        mac
    }
}

impl Proof {
    /// Whether the booking that came to be was made by the request that this link answered.
    #[must_use]
    pub fn is_of(&self, request_hash: &[u8]) -> bool {
        request_hash.get(..HALF) == Some(&self.hash[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock_at(secs: i64) -> Instant {
        DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
    }

    fn owner(subject: &str) -> Owner {
        Owner {
            tenant: "house".to_owned(),
            subject: subject.to_owned(),
        }
    }

    #[test]
    fn a_proof_holds_for_one_booking_of_one_owner_and_no_bit_may_change() {
        let proofs = Proofs::new(&"k".repeat(32));
        let booking = BookingId::derive("house", "ada", "key");
        let text = proofs.sign(booking, &owner("ada"), &[7; 32], clock_at(600));
        let proof = proofs.check(booking, &owner("ada"), &text).unwrap();
        assert_eq!(proof.deadline, clock_at(600));
        assert!(proof.is_of(&[7; 32]));
        assert!(!proof.is_of(&[8; 32]));
        assert!(!proof.is_of(&[]));

        assert!(proofs.check(booking, &owner("eve"), &text).is_none());
        let other = BookingId::derive("house", "ada", "key2");
        assert!(proofs.check(other, &owner("ada"), &text).is_none());
        let secret = Proofs::new(&"l".repeat(32));
        assert!(secret.check(booking, &owner("ada"), &text).is_none());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else {
                continue;
            };
            assert!(
                proofs.check(booking, &owner("ada"), &changed).is_none(),
                "{changed}"
            );
        }
        for rubbish in ["", ".", "..", "1.2.3", "1.2.3.4"] {
            assert!(proofs.check(booking, &owner("ada"), rubbish).is_none());
        }
    }
}
