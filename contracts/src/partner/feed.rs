//! Shows, prices and places as partners publish them, by ids of their own.
//!
//! Each message carries the whole state of its entity, and the `CloudEvent`'s `sequence` numbers these states.

use crate::{Instant, money::Currency};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest id of a partner's own, in characters.
pub const OWN_ID_CHARS_MAX: usize = 64;
/// Most categories that one message names.
pub const CATEGORIES_MAX: usize = 100;
/// Dearest place, in minor units.
pub const PRICE_MINOR_MAX: u64 = 100_000_000;
/// Most places of an area.
pub const CAPACITY_MAX: u64 = 1_000_000;
/// Most characters of a film's title.
pub const TITLE_CHARS_MAX: usize = 300;
/// Longest film, in minutes.
pub const RUNTIME_MIN_MAX: u64 = 1_000;

/// A show in a hall that is assigned to the partner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowUpsert {
    /// The partner's id of the show.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[!-~]+$"))]
    pub id: String,
    /// The house's name of the hall, `venue.hall`.
    #[schemars(length(min = 3, max = 64))]
    pub hall: String,
    pub film: PartnerFilm,
    pub starts_at: Instant,
    /// At once when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sales_from: Option<Instant>,
    /// The start when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sales_until: Option<Instant>,
    /// Until when customers may cancel; two hours before the start when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_until: Option<Instant>,
    /// The currency of the venue.
    pub currency: Currency,
}

/// What is shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerFilm {
    /// The partner's id of the film: the same id is the same film.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[!-~]+$"))]
    pub id: String,
    #[schemars(length(min = 1, max = 300))]
    pub title: String,
    /// Of its first showing; the year of the show when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9_999))]
    pub year: Option<i16>,
    #[schemars(range(min = 1, max = 1_000))]
    pub runtime_min: i16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub certificate: Option<String>,
}

/// All prices of a show. A category that is left out is not sold any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceUpsert {
    /// The partner's id of the show.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[!-~]+$"))]
    pub show_id: String,
    #[schemars(length(min = 1, max = 100))]
    pub prices: Vec<PartnerPrice>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerPrice {
    /// Of the hall's plan, each once.
    #[schemars(length(min = 1, max = 64))]
    pub category: String,
    /// In the minor unit of the venue's currency.
    #[schemars(range(min = 0, max = 100_000_000))]
    pub amount_minor: i64,
}

/// How many places without numbers a show sells. An area that is left out sells none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryUpsert {
    /// The partner's id of the show.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[!-~]+$"))]
    pub show_id: String,
    #[schemars(length(min = 1, max = 100))]
    pub areas: Vec<PartnerArea>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerArea {
    /// Of the hall's plan, each once.
    #[schemars(length(min = 1, max = 64))]
    pub category: String,
    /// At most what the hall has, and not below what is taken.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub capacity: u32,
}

/// What a partner numbers the states of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-open" = true))]
pub enum FeedEntity {
    Show,
    Price,
    Inventory,
}

impl FeedEntity {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Price => "price",
            Self::Inventory => "inventory",
        }
    }
}

/// Numbers of an entity never arrived. What came after them was applied, as it carries the whole state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResyncRequested {
    pub entity: FeedEntity,
    /// The partner's own.
    pub id: String,
    /// First number that is missing.
    pub missing_from: u64,
    /// Last one.
    pub missing_until: u64,
    pub at: Instant,
}
