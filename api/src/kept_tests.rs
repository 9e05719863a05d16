use super::*;
use boxoffice_contracts::{Owner, ShowId, message::booking::Tender};

fn owner(subject: &str) -> Owner {
    Owner {
        tenant: "house".to_owned(),
        subject: subject.to_owned(),
    }
}

fn found(version: u32) -> Arc<Found> {
    Arc::new(Found {
        row: BookingStatus {
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

const STEP: Duration = Duration::from_millis(1);

fn version_for(kept: &KeptStatuses, reach: &Reach) -> Option<u32> {
    kept.find(booking(), reach).map(|found| found.row.version)
}

#[tokio::test(start_paused = true)]
async fn a_status_is_told_again_until_something_is_heard_of_the_booking() {
    let kept = KeptStatuses::new();
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
    kept.forget_all();
    assert_eq!(version_for(&kept, &ada), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_before_the_news_and_came_after_it_is_not_told() {
    let kept = KeptStatuses::new();
    let asked_at = Instant::now();
    tokio::time::advance(STEP).await;
    kept.heard(booking());
    tokio::time::advance(STEP).await;
    kept.keep(asked_at, &found(3));
    assert_eq!(version_for(&kept, &Reach::Owned(owner("ada"))), None);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_of_the_booking_of_another_and_staff_are_looked_up() {
    let kept = KeptStatuses::new();
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
