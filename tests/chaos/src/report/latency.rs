//! From 202 to `completed`, of bookings in which only the house had steps to make: without faults and with them.

use super::{Findings, quantile};
use serde::Serialize;

/// One stretch of the chart; seconds.
const BUCKET_S: f64 = 10.0;

#[derive(Debug, Clone, Serialize)]
pub struct Latencies {
    /// No fault was under way, and the house had recovered, all the time from 202 to the end.
    pub calm: Spread,
    pub under_fire: Spread,
    /// By the moment of the 202.
    pub buckets: Vec<Bucket>,
}

/// Seconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Spread {
    pub count: usize,
    pub p50_s: f64,
    pub p95_s: f64,
    pub p99_s: f64,
    pub max_s: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Bucket {
    pub from_s: f64,
    pub p50_s: f64,
    pub p95_s: f64,
}

impl Latencies {
    pub(super) fn of(findings: &Findings) -> Self {
        let fires: Vec<(f64, f64)> = findings
            .timeline
            .iter()
            .map(|struck| {
                let recovered = struck.recovered_after_s.unwrap_or_default();
                (struck.struck_at_s, struck.healed_at_s + recovered)
            })
            .collect();
        let (mut calm, mut fire) = (Vec::new(), Vec::new());
        let mut buckets: Vec<Vec<f64>> = Vec::new();
        for visit in &findings.visits {
            let (Some(accepted), Some(ended)) = (visit.accepted_at, visit.ended_at) else {
                continue;
            };
            // Probes come always in the same way, customers' bookings may be rejected: only what was sold is timed.
            if !visit.straight || !matches!(visit.status.as_str(), "completed" | "refunded") {
                continue;
            }
            let (accepted, ended) = (accepted.as_secs_f64(), ended.as_secs_f64());
            let burned = fires
                .iter()
                .any(|(from, until)| *from < ended && accepted < *until);
            let took = ended - accepted;
            if burned { &mut fire } else { &mut calm }.push(took);
            let bucket = (accepted / BUCKET_S) as usize;
            if buckets.len() <= bucket {
                buckets.resize(bucket + 1, Vec::new());
            }
            buckets[bucket].push(took);
        }
        let numbered = buckets.into_iter().enumerate();
        let told = numbered.filter(|(_, values)| !values.is_empty());
        Self {
            calm: Spread::of(calm),
            under_fire: Spread::of(fire),
            buckets: told
                .map(|(number, values)| {
                    let spread = Spread::of(values);
                    Bucket {
                        from_s: number as f64 * BUCKET_S,
                        p50_s: spread.p50_s,
                        p95_s: spread.p95_s,
                    }
                })
                .collect(),
        }
    }
}

impl Spread {
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            count: values.len(),
            p50_s: quantile(&values, 0.5),
            p95_s: quantile(&values, 0.95),
            p99_s: quantile(&values, 0.99),
            max_s: values.last().copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let spread = Spread::of((1..=100).map(f64::from).collect());
        assert_eq!(
            (spread.p50_s, spread.p95_s, spread.max_s),
            (50.0, 95.0, 100.0)
        );
        assert_eq!(Spread::of(Vec::new()).p95_s, 0.0);
        assert_eq!(Spread::of(vec![2.0]).p50_s, 2.0);
    }
}
