//! The causes for which messages are parked, in words for whoever mends them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A cause as a person understands it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Explained {
    /// What happened.
    pub meaning: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

/// The same, as a client reads it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Explanation {
    pub meaning: String,
    pub advice: String,
}

/// One line per code, sorted.
pub const CAUSES: &[(&str, Explained)] = &[
    line(
        "admission_moved",
        "The places without numbers that the booking holds are counted otherwise in the inventory.",
        "Run `boxoffice doctor`; when the counters agree again, retry.",
    ),
    line(
        "admission_not_counted",
        "The show has no counter for a category without numbers that was booked.",
        "Import the show's areas, then retry.",
    ),
    line(
        "amount_mismatch",
        "The gateway reports another amount or currency than the booking's.",
        "Compare the booking with the gateway's dashboard. Don't retry before you know why.",
    ),
    line(
        "attempt_missing",
        "A payment was ordered for an attempt that has no row.",
        "Look at the booking's timeline; when the row is there, retry.",
    ),
    line(
        "booking_unknown",
        "The message is about a booking that does not exist.",
        "If the booking's own submit is parked too, mend that first and retry; else archive.",
    ),
    line(
        "cancel_refused",
        "The gateway would not close the payment.",
        "Look at the payment in the gateway's dashboard, then retry.",
    ),
    line("cancelled", "The handling was broken off.", "Retry."),
    line(
        "claims_differ",
        "The seats of the booking are not the ones that the inventory holds for it.",
        "Run `boxoffice doctor`; mend the inventory, then retry.",
    ),
    line(
        "create_unanswered",
        "The gateway never said whether it made the payment.",
        "When the gateway answers again, retry: the key makes a repetition harmless.",
    ),
    line(
        "credit_out_of_step",
        "The partner's credit holds less than its bookings say.",
        "Compare both, see OPERATIONS under Credit of partners. Mend the row, then retry.",
    ),
    line(
        "database_error",
        "The database answered in a way that was not foreseen.",
        "The reason has its words. Mend the schema or the program, then retry.",
    ),
    line(
        "database_refused",
        "The database refused what the message asked to be written.",
        "The reason has its words. Mend the data or the program, then retry.",
    ),
    line(
        "declined",
        "The bank declined where a decline is no answer.",
        "Look at the payment in the gateway's dashboard, then retry or archive.",
    ),
    line(
        "delivery_limit",
        "Its worker died of this message again and again, the last time with no other in its hands.",
        "Find the crash in the worker's log, deploy the mended program, then retry.",
    ),
    line(
        "documents_refused",
        "The document store refused to keep what was made.",
        "The reason has its words. Mend the store, then retry.",
    ),
    line(
        "documents_slow",
        "The document store took too long each time.",
        "When it is fast again, retry.",
    ),
    line(
        "envelope",
        "A stored message lost its envelope.",
        "Edit it with its whole body, or archive.",
    ),
    line(
        "event_unknown",
        "The gateway's event that the message names is not on record.",
        "Retry with `payment.reconcile.v1`, or archive: the saga asks the gateway by itself.",
    ),
    line(
        "expired",
        "The broker dropped it from a queue because its time there was up.",
        "Retry.",
    ),
    line(
        "feed_overtaken",
        "Another message of the partner changed the same thing at the same moment.",
        "Retry; it is judged against what is there now.",
    ),
    line(
        "gateway_busy",
        "The gateway worked on the same payment each time.",
        "Retry.",
    ),
    line(
        "gateway_no_answer",
        "The gateway gave no answer, however often it was asked.",
        "When the gateway answers again, retry: the key makes a repetition harmless.",
    ),
    line(
        "gateway_refused",
        "The gateway says that this request can never succeed. Nothing was taken or given back by it.",
        "The reason has the gateway's code. Mend the account or the booking there, then retry.",
    ),
    line(
        "gateway_without_effect",
        "The gateway answered that nothing happened, each time.",
        "Look at the gateway's status, then retry.",
    ),
    line(
        "handled_meanwhile",
        "Another process handled it at the same time.",
        "Retry: a repetition is harmless.",
    ),
    line(
        "intent_busy",
        "Another message about the same payment was in progress each time.",
        "Retry.",
    ),
    line(
        "intent_missing",
        "The payment that the message is about was never begun.",
        "Look at the booking's timeline; archive if the booking went on without it, else retry.",
    ),
    line(
        "intent_of_other_booking",
        "The gateway's payment belongs to another booking.",
        "Don't retry. Compare both bookings with the gateway's dashboard, then archive.",
    ),
    line(
        "intent_unknown",
        "The gateway does not know the payment.",
        "Check that the account and the key are the right ones, then retry.",
    ),
    line(
        "key_reused",
        "The gateway saw the same key with other parameters before.",
        "Don't retry. Compare the booking with the gateway's dashboard.",
    ),
    line(
        "key_too_old",
        "The call's outcome was open for so long that its key may no longer protect it.",
        "Look in the gateway's dashboard whether it had an effect, then retry or archive.",
    ),
    line(
        "mail_busy",
        "Another process was sending the same mail each time.",
        "Retry.",
    ),
    line(
        "mail_deferred",
        "The recipient's mail server said \"later\" until the schedule was used up.",
        "Retry; if it says so again for a day, archive.",
    ),
    line(
        "mail_render_failed",
        "The text of the mail could not be made.",
        "Mend the template or the data that the reason names, then retry.",
    ),
    line(
        "mail_unanswered",
        "The mail server gave no answer.",
        "When it answers again, retry.",
    ),
    line(
        "maxlen",
        "The broker dropped it from a queue that was full.",
        "Retry.",
    ),
    line(
        "none",
        "Nobody said why.",
        "Look at the worker's log at that time, then retry.",
    ),
    line(
        "not_a_feed",
        "A message came to the feeds of partners that is none.",
        "This is an error of ours: report it, and archive the message.",
    ),
    line(
        "panic",
        "The program failed on this message: a mistake of ours.",
        "The reason has the failure's text. Deploy the mended program, then retry.",
    ),
    line(
        "panicked",
        "The program failed on this message: a mistake of ours.",
        "The reason has the failure's text. Deploy the mended program, then retry.",
    ),
    line(
        "partner_missing",
        "The message is about a partner that has no row.",
        "Add the partner again under the same id, then retry; else archive.",
    ),
    line(
        "partner_refuses",
        "A partner's exchange or queue does not take what it is sent.",
        "See `boxoffice partner show`; when its queue has room, retry.",
    ),
    line(
        "partner_unknown",
        "The message is about a partner that has no row.",
        "Add the partner again under the same id, then retry; else archive.",
    ),
    line(
        "quarantine_unknown",
        "A message was to be released that is not in quarantine any more.",
        "Nothing can be released; the partner sends it again. Archive this one.",
    ),
    line(
        "refund_missing",
        "The refund that is to be paid was never written down.",
        "Look at the booking's timeline, then archive: what is owed is ordered anew by a cancellation.",
    ),
    line(
        "refund_without_capture",
        "Money is to go back that was never taken.",
        "Look at the booking's timeline; archive when nothing is owed.",
    ),
    line(
        "refunds_exceed_capture",
        "The refunds of the booking would be more than what was taken.",
        "Don't retry. Compare the booking's refunds with the gateway's dashboard.",
    ),
    line(
        "rejected",
        "The broker was told to give it up.",
        "Look at the worker's log at that time, then retry.",
    ),
    line(
        "render_slow",
        "Making the ticket took too long each time.",
        "When the machine has time again, retry.",
    ),
    line(
        "saga_refused",
        "By the rules this cannot happen to a booking in its state, so nothing was done.",
        "Read the booking's timeline. Archive what is not true; retry what came too early.",
    ),
    line(
        "ticket_render_failed",
        "The ticket document could not be made.",
        "Mend what the reason names, then retry. The booking itself stands.",
    ),
    line(
        "tickets_not_rendered",
        "The mail waits for a ticket document that was never made.",
        "Mend and retry the message of queue `tickets` first, then this.",
    ),
    line(
        "timeline_refused",
        "The document store refused a line of the timeline.",
        "Mend the store, then retry, or `boxoffice timeline rebuild`.",
    ),
    line(
        "too_early",
        "It came before what it needs, until its time was up.",
        "Look at the booking's timeline, then retry.",
    ),
    line(
        "transaction_conflict",
        "It lost against other transactions each time.",
        "Retry.",
    ),
    line(
        "undecodable",
        "The message does not have the form that its kind promises.",
        "Edit it so that it has, or archive and ask its sender to send it anew.",
    ),
    line(
        "unencodable",
        "The program could not write the message that follows from this one.",
        "Deploy the mended program, then retry.",
    ),
    line(
        "unknown",
        "The broker gave it up and did not say why.",
        "Look at the broker's log, then retry.",
    ),
    line(
        "unknown_kind",
        "Nobody at this queue knows messages of this kind.",
        "Redirect it to a queue that does, edit it as a known kind, deploy the program that knows it, or archive.",
    ),
    line(
        "unpublishable",
        "The broker refused this message ten times.",
        "Mend the topology (`boxoffice topology diff`), then retry.",
    ),
    line(
        "unreadable",
        "A stored message could not be read.",
        "Edit it with its whole body, or archive.",
    ),
    line(
        "verdicts_missing",
        "The program lost count of its messages: a mistake of ours.",
        "Deploy the mended program, then retry.",
    ),
    line(
        "void_of_open_intent",
        "A payment is to be closed that the booking still wants.",
        "Look at the booking's timeline; archive when it was paid since.",
    ),
    line(
        "watchdog",
        "Handling it took so long that it was broken off each time.",
        "Look for what blocks: database locks, a slow service. Then retry.",
    ),
];

const fn line(
    code: &'static str,
    meaning: &'static str,
    advice: &'static str,
) -> (&'static str, Explained) {
    (code, Explained { meaning, advice })
}

/// What a code means. One that isn't listed is told as what it is.
#[must_use]
pub fn explain(code: &str) -> Explained {
    let found = CAUSES.binary_search_by(|(listed, _)| (*listed).cmp(code));
    found.map_or(
        Explained {
            meaning: "The worker gave the message up; the code and the reason are its own words.",
            advice: "Mend what the reason names, then retry.",
        },
        |at| CAUSES[at].1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_sorted_and_sentences() {
        assert!(CAUSES.is_sorted_by(|a, b| a.0 < b.0));
        for (code, explained) in CAUSES {
            assert_eq!(explain(code), *explained);
            for text in [explained.meaning, explained.advice] {
                assert!(text.ends_with('.'), "{code}: {text}");
            }
        }
        assert!(explain("moonrise").advice.contains("retry"));
    }

    /// Every code that a worker may park with has its words here.
    #[test]
    fn every_cause_in_the_workers_is_explained() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../workers");
        let (mut folders, mut seen) = (vec![std::path::PathBuf::from(root)], 0);
        while let Some(folder) = folders.pop() {
            for file in std::fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                if path.is_dir() && !path.ends_with("tests") && !path.ends_with("examples") {
                    folders.push(path);
                    continue;
                }
                if path.extension().is_none_or(|extension| extension != "rs") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let made = text
                    .split("Cause::new(")
                    .flat_map(|part| part.split(" park("))
                    .skip(1);
                for code in
                    made.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
                {
                    seen += 1;
                    // An outage pauses and parks nothing.
                    let outage = ["unavailable", "unreachable", "not_ready", "silent"];
                    let known = CAUSES.iter().any(|(listed, _)| *listed == code);
                    assert!(
                        known || outage.iter().any(|word| code.ends_with(word)),
                        "{}: {code:?} is explained to nobody",
                        path.display()
                    );
                }
            }
        }
        assert!(seen > 40, "{seen}");
    }
}
