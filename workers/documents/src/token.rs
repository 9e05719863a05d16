//! The signed code on a ticket, checkable at the gate without a network.
//!
//! `version(1) key(1) ticket(16) show(16) position(2) not_before(4) expires(4)`, then the Ed25519
//! signature over `"ticket/v1\0"` and those bytes: 108 bytes, 162 characters of base45, a QR code
//! of version 7 with medium correction. It names nobody.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use uuid::Uuid;

use crate::base45;

/// What a verified code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketToken {
    pub ticket_id: Uuid,
    pub show_id: Uuid,
    /// The place of the ticket within its booking, from 0.
    pub position: u16,
    /// First second of admission; whole seconds since 1970, as all times in the code.
    pub not_before_secs: u32,
    /// First second after admission.
    pub expires_secs: u32,
}

impl TicketToken {
    /// First instant of admission.
    pub fn not_before(&self) -> DateTime<Utc> {
        instant(self.not_before_secs)
    }

    /// First instant after admission.
    pub fn expires(&self) -> DateTime<Utc> {
        instant(self.expires_secs)
    }

    /// A token whose window is given as instants; fractions of seconds are cut off.
    pub fn new(
        ticket_id: Uuid,
        show_id: Uuid,
        position: u16,
        window: std::ops::Range<DateTime<Utc>>,
    ) -> Result<TicketToken, TokenError> {
        let secs = |at: DateTime<Utc>| {
            u32::try_from(at.timestamp()).map_err(|_out_of_range| TokenError::TimeOutOfRange(at))
        };
        Ok(TicketToken {
            ticket_id,
            show_id,
            position,
            not_before_secs: secs(window.start)?,
            expires_secs: secs(window.end)?,
        })
    }
}

fn instant(secs: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(i64::from(secs), 0).unwrap_or_default()
}

/// Why a code does not admit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("this is not a ticket code")]
    Unreadable,
    #[error("ticket code of unknown version {0}")]
    UnknownVersion(u8),
    #[error("ticket code of unknown key {0}")]
    UnknownKey(u8),
    #[error("the ticket code is not ours or was altered")]
    BadSignature,
    #[error("the ticket is valid from {0}")]
    NotYetValid(DateTime<Utc>),
    #[error("the ticket was valid until {0}")]
    Expired(DateTime<Utc>),
    #[error("these bytes are not an Ed25519 public key")]
    BadKey,
    #[error("{0} does not fit into a ticket code")]
    TimeOutOfRange(DateTime<Utc>),
}

/// Signs codes with the key of a season.
pub struct TicketSigner {
    kid: u8,
    key: SigningKey,
}

impl std::fmt::Debug for TicketSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketSigner")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl TicketSigner {
    /// The signer of key number `kid`, from the 32 secret bytes of the key.
    pub fn from_seed(kid: u8, seed: [u8; 32]) -> TicketSigner {
        TicketSigner {
            kid,
            key: SigningKey::from_bytes(&seed),
        }
    }

    pub fn kid(&self) -> u8 {
        self.kid
    }

    /// The public half, for the gates.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The code to print. Ed25519 takes no randomness: the same token gives the same code.
    pub fn sign(&self, token: &TicketToken) -> String {
        let mut bytes = encode_body(token, self.kid);
        let signature = self.key.sign(&signed_message(&bytes));
        bytes.extend_from_slice(&signature.to_bytes());
        base45::encode(&bytes)
    }
}

/// The public keys a gate accepts, by number.
#[derive(Debug, Clone, Default)]
pub struct TicketKeys(BTreeMap<u8, VerifyingKey>);

/// What a genuine code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Genuine {
    pub token: TicketToken,
    /// The key that signed it.
    pub kid: u8,
}

impl TicketKeys {
    pub fn new() -> TicketKeys {
        TicketKeys::default()
    }

    /// Numbers and public halves, in the order of the numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u8, [u8; 32])> {
        self.0.iter().map(|(kid, key)| (*kid, key.to_bytes()))
    }

    /// Adds or replaces key number `kid`.
    pub fn insert(&mut self, kid: u8, public_key: [u8; 32]) -> Result<(), TokenError> {
        let key =
            VerifyingKey::from_bytes(&public_key).map_err(|_not_a_point| TokenError::BadKey)?;
        if key.is_weak() {
            return Err(TokenError::BadKey);
        }
        self.0.insert(kid, key);
        Ok(())
    }
}

/// What the code says, if it was signed by one of `keys` and admits at `now`.
pub fn verify(
    code: &str,
    keys: &TicketKeys,
    now: DateTime<Utc>,
) -> Result<TicketToken, TokenError> {
    let token = read(code, keys)?.token;
    admits_at(&token, now)?;
    Ok(token)
}

/// What the code says, if it was signed by one of `keys`, whenever it admits.
///
/// The signature is checked before anything in the code is believed, so a forged code never
/// learns more than [`TokenError::BadSignature`].
pub fn read(code: &str, keys: &TicketKeys) -> Result<Genuine, TokenError> {
    if code.len() != CODE_CHARS {
        return Err(TokenError::Unreadable);
    }
    let bytes = base45::decode(code).ok_or(TokenError::Unreadable)?;
    let (body, signature) = bytes
        .split_at_checked(BODY_BYTES)
        .ok_or(TokenError::Unreadable)?;
    let (token, version, kid) = decode_body(body).ok_or(TokenError::Unreadable)?;
    if version != VERSION {
        return Err(TokenError::UnknownVersion(version));
    }
    let key = keys.0.get(&kid).ok_or(TokenError::UnknownKey(kid))?;
    let signature =
        Signature::from_slice(signature).map_err(|_wrong_length| TokenError::Unreadable)?;
    key.verify_strict(&signed_message(body), &signature)
        .map_err(|_mismatch| TokenError::BadSignature)?;
    Ok(Genuine { token, kid })
}

const VERSION: u8 = 1;
const DOMAIN: &[u8] = b"ticket/v1\0";
const BODY_BYTES: usize = 1 + 1 + 16 + 16 + 2 + 4 + 4;
/// 108 bytes in base45.
const CODE_CHARS: usize = (BODY_BYTES + ed25519_dalek::SIGNATURE_LENGTH) / 2 * 3;

/// Whether the window of the token is open.
pub fn admits_at(token: &TicketToken, now: DateTime<Utc>) -> Result<(), TokenError> {
    if now.timestamp() < i64::from(token.not_before_secs) {
        return Err(TokenError::NotYetValid(token.not_before()));
    }
    if now.timestamp() >= i64::from(token.expires_secs) {
        return Err(TokenError::Expired(token.expires()));
    }
    Ok(())
}

fn signed_message(body: &[u8]) -> Vec<u8> {
    [DOMAIN, body].concat()
}

fn encode_body(token: &TicketToken, kid: u8) -> Vec<u8> {
    let mut body = Vec::with_capacity(BODY_BYTES + ed25519_dalek::SIGNATURE_LENGTH);
    body.extend([VERSION, kid]);
    body.extend(token.ticket_id.as_bytes());
    body.extend(token.show_id.as_bytes());
    body.extend(token.position.to_be_bytes());
    body.extend(token.not_before_secs.to_be_bytes());
    body.extend(token.expires_secs.to_be_bytes());
    body
}

/// The token with the version and key number in front of it.
fn decode_body(body: &[u8]) -> Option<(TicketToken, u8, u8)> {
    let (&[version, kid], rest) = body.split_first_chunk::<2>()?;
    let (ticket_id, rest) = rest.split_first_chunk::<16>()?;
    let (show_id, rest) = rest.split_first_chunk::<16>()?;
    let (position, rest) = rest.split_first_chunk::<2>()?;
    let (not_before, rest) = rest.split_first_chunk::<4>()?;
    let (expires, _) = rest.split_first_chunk::<4>()?;
    let token = TicketToken {
        ticket_id: Uuid::from_bytes(*ticket_id),
        show_id: Uuid::from_bytes(*show_id),
        position: u16::from_be_bytes(*position),
        not_before_secs: u32::from_be_bytes(*not_before),
        expires_secs: u32::from_be_bytes(*expires),
    };
    Some((token, version, kid))
}
