//! Code counts only what the table of metrics has, under its type and with its labels.

use std::collections::BTreeSet;

use boxoffice_contracts::metric::METRICS;

use super::calls::{self, Call};

const COUNTING: [&str; 3] = ["counter", "gauge", "histogram"];

/// `used` collects the constants that are counted somewhere.
pub(super) fn check(
    name: &str,
    text: &str,
    used: &mut BTreeSet<String>,
    findings: &mut Vec<String>,
) {
    for call in calls::find(text, "metrics::") {
        if COUNTING.contains(&call.name.as_str())
            && let Err(problem) = known(&call, used)
        {
            findings.push(format!("{name}:{}: {problem}", call.line));
        }
    }
}

/// What the table has and nobody counts: documented, and never there.
pub(super) fn uncounted(used: &BTreeSet<String>, findings: &mut Vec<String>) {
    for metric in METRICS {
        if !used.contains(metric.constant) {
            findings.push(format!(
                "contracts/src/metric.rs: nobody counts {}",
                metric.constant
            ));
        }
    }
}

fn known(call: &Call, used: &mut BTreeSet<String>) -> Result<(), String> {
    let named = call.arguments.first().map_or("", String::as_str);
    let constant = named.rsplit("::").next().unwrap_or_default();
    let metric = METRICS
        .iter()
        .find(|metric| metric.constant == constant)
        .ok_or_else(|| {
            format!(
                "metric {named} is not a constant of contracts/src/metric.rs: give it a line there"
            )
        })?;
    used.insert(constant.to_owned());
    if metric.kind.as_str() != call.name {
        return Err(format!(
            "{constant} is a {}, not a {}",
            metric.kind.as_str(),
            call.name
        ));
    }
    let labels: BTreeSet<&str> = call.arguments[1..]
        .iter()
        .map(|argument| argument.split("=>").next().unwrap_or_default().trim())
        .map(|label| label.trim_matches('"'))
        .collect();
    let expected: BTreeSet<&str> = metric.labels.iter().copied().collect();
    if labels != expected {
        return Err(format!(
            "{constant} has the labels {expected:?}, not {labels:?}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check("x.rs", text, &mut BTreeSet::new(), &mut findings);
        findings
    }

    #[test]
    fn what_the_table_has_passes_and_anything_else_is_named() {
        let right = r#"metrics::counter!(metric::CONFLICTS_TOTAL, "queue" => queue).increment(1);"#;
        assert_eq!(found(right), Vec::<String>::new());
        for (wrong, says) in [
            (
                r#"metrics::counter!("boxoffice_new_total")"#,
                "give it a line",
            ),
            (r#"metrics::counter!(NEW_TOTAL)"#, "give it a line"),
            (
                r#"metrics::gauge!(CONFLICTS_TOTAL, "queue" => q)"#,
                "is a counter",
            ),
            (r#"metrics::counter!(CONFLICTS_TOTAL)"#, "labels"),
            (
                r#"metrics::counter!(CONFLICTS_TOTAL, "queue" => q, "id" => i)"#,
                "labels",
            ),
        ] {
            assert!(
                found(wrong)[0].contains(says),
                "{wrong}: {:?}",
                found(wrong)
            );
        }
    }
}
