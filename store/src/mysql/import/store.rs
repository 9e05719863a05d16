//! Stores what was read: everything in one transaction, or nothing.

use super::{
    HoldRules, Import, ImportError, Imported, LayoutReport, films,
    halls::{self, Stored},
    shows, venues,
};
use crate::mongo::layouts::{self, LayoutDocument};
use boxoffice_contracts::Instant;
use mongodb::Database;
use sea_orm::{DatabaseConnection, TransactionTrait};

/// Whether what was stored stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Store,
    /// Everything happens, and is taken back: the report is the one that storing would give.
    DryRun,
}

impl Import {
    /// Stores everything, in the order in which things need each other. Shows are counted from the day that
    /// `now` is at each venue; their slugs end in their date, so that importing on another day adds shows and
    /// moves none.
    ///
    /// Where `documents` is given, plans are stored there too, for pages that draw them.
    ///
    /// # Errors
    /// What the database knows better, or when a database refuses. Nothing is stored then.
    pub async fn store(
        &self,
        db: &DatabaseConnection,
        documents: Option<&Database>,
        holds: HoldRules,
        now: Instant,
        mode: Mode,
    ) -> Result<Imported, ImportError> {
        // Nobody gives up an import but by ending its process.
        let tx = db.begin().await?;
        let mut imported = Imported {
            venues: venues::store(&tx, &self.venues).await?,
            passed_over: self.passed_over.clone(),
            ..Imported::default()
        };
        let mut layouts = Vec::new();
        for hall in &self.halls {
            let stored = halls::store(&tx, hall, now).await?;
            imported.halls.count(stored.change);
            imported.layouts.push(LayoutReport {
                hall: stored.slug.clone(),
                version: stored.version,
                is_new: stored.is_new,
                seats: hall.plan.seats.len(),
                places: hall.plan.areas.iter().map(|area| area.capacity).sum(),
            });
            layouts.push((stored, hall));
        }
        imported.films = films::store(&tx, &self.films).await?;
        imported.shows = shows::store(&tx, &self.shows, &self.shows_file, holds, now).await?;
        if mode == Mode::DryRun {
            tx.rollback().await?;
            return Ok(imported);
        }
        // Before the commit: a plan that MongoDB refuses is stored nowhere. One that is left there alone is the
        // one that the next attempt would store.
        if let Some(documents) = documents {
            for (
                Stored {
                    layout,
                    slug,
                    version,
                    ..
                },
                hall,
            ) in &layouts
            {
                let document = LayoutDocument {
                    layout_id: *layout,
                    hall_slug: slug,
                    version: *version,
                    sha256: &hall.plan.sha256,
                    plan: &hall.text,
                };
                layouts::store(documents, &document, now).await?;
            }
        }
        tx.commit().await?;
        Ok(imported)
    }
}
