//! A piece of work that is always the same, to compare machines by: what a booking costs is told in units of it.

use crate::cost::thread_cpu_s;
use serde_json::Value;
use std::hint::black_box;

const ROUNDS: usize = 20_000;
const ORDER: &str = r#"{"show_id":"fd0b887a-bf3f-59d5-86a9-cd7befebf265","positions":[{"seat_id":"wide-1-1","price":
    {"amount":1250,"currency":"EUR"}},{"seat_id":"wide-1-2","price":{"amount":1250,"currency":"EUR"}}],"customer":
    {"email":"ada@example.com","name":"Ada Byron","locale":"en"},"payment":{"method":"pm_card_visa"}}"#;

/// Milliseconds of CPU time that it takes to read and write an order often.
pub(crate) fn cpu_ms() -> anyhow::Result<f64> {
    let begun = thread_cpu_s()?;
    for _ in 0..ROUNDS {
        let order: Value = serde_json::from_str(black_box(ORDER))?;
        black_box(serde_json::to_vec(&order)?);
    }
    Ok((thread_cpu_s()? - begun) * 1_000.0)
}
