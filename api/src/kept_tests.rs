use super::*;
use boxoffice_contracts::{Owner, ShowId, message::booking::Tender};
use boxoffice_store::mysql::status::BookingStatus;

fn owner(subject: &str) -> Owner {
    Owner {
        tenant: "house".to_owned(),
        subject: subject.to_owned(),
    }
}

fn found(version: u32) -> Arc<WholeStatus> {
    Arc::new(WholeStatus {
        booking: BookingStatus {
            id: booking(),
            owner: owner("ada"),
            request_hash: Vec::new(),
            show_id: ShowId::from_slug("show"),
            status: "held".to_owned(),
            phase: None,
            version,
            code: None,
            attention: None,
            currency: "EUR".to_owned(),
            tender: Tender::Card,
            total_minor: 0,
            captured_minor: 0,
            refunded_minor: 0,
            hold_expires_at: None,
            ticket_revision: 0,
        },
        positions: Vec::new(),
        operations: Vec::new(),
    })
}

fn booking() -> BookingId {
    BookingId::derive("house", "ada", "k")
}

/// As they are once the events arrive.
fn listening() -> KeptStatuses {
    let kept = KeptStatuses::new();
    kept.hears_again();
    kept
}

fn noon() -> Date {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

const STEP: Duration = Duration::from_millis(1);

fn version_for(kept: &KeptStatuses, reach: &Reach) -> Option<u32> {
    kept.find(booking(), reach, noon())
        .map(|told| told.found.booking.version)
}

#[tokio::test(start_paused = true)]
async fn a_status_is_told_again_until_something_is_heard_of_the_booking() {
    let kept = listening();
    let ada = Reach::Owned(owner("ada"));
    assert_eq!(version_for(&kept, &ada), None);
    kept.keep(Instant::now(), &found(3));
    assert_eq!(version_for(&kept, &ada), Some(3));
    tokio::time::advance(STEP).await;
    kept.heard(BookingId::derive("house", "ada", "another"));
    assert_eq!(version_for(&kept, &ada), Some(3));
    kept.heard(booking());
    assert_eq!(version_for(&kept, &ada), None);
    tokio::time::advance(STEP).await;
    kept.keep(Instant::now(), &found(4));
    assert_eq!(version_for(&kept, &ada), Some(4));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_while_no_events_arrive_nor_what_was_read_meanwhile() {
    let kept = KeptStatuses::new();
    let ada = Reach::Owned(owner("ada"));
    kept.keep(Instant::now(), &found(3));
    assert_eq!(version_for(&kept, &ada), None, "nothing is heard yet");
    tokio::time::advance(STEP).await;
    kept.hears_again();
    assert_eq!(version_for(&kept, &ada), None, "read before");
    kept.keep(Instant::now(), &found(3));
    assert_eq!(version_for(&kept, &ada), Some(3));
    kept.hears_nothing();
    assert_eq!(version_for(&kept, &ada), None);
    tokio::time::advance(STEP).await;
    let asked_at = Instant::now();
    tokio::time::advance(STEP).await;
    kept.hears_again();
    kept.keep(asked_at, &found(3));
    kept.confirm(booking(), 3, asked_at);
    assert_eq!(
        version_for(&kept, &ada),
        None,
        "it may have missed an event"
    );
    kept.confirm(booking(), 3, Instant::now());
    assert_eq!(version_for(&kept, &ada), Some(3));
}

#[tokio::test(start_paused = true)]
async fn it_says_how_old_it_is() {
    let kept = listening();
    let ada = Reach::Owned(owner("ada"));
    let age = || kept.find(booking(), &ada, noon()).map(|told| told.age);
    kept.keep(Instant::now(), &found(3));
    tokio::time::advance(3 * STEP).await;
    assert_eq!(age(), Some(3 * STEP));
    kept.confirm(booking(), 3, Instant::now());
    assert_eq!(age(), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_not_told_beyond_its_time() {
    let kept = listening();
    let ada = Reach::Owned(owner("ada"));
    let mut held = found(3);
    let until = noon() + chrono::TimeDelta::seconds(1);
    Arc::get_mut(&mut held).unwrap().booking.hold_expires_at = Some(until);
    kept.keep(Instant::now(), &held);
    assert_eq!(version_for(&kept, &ada), Some(3));
    assert!(kept.find(booking(), &ada, until).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_before_the_news_and_came_after_it_is_not_told() {
    let kept = listening();
    let asked_at = Instant::now();
    tokio::time::advance(STEP).await;
    kept.heard(booking());
    tokio::time::advance(STEP).await;
    kept.keep(asked_at, &found(3));
    assert_eq!(version_for(&kept, &Reach::Owned(owner("ada"))), None);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_of_the_booking_of_another_and_staff_are_looked_up() {
    let kept = listening();
    kept.keep(Instant::now(), &found(3));
    let others = [
        Reach::Owned(owner("eve")),
        Reach::Tenant("house".to_owned()),
        Reach::Any,
        Reach::SignedLink(booking()),
    ];
    for reach in others {
        assert_eq!(version_for(&kept, &reach), None, "{reach:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_is_told_for_as_long_as_its_version_is_the_present_one() {
    let kept = listening();
    let ada = Reach::Owned(owner("ada"));
    kept.keep(Instant::now(), &found(3));
    assert_eq!(kept.wanted(), [], "nobody has asked again");
    for _ in 0..5 {
        tokio::time::advance(TOLD_MAX - STEP).await;
        assert_eq!(version_for(&kept, &ada), Some(3));
        assert_eq!(kept.wanted(), [booking()]);
        kept.confirm(booking(), 3, Instant::now());
    }
    assert_eq!(kept.wanted(), [], "nobody has asked since");
    tokio::time::advance(TOLD_MAX).await;
    assert_eq!(version_for(&kept, &ada), None);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_version_or_an_answer_from_before_lengthens_nothing() {
    let kept = listening();
    let ada = Reach::Owned(owner("ada"));
    let before = Instant::now();
    tokio::time::advance(STEP).await;
    kept.keep(Instant::now(), &found(3));
    tokio::time::advance(TOLD_MAX - STEP).await;
    kept.confirm(booking(), 2, Instant::now());
    kept.confirm(booking(), 3, before);
    let unknown = BookingId::derive("house", "ada", "unknown");
    kept.confirm(unknown, 3, Instant::now());
    assert_eq!(version_for(&kept, &ada), Some(3));
    tokio::time::advance(STEP).await;
    assert_eq!(version_for(&kept, &ada), None);
}

#[tokio::test(start_paused = true)]
async fn a_later_version_whose_event_was_lost_ends_what_is_kept() {
    let kept = listening();
    let ada = Reach::Owned(owner("ada"));
    kept.keep(Instant::now(), &found(3));
    kept.confirm(booking(), 4, Instant::now());
    assert_eq!(version_for(&kept, &ada), None);
}

#[tokio::test(start_paused = true)]
async fn news_that_came_after_the_question_is_newer_than_the_answer() {
    let kept = listening();
    let ada = Reach::Owned(owner("ada"));
    kept.keep(Instant::now(), &found(3));
    tokio::time::advance(STEP).await;
    let asked_at = Instant::now();
    tokio::time::advance(STEP).await;
    kept.heard(booking());
    kept.confirm(booking(), 3, asked_at);
    assert_eq!(version_for(&kept, &ada), None);
    assert_eq!(kept.wanted(), []);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_for_ever() {
    let kept = listening();
    let ada = Reach::Owned(owner("ada"));
    let begun = Instant::now();
    kept.keep(begun, &found(3));
    loop {
        tokio::time::advance(TOLD_MAX - STEP).await;
        if version_for(&kept, &ada).is_none() {
            break;
        }
        for id in kept.wanted() {
            kept.confirm(id, 3, Instant::now());
        }
        assert!(begun.elapsed() < READ_MAX + 2 * TOLD_MAX);
    }
    assert!(begun.elapsed() >= READ_MAX);
}
