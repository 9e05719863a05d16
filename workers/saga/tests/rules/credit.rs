//! A partner's credit as a tender.

use crate::*;
use boxoffice_contracts::message::booking::Tender;
use boxoffice_saga::input::Submit;

fn submit(change: impl FnOnce(&mut Submit)) -> Input {
    let Input::Submit(mut submit) = sample_input("submit") else {
        panic!("a submit")
    };
    submit.tender = Tender::PartnerCredit;
    submit.by_partner = true;
    change(&mut submit);
    Input::Submit(submit)
}

#[track_caller]
fn born(input: &Input) -> (Booking, Vec<Effect>) {
    match decide(None, input, samples::start(), &Policy::default()) {
        Decision::Advance { next, effects } => (*next, effects),
        other => panic!("{other:?}"),
    }
}

fn method_of(effects: &[Effect]) -> Option<&Option<String>> {
    effects.iter().find_map(|effect| match effect {
        Effect::Authorize { method, .. } => Some(method),
        _ => None,
    })
}

#[test]
fn credit_pays_at_once_and_again_without_a_method() {
    let (booking, effects) = born(&submit(|submit| submit.pays = false));
    assert_eq!(booking.status.as_str(), "authorizing");
    assert_eq!(method_of(&effects), Some(&None));

    let declined = Input::Declined {
        attempt: 1,
        code: Code::PartnerCreditExhausted,
    };
    let (held, _) = advanced(&booking, &declined);
    assert_eq!(
        (held.status, held.code),
        (Status::Held, Some(Code::PartnerCreditExhausted))
    );
    let mut with_card = pay(&held, far());
    if let Input::Pay { method, .. } = &mut with_card {
        *method = Some("pm_card_visa".to_owned());
    }
    let (again, effects) = advanced(&held, &with_card);
    assert_eq!(
        (again.payment.attempt, again.tender),
        (2, Tender::PartnerCredit)
    );
    assert_eq!(method_of(&effects), Some(&None));
}

#[test]
fn credit_is_for_partners_and_needs_no_card() {
    for refused in [
        submit(|submit| submit.by_partner = false),
        submit(|submit| submit.method = Some("pm_card_visa".to_owned())),
    ] {
        let (booking, effects) = born(&refused);
        assert_eq!(
            (booking.status, booking.code),
            (Status::Rejected, Some(Code::TenderRefused))
        );
        assert!(method_of(&effects).is_none());
    }
}

#[test]
fn rows_older_than_tenders_paid_by_card() {
    let mut row = serde_json::to_value(sample("completed")).expect("json");
    assert_eq!(row["tender"], "card");
    row.as_object_mut().expect("an object").remove("tender");
    let booking: Booking = serde_json::from_value(row).expect("a booking");
    assert_eq!(booking, sample("completed"));
}
