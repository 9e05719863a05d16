//! The judge is judged: every check finds the error that it is there for.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::message::booking::Tender;
use boxoffice_integration::{
    Order, Show, World,
    books::{Books, Entry},
    checks,
};
use boxoffice_store::mysql::{
    claims::Admission, intents::row::Model as Intent, ledger::row::Model as LedgerLine,
};

/// What is wrong with the books, and the check that must say so.
type Error = (&'static str, fn(&mut Books));

const ERRORS: &[Error] = &[
    ("C1 ", |books| {
        let seat = with(books, "completed").positions[0].seat_id.clone();
        let other = with(books, "cancelled");
        other.row.status = "completed".to_owned();
        other.positions[0].seat_id = seat;
        other.positions[0].live = true;
    }),
    ("C5 ", |books| {
        with(books, "completed").row.status = "expired".to_owned()
    }),
    ("C5 ", |books| books.claims[0].epoch += 1),
    ("C5 ", |books| books.claims[0].state = "held".to_owned()),
    ("C7 ", |books| books.claims.clear()),
    ("C24 ", |books| counter(books).taken += 1),
    ("C24 ", |books| counter(books).taken -= 1),
    ("C24 ", |books| counter(books).capacity = 1),
    ("C24 ", |books| books.admissions.clear()),
    ("C24 ", |books| {
        let standing = |entry: &&mut Entry| entry.positions[0].seat_id.is_none();
        let entry = books.bookings.values_mut().find(standing).unwrap();
        entry.positions[0].live = false;
    }),
    ("C8 ", |books| {
        with(books, "completed").row.captured_minor -= 1
    }),
    ("C8 ", |books| {
        with(books, "refunded").positions[0].retained_minor = 1
    }),
    ("C9 ", |books| books.judged[0].captures = 2),
    ("C10 ", |books| books.ledger[0].amount_minor += 1),
    ("C10 ", |books| books.ledger.clear()),
    ("C12 every", |books| books.documents.clear()),
    ("C12 every", |books| books.documents[0].sound = false),
    ("C12 tickets", |books| {
        books
            .tickets
            .iter_mut()
            .for_each(|ticket| ticket.state = "issued".to_owned())
    }),
    ("C12 tickets", |books| books.tickets.clear()),
    ("C13 mails say", |books| books.mails.clear()),
    ("C13 mails say", |books| {
        books.mails[0].template = "apology".to_owned()
    }),
    ("C13 mails arrive", |books| books.arrived.clear()),
    ("C13 mails arrive", |books| {
        let to = ("somebody@else.example".to_owned(), 1);
        books
            .arrived
            .values_mut()
            .for_each(|mail| *mail = to.clone());
    }),
    ("mail ", |books| {
        books.arrived.values_mut().for_each(|mail| mail.1 = 2)
    }),
    ("C14 ", |books| books.outbox = 1),
    ("C15 ", |books| books.parked.push("one".to_owned())),
    ("C16 ", |books| {
        drop(with(books, "completed").events.remove(1))
    }),
    ("C18 ", |books| {
        let entry = with(books, "completed");
        entry.row.wake_at = Some(entry.row.created_at);
    }),
    ("C20 ", |books| books.judged[0].captured += 1),
    ("C20 ", |books| drop(books.judged.remove(0))),
    ("C20 ", |books| books.judged[0].id = "pi_another".to_owned()),
    ("C20 ", |books| {
        books
            .judged
            .iter_mut()
            .for_each(|judged| judged.refunded += 1)
    }),
    ("C20 a partner's", |books| books.credits[0].used_minor += 1),
    ("C20 a partner's", |books| books.credits[0].used_minor -= 1),
    ("C20 a partner's", |books| {
        books.credits[0].reserved_minor += 1
    }),
    ("C20 a partner's", |books| books.credits.clear()),
    // A void that was forgotten.
    ("C20 a partner's", |books| {
        on_credit(books).1.state = "closing".to_owned();
    }),
    ("C20 a partner's", |books| {
        on_credit(books).0.row.refunded_minor += 1;
    }),
    ("C20 credit", |books| {
        on_credit(books).1.intent_id = Some("pi_1".to_owned());
    }),
    ("C20 credit", |books| {
        on_credit(books).1.tender = "card".to_owned();
    }),
    ("C20 credit", |books| {
        let id = on_credit(books).0.saga.id.to_string();
        let key = "booking_id".to_owned();
        books.judged[0].metadata.insert(key, id);
    }),
    ("C10 ", |books| {
        let of_partner = |line: &&mut LedgerLine| line.account == "partner_credit";
        let line = books.ledger.iter_mut().find(of_partner).unwrap();
        line.account = "gateway".to_owned();
    }),
    ("I2 ", |books| books.operations.clear()),
    ("I2 ", |books| {
        books.operations[0].outcome = "pending".to_owned()
    }),
    ("timelines ", |books| {
        books
            .timelines
            .retain(|(_, key)| !key.starts_with("decision:"))
    }),
    ("timelines ", |books| {
        books.timelines.retain(|(_, key)| !key.starts_with("mail:"))
    }),
    ("timelines ", |books| {
        let made_up = ("nobody".to_owned(), "decision:0000000001".to_owned());
        books.timelines.insert(made_up);
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_check_finds_its_error() {
    let world = World::setup()
        .show(Show::named("evening"))
        .show(Show::named("night").in_the_club())
        .start()
        .await;
    let ada = world.customer("ada");
    let show = world.show("evening");
    let order = |seat: &str| Order::of(&show, &[seat]).paid_with("pm_card_visa");
    ada.book(order("A-1")).await.until("completed").await;
    let refunded = ada.book(order("A-2")).await;
    refunded.until("completed").await;
    refunded.cancel(None).await;
    refunded.until("refunded").await;
    let cancelled = ada.book(Order::of(&show, &["A-3"])).await;
    cancelled.until("held").await;
    cancelled.cancel(None).await;
    cancelled.until("cancelled").await;
    let standing = Order::of(&world.show("night"), &[]).and("Standing", 2);
    let standing = standing.paid_with("pm_card_visa");
    ada.book(standing).await.until("completed").await;
    let acme = world.reseller("acme").await;
    world.lend(&acme, 10_000).await;
    acme.book(Order::of(&show, &["B-1"]))
        .await
        .until("completed")
        .await;
    world.settle().await;
    world.check().await;

    for (check, spoil) in ERRORS {
        let mut books = world.books().await;
        spoil(&mut books);
        let found = checks::violations(&books, checks::Allowed::default());
        assert!(
            found.iter().any(|wrong| wrong.starts_with(check)),
            "{check} says nothing: {found:#?}"
        );
    }
    acme.leave().await;
    world.finish().await;
}

/// The booking that a partner's credit pays, and its intent.
fn on_credit(books: &mut Books) -> (&mut Entry, &mut Intent) {
    let mut entries = books.bookings.values_mut();
    let paid = |entry: &&mut Entry| entry.saga.tender == Tender::PartnerCredit;
    let entry = entries.find(paid).unwrap();
    let own = |intent: &&mut Intent| intent.booking_id == entry.row.id;
    let intent = books.intents.iter_mut().find(own).unwrap();
    (entry, intent)
}

/// A booking of a seat.
fn with<'a>(books: &'a mut Books, status: &str) -> &'a mut Entry {
    books
        .bookings
        .values_mut()
        .find(|entry| {
            let of_a_card = entry.saga.tender == Tender::Card;
            entry.row.status == status && of_a_card && entry.positions[0].seat_id.is_some()
        })
        .unwrap()
}

fn counter(books: &mut Books) -> &mut Admission {
    let taken = |counter: &&mut Admission| counter.taken > 0;
    books.admissions.values_mut().find(taken).unwrap()
}
