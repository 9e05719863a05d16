//! What the program includes lies in the build context of its image, too.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result};

const CONTEXT: &str = "infra/docker/Dockerfile.dockerignore";
const PACKAGES: [&str; 6] = ["api", "boxoffice", "contracts", "infra", "store", "workers"];

pub(super) fn check(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let context = fs::read_to_string(root.join(CONTEXT)).context(CONTEXT)?;
    for package in PACKAGES {
        for path in super::rust_files(&root.join(package))? {
            let text = fs::read_to_string(&path)?;
            let source = path.strip_prefix(root).unwrap_or(&path);
            for file in included(source, &text) {
                if !is_sent(&context, &file) {
                    findings.push(format!(
                        "{CONTEXT} leaves out {}, which {} includes",
                        file.display(),
                        source.display()
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Files named by `include_str!` and `include_bytes!`, from the root of the checkout.
fn included(source: &Path, text: &str) -> Vec<PathBuf> {
    let folder = source.parent().unwrap_or(source);
    text.split("include_")
        .skip(1)
        .filter_map(|rest| {
            let rest = rest
                .strip_prefix("str!(")
                .or_else(|| rest.strip_prefix("bytes!("))?;
            let name = rest.trim_start().strip_prefix('"')?.split('"').next()?;
            Some(straight(&folder.join(name)))
        })
        .collect()
}

/// Without `..`.
fn straight(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            straight.pop();
        } else {
            straight.push(part);
        }
    }
    straight
}

/// Everything is left out but the lines that begin with `!/`.
fn is_sent(context: &str, file: &Path) -> bool {
    context
        .lines()
        .filter_map(|line| line.strip_prefix("!/"))
        .any(|sent| file.starts_with(sent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_outside_the_context_is_found() {
        let text = r#"const A: &str = include_str!("../../docs/a.yaml");
            const B: &[u8] = include_bytes!(
                "../fonts/b.ttf"
            );"#;
        let files = included(Path::new("api/src/contracts.rs"), text);
        assert_eq!(
            files,
            [Path::new("docs/a.yaml"), Path::new("api/fonts/b.ttf")]
        );
        let sent: Vec<bool> = files
            .iter()
            .map(|file| is_sent("*\n!/api\n!/docs/b.yaml\n", file))
            .collect();
        assert_eq!(sent, [false, true]);
    }
}
