//! What to do about a refusal, by its code.

/// Every code of a refusal with what to do about it. A code is never renamed.
pub const ADVICE: &[(&str, &str)] = &[
    (
        "area_category_repeated",
        "give each area a category of its own: its places are counted by category",
    ),
    (
        "category_malformed",
        "take away the spaces around the name of the category",
    ),
    (
        "category_mixed",
        "give the area a category that no seat has",
    ),
    ("category_repeated", "declare each category once"),
    (
        "category_undeclared",
        "declare the category under /categories, or correct its name; capitals count",
    ),
    (
        "currency_malformed",
        "write the ISO 4217 code in capitals, such as EUR",
    ),
    ("field_missing", "add the field"),
    (
        "field_mistyped",
        "write the value in the type that the detail names",
    ),
    ("film_unknown", "import the film first, or correct its slug"),
    (
        "film_without_runtime",
        "give the film its runtime_min and import it again: tickets and calendars need the end",
    ),
    (
        "hall_unknown",
        "import the hall first, or correct venue and hall",
    ),
    ("list_too_long", "split the list"),
    (
        "no_seats",
        "draw at least one seat, or declare an area with a capacity",
    ),
    (
        "not_json",
        "mend the syntax there; any JSON linter shows it",
    ),
    (
        "number_out_of_range",
        "write a number within the range that the detail names",
    ),
    (
        "path_outside",
        "name a file below the folder that is imported",
    ),
    (
        "prices_differ_from_plan",
        "price exactly the categories of the hall, no more and no fewer",
    ),
    (
        "prices_missing",
        "give a price for every category of the hall",
    ),
    (
        "seat_guid_malformed",
        "use 1 to 64 visible ASCII characters without spaces",
    ),
    (
        "seat_guid_repeated",
        "give each seat a guid of its own; tickets name seats by it",
    ),
    (
        "slug_malformed",
        "use a-z, 0-9 and single hyphens between them",
    ),
    (
        "slug_missing",
        "give a slug: the title has no letter from which one could be made",
    ),
    ("slug_repeated", "give each entry a slug of its own"),
    ("text_empty", "write a text"),
    (
        "text_malformed",
        "take away line breaks and other control characters",
    ),
    ("text_too_long", "shorten the text"),
    (
        "time_malformed",
        "write the time as HH:MM, from 00:00 to 23:59",
    ),
    (
        "too_deep",
        "flatten the nesting; no plan needs so many levels",
    ),
    (
        "too_large",
        "split the file, or leave out what is not the plan, such as embedded pictures",
    ),
    (
        "too_many_seats",
        "split the hall: each hall has a plan of its own",
    ),
    (
        "truncated",
        "export or copy the file again: it ends too early",
    ),
    ("unreadable", "check the path and who may read it"),
    (
        "venue_unknown",
        "correct the slug of the hall, or add it to the venues",
    ),
    (
        "zone_unknown",
        "use the IANA name of the time zone, such as Europe/Berlin",
    ),
];

/// What to do about a problem with this code.
#[must_use]
pub fn advice(code: &str) -> &'static str {
    ADVICE
        .iter()
        .find(|(known, _)| *known == code)
        .map_or("", |(_, advice)| advice)
}
