//! What the table of queues must fulfil, found out when the program is compiled.

use super::{Exchange, Queue};

pub(super) const fn check(queues: &[Queue]) {
    let mut i = 0;
    while i < queues.len() {
        let queue = &queues[i];
        assert!(
            queue.name.len() <= 60,
            "names stay readable; AMQP allows 255 bytes"
        );
        assert!(
            !queue.bindings.is_empty(),
            "a queue that nothing leads to is dead"
        );
        assert!(
            queue.batch_max > 0 && queue.calls_max > 0,
            "zero would stand still"
        );
        assert!(
            queue.prefetch >= queue.batch_max,
            "prefetch 0 means unlimited, and a batch must fit"
        );
        assert!(
            i == 0 || less(queues[i - 1].name, queue.name),
            "keep QUEUES sorted and unique"
        );
        let mut b = 0;
        while b < queue.bindings.len() {
            let binding = queue.bindings[b];
            if matches!(binding.exchange, Exchange::Intake | Exchange::Commands) {
                assert!(
                    owners(queues, binding.pattern) == 1,
                    "a command has exactly one queue"
                );
            }
            b += 1;
        }
        i += 1;
    }
}

/// How many queues are bound to a command: a second one would hide from `mandatory` that the first is gone.
const fn owners(queues: &[Queue], pattern: &str) -> u32 {
    let (mut found, mut i) = (0, 0);
    while i < queues.len() {
        let mut b = 0;
        while b < queues[i].bindings.len() {
            let binding = queues[i].bindings[b];
            let commands = matches!(binding.exchange, Exchange::Intake | Exchange::Commands);
            if commands && equal(binding.pattern, pattern) {
                found += 1;
            }
            b += 1;
        }
        i += 1;
    }
    found
}

const fn equal(a: &str, b: &str) -> bool {
    a.len() == b.len() && !less(a, b) && !less(b, a)
}

const fn less(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}
