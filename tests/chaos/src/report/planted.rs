//! The table of planted bugs, as the last run of their scenes left it.

use boxoffice_contracts::planted::Bug;
use boxoffice_integration::planted::Caught;
use serde::Serialize;
use std::{fs, path::Path};

#[derive(Debug, Clone, Default, Serialize)]
pub struct Planted {
    pub caught: Vec<Caught>,
    /// Whose scenes were not played on this machine, or were not caught there.
    pub not_caught: Vec<String>,
}

impl Planted {
    /// Of the file that the scenes write; without it nothing was caught.
    ///
    /// # Errors
    /// The file is another's.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let caught: Vec<Caught> = if file.exists() {
            serde_json::from_slice(&fs::read(file)?)?
        } else {
            Vec::new()
        };
        let all = Bug::ALL.iter().map(|bug| bug.as_str());
        let not_caught = all.filter(|bug| !caught.iter().any(|line| line.bug == **bug));
        Ok(Self {
            not_caught: not_caught.map(str::to_owned).collect(),
            caught,
        })
    }

    pub(super) const HEADS: [&str; 5] = [
        "planted bug",
        "caught by",
        "bookings",
        "after",
        "clean without",
    ];

    /// A row for each bug.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let caught = self.caught.iter().map(|line| {
            let clean = if line.clean_without { "yes" } else { "no" };
            vec![
                line.bug.clone(),
                line.caught_by.clone(),
                line.after_bookings.to_string(),
                format!("{:.1} s", line.seconds),
                clean.to_owned(),
            ]
        });
        let open = self.not_caught.iter().map(|bug| {
            let not = "not played here: cargo xtask test -- -E 'binary(planted)'";
            let mut row = vec![bug.clone(), not.to_owned()];
            row.resize(Self::HEADS.len(), String::new());
            row
        });
        caught.chain(open).collect()
    }
}
