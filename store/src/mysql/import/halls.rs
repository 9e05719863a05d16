//! Halls with their layouts. A layout never changes: another plan is another version of it.

use super::{
    Change, HallEntry, ImportError, Report, VenueEntry,
    upsert::{cell, upsert},
};
use crate::{
    mongo::layouts::{self, LayoutDocument},
    seating_plan::{self, PlannedSeat, SeatingPlan},
};
use boxoffice_contracts::{HallId, Instant, VenueId};
use mongodb::Database;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait, Value,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Seats per statement: nine values each, far below the 65,535 that a statement may have.
const SEATS_PER_INSERT: usize = 500;

/// Id and slug of a hall; slugs of files are unique within a venue only.
pub(super) fn hall_key(venue: &str, hall: &str) -> (HallId, String) {
    let slug = format!("{venue}.{hall}");
    (HallId::from_slug(&slug), slug)
}

/// Stores a hall with the plan of its seats. The venue must be stored.
///
/// Where `documents` is given, the plan is stored there too, for pages that draw it.
///
/// # Errors
/// What is wrong with the plan, or when a database refuses.
pub async fn import_hall(
    db: &DatabaseConnection,
    documents: Option<&Database>,
    venue: &VenueEntry,
    hall: &HallEntry,
    file: &[u8],
    now: Instant,
) -> Result<Report, ImportError> {
    let plan = seating_plan::parse(file).map_err(|problems| ImportError::Refused {
        file: hall.file.clone(),
        problems,
    })?;
    let (hall_id, slug) = hall_key(&venue.slug, &hall.slug);
    let sha256 = Sha256::digest(file);

    let tx = db.begin().await?;
    let layout = ensure_layout(&tx, hall_id, &plan, &sha256, now).await?;
    let cells = [
        cell("venue_id", VenueId::from_slug(&venue.slug).0),
        cell("slug", slug.as_str()),
        cell("name", hall.name.as_str()),
        cell("entrance", hall.entrance.as_str()),
        cell("layout_id", layout.id),
    ];
    let mut report = Report::default();
    report.count(upsert(&tx, "halls", hall_id.0, &cells).await?);
    if let Some(documents) = documents {
        // Before the commit: a plan that MongoDB refuses is stored nowhere. One that is left there alone is
        // the one that the next attempt would store.
        let sha256: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let document = LayoutDocument {
            layout_id: layout.id,
            hall_slug: &slug,
            version: layout.version,
            sha256: &sha256,
            plan: &plan.document,
        };
        layouts::store(documents, &document, now).await?;
    }
    tx.commit().await?;
    Ok(report)
}

struct Layout {
    id: Uuid,
    version: u32,
}

/// The layout with this content, stored with its seats if it is new.
async fn ensure_layout(
    db: &impl ConnectionTrait,
    hall: HallId,
    plan: &SeatingPlan,
    sha256: &[u8],
    now: Instant,
) -> Result<Layout, DbErr> {
    let ask = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT id, version, sha256 FROM layouts WHERE hall_id = ? ORDER BY version FOR UPDATE",
        [hall.0.into()],
    );
    let mut last = 0;
    for row in db.query_all_raw(ask).await? {
        let version = row.try_get::<i32>("", "version")?.unsigned_abs();
        if row.try_get::<Vec<u8>>("", "sha256")? == sha256 {
            return Ok(Layout {
                id: row.try_get("", "id")?,
                version,
            });
        }
        last = version;
    }
    // The hall is the namespace, the content the name: the same plan has the same id everywhere.
    let layout = Layout {
        id: Uuid::new_v5(&hall.0, sha256),
        version: last + 1,
    };
    let seat_count = i32::try_from(plan.seats.len()).unwrap_or(i32::MAX);
    let cells = [
        cell("hall_id", hall.0),
        cell("version", i32::try_from(layout.version).unwrap_or(i32::MAX)),
        cell("sha256", sha256.to_vec()),
        cell("name", plan.name.as_str()),
        cell("seat_count", seat_count),
        cell("created_at", now),
    ];
    let change = upsert(db, "layouts", layout.id, &cells).await?;
    debug_assert_eq!(
        change,
        Change::Created,
        "no row of this hall had this content"
    );
    for (chunk, seats) in plan.seats.chunks(SEATS_PER_INSERT).enumerate() {
        insert_seats(db, layout.id, chunk * SEATS_PER_INSERT, seats).await?;
    }
    Ok(layout)
}

async fn insert_seats(
    db: &impl ConnectionTrait,
    layout: Uuid,
    first: usize,
    seats: &[PlannedSeat],
) -> Result<(), DbErr> {
    let marks = vec!["(?,?,?,?,?,?,?,?,?)"; seats.len()].join(",");
    let values = seats
        .iter()
        .enumerate()
        .flat_map(|(index, seat)| -> [Value; 9] {
            [
                layout.into(),
                seat.id.as_str().into(),
                i32::try_from(first + index).unwrap_or(i32::MAX).into(),
                seat.zone.as_str().into(),
                seat.row.as_str().into(),
                seat.number.as_str().into(),
                seat.category.as_str().into(),
                seat.x.into(),
                seat.y.into(),
            ]
        });
    let write = Statement::from_sql_and_values(
        DbBackend::MySql,
        format!(
            "INSERT INTO seats (layout_id, seat_id, ordinal, zone, row_label, number, category, x, y) VALUES {marks}"
        ),
        values,
    );
    db.execute_raw(write).await?;
    Ok(())
}
