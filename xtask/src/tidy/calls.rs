//! Finds calls of macros in source text, with their arguments. Enough Rust for that, and no more.

/// One call, such as `metrics::counter!(NAME, "label" => value)`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The macro's name after the path, without the exclamation mark.
    pub(super) name: String,
    /// Split at the commas between them, trimmed.
    pub(super) arguments: Vec<String>,
    /// From 1.
    pub(super) line: usize,
}

/// Every call of a macro of this path, such as `metrics::`.
pub(super) fn find(text: &str, path: &str) -> Vec<Call> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(path) {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        if text[line_start..at].trim_start().starts_with("//") {
            continue;
        }
        let rest = &text[at + path.len()..];
        let Some((name, after)) = rest.split_once("!(") else {
            continue;
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            continue;
        }
        found.push(Call {
            name: name.to_owned(),
            arguments: arguments(after),
            line: text[..at].matches('\n').count() + 1,
        });
    }
    found
}

/// What stands before the parenthesis that closes the call.
fn arguments(text: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut depth, mut chars) = (0_u32, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                part.push(c);
                while let Some(inner) = chars.next() {
                    part.push(inner);
                    match inner {
                        '\\' => part.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(part.trim().to_owned());
                part.clear();
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part.trim().to_owned());
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_with_their_arguments() {
        let text = r#"
            // metrics::counter!(IN_A_COMMENT);
            metrics::counter!(t::A, "queue" => f(a, b), "why" => "x, \"y\")").increment(1);
            notmetrics::gauge!(B);
            metrics::gauge!(
                B,
            ).set(1.0)"#;
        let found = find(text, "metrics::");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].line, 3);
        assert_eq!(
            found[0].arguments,
            [
                "t::A",
                "\"queue\" => f(a, b)",
                "\"why\" => \"x, \\\"y\\\")\""
            ]
        );
        assert_eq!((found[1].name.as_str(), found[1].line), ("gauge", 5));
        assert_eq!(found[1].arguments, ["B"]);
    }
}
