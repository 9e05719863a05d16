//! Halls with their layouts. A layout never changes: another plan is another version of it.

use super::{
    Change, HallPlan,
    upsert::{cell, upsert},
};
use crate::seating_plan::{PlannedArea, PlannedSeat, SeatingPlan};
use boxoffice_contracts::{HallId, Instant, VenueId};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use uuid::Uuid;

/// Seats per statement: nine values each, far below the 65,535 that a statement may have.
const SEATS_PER_INSERT: usize = 500;

/// Id and slug of a hall; slugs of files are unique within a venue only.
pub(super) fn hall_key(venue: &str, hall: &str) -> (HallId, String) {
    let slug = format!("{venue}.{hall}");
    (HallId::from_slug(&slug), slug)
}

/// A hall as it is stored now.
pub(super) struct Stored {
    pub(super) change: Change,
    /// With the venue's in front.
    pub(super) slug: String,
    pub(super) layout: Uuid,
    pub(super) version: u32,
    /// The layout was not there before.
    pub(super) is_new: bool,
}

/// Stores a hall with its plan. The venue must be stored.
pub(super) async fn store(
    db: &impl ConnectionTrait,
    HallPlan {
        venue, hall, plan, ..
    }: &HallPlan,
    now: Instant,
) -> Result<Stored, DbErr> {
    let (id, slug) = hall_key(venue, &hall.slug);
    let layout = ensure_layout(db, id, plan, now).await?;
    let cells = [
        cell("venue_id", VenueId::from_slug(venue).0),
        cell("slug", slug.as_str()),
        cell("name", hall.name.as_str()),
        cell("entrance", hall.entrance.as_str()),
        cell("layout_id", layout.id),
    ];
    Ok(Stored {
        change: upsert(db, "halls", id.0, &cells).await?,
        slug,
        layout: layout.id,
        version: layout.version,
        is_new: layout.is_new,
    })
}

struct Layout {
    id: Uuid,
    version: u32,
    is_new: bool,
}

/// The layout with this content, stored with its seats and areas if it is new.
async fn ensure_layout(
    db: &impl ConnectionTrait,
    hall: HallId,
    plan: &SeatingPlan,
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
        if row.try_get::<Vec<u8>>("", "sha256")? == plan.sha256 {
            return Ok(Layout {
                id: row.try_get("", "id")?,
                version,
                is_new: false,
            });
        }
        last = version;
    }
    // The hall is the namespace, the content the name: the same plan has the same id everywhere.
    let layout = Layout {
        id: Uuid::new_v5(&hall.0, &plan.sha256),
        version: last + 1,
        is_new: true,
    };
    let seat_count = i32::try_from(plan.seats.len()).unwrap_or(i32::MAX);
    let cells = [
        cell("hall_id", hall.0),
        cell("version", i32::try_from(layout.version).unwrap_or(i32::MAX)),
        cell("sha256", plan.sha256.to_vec()),
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
    insert_areas(db, layout.id, &plan.areas).await?;
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

async fn insert_areas(
    db: &impl ConnectionTrait,
    layout: Uuid,
    areas: &[PlannedArea],
) -> Result<(), DbErr> {
    if areas.is_empty() {
        return Ok(());
    }
    let marks = vec!["(?,?,?,?)"; areas.len()].join(",");
    let values = areas.iter().flat_map(|area| -> [Value; 4] {
        [
            layout.into(),
            area.category.as_str().into(),
            area.name.as_str().into(),
            area.capacity.into(),
        ]
    });
    let sql = format!("INSERT INTO areas (layout_id, category, name, capacity) VALUES {marks}");
    let write = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    db.execute_raw(write).await?;
    Ok(())
}
