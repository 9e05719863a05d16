//! Seat maps: what of a show is free, held and sold. Public.

use crate::{
    AppState, Problem,
    alternatives::{self, Alternatives, Left},
    bookings::{none_match, put},
    documents::NoOptions,
    params::{Id, Options},
    shows::currency_of,
};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use boxoffice_contracts::{Code, Instant, Money, ShowId};
use boxoffice_store::mysql::{
    catalogue::{self, SeatEntry},
    status::PositionStatus,
};
use schemars::JsonSchema;
use sea_orm::DatabaseConnection;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};

/// What of a show is free now. A claim may be faster: the booking's own answer counts.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeatMap")]
pub(crate) struct SeatMapView<'a> {
    pub show_id: ShowId,
    /// Another one as soon as a seat or a counter changed.
    pub version: &'a str,
    pub categories: &'a [CategoryView],
    pub seats: &'a [SeatView<'a>],
}

/// A price, and how many places without numbers there are at it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Category")]
pub(crate) struct CategoryView {
    pub name: String,
    pub price: Money,
    /// For places without numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Seat")]
pub(crate) struct SeatView<'a> {
    pub seat_id: &'a str,
    pub row: &'a str,
    pub number: &'a str,
    pub category: &'a str,
    /// Place on the plan of the hall.
    pub x: f64,
    pub y: f64,
    #[schemars(extend("enum" = crate::words::SEATS))]
    pub state: &'static str,
}

/// `GET /v1/shows/{id}/seats`.
pub(crate) async fn map(
    State(state): State<AppState>,
    Id(id): Id<ShowId>,
    Options(NoOptions {}): Options<NoOptions>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let map = state.seat_maps.get(&state.db, id).await?;
    let tag = format!("\"{}\"", map.version);
    let mut response = if none_match(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = map.body.clone().into_response();
        put(&mut response, header::CONTENT_TYPE, "application/json");
        response
    };
    put(&mut response, header::ETAG, &tag);
    put(&mut response, header::CACHE_CONTROL, "public, no-cache");
    Ok(response)
}

/// Seat maps of the last moment. When everybody comes at once they all look at the same map: it is read once.
pub(crate) struct SeatMaps(moka::future::Cache<ShowId, Arc<SeatMap>>);

struct SeatMap {
    version: String,
    body: Bytes,
    /// As they were read, for whoever needs other seats.
    seats: Vec<SeatEntry>,
    left: Vec<Left>,
    /// Nobody is offered seats that can't be bought.
    sales_until: Option<Instant>,
}

/// As long as a person takes to look; who is faster is refused by the claim, not by the map.
const SEAT_MAP_TTL: Duration = Duration::from_millis(500);
const SEAT_MAPS_MAX: u64 = 256;

impl SeatMaps {
    pub(crate) fn new() -> Self {
        let cache = moka::future::Cache::builder();
        Self(
            cache
                .max_capacity(SEAT_MAPS_MAX)
                .time_to_live(SEAT_MAP_TTL)
                .build(),
        )
    }

    async fn get(&self, db: &DatabaseConnection, id: ShowId) -> Result<Arc<SeatMap>, Problem> {
        let read = async { read_map(db, id).await.map(Arc::new) };
        self.0
            .try_get_with(id, read)
            .await
            .map_err(|problem| Problem::clone(&problem))
    }
}

async fn read_map(db: &DatabaseConnection, id: ShowId) -> Result<SeatMap, Problem> {
    let show = catalogue::find_show(db, id).await?;
    let show = show.ok_or_else(|| Problem::new(Code::ShowNotFound))?;
    let currency = currency_of(&show)?;
    let categories: Vec<CategoryView> = catalogue::categories(db, id)
        .await?
        .into_iter()
        .map(|entry| CategoryView {
            name: entry.name,
            price: Money::new(entry.amount_minor, currency),
            capacity: entry.capacity,
            available: entry
                .capacity
                .zip(entry.taken)
                .map(|(all, taken)| all.saturating_sub(taken)),
        })
        .collect();
    let entries = catalogue::seats(db, id, show.layout_id).await?;
    let seats: Vec<SeatView<'_>> = entries.iter().map(seat_view).collect();
    let encoded = |value: Result<Vec<u8>, serde_json::Error>| {
        value.map_err(|error| {
            tracing::error!(show.id = %id, %error, "a seat map can't be encoded");
            Problem::new(Code::InternalError)
        })
    };
    let content = encoded(serde_json::to_vec(&(&categories, &seats)))?;
    let version = hex::encode(&Sha256::digest(&content)[..8]);
    let view = SeatMapView {
        show_id: id,
        version: &version,
        categories: &categories,
        seats: &seats,
    };
    let body = Bytes::from(encoded(serde_json::to_vec(&view))?);
    let left = categories
        .iter()
        .filter_map(|category| {
            Some(Left {
                category: category.name.clone(),
                available: category.available?,
            })
        })
        .collect();
    Ok(SeatMap {
        version,
        body,
        left,
        sales_until: (!show.cancelled).then_some(show.sales_until),
        seats: entries,
    })
}

/// What a booking whose seats were taken may ask for instead, as the show stands now. Reading it must not fail
/// the reading of the booking: then there is nothing to offer.
pub(crate) async fn alternatives(
    state: &AppState,
    show: ShowId,
    positions: &[PositionStatus],
) -> Option<Alternatives> {
    let map = match state.seat_maps.get(&state.db, show).await {
        Ok(map) => map,
        Err(problem) => {
            tracing::warn!(show.id = %show, code = %problem.code, "no alternatives were looked for");
            return None;
        }
    };
    if map.sales_until.is_none_or(|until| until <= state.now()) {
        return None;
    }
    let wanted: Vec<String> = positions
        .iter()
        .filter_map(|position| position.seat_id.clone())
        .collect();
    let (taken, groups) = alternatives::of(&map.seats, &wanted);
    let is_asked_for = |left: &&Left| {
        positions
            .iter()
            .any(|position| position.seat_id.is_none() && position.category == left.category)
    };
    Some(Alternatives {
        taken,
        groups,
        admissions: map.left.iter().filter(is_asked_for).cloned().collect(),
    })
}

fn seat_view(seat: &SeatEntry) -> SeatView<'_> {
    SeatView {
        seat_id: &seat.seat_id,
        row: &seat.row,
        number: &seat.number,
        category: &seat.category,
        x: seat.x,
        y: seat.y,
        state: match seat.claim.as_deref() {
            None => "free",
            Some("sold") => "sold",
            Some(_) => "held",
        },
    }
}
