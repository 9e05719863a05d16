//! docs/features.md names tests; each of them must exist.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;

const PAGE: &str = "docs/features.md";
const STATUS: [&str; 3] = ["done", "partly", "not yet"];

pub(super) fn check(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let page = fs::read_to_string(root.join(PAGE))?;
    rows(&page, findings, |path| {
        fs::read_to_string(root.join("docs").join(path)).ok()
    });
    Ok(())
}

/// Rows are `| number | feature | tests | status |`; a test is [`name`](path from docs/).
fn rows(page: &str, findings: &mut Vec<String>, read: impl Fn(&str) -> Option<String>) {
    let mut files: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut seen = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| B")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, _feature, tests, status, _] = cells[..] else {
            findings.push(format!("{PAGE}: not four cells: {line}"));
            continue;
        };
        if seen.contains(&number) {
            findings.push(format!("{PAGE}: {number} stands twice"));
        }
        seen.push(number);
        let word = STATUS.iter().find(|word| status.starts_with(**word));
        if word.is_none() {
            findings.push(format!(
                "{PAGE}: {number} is {status:?}, not one of {STATUS:?}"
            ));
        }
        let tests = links(tests);
        if tests.is_empty() && word != Some(&"not yet") {
            findings.push(format!("{PAGE}: {number} names no test"));
        }
        for (test, path) in tests {
            let text = files.entry(path.clone()).or_insert_with(|| read(&path));
            match text {
                None => findings.push(format!("{PAGE}: {number}: there is no {path}")),
                Some(text) if !text.contains(&format!("fn {test}(")) => {
                    findings.push(format!("{PAGE}: {number}: {path} has no test {test}"));
                }
                Some(_) => {}
            }
        }
    }
    if seen.is_empty() {
        findings.push(format!("{PAGE} has no rows"));
    }
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
            rows(row, &mut findings, read);
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
