//! Every event that the product logs has its line in docs/LOGGING.md, with its level and fields.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::{self, Call};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Level and fields of an event, by its text. The same text at several places has the fields of all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) levels: BTreeSet<String>,
    pub(super) fields: BTreeSet<String>,
}

pub(super) type Events = BTreeMap<String, Event>;

/// Adds what a source file logs.
pub(super) fn collect(name: &str, text: &str, events: &mut Events, findings: &mut Vec<String>) {
    for call in calls::find(text, "tracing::") {
        if !LEVELS.contains(&call.name.as_str()) {
            continue;
        }
        let Some(said) = text_of(&call) else {
            findings.push(format!(
                "{name}:{}: an event has a constant text last",
                call.line
            ));
            continue;
        };
        let event = events.entry(said).or_default();
        event.levels.insert(call.name.clone());
        event
            .fields
            .extend(call.arguments.iter().filter_map(|argument| field(argument)));
    }
}

fn text_of(call: &Call) -> Option<String> {
    let last = call.arguments.last()?;
    let text = last.strip_prefix('"')?.strip_suffix('"')?;
    // A value in the text would make it another event each time.
    (!text.contains('{')).then(|| text.to_owned())
}

/// `queue`, `%error`, `message.id = %id`.
fn field(argument: &str) -> Option<String> {
    if argument.starts_with('"') || argument.starts_with("parent:") {
        return None;
    }
    let name = argument.split('=').next()?.trim();
    Some(name.trim_start_matches(['%', '?']).to_owned())
}

/// Compares with the table of the page: `| event | level | fields | meaning |`.
pub(super) fn check(events: &Events, page: &str, findings: &mut Vec<String>) {
    let mut listed = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, event, level, fields, meaning, ..] = cells[..] else {
            continue;
        };
        let event = event.trim_matches('`');
        listed.insert(event.to_owned());
        let Some(real) = events.get(event) else {
            findings.push(format!("docs/LOGGING.md: nobody logs `{event}`"));
            continue;
        };
        let levels: BTreeSet<String> = level.split(", ").map(str::to_owned).collect();
        let fields: BTreeSet<String> = fields
            .split(", ")
            .map(|field| field.trim_matches('`').to_owned())
            .filter(|field| !field.is_empty())
            .collect();
        if levels != real.levels || fields != real.fields {
            findings.push(format!(
                "docs/LOGGING.md: `{event}` is {} with {}",
                joined(&real.levels),
                joined(&real.fields)
            ));
        }
        if meaning.is_empty() {
            findings.push(format!("docs/LOGGING.md: say what `{event}` means"));
        }
    }
    for (event, real) in events {
        if !listed.contains(event) {
            findings.push(format!(
                "docs/LOGGING.md lacks a line: | `{event}` | {} | {} | what it means |",
                joined(&real.levels),
                real.fields
                    .iter()
                    .map(|f| format!("`{f}`"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ));
        }
    }
}

fn joined(words: &BTreeSet<String>) -> String {
    words.iter().cloned().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
        tracing::warn!(parent: &span, code = cause.code, message.id = %id, %error, "message failed");
        tracing::info!(queue, "halved");
        tracing::info_span!("message", queue);
    "#;

    fn findings(source: &str, page: &str) -> Vec<String> {
        let (mut events, mut findings) = (Events::new(), Vec::new());
        collect("x.rs", source, &mut events, &mut findings);
        check(&events, page, &mut findings);
        findings
    }

    #[test]
    fn the_page_has_what_is_logged_and_nothing_else() {
        let page = "| `message failed` | warn | `code`, `error`, `message.id` | It failed. |\n\
                    | `halved` | info | `queue` | Smaller. |\n";
        assert_eq!(findings(SOURCE, page), Vec::<String>::new());

        let short = page.lines().next().unwrap();
        assert!(findings(SOURCE, short)[0].contains("lacks a line: | `halved` | info | `queue`"));
        let other = page.replace("`halved` | info", "`halved` | warn");
        assert!(findings(SOURCE, &other)[0].contains("is info with queue"));
        let more = format!("{page}| `gone` | info | | Was there. |");
        assert!(findings(SOURCE, &more)[0].contains("nobody logs `gone`"));
        let dynamic = r#"tracing::info!("took {n} ms");"#;
        assert!(findings(dynamic, "")[0].contains("constant text"));
    }
}
