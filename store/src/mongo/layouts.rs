//! Seating plans as they were imported, for the pages that draw them. The seats themselves are in MySQL.

use mongodb::{
    Database, IndexModel,
    bson::{DateTime, Document, doc},
    error::Error,
};
use uuid::Uuid;

const COLLECTION: &str = "layouts";

/// A plan as it is stored. A layout never changes.
#[derive(Debug)]
pub struct LayoutDocument<'a> {
    pub layout_id: Uuid,
    pub hall_slug: &'a str,
    pub version: u32,
    /// Hash of what the plan says.
    pub sha256: &'a [u8; 32],
    /// The file as it was. Stored as text: its keys and numbers are another program's, and not all of them are
    /// a document's here.
    pub plan: &'a str,
}

/// Stores the plan unless it is there.
///
/// # Errors
/// When the server can't be reached or refuses.
pub async fn store(
    database: &Database,
    layout: &LayoutDocument<'_>,
    now: boxoffice_contracts::Instant,
) -> Result<(), Error> {
    let sha256: String = layout.sha256.iter().map(|b| format!("{b:02x}")).collect();
    let row = doc! {
        "hall": layout.hall_slug,
        "version": i64::from(layout.version),
        "sha256": sha256,
        "plan": layout.plan,
        "created_at": DateTime::from_millis(now.timestamp_millis()),
    };
    let id = layout.layout_id.to_string();
    database
        .collection::<Document>(COLLECTION)
        .update_one(doc! { "_id": id }, doc! { "$setOnInsert": row })
        .upsert(true)
        .await?;
    Ok(())
}

/// The plan of a layout, as the file had it.
///
/// # Errors
/// When the server can't be reached.
pub async fn find(database: &Database, layout: Uuid) -> Result<Option<String>, Error> {
    let found = database
        .collection::<Document>(COLLECTION)
        .find_one(doc! { "_id": layout.to_string() })
        .projection(doc! { "plan": 1 })
        .await?;
    Ok(found.and_then(|row| Some(row.get_str("plan").ok()?.to_owned())))
}

pub(super) async fn ensure_indexes(database: &Database) -> Result<(), Error> {
    let by_hall = IndexModel::builder()
        .keys(doc! { "hall": 1, "version": -1 })
        .build();
    database
        .collection::<Document>(COLLECTION)
        .create_index(by_hall)
        .await?;
    Ok(())
}
