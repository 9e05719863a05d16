//! What is printed, scanned and looked up: tickets as other programs read them, their codes at the door, and the
//! timeline that staff reads.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::{BookingId, Role};
use boxoffice_integration::{Customer, Order, Show, World, eventually, secs};
use boxoffice_runtime::clock;
use boxoffice_store::mongo::documents::{self, NewPdf};
use mongodb::bson::{Document, doc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

/// Runs a program of others; `cargo xtask test` installs poppler-utils, qpdf and zbar-tools.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; is it installed?"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The code on a page, as a scanner reads it off the paper.
fn scanned(pdf: &Path, page: &str) -> String {
    let picture = pdf.with_extension(page);
    let to = [
        "-f",
        page,
        "-l",
        page,
        "-r",
        "150",
        "-gray",
        "-png",
        "-singlefile",
    ];
    run(
        "pdftoppm",
        &[&to[..], &[path(pdf), path(&picture)]].concat(),
    );
    let read = run(
        "zbarimg",
        &["--quiet", "--raw", &format!("{}.png", path(&picture))],
    );
    read.strip_suffix('\n').unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_says_what_was_booked_to_readers_scanners_and_the_door() {
    let world = World::setup()
        .show(Show::named("evening"))
        .setting("BOXOFFICE__TICKETS__TAX_BASIS_POINTS", "700")
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let order = Order::of(&show, &["A-1", "E-2"]).paid_with("pm_card_visa");
    let booking = ada.book(order).await;
    let done = booking.until("completed").await;
    let pdf = world.folder.join("tickets.pdf");
    fs::write(&pdf, booking.tickets_pdf().await).unwrap();
    assert!(fs::metadata(&pdf).unwrap().len() <= 16_000, "16 kB");

    let checked = run("qpdf", &["--check", path(&pdf)]);
    assert!(
        checked.contains("No syntax or stream encoding errors"),
        "{checked}"
    );
    let reference = done.0["reference"].as_str().unwrap();
    let info = run("pdfinfo", &[path(&pdf)]);
    assert!(
        info.contains(&format!("Low Tide at Noon – {reference}")),
        "{info}"
    );

    // The link of the mail opens them without a token.
    let mail = world.mail(booking.id, "confirmation").await;
    let told = world.catcher.store().detail(mail.id).unwrap().unwrap();
    let text = told.text.unwrap();
    let link = text
        .split_whitespace()
        .find(|word| word.contains("/tickets.pdf?expires="))
        .unwrap_or_else(|| panic!("no link in {text}"));
    let opened = reqwest::get(link).await.unwrap();
    assert_eq!(opened.status(), StatusCode::OK);
    assert_eq!(opened.bytes().await.unwrap(), fs::read(&pdf).unwrap());

    // The keys as a gate fetches them, without a token.
    let keys = reqwest::get(format!("{}/v1/keys", world.api))
        .await
        .unwrap();
    assert_eq!(keys.status(), StatusCode::OK);
    let keys_file = world.folder.join("keys.json");
    fs::write(&keys_file, keys.bytes().await.unwrap()).unwrap();
    let verify = |code: &str, more: &[&str]| {
        let arguments = [&["ticket", "verify", code], more].concat();
        let output = world.processes["all"].command(&arguments);
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(said).unwrap(),
        )
    };
    let mut codes = Vec::new();
    for (page, seat) in [("1", ("A", "1")), ("2", ("E", "2"))] {
        let text = run("pdftotext", &["-f", page, "-l", page, path(&pdf), "-"]);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for fact in [
            "Low Tide at Noon",
            "97 minutes",
            reference,
            "Booking total",
            "includes 7% tax",
        ] {
            assert!(text.contains(fact), "{fact}: {text}");
        }
        assert!(
            text.contains(&format!("{} {}", seat.0, seat.1)),
            "{seat:?}: {text}"
        );
        let code = scanned(&pdf, page);
        let (_, said) = verify(&code, &["--keys", path(&keys_file)]);
        assert!(said.contains("signature  valid, of key 1"), "{said}");
        assert!(said.contains(&show.id.to_string()), "{said}");
        let serial = said
            .lines()
            .find_map(|line| line.strip_prefix("serial     "))
            .unwrap();
        assert!(text.contains(serial), "{serial}: {text}");
        codes.push(code);
    }

    // At the door, when the film starts.
    let seen = ada.get(&format!("/v1/shows/{}", show.id)).await.unwrap();
    let at = ["--at", seen.body["starts_at"].as_str().unwrap()];
    let at_door = |code: &str, database: &[&str]| verify(code, &[&at[..], database].concat());
    let (exit, said) = at_door(&codes[1], &["--database"]);
    assert_eq!(exit, 0, "{said}");
    for fact in ["Low Tide at Noon", "row E, seat 2", reference, "admits now"] {
        assert!(said.contains(fact), "{fact}: {said}");
    }
    let (exit, said) = verify(&codes[0], &["--at", "2001-01-01T00:00:00Z"]);
    assert_eq!(exit, 3, "{said}");
    assert!(said.contains("too early"), "{said}");
    let mut altered = codes[0].clone();
    altered.replace_range(
        60..61,
        if altered.as_bytes()[60] == b'A' {
            "B"
        } else {
            "A"
        },
    );
    for forged in [altered.as_str(), "TICKET", ""] {
        assert_eq!(at_door(forged, &[]).0, 4, "{forged}");
    }
    // Given back: the code alone can't know, the database does.
    booking.cancel(None).await;
    booking.until("refunded").await;
    assert_eq!(at_door(&codes[0], &[]).0, 0);
    let (exit, said) = at_door(&codes[0], &["--database"]);
    assert_eq!(exit, 3, "{said}");
    assert!(said.contains("void since"), "{said}");
    world.finish().await;
}

/// All pages of a timeline.
fn new_pdf(key: &str, sha256: &str) -> NewPdf {
    NewPdf {
        booking: BookingId::derive("house", "ada", key),
        revision: 1,
        bytes: sha256.as_bytes().to_vec(),
        sha256: sha256.to_owned(),
        calendar: Vec::new(),
        now: clock::now(),
    }
}

/// Whoever is second is told what the first one stored; whoever comes in the same command is stored all the same.
#[tokio::test(flavor = "multi_thread")]
async fn documents_of_a_moment_are_stored_once_each() {
    let world = World::setup().start().await;
    let store = async |documents| {
        let stored = documents::store_ticket_pdfs(&world.documents, documents).await;
        let hashes = stored.unwrap().into_iter().map(Result::unwrap);
        hashes.collect::<Vec<String>>()
    };
    assert_eq!(
        store(vec![new_pdf("a", "first"), new_pdf("b", "other")]).await,
        ["first", "other"]
    );
    let again = vec![
        new_pdf("c", "new"),
        new_pdf("a", "second"),
        new_pdf("d", "last"),
        new_pdf("d", "twice"),
    ];
    assert_eq!(store(again).await, ["new", "first", "last", "last"]);
    let found = documents::find_ticket_pdf(&world.documents, new_pdf("a", "").booking).await;
    assert_eq!(found.unwrap().unwrap().bytes, b"first");
    assert!(store(Vec::new()).await.is_empty());
    // No booking has these.
    let all = world.documents.collection::<Document>("ticket_documents");
    all.delete_many(doc! {}).await.unwrap();
    world.finish().await;
}

async fn timeline(who: &Customer, booking: &str, limit: u16) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut next = Some(format!("/v1/bookings/{booking}/timeline?limit={limit}"));
    while let Some(page) = next {
        let answer = who.get(&page).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let found = answer.body["lines"].as_array().unwrap().clone();
        assert!(found.len() <= usize::from(limit));
        lines.extend(found);
        next = answer.body["next"].as_str().map(str::to_owned);
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_tells_everything_and_is_made_again_as_it_was() {
    let world = World::setup().show(Show::named("evening")).start().await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let order = |seat: &str| Order::of(&show, &[seat]).paid_with("pm_card_visa");
    let booking = ada.book(order("A-1")).await;
    booking.until("completed").await;
    booking.cancel(None).await;
    booking.until("refunded").await;
    let other = ada.book(order("A-2")).await;
    other.until("completed").await;
    world.settle().await;

    let support = world.someone("sue", Role::Support);
    let id = booking.id.to_string();
    let whole = async || timeline(&support, &id, 200).await;
    let lines = eventually("both mails in the timeline", secs(20), async || {
        let lines = whole().await;
        let mails = lines
            .iter()
            .filter(|line| line["type"] == "mail" && line["state"] == "sent");
        if mails.count() == 2 {
            Ok(lines)
        } else {
            Err(lines)
        }
    })
    .await;
    let told = |kind: &str, field: &str| -> Vec<String> {
        let of_kind = lines.iter().filter(|line| line["type"] == kind);
        of_kind
            .map(|line| line[field].as_str().unwrap().to_owned())
            .collect()
    };
    let inputs = told("decision", "input");
    for input in [
        "submit",
        "authorized",
        "captured",
        "rendered",
        "cancel",
        "refunded",
    ] {
        assert!(
            inputs.iter().any(|told| told == input),
            "{input}: {inputs:?}"
        );
    }
    let versions: Vec<_> = lines
        .iter()
        .filter_map(|line| line["version"].as_u64())
        .collect();
    assert!(
        versions.iter().copied().eq(1..=versions.len() as u64),
        "{versions:?}"
    );
    let calls = told("call", "operation");
    for operation in ["create", "confirm", "capture", "refund"] {
        assert!(
            calls.iter().any(|told| told == operation),
            "{operation}: {calls:?}"
        );
    }
    assert!(
        told("call", "outcome")
            .iter()
            .all(|outcome| outcome == "answered")
    );
    assert_eq!(told("mail", "template"), ["confirmation", "refunded"]);
    assert_eq!(told("document", "type").len(), 1);
    let text = json!(lines).to_string();
    for kind in [
        "booking.held.v1",
        "payment.capture.v1",
        "tickets.render.v1",
        "mail.send.v1",
    ] {
        assert!(text.contains(kind), "{kind}: {text}");
    }
    for secret in [
        ada.email.as_str(),
        ada.name.as_str(),
        "client_secret",
        "pm_card",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!(
        timeline(&support, &id, 3).await,
        lines,
        "pages add up to the whole"
    );

    // Not for customers; and not there for whoever may not reach it.
    let path = format!("/v1/bookings/{id}/timeline");
    assert_eq!(ada.get(&path).await.unwrap().status, StatusCode::FORBIDDEN);
    let nothing = format!("/v1/bookings/{}/timeline", uuid::Uuid::new_v4());
    assert_eq!(
        support.get(&nothing).await.unwrap().status,
        StatusCode::NOT_FOUND
    );

    // Dropped and made again, all of them and one, once and twice, while the worker runs.
    let others = timeline(&support, &other.id.to_string(), 200).await;
    let rebuild = |which: &[&str]| {
        let arguments = [&["timeline", "rebuild"], which].concat();
        let output = world.processes["all"].command(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    let drop_all = async || {
        let lines = world.documents.collection::<Document>("timelines");
        lines.drop().await.unwrap();
    };
    drop_all().await;
    // Whoever reads brings along what no event may tell of; the rest is gone.
    let of = |lines: &[Value], kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    let only_asides = |lines: &[Value]| {
        let documents = of(lines, "document");
        documents == 1 && of(lines, "receipt") + documents == lines.len()
    };
    assert!(only_asides(&whole().await));
    for which in [&["--all"][..], &["--all"], &["--booking", &id]] {
        let (well, said) = rebuild(which);
        assert!(well, "{which:?}: {said}");
        assert_eq!(whole().await, lines, "{which:?}");
        assert_eq!(timeline(&support, &other.id.to_string(), 200).await, others);
    }
    drop_all().await;
    assert!(rebuild(&["--booking", &id]).0);
    assert_eq!(whole().await, lines);
    let others = timeline(&support, &other.id.to_string(), 200).await;
    assert!(only_asides(&others), "one only");
    assert!(!rebuild(&["--booking", &uuid::Uuid::new_v4().to_string()]).0);
    assert!(!rebuild(&[]).0, "one or all must be named");
    assert!(rebuild(&["--all"]).0);
    world.finish().await;
}
