//! Which queues a message reaches, without asking the broker.

use super::{Exchange, QUEUES, Queue};

/// The queues that a topic exchange brings a message of this key to.
pub fn queues_of(exchange: Exchange, key: &str) -> impl Iterator<Item = &'static Queue> {
    QUEUES.iter().filter(move |queue| {
        queue
            .bindings
            .iter()
            .any(|binding| binding.exchange == exchange && matches(binding.pattern, key))
    })
}

/// As a topic exchange compares words: `*` is one, `#` any number.
fn matches(pattern: &str, key: &str) -> bool {
    fn words(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern.split_first(), key.split_first()) {
            (None, None) => true,
            (Some((&"#", more)), _) => (0..=key.len()).any(|skipped| words(more, &key[skipped..])),
            (Some((word, more)), Some((is, rest))) => {
                (*word == "*" || word == is) && words(more, rest)
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
    let (pattern, key): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), key.split('.').collect());
    words(&pattern, &key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_matched_as_a_topic_exchange_does() {
        let names = |exchange, key| {
            let found = queues_of(exchange, key).map(|queue| queue.name);
            found.collect::<Vec<_>>()
        };
        assert_eq!(
            names(Exchange::Commands, "payment.capture.v1"),
            ["payments"]
        );
        assert_eq!(names(Exchange::Intake, "nobody.binds.v1"), [""; 0]);
        assert!(matches("booking.#", "booking.held.v1") && matches("booking.#", "booking"));
        assert!(matches("#", "") && matches("*.held.*", "booking.held.v1"));
        assert!(!matches("booking.*", "booking.held.v1"));
    }
}
