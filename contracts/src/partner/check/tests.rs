use super::*;
use crate::Kind;
use crate::partner::kinds::{Direction, PARTNER_CATALOGUE};
use serde_json::json;

fn told(kind: Kind, data: &Value) -> Vec<(String, &'static str)> {
    let wrong = check(kind.as_str(), data).unwrap_err();
    wrong.into_iter().map(|m| (m.pointer, m.code)).collect()
}

/// Every sample of a kind that partners send.
fn samples() -> Vec<(Kind, Value)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/partner");
    let mut found = Vec::new();
    for entry in PARTNER_CATALOGUE {
        if entry.direction == Direction::FromPartner {
            let text = std::fs::read(folder.join(format!("{}.json", entry.kind))).unwrap();
            let message: Value = serde_json::from_slice(&text).unwrap();
            found.push((entry.kind, message["data"].clone()));
        }
    }
    found
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let show = json!({
        "id": "a b", "hall": "Corner One", "film": {"title": "", "runtime_min": 0, "rating": 5},
        "starts_at": "tomorrow", "sales_from": 7, "currency": "euro", "a/b": 1,
    });
    let at = |pointer: &str, code| (pointer.to_owned(), code);
    assert_eq!(
        told(kinds::SHOW_UPSERT, &show),
        [
            at("/data/id", "malformed"),
            at("/data/hall", "malformed"),
            at("/data/film/id", "required"),
            at("/data/film/title", "required"),
            at("/data/film/runtime_min", "out_of_range"),
            at("/data/film/rating", "unknown_field"),
            at("/data/starts_at", "malformed"),
            at("/data/sales_from", "wrong_type"),
            at("/data/currency", "malformed"),
            at("/data/a~1b", "unknown_field"),
        ]
    );
    let prices = json!({"show_id": "s", "prices": [
        {"category": "A", "amount_minor": -1}, {"category": "A", "amount_minor": 1.5}, {"amount_minor": 1}, 7]});
    assert_eq!(
        told(kinds::PRICE_UPSERT, &prices),
        [
            at("/data/prices/0/amount_minor", "wrong_type"),
            at("/data/prices/1/amount_minor", "wrong_type"),
            at("/data/prices/2/category", "required"),
            at("/data/prices/3", "wrong_type"),
        ]
    );
    let areas = json!({"show_id": "s", "areas": [
        {"category": "A", "capacity": 1}, {"category": "A", "capacity": 2}]});
    assert_eq!(
        told(kinds::INVENTORY_UPSERT, &areas),
        [at("/data/areas/1/category", "repeated")]
    );
    let submit = json!({
        "show_id": "x", "positions": [{"seat_id": "A-1"}, {"seat_id": "A-1"}],
        "customer": {"email": "nobody", "name": "Ada", "locale": "en"},
        "tender": "partner_credit", "payment": {"method": "pm_card_visa"}, "reference": "",
    });
    assert_eq!(
        told(kinds::BOOKING_SUBMIT, &submit),
        [
            at("/data/payment", "contradicts"),
            at("/data/reference", "required"),
            at("/data/show_id", "malformed"),
            at("/data/customer/email", "malformed"),
            at("/data/positions/1/seat_id", "seat_repeated"),
        ]
    );
    let cancel = json!({"booking_id": 1, "positions": [2, 2], "reason": "\u{7}"});
    assert_eq!(
        told(kinds::BOOKING_CANCEL, &cancel),
        [
            at("/data/booking_id", "wrong_type"),
            at("/data/reason", "malformed"),
            at("/data/positions", "repeated"),
        ]
    );
    assert_eq!(
        told(kinds::SNAPSHOT_REQUEST, &json!([])),
        [at("/data", "wrong_type")]
    );
    assert_eq!(
        told(kinds::PARTNER_REPLY, &json!({})),
        [at("/type", "unknown_kind")]
    );
    let rubbish: serde_json::Map<String, Value> =
        (0..1_000).map(|i| (format!("f{i}"), json!(i))).collect();
    assert_eq!(told(kinds::SNAPSHOT_REQUEST, &json!(rubbish)).len(), 50);
}

#[test]
fn times_that_contradict_each_other_are_found() {
    let (_, show) = samples()
        .into_iter()
        .find(|(kind, _)| *kind == kinds::SHOW_UPSERT)
        .unwrap();
    let with = |field: &str, at: &str| {
        let mut show = show.clone();
        show["starts_at"] = json!("2026-12-24T19:00:00Z");
        for name in ["sales_from", "sales_until", "cancel_until"] {
            show.as_object_mut().unwrap().remove(name);
        }
        show[field] = json!(at);
        check(kinds::SHOW_UPSERT.as_str(), &show)
    };
    with("sales_from", "2026-12-24T18:59:59Z").unwrap();
    with("sales_until", "2026-12-24T19:30:00Z").unwrap();
    with("cancel_until", "2026-12-24T19:00:00Z").unwrap();
    for (field, at) in [
        ("sales_from", "2026-12-24T19:00:00Z"),
        ("cancel_until", "2026-12-24T19:00:01Z"),
        ("starts_at", "+10000-01-01T00:00:00Z"),
        ("starts_at", "1969-12-31T23:59:59Z"),
    ] {
        let wrong = with(field, at).unwrap_err();
        assert_eq!(wrong[0].pointer, format!("/data/{field}"));
    }
}

/// The judge and the published schema ask for the same fields, at the top and one level below.
#[test]
fn the_judge_is_what_the_schemas_say() {
    for (kind, sample) in samples() {
        let entry = kinds::entry(kind.as_str()).unwrap();
        let schema = entry.document();
        assert_eq!(schema["additionalProperties"], false, "{kind}");
        let mut required: Vec<String> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| format!("/data/{}", name.as_str().unwrap()))
            .collect();
        required.sort();
        let mut missed: Vec<String> = match check(kind.as_str(), &json!({})) {
            Ok(_) => Vec::new(),
            Err(wrong) => wrong.into_iter().map(|m| m.pointer).collect(),
        };
        missed.sort();
        assert_eq!(missed, required, "{kind}");
        // Every field that the schema names is known: of another type it is that, and not unknown.
        for name in schema["properties"].as_object().unwrap().keys() {
            let mut other = sample.clone();
            other[name] = json!(true);
            let wrong = check(kind.as_str(), &other).unwrap_err();
            assert!(
                wrong.iter().any(|m| m.code == "wrong_type"),
                "{kind}: {name} {wrong:?}"
            );
        }
        check(kind.as_str(), &sample).unwrap();
    }
}

#[test]
fn what_passes_the_judge_is_the_type_that_is_published() {
    for (kind, sample) in samples() {
        let read = match check(kind.as_str(), &sample).unwrap() {
            Checked::Submit(data) => serde_json::to_value(data),
            Checked::Cancel(data) => serde_json::to_value(data),
            Checked::Show(data) => serde_json::to_value(data),
            Checked::Price(data) => serde_json::to_value(data),
            Checked::Inventory(data) => serde_json::to_value(data),
            Checked::Snapshot(data) => serde_json::to_value(data),
        };
        let read = read.unwrap();
        for (field, value) in sample.as_object().unwrap() {
            assert_eq!(read.get(field), Some(value), "{kind}: {field}");
        }
    }
}
