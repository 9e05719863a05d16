//! Base45 (RFC 9285): bytes in the alphabet that a QR code packs into 5.5 bits per character.

pub(crate) const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Two bytes become three characters, a last single byte two.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    let mut push = |value: u16| text.push(char::from(ALPHABET[usize::from(value % 45)]));
    for pair in bytes.chunks(2) {
        match *pair {
            [high, low] => {
                let value = u16::from_be_bytes([high, low]);
                push(value);
                push(value / 45);
                push(value / (45 * 45));
            }
            [last] => {
                push(u16::from(last));
                push(u16::from(last) / 45);
            }
            _ => {}
        }
    }
    text
}

/// The bytes of `text`, or nothing when it is not base45. Exactly one text decodes to given bytes.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for group in text.as_bytes().chunks(3) {
        let mut value = 0_u32;
        for &c in group.iter().rev() {
            value = value * 45 + u32::try_from(ALPHABET.iter().position(|&a| a == c)?).ok()?;
        }
        match group.len() {
            3 => bytes.extend(u16::try_from(value).ok()?.to_be_bytes()),
            2 => bytes.push(u8::try_from(value).ok()?),
            _ => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode, encode};

    #[test]
    fn the_examples_of_the_rfc() {
        for (plain, coded) in [
            ("AB", "BB8"),
            ("Hello!!", "%69 VD92EX0"),
            ("base-45", "UJCLQE7W581"),
            ("", ""),
        ] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn overflow_stray_characters_and_half_groups_are_refused() {
        for wrong in ["GGW", ":::", "::", "A", "bb8", "BB8é", "BB8\n"] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_survive(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn only_one_text_stands_for_given_bytes(text in "[0-9A-Z $%*+./:-]{0,30}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
