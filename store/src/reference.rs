//! The short names that people read to each other: derived from ids, never stored.

use boxoffice_contracts::{BookingId, TicketId};
use uuid::Uuid;

/// Crockford's base 32: no I, L, O or U, which are misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What a customer calls a booking by: 8 characters, 40 bits of its id.
///
/// Two bookings may share one, so it finds candidates for a person to choose from and never proves anything.
#[must_use]
pub fn reference(booking: BookingId) -> String {
    let id = booking.0.as_bytes();
    base32([id[0], id[1], id[2], id[3], id[4]])
}

/// What is printed below the code of a ticket, for the day the scanner is broken: `7KQ2-M8XC`.
#[must_use]
pub fn serial(ticket: TicketId) -> String {
    let id = ticket.0.as_bytes();
    let mut text = base32([id[0], id[1], id[2], id[3], id[4]]);
    text.insert(4, '-');
    text
}

/// The first and the last id that a reference or a serial can be of, however it was written down: small or large
/// letters, spaces and hyphens, and what is misread (`O` for 0, `I` and `L` for 1). `None` for what is neither.
#[must_use]
pub fn ids_of(text: &str) -> Option<(Uuid, Uuid)> {
    let digits: Vec<u64> = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-'))
        .map(digit)
        .collect::<Option<_>>()?;
    if digits.len() != 8 {
        return None;
    }
    let bits = digits.iter().fold(0_u64, |bits, digit| bits << 5 | digit);
    let prefix = u128::from(bits) << 88;
    Some((
        Uuid::from_u128(prefix),
        Uuid::from_u128(prefix | ((1 << 88) - 1)),
    ))
}

fn digit(c: char) -> Option<u64> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    (0..)
        .zip(ALPHABET)
        .find_map(|(value, letter)| (char::from(*letter) == c).then_some(value))
}

/// Five bytes are exactly eight digits of five bits.
fn base32(bytes: [u8; 5]) -> String {
    let bits = bytes
        .iter()
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    (0..8)
        .rev()
        .map(|digit| char::from(ALPHABET[(bits >> (digit * 5) & 31) as usize]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_eight_characters_that_are_not_misread() {
        for key in ["a", "b", "c", "d"] {
            let text = reference(BookingId::derive("house", "s", key));
            assert_eq!(text.len(), 8);
            assert!(text.bytes().all(|c| ALPHABET.contains(&c)), "{text}");
            assert!(!text.contains(['I', 'L', 'O', 'U']), "{text}");
        }
    }

    #[test]
    fn a_reference_is_the_first_forty_bits() {
        let of = |text: &str| reference(BookingId(Uuid::parse_str(text).unwrap()));
        assert_eq!(of("00000000-00ff-5fff-bfff-ffffffffffff"), "00000000");
        assert_eq!(of("ffffffff-ff00-5000-8000-000000000000"), "ZZZZZZZZ");
        assert_eq!(of("00000000-2100-5000-8000-000000000000"), "00000011");
    }

    #[test]
    fn a_reference_is_found_again_however_it_was_written_down() {
        for key in ["a", "b", "c", "d"] {
            let booking = BookingId::derive("house", "s", key);
            let ticket = TicketId::derive(booking, 1, 1);
            for (id, text) in [
                (booking.0, reference(booking)),
                (booking.0, reference(booking).to_lowercase()),
                (ticket.0, serial(ticket)),
                (
                    ticket.0,
                    serial(ticket)
                        .replace('-', " ")
                        .replace('0', "o")
                        .replace('1', "l"),
                ),
            ] {
                let (first, last) = ids_of(&text).unwrap();
                assert!((first..=last).contains(&id), "{text}");
            }
        }
        for wrong in ["", "7KQ2-M8X", "7KQ2-M8XCC", "7KQ2-M8XU", "7KQ2_M8XC"] {
            assert_eq!(ids_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_serial_is_grouped_for_reading_aloud() {
        let booking = BookingId::derive("house", "s", "k");
        let text = serial(TicketId::derive(booking, 1, 1));
        assert_eq!(text.len(), 9);
        assert_eq!(text.as_bytes()[4], b'-');
        assert_ne!(text, serial(TicketId::derive(booking, 2, 1)));
    }
}
