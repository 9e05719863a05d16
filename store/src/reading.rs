//! Reads JSON that somebody else wrote: bounded before it is parsed, and every fault has its place.
//!
//! Absent on purpose: a stop at the first fault. Whoever mends a file wants the whole list.

mod advice;
#[cfg(test)]
pub(crate) mod mutated;
mod node;
mod place;

pub use advice::{ADVICE, advice};
pub(crate) use node::{Node, Problems};

use place::Place;
use serde::Serialize;
use serde_json::Value;

/// Largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Deepest nesting; a plan needs ten levels.
pub const DEPTH_MAX: usize = 64;
/// Most problems that are listed; a file with more is beyond mending by list.
pub const PROBLEMS_MAX: usize = 100;

/// Something wrong with an imported file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// RFC 6901; empty for the whole file.
    pub pointer: String,
    /// Stable, for programs: one of [`ADVICE`].
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parses a file after its size and its nesting were found to be bearable.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    if bytes.len() > FILE_BYTES_MAX {
        let detail = format!("{} bytes, at most {FILE_BYTES_MAX}", bytes.len());
        return Err(problem(String::new(), "too_large", detail));
    }
    // Some exports begin with one. It says nothing.
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if let Err(place) = Place::walk(bytes, DEPTH_MAX) {
        let detail = format!("at most {DEPTH_MAX} levels of lists and objects");
        return Err(problem(place.pointer(), "too_deep", detail));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let code = if error.is_eof() {
            "truncated"
        } else if error.to_string().starts_with("number out of range") {
            "number_out_of_range"
        } else {
            "not_json"
        };
        let read = offset(bytes, error.line(), error.column());
        let pointer = match Place::walk(&bytes[..read], DEPTH_MAX) {
            Ok(place) | Err(place) => place.pointer(),
        };
        problem(pointer, code, error.to_string())
    })
}

fn problem(pointer: String, code: &'static str, detail: String) -> Problem {
    Problem {
        pointer,
        code,
        detail,
    }
}

/// Bytes before the one that the parser stumbled over. Lines and columns count from 1.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let start = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    (start + column.saturating_sub(1)).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (String, &'static str) {
        let problem = parse(text.as_bytes()).unwrap_err();
        (problem.pointer, problem.code)
    }

    #[test]
    fn a_syntax_error_has_the_place_where_it_stands() {
        let at = |pointer: &str, code| (pointer.to_owned(), code);
        assert_eq!(fault(r#"{"a": [1, {"b": NaN}]}"#), at("/a/1/b", "not_json"));
        assert_eq!(
            fault("{\"a\":\n [1,\n {\"b\": 1e999}]}"),
            at("/a/1/b", "number_out_of_range")
        );
        assert_eq!(
            fault(r#"{"a": {"b/c~d": [1, 2"#),
            at("/a/b~1c~0d/1", "truncated")
        );
        assert_eq!(fault(r#"{"a": "x"#), at("/a", "truncated"));
        assert_eq!(fault(r#"{"a": 1, "b" 2}"#), at("/b", "not_json"));
        assert_eq!(fault(""), at("", "truncated"));
        assert_eq!(fault("\u{feff}{} {}"), at("", "not_json"));
        assert_eq!(parse(b"\xef\xbb\xbf{}").unwrap(), serde_json::json!({}));
        assert_eq!(parse(b"{\"a\": \"\xff\"}").unwrap_err().pointer, "/a");
    }

    #[test]
    fn nesting_and_size_are_bounded_before_anything_is_built() {
        let deep = format!(
            "{{\"a\": {}{}}}",
            "[".repeat(1_000_000),
            "]".repeat(1_000_000)
        );
        let problem = parse(deep.as_bytes()).unwrap_err();
        assert_eq!(problem.code, "too_deep");
        assert_eq!(problem.pointer, format!("/a{}", "/0".repeat(DEPTH_MAX - 1)));
        let bearable = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        assert!(parse(bearable.as_bytes()).is_ok());
        // Brackets in a text are a text.
        let text = format!("[\"{}\\\"{}\"]", "[".repeat(1_000), "{".repeat(1_000));
        assert!(parse(text.as_bytes()).is_ok());
        let large = vec![b' '; FILE_BYTES_MAX + 1];
        assert_eq!(parse(&large).unwrap_err().code, "too_large");
    }

    #[test]
    fn the_page_of_the_importer_lists_every_code() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/import.md");
        let page = std::fs::read_to_string(page).unwrap();
        for (code, advice) in ADVICE {
            assert!(page.contains(&format!("| `{code}` | {advice} |")), "{code}");
        }
    }
}
