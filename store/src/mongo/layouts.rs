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
    /// Hash of the file's bytes, in hex.
    pub sha256: &'a str,
    pub plan: &'a serde_json::Value,
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
    let plan = mongodb::bson::serialize_to_bson(layout.plan)?;
    let row = doc! {
        "hall": layout.hall_slug,
        "version": i64::from(layout.version),
        "sha256": layout.sha256,
        "plan": plan,
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

/// The plan of a layout.
///
/// # Errors
/// When the server can't be reached.
pub async fn find(database: &Database, layout: Uuid) -> Result<Option<serde_json::Value>, Error> {
    let found = database
        .collection::<Document>(COLLECTION)
        .find_one(doc! { "_id": layout.to_string() })
        .projection(doc! { "plan": 1 })
        .await?;
    let plan = found.and_then(|mut row| row.remove("plan"));
    Ok(plan.map(mongodb::bson::deserialize_from_bson).transpose()?)
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
