//! Finds card numbers, so that none ever reaches a queue, a table or a log.

use super::fields::{FieldError, pointer};
use crate::Code;
use serde_json::Value;

/// Lengths of card numbers (ISO/IEC 7812, from 13).
const LENGTHS: std::ops::RangeInclusive<usize> = 13..=19;

/// Whether the text holds 13 to 19 digits, alone or grouped by single spaces or dashes, whose check digit
/// fits. Ids in the form of a UUID are no card numbers, whatever their digits are.
#[must_use]
pub fn holds_card_number(text: &str) -> bool {
    if uuid::Uuid::try_parse(text).is_ok() {
        return false;
    }
    let mut grouped: Vec<u8> = Vec::new();
    let mut solid: Vec<u8> = Vec::new();
    let mut gap = 0;
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10).and_then(|digit| u8::try_from(digit).ok()) {
            grouped.push(digit);
            solid.push(digit);
            gap = 0;
            continue;
        }
        if is_card_number(&solid) {
            return true;
        }
        solid.clear();
        let separates = matches!(c, ' ' | '-' | '\u{a0}');
        gap += 1;
        if !separates || gap > 1 {
            if is_card_number(&grouped) {
                return true;
            }
            grouped.clear();
        }
    }
    is_card_number(&solid) || is_card_number(&grouped)
}

/// Card numbers are refused wherever they stand, known field or not.
pub fn refuse_cards(value: &Value, at: String, errors: &mut Vec<FieldError>) {
    let found = match value {
        Value::String(text) => holds_card_number(text),
        Value::Number(number) => holds_card_number(&number.to_string()),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                refuse_cards(item, format!("{at}/{i}"), errors);
            }
            false
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                if holds_card_number(name) {
                    // The name itself is the secret: point at what holds it.
                    errors.push(card_refused(at.clone()));
                } else {
                    refuse_cards(field, pointer(&at, name), errors);
                }
            }
            false
        }
        Value::Null | Value::Bool(_) => false,
    };
    if found {
        errors.push(card_refused(at));
    }
}

fn card_refused(at: String) -> FieldError {
    FieldError::new(
        at,
        Code::CardNumberRefused.as_str(),
        "Give the card to the gateway and send its payment method here.",
    )
}

fn is_card_number(digits: &[u8]) -> bool {
    // Zeros alone pass the check and mean nothing.
    LENGTHS.contains(&digits.len()) && digits.iter().any(|d| *d != 0) && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| {
            let doubled = u32::from(*digit) * if i % 2 == 1 { 2 } else { 1 };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cards_are_found_in_every_writing_and_other_numbers_are_not() {
        for card in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "my card: 4000-0027-6000-3184, thanks",
            "378282246310005",
            "order 7: 5555555555554444.",
            "x4242424242424242@example.org",
        ] {
            assert!(holds_card_number(card), "{card}");
        }
        for other in [
            "",
            "4242424242424241",
            "+49 170 1234567",
            "0000000000000000",
            "2026-11-21T18:40:00.123456Z",
            "4242  4242  4242  4242x4",
            "42424242-4242-4242-4242-424242424242",
            "pm_card_visa",
            "12345678901234567890123",
        ] {
            assert!(!holds_card_number(other), "{other}");
        }
    }

    #[test]
    fn a_card_number_is_found_anywhere_and_never_repeated() {
        let find = |value: Value| {
            let mut errors = Vec::new();
            refuse_cards(&value, String::new(), &mut errors);
            assert!(!format!("{errors:?}").contains("4242"));
            errors
                .into_iter()
                .map(|error| error.pointer)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            find(json!({"customer": {"name": "4242 4242 4242 4242"}})),
            ["/customer/name"]
        );
        assert_eq!(
            find(json!({"x": [{"a/b": 4242424242424242_u64}]})),
            ["/x/0/a~1b"]
        );
        assert_eq!(find(json!({"4242424242424242": 1})), [""]);
        assert!(find(json!({"customer": {"name": "Ada"}, "n": 4242})).is_empty());
    }
}
