//! A code admits only as it was signed, by whom it was signed, when it was signed for.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use boxoffice_documents::token::{Genuine, read, verify};
use boxoffice_documents::{TicketKeys, TicketSigner, TicketToken, TokenError};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

const ALPHABET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

fn now() -> DateTime<Utc> {
    "2026-11-27T18:30:00Z".parse().unwrap()
}

fn ticket() -> TicketToken {
    let window = now() - TimeDelta::hours(1)..now() + TimeDelta::hours(3);
    TicketToken::new(Uuid::from_u128(0xABCD), Uuid::from_u128(0x1234), 3, window).unwrap()
}

fn signer() -> TicketSigner {
    TicketSigner::from_seed(7, [42; 32])
}

fn keys() -> TicketKeys {
    let mut keys = TicketKeys::new();
    keys.insert(7, signer().public_key()).unwrap();
    keys
}

#[test]
fn a_signed_ticket_is_read_back() {
    let code = signer().sign(&ticket());
    assert_eq!(code.len(), 162);
    assert!(code.chars().all(|c| ALPHABET.contains(c)), "{code}");
    assert_eq!(verify(&code, &keys(), now()), Ok(ticket()));
    assert_eq!(
        code,
        signer().sign(&ticket()),
        "the same ticket has one code"
    );
}

#[test]
fn every_other_character_at_every_place_is_rejected() {
    let code = signer().sign(&ticket());
    let keys = keys();
    for at in 0..code.len() {
        // All characters for some places, one neighbour for the others: 45 × 162 signatures take long.
        let others: Vec<char> = if at % 27 == 0 {
            ALPHABET.chars().collect()
        } else {
            vec![ALPHABET.chars().nth(at % 45).unwrap(), 'é']
        };
        for other in others.into_iter().filter(|c| !code[at..].starts_with(*c)) {
            let altered: String = code
                .chars()
                .enumerate()
                .map(|(i, c)| if i == at { other } else { c })
                .collect();
            assert!(verify(&altered, &keys, now()).is_err(), "{other:?} at {at}");
        }
    }
}

#[test]
fn every_single_flipped_bit_is_rejected() {
    let bytes = decode(&signer().sign(&ticket()));
    let keys = keys();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refused = verify(&encode(&flipped), &keys, now()).unwrap_err();
        let expected = match bit / 8 {
            0 => TokenError::UnknownVersion(flipped[0]),
            1 => TokenError::UnknownKey(flipped[1]),
            _ => TokenError::BadSignature,
        };
        assert_eq!(refused, expected, "bit {bit}");
    }
}

#[test]
fn a_foreign_key_and_an_unknown_key_are_rejected() {
    let foreign = TicketSigner::from_seed(7, [43; 32]).sign(&ticket());
    assert_eq!(
        verify(&foreign, &keys(), now()),
        Err(TokenError::BadSignature)
    );
    let retired = TicketSigner::from_seed(6, [42; 32]).sign(&ticket());
    assert_eq!(
        verify(&retired, &keys(), now()),
        Err(TokenError::UnknownKey(6))
    );
    assert_eq!(keys().insert(1, [0; 32]), Err(TokenError::BadKey));
}

#[test]
fn the_window_opens_at_its_first_second_and_closes_at_its_last() {
    let code = signer().sign(&ticket());
    let (opens, closes) = (now() - TimeDelta::hours(1), now() + TimeDelta::hours(3));
    let second = TimeDelta::seconds(1);
    assert!(verify(&code, &keys(), opens).is_ok());
    assert!(verify(&code, &keys(), closes - second).is_ok());
    assert_eq!(
        verify(&code, &keys(), opens - second),
        Err(TokenError::NotYetValid(opens))
    );
    assert_eq!(
        verify(&code, &keys(), closes),
        Err(TokenError::Expired(closes))
    );
}

#[test]
fn after_a_rotation_the_codes_of_the_former_key_still_verify() {
    let next = TicketSigner::from_seed(8, [43; 32]);
    let mut both = keys();
    both.insert(8, next.public_key()).unwrap();
    for (signer, kid) in [(signer(), 7), (next, 8)] {
        let genuine = read(&signer.sign(&ticket()), &both).unwrap();
        assert_eq!(
            genuine,
            Genuine {
                token: ticket(),
                kid
            }
        );
    }
    let numbers: Vec<u8> = both.iter().map(|(kid, _)| kid).collect();
    assert_eq!(numbers, [7, 8]);
}

#[test]
fn a_code_is_genuine_outside_of_its_window_too() {
    let code = signer().sign(&ticket());
    assert!(verify(&code, &keys(), now() + TimeDelta::days(90)).is_err());
    assert_eq!(read(&code, &keys()).unwrap().token, ticket());
}

#[test]
fn times_before_1970_and_after_2106_do_not_fit() {
    for at in ["1969-12-31T23:59:59Z", "2106-02-07T06:28:16Z"] {
        let at = at.parse().unwrap();
        let token = TicketToken::new(Uuid::nil(), Uuid::nil(), 0, now()..at);
        assert_eq!(token, Err(TokenError::TimeOutOfRange(at)));
    }
}

#[test]
fn the_secret_key_is_not_in_the_debug_output() {
    assert_eq!(format!("{:?}", signer()), "TicketSigner { kid: 7, .. }");
}

proptest! {
    #[test]
    fn garbage_is_refused_and_never_panics(text: String, code in "[0-9A-Z $%*+./:-]{162}") {
        prop_assert!(verify(&text, &keys(), now()).is_err());
        prop_assert!(verify(&code, &keys(), now()).is_err());
    }

    #[test]
    fn any_ticket_survives(ticket_id: u128, show_id: u128, position: u16, length in 1_u32..100_000) {
        let ticket = TicketToken {
            ticket_id: Uuid::from_u128(ticket_id),
            show_id: Uuid::from_u128(show_id),
            position,
            not_before_secs: now().timestamp() as u32,
            expires_secs: now().timestamp() as u32 + length,
        };
        prop_assert_eq!(verify(&signer().sign(&ticket), &keys(), now()), Ok(ticket));
    }
}

/// Base45 once more, so that the tests don't lean on the code they test.
fn decode(text: &str) -> Vec<u8> {
    let values: Vec<u32> = text
        .chars()
        .map(|c| ALPHABET.find(c).unwrap() as u32)
        .collect();
    values
        .chunks(3)
        .flat_map(|c| {
            u16::try_from(c[0] + c[1] * 45 + c[2] * 2025)
                .unwrap()
                .to_be_bytes()
        })
        .collect()
}

fn encode(bytes: &[u8]) -> String {
    let digit = |value: u32| char::from(ALPHABET.as_bytes()[(value % 45) as usize]);
    bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) * 256 + u32::from(pair[1]))
        .flat_map(|value| [digit(value), digit(value / 45), digit(value / 2025)])
        .collect()
}
