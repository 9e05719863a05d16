use super::*;
use crate::reading::{PROBLEMS_MAX, advice};
use serde_json::json;

fn plan() -> Value {
    json!({
        "name": "Small Screen",
        "categories": [{"name": "Standard", "color": "#457b9d"}, {"name": "Premium", "colour": "other"},
            {"name": "Standing"}],
        "areas": [{"name": "Floor", "category": "Standing", "capacity": 300, "color": "unknown here"}],
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
    assert_eq!(plan.categories.len(), 3);
    let seat = &plan.seats[0];
    assert_eq!((seat.x, seat.y), (51.0, 42.5));
    assert_eq!(
        (seat.zone.as_str(), seat.row.as_str(), seat.number.as_str()),
        ("Stalls", "A", "1")
    );
    assert_eq!(seat.id.as_str(), "A-1");
    let floor = PlannedArea {
        name: "Floor".to_owned(),
        category: "Standing".to_owned(),
        capacity: 300,
    };
    assert_eq!(plan.areas, [floor]);
}

#[test]
fn a_hall_may_have_seats_or_areas_or_both() {
    let mut standing = plan();
    standing["zones"] = json!([]);
    assert_eq!(
        parse(standing.to_string().as_bytes()).unwrap().seats.len(),
        0
    );
    let mut seated = plan();
    seated.as_object_mut().unwrap().remove("areas");
    assert_eq!(parse(seated.to_string().as_bytes()).unwrap().areas, []);
}

#[test]
fn the_same_content_is_the_same_plan_however_it_is_written() {
    let hash = |text: &str| parse(text.as_bytes()).unwrap().sha256;
    let written = plan().to_string();
    let spaced = serde_json::to_string_pretty(&plan()).unwrap();
    assert_eq!(hash(&written), hash(&spaced));
    let turned = |key: &str| {
        let rest = plan();
        let rest: Vec<String> = rest
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != key)
            .map(|(name, value)| format!("{name:?}:{value}"))
            .collect();
        format!("{{{:?}:{},{}}}", key, plan()[key], rest.join(","))
    };
    assert_eq!(hash(&written), hash(&turned("zones")));
    let mut other = plan();
    seat(&mut other)["position"]["x"] = json!(61);
    assert_ne!(hash(&written), hash(&other.to_string()));
    let mut other = plan();
    other["areas"][0]["capacity"] = json!(301);
    assert_ne!(hash(&written), hash(&other.to_string()));
}

#[test]
fn every_refusal_says_what_and_where() {
    const AT: &str = "/zones/0/rows/0/seats/1";
    type Change = fn(&mut Value);
    let cases: [(&str, &str, Change); 24] = [
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
        ("/zones", "no_seats", |p| {
            p["zones"] = json!([]);
            p["areas"] = json!([]);
        }),
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
        ("category", "field_mistyped", |p| {
            seat(p)["category"] = json!(["Standard"])
        }),
        ("position", "field_missing", |p| {
            seat(p)["position"] = Value::Null
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
        ("/categories/0/name", "category_malformed", |p| {
            p["categories"][0]["name"] = json!("Standard ")
        }),
        ("/areas/0/category", "category_undeclared", |p| {
            p["areas"][0]["category"] = json!("Nowhere")
        }),
        ("/areas/0/category", "category_mixed", |p| {
            p["areas"][0]["category"] = json!("Standard")
        }),
        ("/areas/1/category", "area_category_repeated", |p| {
            p["areas"] = json!([p["areas"][0], p["areas"][0]])
        }),
        ("/areas/0/capacity", "field_missing", |p| {
            p["areas"][0]["capacity"] = Value::Null
        }),
        ("/areas/0/capacity", "field_mistyped", |p| {
            p["areas"][0]["capacity"] = json!(2.5)
        }),
        ("/areas/0/capacity", "number_out_of_range", |p| {
            p["areas"][0]["capacity"] = json!(0)
        }),
        ("/areas", "field_mistyped", |p| p["areas"] = json!("all")),
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
        assert!(!advice(code).is_empty(), "{code}");
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
fn unreadable_categories_are_told_once_and_not_at_every_seat() {
    let problems = refuse(|p| p["categories"] = json!(7));
    assert_eq!(problems, [("/categories".to_owned(), "field_mistyped")]);
}

#[test]
fn a_stadium_is_too_large_for_one_hall() {
    let problems = refuse(|p| {
        let seats = |row: usize| -> Vec<Value> {
            (0..1_000)
                .map(|n| {
                    let position = json!({"x": n, "y": row});
                    json!({"seat_guid": format!("{row}-{n}"), "seat_number": "1", "category": "Standard",
                        "position": position})
                })
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
        ("kesselhaus.json", 36),
    ] {
        let plan = parse(&std::fs::read(folder.join(file)).unwrap()).unwrap();
        assert_eq!(plan.seats.len(), seats, "{file}");
    }
}

mod mutated {
    //! Whatever becomes of a good plan: it is taken with all its promises, or refused with a place. Never a panic.

    use super::*;
    use crate::reading::mutated::{judge_refusal, other_bytes, other_values, rubbish};
    use proptest::prelude::*;

    fn sample() -> Value {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/integration/data/seating-plan.sample.json"
        );
        let mut plan: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        plan["categories"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "Standing"}));
        plan["areas"] = json!([{"name": "Floor", "category": "Standing", "capacity": 300}]);
        plan
    }

    fn judge(bytes: &[u8]) {
        let plan = match parse(bytes) {
            Ok(plan) => plan,
            Err(problems) => return judge_refusal(bytes, &problems),
        };
        assert!(!plan.seats.is_empty() || !plan.areas.is_empty());
        assert!(plan.seats.len() <= SEATS_MAX);
        let ids: HashSet<_> = plan.seats.iter().map(|seat| &seat.id).collect();
        assert_eq!(ids.len(), plan.seats.len());
        let names: HashSet<_> = plan.categories.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names.len(), plan.categories.len());
        for seat in &plan.seats {
            assert!(names.contains(seat.category.as_str()));
            assert!(seat.x.is_finite() && seat.y.is_finite());
            assert!(plan.areas.iter().all(|area| area.category != seat.category));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

        #[test]
        fn a_plan_with_other_values(bytes in other_values(sample())) {
            judge(&bytes);
        }

        #[test]
        fn a_plan_with_other_bytes(bytes in other_bytes(sample())) {
            judge(&bytes);
        }

        #[test]
        fn no_plan_at_all(bytes in rubbish()) {
            judge(&bytes);
        }
    }
}
