//! Errors in our own tables.

use super::{How, Planting};

const fn sql(
    check: &'static str,
    what: &'static str,
    statements: &'static [&'static str],
) -> Planting {
    Planting {
        check,
        what,
        how: How::Sql(statements),
    }
}

pub(super) const PLANTINGS: &[Planting] = &[
    sql("C1", "operations are lost", &["DELETE FROM operations"]),
    sql(
        "C1",
        "an operation has no end",
        &["UPDATE operations SET outcome = 'pending' WHERE booking_id = {completed}"],
    ),
    sql(
        "C1",
        "a booking is lost",
        &["DELETE FROM bookings WHERE id = {completed}"],
    ),
    sql(
        "C1",
        "a command is kept as another",
        &["UPDATE operations SET kind = 'mend' WHERE booking_id = {completed}"],
    ),
    sql(
        "C2",
        "two submits for one booking",
        &[
            "INSERT INTO operations SELECT X'0000000000000000000000000000dead', booking_id, kind, outcome, code, version, at \
         FROM kept_operations WHERE booking_id = {completed} AND kind = 'submit'",
        ],
    ),
    sql(
        "C3",
        "due in a house at rest",
        &["UPDATE bookings SET wake_at = updated_at WHERE id = {completed}"],
    ),
    sql(
        "C3",
        "beyond its limit",
        &[
            "UPDATE bookings SET wake_at = updated_at, stuck_at = updated_at - INTERVAL 1 SECOND WHERE id = {completed}",
        ],
    ),
    sql(
        "C4",
        "a seat of two bookings",
        &[
            "UPDATE bookings SET status = 'completed' WHERE id = {cancelled}",
            "UPDATE positions SET live = TRUE, seat_id = 'A-1' WHERE booking_id = {cancelled}",
        ],
    ),
    sql(
        "C5",
        "a claim of a booking that is over",
        &["UPDATE bookings SET status = 'expired' WHERE id = {completed}"],
    ),
    sql(
        "C5",
        "a claim of a stale epoch",
        &["UPDATE claims SET epoch = epoch + 1 WHERE booking_id = {completed}"],
    ),
    sql(
        "C5",
        "a claim of another position",
        &["UPDATE claims SET position = 9 WHERE booking_id = {completed}"],
    ),
    sql(
        "C5",
        "a seat sold to nobody",
        &[
            "INSERT INTO claims SELECT show_id, 'Z-9', X'0000000000000000000000000000dead', 1, 1, 'sold' \
         FROM kept_claims LIMIT 1",
        ],
    ),
    sql(
        "C6",
        "held by a booking that is sold",
        &["UPDATE claims SET state = 'held' WHERE booking_id = {completed}"],
    ),
    sql(
        "C6",
        "held by nobody",
        &[
            "INSERT INTO claims SELECT show_id, 'Z-9', X'0000000000000000000000000000dead', 1, 1, 'held' \
         FROM kept_claims LIMIT 1",
        ],
    ),
    sql(
        "C6",
        "held longer than its hold",
        &[
            "UPDATE bookings SET status = 'held', wake_at = UTC_TIMESTAMP(6) - INTERVAL 90 SECOND WHERE id = {completed}",
            "UPDATE claims SET state = 'held' WHERE booking_id = {completed}",
        ],
    ),
    sql("C7", "sold without a claim", &["DELETE FROM claims"]),
    sql(
        "C7",
        "a claim on another seat",
        &["UPDATE claims SET seat_id = 'Z-9' WHERE booking_id = {completed}"],
    ),
    sql(
        "C8",
        "a cent less was taken",
        &["UPDATE bookings SET captured_minor = captured_minor - 1 WHERE id = {completed}"],
    ),
    sql(
        "C8",
        "a cent was retained",
        &["UPDATE positions SET retained_minor = 1 WHERE booking_id = {refunded}"],
    ),
    sql(
        "C8",
        "captured without seats",
        &["UPDATE positions SET live = FALSE WHERE booking_id = {completed}"],
    ),
    sql(
        "C9",
        "two captured intents",
        &[
            "INSERT INTO payment_intents (booking_id, generation, intent_id, state, amount_minor, currency, captured_minor, \
         created_at, updated_at, tender) SELECT booking_id, generation + 1, NULL, state, amount_minor, currency, \
         captured_minor, created_at, updated_at, tender FROM kept_payment_intents WHERE booking_id = {completed}",
        ],
    ),
    sql(
        "C10",
        "a line of another amount",
        &[
            "UPDATE ledger_entries SET amount_minor = amount_minor + 1 WHERE booking_id = {completed} AND account = 'gateway'",
        ],
    ),
    sql("C10", "no lines", &["DELETE FROM ledger_entries"]),
    sql(
        "C10",
        "credit booked as the gateway's",
        &["UPDATE ledger_entries SET account = 'gateway' WHERE account = 'partner_credit'"],
    ),
    sql(
        "C10",
        "a refund of another amount",
        &["UPDATE refunds SET amount_minor = amount_minor - 1 WHERE booking_id = {refunded}"],
    ),
    sql(
        "C11",
        "an attempt without an answer",
        &["UPDATE payment_attempts SET state = 'unknown' WHERE booking_id = {completed}"],
    ),
    sql(
        "C11",
        "an intent that may still take money",
        &["UPDATE payment_intents SET state = 'open' WHERE booking_id = {completed}"],
    ),
    sql(
        "C11",
        "a refund on its way",
        &["UPDATE refunds SET state = 'pending' WHERE booking_id = {refunded}"],
    ),
    sql(
        "C11",
        "paid by another tender",
        &["UPDATE payment_intents SET tender = 'card' WHERE booking_id = {credit}"],
    ),
    sql(
        "C12",
        "a document of other tickets",
        &[
            "UPDATE tickets SET id = X'0000000000000000000000000000dead' WHERE booking_id = {completed}",
        ],
    ),
    sql(
        "C12b",
        "tickets that were given back",
        &["UPDATE tickets SET state = 'issued' WHERE booking_id = {refunded}"],
    ),
    sql("C12b", "no tickets", &["DELETE FROM tickets"]),
    sql("C13", "nobody was told", &["DELETE FROM mails"]),
    sql(
        "C13",
        "a mail that is not true",
        &["UPDATE mails SET template = 'apology' WHERE booking_id = {completed}"],
    ),
    sql(
        "C13",
        "a mail on its way",
        &["UPDATE mails SET state = 'sending' WHERE booking_id = {completed}"],
    ),
    sql(
        "C13b",
        "a mail to somebody else",
        &["UPDATE bookings SET customer_email = 'somebody@else.example' WHERE id = {completed}"],
    ),
    sql(
        "C14",
        "a message that nobody sends",
        &[
            "INSERT INTO outbox (message_id, exchange, kind, envelope, body, created_at) \
         VALUES (X'0000000000000000000000000000dead', 'boxoffice.events', 'booking.held.v1', '{}', '{}', \
         UTC_TIMESTAMP(6) - INTERVAL 40 SECOND)",
        ],
    ),
    sql(
        "C28",
        "dated by another clock",
        &[
            "UPDATE booking_events SET at = at + INTERVAL 12 MINUTE WHERE booking_id = {completed} AND version = 2",
        ],
    ),
    sql("C15", "a parked message", &[PARKED]),
    sql(
        "C15",
        "parked and handled",
        &[
            PARKED,
            "INSERT INTO inbox VALUES ('mail', X'0000000000000000000000000000dead', \
         X'0000000000000000000000000000dead', UTC_TIMESTAMP(6))",
        ],
    ),
    sql(
        "C16",
        "a decision is missing",
        &["DELETE FROM booking_events WHERE booking_id = {completed} AND version = 2"],
    ),
    sql(
        "C16",
        "a decision was lost",
        &["UPDATE bookings SET version = version + 1 WHERE id = {completed}"],
    ),
    sql(
        "C16",
        "a state that nobody can read",
        &["UPDATE bookings SET saga = '{}' WHERE id = {completed}"],
    ),
    sql(
        "C17",
        "a step that is not in the table",
        &[
            "DELETE FROM booking_events WHERE booking_id = {completed} AND to_status = 'paid'",
            "UPDATE booking_events SET from_status = 'confirmed', version = version - 1 \
         WHERE booking_id = {completed} AND from_status = 'paid' AND to_status = 'completed'",
        ],
    ),
    sql(
        "C18",
        "expired although it was paid",
        &[
            "UPDATE booking_events SET to_status = 'expired' WHERE booking_id = {completed} AND to_status = 'completed'",
        ],
    ),
    sql(
        "C19",
        "confirmed although nobody paid",
        &[
            "UPDATE booking_events SET to_status = 'confirmed' WHERE booking_id = {cancelled} AND version = 1",
        ],
    ),
    sql(
        "C20",
        "an intent that we don't know",
        &["UPDATE payment_intents SET intent_id = 'pi_another' WHERE booking_id = {completed}"],
    ),
    sql(
        "C20",
        "a cent of difference",
        &["UPDATE bookings SET captured_minor = captured_minor + 1 WHERE id = {completed}"],
    ),
    sql(
        "C20",
        "credit that asked the gateway",
        &["UPDATE payment_intents SET intent_id = 'pi_of_credit' WHERE booking_id = {credit}"],
    ),
    sql(
        "C20",
        "a booking that the gateway alone knows",
        &[
            "DELETE FROM bookings WHERE id = {completed}",
            "DELETE FROM payment_intents WHERE booking_id = {completed}",
        ],
    ),
    sql(
        "C22",
        "a place that was entered twice",
        &[
            "UPDATE tickets SET state = 'scanned' WHERE booking_id = {completed}",
            "INSERT INTO tickets SELECT X'0000000000000000000000000000dead', booking_id, position, revision + 1, show_id, \
         'scanned', issued_at, NULL FROM kept_tickets WHERE booking_id = {completed}",
        ],
    ),
    sql(
        "C22",
        "entered and given back",
        &["UPDATE tickets SET state = 'scanned', voided_at = NULL WHERE booking_id = {refunded}"],
    ),
    sql(
        "C22",
        "void since never",
        &["UPDATE tickets SET voided_at = NULL WHERE booking_id = {refunded}"],
    ),
    sql(
        "C24",
        "one more taken",
        &["UPDATE admissions SET taken = taken + 1 WHERE taken > 0"],
    ),
    sql(
        "C24",
        "one less taken",
        &["UPDATE admissions SET taken = taken - 1 WHERE taken > 0"],
    ),
    sql(
        "C24",
        "no counter",
        &["DELETE FROM admissions WHERE taken > 0"],
    ),
    sql(
        "C24",
        "a place that was given back",
        &["UPDATE positions SET live = FALSE WHERE booking_id = {standing} AND no = 1"],
    ),
    sql(
        "C25",
        "a cent more used",
        &["UPDATE partner_credit SET used_minor = used_minor + 1"],
    ),
    sql(
        "C25",
        "a cent less used",
        &["UPDATE partner_credit SET used_minor = used_minor - 1 WHERE used_minor > 0"],
    ),
    sql(
        "C25",
        "a cent reserved",
        &["UPDATE partner_credit SET reserved_minor = reserved_minor + 1"],
    ),
    sql("C25", "no credit", &["DELETE FROM partner_credit"]),
    sql(
        "C25",
        "a void that was forgotten",
        &["UPDATE payment_intents SET state = 'closing' WHERE booking_id = {credit}"],
    ),
];

const PARKED: &str = "INSERT INTO parked_messages (queue, message_id, fingerprint, code, reason, kind, envelope, body, \
     status, failures, first_failed_at, last_failed_at) VALUES ('mail', X'0000000000000000000000000000dead', \
     REPEAT('x', 32), 'planted', 'planted', 'mail.send.v1', '{}', '{}', 'parked', 1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))";
