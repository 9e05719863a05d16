use super::*;
use serde_json::json;

fn plan() -> Value {
    json!({
        "name": "Small Screen",
        "categories": [{"name": "Standard", "color": "#457b9d"}, {"name": "Premium", "colour": "other"}],
        "size": {"width": 400, "height": 200},
        "zones": [{
            "name": "Stalls", "position": {"x": 20, "y": 40}, "zone_id": "unknown keys are passed over",
            "rows": [
                {"row_number": "A", "position": {"x": 1, "y": 2.5}, "seats": [
                    {"seat_guid": "A-1", "seat_number": "1", "position": {"x": 30, "y": 0}, "category": "Standard"},
                    {"seat_guid": "A-2", "seat_number": "2", "position": {"x": 60, "y": 0}, "category": "Premium"}
                ]}
            ],
            "areas": [{"width": 300}]
        }]
    })
}

fn refuse(change: impl FnOnce(&mut Value)) -> Vec<(String, &'static str)> {
    let mut changed = plan();
    change(&mut changed);
    let problems = parse(&serde_json::to_vec(&changed).unwrap()).unwrap_err();
    problems
        .into_iter()
        .map(|problem| (problem.pointer, problem.code))
        .collect()
}

fn seat(changed: &mut Value) -> &mut Value {
    &mut changed["zones"][0]["rows"][0]["seats"][1]
}

#[test]
fn a_good_plan_counts_positions_from_the_corner_of_the_hall() {
    let plan = parse(&serde_json::to_vec(&plan()).unwrap()).unwrap();
    assert_eq!(plan.name, "Small Screen");
    assert_eq!(plan.categories.len(), 2);
    let seat = &plan.seats[0];
    assert_eq!((seat.x, seat.y), (51.0, 42.5));
    assert_eq!(
        (seat.zone.as_str(), seat.row.as_str(), seat.number.as_str()),
        ("Stalls", "A", "1")
    );
    assert_eq!(seat.id.as_str(), "A-1");
}

#[test]
fn every_refusal_says_what_and_where() {
    const AT: &str = "/zones/0/rows/0/seats/1";
    type Change = fn(&mut Value);
    let cases: [(&str, &str, Change); 14] = [
        ("/name", "field_missing", |p| p["name"] = Value::Null),
        ("/name", "text_empty", |p| p["name"] = json!("  ")),
        ("/name", "text_too_long", |p| {
            p["name"] = json!("x".repeat(201))
        }),
        ("/categories", "field_mistyped", |p| {
            p["categories"] = json!({})
        }),
        ("/categories/1/name", "category_repeated", |p| {
            p["categories"][1]["name"] = json!("Standard")
        }),
        ("/zones", "no_seats", |p| p["zones"] = json!([])),
        ("/zones/0/rows/0/row_number", "field_mistyped", |p| {
            p["zones"][0]["rows"][0]["row_number"] = json!(1)
        }),
        ("seat_guid", "seat_guid_repeated", |p| {
            seat(p)["seat_guid"] = json!("A-1")
        }),
        ("seat_guid", "seat_guid_malformed", |p| {
            seat(p)["seat_guid"] = json!("A 2")
        }),
        ("seat_number", "field_missing", |p| {
            seat(p)["seat_number"] = Value::Null
        }),
        ("category", "category_undeclared", |p| {
            seat(p)["category"] = json!("standard")
        }),
        ("position", "field_mistyped", |p| {
            seat(p)["position"] = json!([1, 2])
        }),
        ("position/x", "field_mistyped", |p| {
            seat(p)["position"]["x"] = json!("1")
        }),
        ("position/y", "number_out_of_range", |p| {
            seat(p)["position"]["y"] = json!(1e9)
        }),
    ];
    for (pointer, code, change) in cases {
        let pointer = if pointer.starts_with('/') {
            pointer.to_owned()
        } else {
            format!("{AT}/{pointer}")
        };
        let problems = refuse(change);
        assert!(
            problems.contains(&(pointer.clone(), code)),
            "{pointer} {code}: {problems:?}"
        );
    }
}

#[test]
fn all_problems_are_told_at_once_and_their_number_is_bounded() {
    let two = refuse(|p| {
        p["name"] = json!(7);
        seat(p)["category"] = json!("Balcony");
    });
    assert_eq!(two.len(), 2, "{two:?}");
    let many = refuse(|p| {
        let broken = json!({"seat_guid": "", "seat_number": "1", "category": "Standard"});
        p["zones"][0]["rows"][0]["seats"] = json!(vec![broken; 500]);
    });
    assert_eq!(many.len(), PROBLEMS_MAX);
}

#[test]
fn what_is_no_json_too_deep_or_too_large_is_refused_before_it_is_read() {
    let code = |bytes: &[u8]| parse(bytes).unwrap_err()[0].code;
    assert_eq!(code(b"{\"name\": "), "not_json");
    assert_eq!(code("[".repeat(10_000).as_bytes()), "not_json");
    let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(code(nested.as_bytes()), "too_deep");
    assert_eq!(code(&vec![b' '; PLAN_BYTES_MAX + 1]), "too_large");
    assert_eq!(code(b"[]"), "field_mistyped");
}

#[test]
fn a_stadium_is_too_large_for_one_hall() {
    let problems = refuse(|p| {
        let seats = |row: usize| -> Vec<Value> {
            (0..1_000)
                .map(|n| json!({"seat_guid": format!("{row}-{n}"), "seat_number": "1", "category": "Standard"}))
                .collect()
        };
        let rows: Vec<Value> = (0..21)
            .map(|row| json!({"row_number": "A", "seats": seats(row)}))
            .collect();
        p["zones"][0]["rows"] = json!(rows);
    });
    assert_eq!(
        problems,
        [("/zones/0/rows/20/seats/0".to_owned(), "too_many_seats")]
    );
}

#[test]
fn the_demo_halls_are_good_plans() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/halls");
    for (file, seats) in [
        ("astor-1.json", 280),
        ("studio-40.json", 40),
        ("theatre-grand.json", 900),
    ] {
        let plan = parse(&std::fs::read(folder.join(file)).unwrap()).unwrap();
        assert_eq!(plan.seats.len(), seats, "{file}");
    }
}
