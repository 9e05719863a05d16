//! Files of others: taken whole and for good, or refused with every place that is wrong, and nothing is stored.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_integration::{
    books::{count, texts},
    desk::{Desk, Ended, data},
    fixture,
};
use boxoffice_runtime::clock;
use boxoffice_store::mysql::import::{HoldRules, Import, Mode};
use mongodb::bson::{Document, doc};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

/// A file of `data/halls` with all that is wrong with it.
type Broken = (&'static str, &'static [(&'static str, &'static str)]);

const BROKEN: &[Broken] = &[
    (
        "guid-repeated",
        &[("/zones/0/rows/1/seats/0/seat_guid", "seat_guid_repeated")],
    ),
    (
        "guid-malformed",
        &[
            ("/zones/0/rows/0/seats/1/seat_guid", "seat_guid_malformed"),
            ("/zones/0/rows/1/seats/2/seat_guid", "seat_guid_malformed"),
        ],
    ),
    (
        "category-undeclared",
        &[
            ("/zones/0/rows/0/seats/2/category", "category_undeclared"),
            ("/zones/0/rows/1/seats/1/category", "category_undeclared"),
        ],
    ),
    (
        "category-repeated",
        &[("/categories/2/name", "category_repeated")],
    ),
    ("categories-mistyped", &[("/categories", "field_mistyped")]),
    (
        "field-missing",
        &[
            ("/zones/0/rows/0/seats/0/seat_number", "field_missing"),
            ("/zones/0/rows/0/seats/1/position", "field_missing"),
            ("/zones/0/rows/0/seats/2/seat_guid", "field_missing"),
            ("/zones/0/rows/1/row_number", "field_missing"),
        ],
    ),
    (
        "field-mistyped",
        &[
            ("/zones/0/rows/0/seats/0/seat_number", "field_mistyped"),
            ("/zones/0/rows/0/seats/1/position", "field_mistyped"),
            ("/zones/0/rows/0/seats/2/position/x", "field_mistyped"),
            ("/zones/0/rows/1/seats", "field_mistyped"),
        ],
    ),
    (
        "coordinate-nan",
        &[("/zones/0/rows/0/seats/1/position/x", "not_json")],
    ),
    (
        "coordinate-infinite",
        &[("/zones/0/rows/0/seats/1/position/x", "number_out_of_range")],
    ),
    (
        "coordinate-huge",
        &[
            ("/zones/0/rows/0/seats/1/position/y", "number_out_of_range"),
            ("/zones/0/rows/1/seats/1/position/x", "number_out_of_range"),
        ],
    ),
    ("empty", &[("/zones", "no_seats")]),
    ("rows-empty", &[("/zones", "no_seats")]),
    (
        "truncated",
        &[("/zones/0/rows/1/seats/1/seat_guid", "truncated")],
    ),
    ("no-plan", &[("", "field_mistyped")]),
    ("no-json", &[("", "not_json")]),
    ("nothing", &[("", "truncated")]),
    (
        "text",
        &[
            ("/name", "text_malformed"),
            ("/zones/0/name", "text_empty"),
            ("/zones/0/rows/0/seats/0/seat_number", "text_too_long"),
        ],
    ),
    (
        "areas",
        &[
            ("/areas/0/capacity", "number_out_of_range"),
            ("/areas/1/category", "category_mixed"),
            ("/areas/2/category", "area_category_repeated"),
            ("/areas/3/category", "category_undeclared"),
            ("/areas/3/capacity", "field_mistyped"),
            ("/areas/4/name", "field_missing"),
            ("/areas/4/capacity", "field_missing"),
            ("/areas/4/category", "area_category_repeated"),
        ],
    ),
    (
        "everything",
        &[
            ("/name", "field_missing"),
            ("/categories/2/name", "category_repeated"),
            ("/zones/0/rows/0/seats/1/seat_guid", "seat_guid_repeated"),
            ("/zones/0/rows/0/seats/2/category", "category_undeclared"),
            ("/zones/0/rows/1/seats/0/position/x", "number_out_of_range"),
            ("/zones/0/rows/1/seats/1/seat_number", "field_missing"),
        ],
    ),
];

/// How a refused file is told.
const EXIT_REFUSED: i32 = 65;
const TABLES: &[&str] = &[
    "venues",
    "halls",
    "layouts",
    "seats",
    "areas",
    "films",
    "shows",
    "prices",
    "admissions",
];

async fn stored(desk: &Desk) -> Vec<u64> {
    let mut counts = Vec::new();
    for table in TABLES {
        counts.push(count(&desk.db, table).await);
    }
    let layouts = desk.documents.collection::<Document>("layouts");
    counts.push(layouts.count_documents(doc! {}).await.unwrap());
    counts
}

fn venues() -> String {
    json!({"venues": [{
        "slug": "corner", "name": "Corner Cinema", "city": "Berlin", "address": "Eckstr. 1",
        "zone": "Europe/Berlin", "currency": "EUR",
        "halls": [{"slug": "one", "name": "One", "entrance": "left", "file": "hall.json"}],
    }]})
    .to_string()
}

fn import_hall(desk: &Desk, plan: &str, more: &[&str]) -> Ended {
    let venues = desk.file("venues.json", venues());
    let hall = [
        "import", "hall", "--format", "json", "--venues", &venues, "--slug", "one", plan,
    ];
    desk.run(&[&hall, more].concat())
}

/// What a refusal names, file after file.
fn told(refusal: &Value) -> Vec<(String, String)> {
    assert_eq!(refusal["outcome"], "refused", "{refusal}");
    let files = refusal["files"].as_array().unwrap();
    let problems = files
        .iter()
        .flat_map(|file| file["problems"].as_array().unwrap());
    problems
        .map(|problem| {
            let text = |field: &str| problem[field].as_str().unwrap().to_owned();
            assert!(
                !text("advice").is_empty() && !text("detail").is_empty(),
                "{problem}"
            );
            (text("pointer"), text("code"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_hall_is_refused_with_its_places_and_nothing_is_stored() {
    let desk = Desk::open().await;
    let files: BTreeSet<String> = fs::read_dir(data("halls"))
        .unwrap()
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let listed: BTreeSet<String> = BROKEN
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .chain(["nested".to_owned()])
        .collect();
    assert_eq!(files, listed, "every file is in the table");

    let refuse = |name: &str, path: &str| {
        let ended = import_hall(&desk, path, &[]);
        assert_eq!(ended.code, EXIT_REFUSED, "{name}: {}", ended.stdout);
        told(&ended.json())
    };
    for (name, expected) in BROKEN {
        let path = data("halls").join(format!("{name}.json"));
        let expected: Vec<_> = expected
            .iter()
            .map(|(p, c)| ((*p).to_owned(), (*c).to_owned()))
            .collect();
        assert_eq!(refuse(name, path.to_str().unwrap()), expected, "{name}");
    }
    let nested = data("halls").join("nested.json");
    let (pointer, code) = refuse("nested", nested.to_str().unwrap()).remove(0);
    assert!(pointer.starts_with("/zones/0/areas/0/0/0/"), "{pointer}");
    assert_eq!(code, "too_deep");

    // Too large to lie here.
    let seat = |n: u32| json!({"seat_guid": format!("s{n}"), "seat_number": "1", "category": "A", "position": {"x": n, "y": 0}});
    let stadium = json!({"name": "Stadium", "categories": [{"name": "A"}], "zones": [{"name": "Z", "rows": [
        {"row_number": "1", "seats": (0..20_001).map(seat).collect::<Vec<_>>()}]}]});
    let path = desk.file("stadium.json", stadium.to_string());
    let at = "/zones/0/rows/0/seats/20000".to_owned();
    assert_eq!(
        refuse("stadium", &path),
        [(at, "too_many_seats".to_owned())]
    );
    let path = desk.file("huge.json", vec![b' '; 8 * 1024 * 1024 + 1]);
    assert_eq!(
        refuse("huge", &path),
        [(String::new(), "too_large".to_owned())]
    );
    let gone = desk.folder.join("gone.json");
    assert_eq!(refuse("gone", gone.to_str().unwrap())[0].1, "unreadable");

    assert_eq!(stored(&desk).await, [0; 10]);

    // For people: the place, what is wrong, what to do; and nothing that moves their cursor.
    let venues = desk.file("venues.json", venues());
    let path = data("halls").join("text.json");
    let text = desk.run(&[
        "import",
        "hall",
        "--venues",
        &venues,
        "--slug",
        "one",
        path.to_str().unwrap(),
    ]);
    assert!(!text.stdout.contains('\u{1b}'));
    for part in [
        "is refused",
        "/zones/0/name",
        "text_empty",
        "→ write a text",
        "Nothing was stored",
    ] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_never_changes_and_a_show_keeps_the_one_it_was_sold_with() {
    let desk = Desk::open().await;
    let sample = fs::read_to_string(data("seating-plan.sample.json")).unwrap();
    let path = desk.file("plan.json", &sample);
    let layout = |ended: &Ended| {
        assert_eq!(ended.code, 0, "{}", ended.stdout);
        let layout = ended.json()["layouts"][0].clone();
        (
            layout["version"].as_u64().unwrap(),
            layout["is_new"].as_bool().unwrap(),
        )
    };

    let dry = import_hall(&desk, &path, &["--dry-run"]);
    assert_eq!(
        (layout(&dry), &dry.json()["outcome"]),
        ((1, true), &json!("dry_run"))
    );
    assert_eq!(stored(&desk).await, [0; 10]);
    let first = import_hall(&desk, &path, &[]);
    assert_eq!(layout(&first), (1, true));
    assert_eq!(first.json()["layouts"][0]["seats"], 18);
    assert_eq!(stored(&desk).await, [1, 1, 1, 18, 0, 0, 0, 0, 0, 1]);

    // The same plan, written otherwise.
    let plan: Value = serde_json::from_str(&sample).unwrap();
    let other = desk.file("same.json", plan.to_string());
    let again = import_hall(&desk, &other, &[]);
    assert_eq!(layout(&again), (1, false));
    assert_eq!(again.json()["halls"]["unchanged"], 1);

    let films = desk.file(
        "films.json",
        json!([{"title": "Tár", "year": 2022, "runtime_min": 158}]).to_string(),
    );
    assert_eq!(desk.run(&["import", "films", &films]).code, 0);
    let shows = |slug: &str, prices: &Value| {
        let show = json!({"slug": slug, "film": "tar-2022", "venue": "corner", "hall": "one", "day": 3,
            "time": "20:00", "prices": prices});
        let file = desk.file("shows.json", json!({"shows": [show]}).to_string());
        desk.run(&["import", "shows", "--format", "json", &file])
    };
    let prices = json!({"Standard": 900, "Premium": 1200, "Wheelchair": 900});
    assert_eq!(shows("early", &prices).json()["shows"]["created"], 1);

    // Half the hall is taken out, and people stand there.
    let before = seats_of(&desk, "early").await;
    let mut changed = plan.clone();
    changed["zones"][0]["rows"].as_array_mut().unwrap().pop();
    changed["categories"][1]["name"] = json!("Standing");
    changed["areas"] = json!([{"name": "Floor", "category": "Standing", "capacity": 60}]);
    let changed = desk.file("changed.json", changed.to_string());
    assert_eq!(layout(&import_hall(&desk, &changed, &[])), (2, true));
    assert_eq!(seats_of(&desk, "early").await, before);
    assert_eq!(shows("early", &prices).json()["shows"]["unchanged"], 1);
    let wrong = shows("late", &prices);
    assert_eq!(wrong.code, EXIT_REFUSED);
    let at = (
        "/shows/0/prices".to_owned(),
        "prices_differ_from_plan".to_owned(),
    );
    assert_eq!(told(&wrong.json()), [at]);
    let standing = json!({"Standard": 900, "Standing": 700, "Wheelchair": 900});
    assert_eq!(shows("late", &standing).json()["shows"]["created"], 1);
    assert_eq!(shows("late", &standing).json()["shows"]["unchanged"], 1);
    assert_eq!(seats_of(&desk, "late").await.len(), 8);
    let counters = texts(
        &desk.db,
        "SELECT CONCAT(category, ' ', taken, '/', capacity) FROM admissions",
    )
    .await;
    assert_eq!(counters, ["Standing 0/60"]);

    // Back to what it was: that version is still there.
    assert_eq!(layout(&import_hall(&desk, &path, &[])), (1, false));
    let kept = texts(
        &desk.db,
        "SELECT CONCAT(version, ' ', seat_count) FROM layouts ORDER BY version",
    )
    .await;
    assert_eq!(kept, ["1 18", "2 8"]);
    desk.close().await;
}

async fn seats_of(desk: &Desk, show: &str) -> Vec<String> {
    let query = format!(
        "SELECT CONCAT_WS(' ', t.seat_id, t.category, t.x, t.y) FROM shows s \
         JOIN seats t ON t.layout_id = s.layout_id WHERE s.slug LIKE '{show}-%' ORDER BY t.ordinal"
    );
    texts(&desk.db, &query).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_stored_whole_or_not_at_all() {
    let desk = Desk::open().await;
    let folder = desk.folder.join("data");
    fixture::write(&folder, &[boxoffice_integration::Show::named("evening")]);
    let import = || {
        desk.run(&[
            "import",
            "all",
            "--format",
            "json",
            folder.to_str().unwrap(),
        ])
    };
    let spoil = |file: &str, change: &dyn Fn(&mut Value)| {
        let path = folder.join(file);
        let good = fs::read_to_string(&path).unwrap();
        let mut value: Value = serde_json::from_str(&good).unwrap();
        change(&mut value);
        fs::write(&path, value.to_string()).unwrap();
        good
    };

    // Only the database can tell: the last file of all, after everything else was written.
    let good = spoil("shows.json", &|file| {
        let mut other = file["shows"][0].clone();
        other["slug"] = json!("other");
        other["film"] = json!("unheard-of");
        other["hall"] = json!("nowhere");
        file["shows"].as_array_mut().unwrap().push(other);
    });
    let refused = import();
    assert_eq!(refused.code, EXIT_REFUSED);
    let places = [
        ("/shows/1/film", "film_unknown"),
        ("/shows/1/hall", "hall_unknown"),
    ];
    let places = places.map(|(pointer, code)| (pointer.to_owned(), code.to_owned()));
    assert_eq!(told(&refused.json()), places);
    assert_eq!(stored(&desk).await, [0; 10]);
    fs::write(folder.join("shows.json"), good).unwrap();

    // Everything that is wrong with four files, at once.
    let hall = spoil("hall.json", &|plan| plan["name"] = json!(1));
    let club = fs::read_to_string(folder.join("club.json")).unwrap();
    fs::write(folder.join("club.json"), &club[..club.len() / 2]).unwrap();
    let films = spoil("films.json", &|file| {
        file["films"][0]["year"] = json!("soon")
    });
    let shows = spoil("shows.json", &|file| {
        file["shows"][0]["time"] = json!("8 pm")
    });
    let refused = import().json();
    let files: Vec<&str> = refused["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        files,
        ["hall.json", "club.json", "films.json", "shows.json"]
    );
    assert_eq!(
        told(&refused)[2],
        ("/films/0/year".to_owned(), "field_mistyped".to_owned())
    );
    assert_eq!(stored(&desk).await, [0; 10]);
    for (file, good) in [
        ("hall.json", hall),
        ("club.json", club),
        ("films.json", films),
        ("shows.json", shows),
    ] {
        fs::write(folder.join(file), good).unwrap();
    }

    // A newer export says more than we know: taken, and told where it may be a slip of the pen.
    spoil("hall.json", &|plan| {
        plan["zones"][0]["zone_id"] = json!("p")
    });
    spoil("shows.json", &|file| {
        file["shows"][0]["hold_mins"] = json!(5)
    });
    let imported = import();
    assert_eq!(imported.code, 0, "{}", imported.stdout);
    let passed = json!([{"file": "shows.json", "pointer": "/shows/0/hold_mins"}]);
    assert_eq!(imported.json()["passed_over"], passed);
    let after = stored(&desk).await;
    let again = import().json();
    for kind in ["venues", "halls", "films", "shows"] {
        assert_eq!(
            (&again[kind]["created"], &again[kind]["updated"]),
            (&json!(0), &json!(0)),
            "{again}"
        );
    }
    assert_eq!(stored(&desk).await, after);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn films_of_four_years_are_imported_with_their_titles_and_people() {
    let desk = Desk::open().await;
    let path = data("films-2020s.json");
    let films: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let import = || {
        desk.run(&[
            "import",
            "films",
            "--format",
            "json",
            path.to_str().unwrap(),
        ])
    };
    let imported = import();
    assert_eq!(imported.code, 0, "{}", imported.stdout);
    assert_eq!(imported.json()["films"]["created"], films.len());
    assert_eq!(imported.json()["passed_over"], json!([]));
    assert_eq!(import().json()["films"]["unchanged"], films.len());

    let stored: BTreeSet<String> = texts(&desk.db, "SELECT CONCAT(year, ' ', title) FROM films")
        .await
        .into_iter()
        .collect();
    for film in &films {
        let title = format!("{} {}", film["year"], film["title"].as_str().unwrap());
        assert!(stored.contains(&title), "{title}");
    }
    let tar = "SELECT CONCAT(slug, ' ', JSON_UNQUOTE(JSON_EXTRACT(people, '$[1]'))) FROM films WHERE title = 'Tár'";
    assert_eq!(texts(&desk.db, tar).await, ["tar-2022 Noémie Merlant"]);

    // Nobody knows how long they last: they can't be shown before somebody says it.
    let (venues, plan) = (
        venues(),
        fs::read(data("seating-plan.sample.json")).unwrap(),
    );
    let hall = Import::hall(("v", venues.as_bytes()), "one", ("p", &plan)).unwrap();
    hall.store(
        &desk.db,
        None,
        HoldRules::default(),
        clock::now(),
        Mode::Store,
    )
    .await
    .unwrap();
    let show = json!({"shows": [{"slug": "evening", "film": "tar-2022", "venue": "corner", "hall": "one", "day": 1,
        "time": "20:00", "prices": {"Standard": 900, "Premium": 1200, "Wheelchair": 900}}]});
    let show = desk.file("shows.json", show.to_string());
    let refused = desk
        .run(&["import", "shows", "--format", "json", &show])
        .json();
    let at = (
        "/shows/0/film".to_owned(),
        "film_without_runtime".to_owned(),
    );
    assert_eq!(told(&refused), [at]);
    desk.close().await;
}

/// Spoils a few values or bytes of a document.
fn spoil(good: &Value, dice: &mut StdRng) -> Vec<u8> {
    let mut document = good.clone();
    for _ in 0..dice.random_range(1..4) {
        let mut at = &mut document;
        loop {
            let below = match at {
                Value::Array(list) => list.len(),
                Value::Object(fields) => fields.len(),
                _ => 0,
            };
            if below == 0 || dice.random_bool(0.1) {
                break;
            }
            let index = dice.random_range(0..below);
            at = match at {
                Value::Array(list) => &mut list[index],
                Value::Object(fields) => fields.values_mut().nth(index).unwrap(),
                _ => unreachable!("nothing is below"),
            };
        }
        let others = [
            Value::Null,
            json!(true),
            json!(-1),
            json!(1e300),
            json!("x"),
            json!("A-1"),
            json!([]),
            json!({}),
            json!(u64::MAX),
            json!("é\u{0}"),
            json!("Standard"),
            json!({"$set": {"a.b": 1}}),
        ];
        *at = others[dice.random_range(0..others.len())].clone();
    }
    let mut bytes = document.to_string().into_bytes();
    if dice.random_bool(0.2) {
        bytes.truncate(dice.random_range(0..=bytes.len()));
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spoiled_file_is_ever_stored_in_part() {
    let desk = Desk::open().await;
    let folder = desk.folder.join("data");
    fixture::write(
        &folder,
        &[boxoffice_integration::Show::named("evening").in_the_club()],
    );
    let good = |file: &str| -> Value {
        serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap()
    };
    let store = async |import: &Import| {
        let holds = HoldRules::default();
        import
            .store(
                &desk.db,
                Some(&desk.documents),
                holds,
                clock::now(),
                Mode::Store,
            )
            .await
    };
    let whole = Import::folder(|file| fs::read(folder.join(file))).unwrap();
    store(&whole).await.unwrap();

    let mut dice = StdRng::seed_from_u64(7);
    let venues = good("venues.json").to_string();
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..150 {
        let before = stored(&desk).await;
        let (hall, films, shows) = (
            spoil(&good("club.json"), &mut dice),
            spoil(&good("films.json"), &mut dice),
            spoil(&good("shows.json"), &mut dice),
        );
        for import in [
            Import::hall(("v", venues.as_bytes()), "club", ("p", &hall)),
            Import::films("f", &films),
            Import::shows("s", &shows),
        ] {
            let import = match import {
                Ok(import) => import,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                    continue;
                }
            };
            let held = stored(&desk).await;
            match store(&import).await {
                Ok(_) => taken += 1,
                Err(boxoffice_store::mysql::import::ImportError::Refused(_)) => {
                    refused += 1;
                    assert_eq!(stored(&desk).await, held);
                }
                Err(error) => panic!("a server refused what we took: {error}"),
            }
        }
        assert!(
            stored(&desk)
                .await
                .iter()
                .zip(&before)
                .all(|(now, before)| now >= before)
        );
    }
    assert!(
        refused > 100 && taken > 10,
        "{refused} refused, {taken} taken"
    );
    // Whole layouts only: every seat and area that is counted is there.
    let torn =
        "layouts l WHERE seat_count <> (SELECT COUNT(*) FROM seats s WHERE s.layout_id = l.id)";
    assert_eq!(count(&desk.db, torn).await, 0);
    desk.close().await;
}
