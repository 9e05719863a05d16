//! Finds card numbers, so that none ever reaches a queue, a table or a log.

/// Lengths of card numbers (ISO/IEC 7812, from 13).
const LENGTHS: std::ops::RangeInclusive<usize> = 13..=19;

/// Whether the text holds 13 to 19 digits, alone or grouped by single spaces or dashes, whose check digit
/// fits. Ids in the form of a UUID are no card numbers, whatever their digits are.
#[must_use]
pub(crate) fn holds_card_number(text: &str) -> bool {
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
}
