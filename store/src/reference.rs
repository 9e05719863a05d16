//! The short names that people read to each other: derived from ids, never stored.

use boxoffice_contracts::{BookingId, TicketId};

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
    use uuid::Uuid;

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
    fn a_serial_is_grouped_for_reading_aloud() {
        let booking = BookingId::derive("house", "s", "k");
        let text = serial(TicketId::derive(booking, 1, 1));
        assert_eq!(text.len(), 9);
        assert_eq!(text.as_bytes()[4], b'-');
        assert_ne!(text, serial(TicketId::derive(booking, 2, 1)));
    }
}
