//! docs/features.md and docs/faults.md name tests; each of them must exist.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;

/// A page of rows `| number | what | tests | status |`; a test is [`name`](path from docs/).
struct Page {
    path: &'static str,
    /// How the numbers of its rows begin.
    number: char,
    status: &'static [&'static str],
}

const FEATURES: Page = Page {
    path: "docs/features.md",
    number: 'B',
    status: &["done", "partly", "not yet"],
};
const FAULTS: Page = Page {
    path: "docs/faults.md",
    number: 'F',
    status: &["provoked", "partly", "not yet"],
};
/// The status of a row that needs no test.
const NOT_YET: &str = "not yet";
/// As many failure modes are known by number.
const FAULTS_KNOWN: u8 = 90;

pub(super) fn check(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let read = |path: &str| fs::read_to_string(root.join("docs").join(path)).ok();
    rows(
        &FEATURES,
        &fs::read_to_string(root.join(FEATURES.path))?,
        findings,
        read,
    );
    let faults = rows(
        &FAULTS,
        &fs::read_to_string(root.join(FAULTS.path))?,
        findings,
        read,
    );
    let missing = (1..=FAULTS_KNOWN).map(|number| format!("F{number}"));
    for number in missing.filter(|number| !faults.contains(number)) {
        findings.push(format!("{}: {number} has no row", FAULTS.path));
    }
    Ok(())
}

/// Checks every row; returns the numbers.
fn rows(
    page: &Page,
    text: &str,
    findings: &mut Vec<String>,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let Page {
        path: name,
        number,
        status: words,
    } = page;
    let mut files: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut seen: Vec<String> = Vec::new();
    let begins = format!("| {number}");
    let numbered = |line: &&str| {
        let digits = line.strip_prefix(&begins);
        digits.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    for line in text.lines().filter(numbered) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, _what, tests, status, _] = cells[..] else {
            findings.push(format!("{name}: not four cells: {line}"));
            continue;
        };
        if seen.iter().any(|before| before == number) {
            findings.push(format!("{name}: {number} stands twice"));
        }
        seen.push(number.to_owned());
        let word = words.iter().find(|word| status.starts_with(**word));
        if word.is_none() {
            findings.push(format!(
                "{name}: {number} is {status:?}, not one of {words:?}"
            ));
        }
        let tests = links(tests);
        if tests.is_empty() && word != Some(&NOT_YET) {
            findings.push(format!("{name}: {number} names no test"));
        }
        for (test, path) in tests {
            let text = files.entry(path.clone()).or_insert_with(|| read(&path));
            match text {
                None => findings.push(format!("{name}: {number}: there is no {path}")),
                Some(text) if !text.contains(&format!("fn {test}(")) => {
                    findings.push(format!("{name}: {number}: {path} has no test {test}"));
                }
                Some(_) => {}
            }
        }
    }
    if seen.is_empty() {
        findings.push(format!("{name} has no rows"));
    }
    seen
}

/// Name and path of each link of a cell.
fn links(cell: &str) -> Vec<(String, String)> {
    cell.split("[`")
        .skip(1)
        .filter_map(|rest| {
            let (name, rest) = rest.split_once("`](")?;
            let (path, _) = rest.split_once(')')?;
            Some((name.to_owned(), path.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_names_tests_that_exist() {
        let read = |path: &str| (path == "../a.rs").then(|| "fn it_works() {".to_owned());
        let found = |row: &str| {
            let mut findings = Vec::new();
            rows(&FEATURES, row, &mut findings, read);
            findings
        };
        assert_eq!(
            found("| B1.1 | X | [`it_works`](../a.rs) | done |"),
            [""; 0]
        );
        assert_eq!(found("| B1.1 | X | | not yet |"), [""; 0]);
        for (row, says) in [
            (
                "| B1.1 | X | [`it_flies`](../a.rs) | done |",
                "has no test it_flies",
            ),
            (
                "| B1.1 | X | [`it_works`](../b.rs) | done |",
                "there is no ../b.rs",
            ),
            ("| B1.1 | X | | done |", "names no test"),
            (
                "| B1.1 | X | [`it_works`](../a.rs) | surely |",
                "not one of",
            ),
            ("nothing", "no rows"),
        ] {
            assert!(found(row)[0].contains(says), "{row}: {:?}", found(row));
        }
    }
}
