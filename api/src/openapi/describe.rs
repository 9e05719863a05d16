//! What each route does, in words, and what it answers. One arm per action: the compiler asks for the next.

use super::{
    Shapes, about,
    bodies::{BookingRequest, CancelRequest, GatewayEvent, PaymentRequest},
    credit, desk, examples, mending, partner, partners,
    parts::{
        answer, id, idempotency_key, if_none_match, instant, json_body, link, parameter, prefer,
        proof, query, string, whole,
    },
    queues,
};
use crate::{
    bookings::Accepted, permissions::Action, seats::SeatMapView, shows::ShowsPage,
    view::BookingView,
};
use boxoffice_contracts::Code;
use serde_json::{Value, json};
use utoipa::openapi::{
    Content, RefOr, Required, Response,
    example::Example,
    path::{Parameter, ParameterIn},
    request_body::RequestBody,
};

/// What the table of routes doesn't say.
pub(super) struct Description {
    /// Name of the function in generated clients.
    pub id: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub text: &'static str,
    pub parameters: Vec<Parameter>,
    pub body: Option<Body>,
    /// Answers that are no problems.
    pub answers: Vec<(u16, Response)>,
    /// Codes that this route answers with, beyond those of every route of its kind.
    pub refusals: &'static [Code],
}

pub(super) struct Body {
    pub content: RequestBody,
    /// Read by [`crate::body::Json`].
    pub is_json: bool,
}

const BOOKINGS: &str = "bookings";
const SHOWS: &str = "shows";
const GATEWAY: &str = "gateway";
pub(super) const BACKOFFICE: &str = "back office";
pub(super) const ABOUT: &str = "about";
pub(super) const MENDING: &str = "mending";

pub(super) const PARTNER: &str = "partner";

pub(super) const TAGS: [(&str, &str); 10] = [
    (BOOKINGS, "Seats, from the first click to the tickets."),
    (
        partners::PARTNERS,
        "Who publishes and consumes over AMQP, for admins.",
    ),
    (SHOWS, "What is on sale."),
    (PARTNER, "For partners, beside their exchanges."),
    (GATEWAY, "For the payment gateway only."),
    (
        BACKOFFICE,
        "For staff: finding what failed, and mending it.",
    ),
    (
        queues::OPERATIONS,
        "Queues, workers and alerts, for operators.",
    ),
    (MENDING, "What failed, and what staff do about it."),
    (
        super::quarantine::TAG,
        "Messages of partners that the gate could not take, and their repair.",
    ),
    (ABOUT, "This description, and what problems mean."),
];

/// Refusals of every command.
const OF_COMMANDS: &[Code] = &[
    Code::IdempotencyKeyMissing,
    Code::IdempotencyKeyReused,
    Code::SeatRepeated,
    Code::Unavailable,
];
pub(super) const OF_ORDERS: &[Code] = &[
    Code::IdempotencyKeyMissing,
    Code::IdempotencyKeyReused,
    Code::Unavailable,
];
/// Refusals of everything that reads options and a store.
pub(super) const OF_READS: &[Code] = &[Code::ValidationFailed, Code::Unavailable];

const OF_DOCUMENTS: &[Code] = &[
    Code::ValidationFailed,
    Code::Unavailable,
    Code::DocumentNotReady,
    Code::BookingEnded,
];

pub(super) fn describe(action: Action, shapes: &mut Shapes) -> Description {
    match action {
        Action::SubmitBooking => Description {
            id: "submitBooking",
            tag: BOOKINGS,
            summary: "Book seats",
            text: "Accepts a booking for decision. The booking's id derives from who asks and the key, so the \
                   same request is the same booking for ever. 202 promises that it is decided; whether the seats \
                   were free is read from the booking.",
            parameters: vec![idempotency_key(), prefer()],
            body: Some(submission(shapes)),
            answers: command_answers(shapes, "submit"),
            refusals: OF_COMMANDS,
        },
        Action::ReadBooking => Description {
            id: "readBooking",
            tag: BOOKINGS,
            summary: "Read a booking, at once or when it has news",
            text: "With `after` and `wait` the answer comes as soon as the version is higher than `after`, or \
                   when the time is up; an answer to a question without `after` may be as old as \
                   its `Age` says. `queued` is a booking that is not decided yet; it is shown to who holds \
                   the link that the command was answered with.",
            parameters: vec![
                booking(),
                proof(),
                query(
                    "after",
                    whole(0, Some(u32::MAX)),
                    "Wait for a higher version than this.",
                    json!(5),
                ),
                query(
                    "wait",
                    whole(0, None),
                    "For so many seconds; what is beyond 30 is cut.",
                    json!(25),
                ),
                if_none_match("W/\"6\""),
            ],
            body: None,
            answers: vec![
                (
                    200,
                    with(
                        answer(
                            "The booking as it is now, or was a moment ago.",
                            &["ETag", "Age"],
                        ),
                        "application/json",
                        booking_body(shapes),
                    ),
                ),
                (
                    304,
                    answer("The client has this version.", &["ETag", "Age"]),
                ),
            ],
            refusals: OF_READS,
        },
        Action::FollowBooking => Description {
            id: "followBooking",
            tag: BOOKINGS,
            summary: "Follow a booking as server-sent events",
            text: "The present state first, then every further one, as events named `booking` whose id is the \
                   version. A stream ends with the token, or after an hour: come back with `Last-Event-ID`. A \
                   comment is sent now and then so that proxies keep the connection.",
            parameters: vec![
                booking(),
                proof(),
                parameter(
                    "Last-Event-ID",
                    ParameterIn::Header,
                    false,
                    whole(0, Some(u32::MAX)),
                    "Version of the last event that the client has; only later ones are sent.",
                    json!(5),
                ),
            ],
            body: None,
            answers: vec![(
                200,
                with(
                    answer("A stream without end.", &[]),
                    "text/event-stream",
                    plain(examples::event()),
                ),
            )],
            refusals: OF_READS,
        },
        Action::PayBooking => Description {
            id: "payBooking",
            tag: BOOKINGS,
            summary: "Pay a held booking",
            text: "With a method of the gateway, pays. Without, begins a payment that the client finishes with \
                   the gateway: the owner's GET then shows a client secret.",
            parameters: vec![booking(), proof(), idempotency_key(), prefer()],
            body: Some(json_request::<PaymentRequest>(
                shapes,
                examples::pay(),
                false,
            )),
            answers: command_answers(shapes, "pay"),
            refusals: OF_ORDERS,
        },
        Action::CancelBooking => Description {
            id: "cancelBooking",
            tag: BOOKINGS,
            summary: "Cancel a booking, or some of its positions",
            text: "Refunds by the terms that were shown at purchase; when staff cancels, everything goes back. \
                   While money is moving the command waits for it to come to rest (`pending`).",
            parameters: vec![booking(), proof(), idempotency_key(), prefer()],
            body: Some(json_request::<CancelRequest>(
                shapes,
                examples::cancel(),
                false,
            )),
            answers: command_answers(shapes, "cancel"),
            refusals: OF_ORDERS,
        },
        Action::ReadTickets => Description {
            id: "readTickets",
            tag: BOOKINGS,
            summary: "The tickets as a PDF",
            text: "One document, a page per seat. By token, or by the signed link that the owner's booking shows.",
            parameters: document_parameters(),
            body: None,
            answers: document_answers("application/pdf"),
            refusals: OF_DOCUMENTS,
        },
        Action::ReadCalendar => Description {
            id: "readCalendar",
            tag: BOOKINGS,
            summary: "The show as a calendar entry",
            text: "iCalendar. By token, or by the signed link that the owner's booking shows.",
            parameters: document_parameters(),
            body: None,
            answers: document_answers("text/calendar"),
            refusals: OF_DOCUMENTS,
        },
        Action::ReadTimeline => Description {
            id: "readTimeline",
            tag: BOOKINGS,
            summary: "What happened to a booking",
            text: "Decisions, calls of the gateway, documents and mails, first line first. For staff.",
            parameters: vec![
                booking(),
                query(
                    "cursor",
                    string().pattern(Some("^[A-Za-z0-9_-]+$")),
                    "As `next` of the page before carries it.",
                    json!(examples::TIMELINE_CURSOR),
                ),
                query(
                    "limit",
                    whole(1, Some(200)),
                    "Lines on a page; 50 when left out.",
                    json!(50),
                ),
            ],
            body: None,
            answers: vec![(
                200,
                with(
                    answer("A page.", &[]),
                    "application/json",
                    json_body(
                        shapes.answer::<crate::timeline::Page>(),
                        examples::timeline(),
                    ),
                ),
            )],
            refusals: OF_READS,
        },
        Action::ListShows => Description {
            id: "listShows",
            tag: SHOWS,
            summary: "Shows by start",
            text: "Cancelled shows are left out.",
            parameters: vec![
                query(
                    "from",
                    instant(),
                    "Starts at or after; now when left out.",
                    json!("2026-11-21T00:00:00Z"),
                ),
                query(
                    "to",
                    instant(),
                    "Starts before.",
                    json!("2026-11-28T00:00:00Z"),
                ),
                query("venue", name(), "Slug or id.", json!("astor")),
                query("film", name(), "Slug or id.", json!("low-tide-at-noon")),
                query(
                    "limit",
                    whole(1, Some(100)),
                    "Shows on a page; 20 when left out.",
                    json!(20),
                ),
                query(
                    "cursor",
                    string().pattern(Some("^[A-Za-z0-9_-]+$")),
                    "`next_cursor` of the page before.",
                    json!(examples::cursor()),
                ),
            ],
            body: None,
            answers: vec![(
                200,
                with(
                    answer("A page.", &[]),
                    "application/json",
                    json_body(shapes.answer::<ShowsPage>(), examples::shows()),
                ),
            )],
            refusals: OF_READS,
        },
        Action::ReadShow => Description {
            id: "readShow",
            tag: SHOWS,
            summary: "A show",
            text: "Cancelled ones too.",
            parameters: vec![show()],
            body: None,
            answers: vec![(
                200,
                with(
                    answer("The show.", &[]),
                    "application/json",
                    json_body(shapes.answer::<crate::shows::ShowView>(), examples::show()),
                ),
            )],
            refusals: &[
                Code::ValidationFailed,
                Code::Unavailable,
                Code::ShowNotFound,
            ],
        },
        Action::ReadSeats => Description {
            id: "readSeats",
            tag: SHOWS,
            summary: "What of a show is free",
            text: "As it was at most half a second ago.",
            parameters: vec![show(), if_none_match("\"9c1185a5c5e9fc54\"")],
            body: None,
            answers: vec![
                (
                    200,
                    with(
                        answer("The map.", &["ETag"]),
                        "application/json",
                        json_body(shapes.answer::<SeatMapView<'_>>(), examples::seat_map()),
                    ),
                ),
                (304, answer("Nothing changed.", &["ETag"])),
            ],
            refusals: &[
                Code::ValidationFailed,
                Code::Unavailable,
                Code::ShowNotFound,
            ],
        },
        Action::ReceiveWebhook => Description {
            id: "receiveGatewayEvent",
            tag: GATEWAY,
            summary: "Events of the gateway",
            text: "Kept as they came and taken as wake-ups: what they say is asked for again.",
            parameters: Vec::new(),
            body: Some(gateway_event(shapes)),
            answers: vec![(200, answer("Kept.", &[]))],
            refusals: &[
                Code::SignatureInvalid,
                Code::BodyMalformed,
                Code::ValidationFailed,
                Code::Unavailable,
            ],
        },
        Action::ReadPartnerCredit => credit::read(shapes),
        Action::SetPartnerCredit => credit::set(shapes),
        Action::ListPartners => partners::list(shapes),
        Action::ReadPartner => partners::read(shapes),
        Action::AddPartner => partners::add(shapes),
        Action::RotatePartner => partners::rotate(shapes),
        Action::RevokePartner => partners::revoke(shapes),
        Action::SuspendPartner => partners::suspend(shapes),
        Action::ResumePartner => partners::resume(shapes),
        Action::RemovePartner => partners::remove(shapes),
        Action::LimitPartner => partners::limits(shapes),
        Action::ListQueues
        | Action::QueueHistory
        | Action::PauseQueue
        | Action::ResumeQueue
        | Action::DrainQueue
        | Action::SetPrefetch
        | Action::ListWorkers
        | Action::PauseWorker
        | Action::ResumeWorker
        | Action::DrainWorker
        | Action::ListAlerts
        | Action::AckAlert => queues::describe(action, shapes),
        Action::ReadDescription => about::read_description(),
        Action::ReadDocs => about::read_docs(),
        Action::ReadDocsFile => about::read_docs_file(),
        Action::ListCodes => about::list_codes(shapes),
        Action::ReadCode => about::read_code(shapes),
        Action::ReadKeys => about::read_keys(shapes),
        Action::ReadAsyncApi => about::read_async_api(),
        Action::ReadSchema => about::read_schema(),
        Action::FindBookings => desk::find_bookings(shapes),
        Action::ReadStory => desk::read_story(shapes),
        Action::ListStuck => desk::list_stuck(shapes),
        Action::MendBooking => desk::mend_booking(shapes),
        Action::ListAudit => mending::list_audit(shapes),
        Action::ExportAudit => mending::export_audit(),
        Action::SearchParked => mending::search_parked(shapes),
        Action::GroupParked => mending::group_parked(shapes),
        Action::ArchiveParked => mending::archive_parked(shapes),
        Action::RestoreParked => mending::restore_parked(shapes),
        Action::ListRetries => mending::list_retries(shapes),
        Action::CreateRetry => mending::create_retry(shapes),
        Action::ReadRetry => mending::read_retry(shapes),
        Action::StartRetry => mending::start_retry(shapes),
        Action::PauseRetry => mending::pause_retry(shapes),
        Action::ResumeRetry => mending::resume_retry(shapes),
        Action::CancelRetry => mending::cancel_retry(shapes),
        Action::ReadParked => mending::read_parked(shapes),
        Action::EditParked => mending::edit_parked(shapes),
        Action::ListProposals => mending::list_proposals(shapes),
        Action::ApproveProposal => mending::approve_proposal(shapes),
        Action::RefuseProposal => mending::refuse_proposal(shapes),
        Action::ReadPartnerKind => partner::read_kind(),
        Action::RecoverEvents => partner::recover_events(shapes),
        Action::AskSnapshot => partner::ask_snapshot(shapes),
        Action::ListOwnQuarantine
        | Action::ListQuarantine
        | Action::ReadQuarantine
        | Action::ReleaseQuarantined
        | Action::RejectQuarantined => super::quarantine::describe(action, shapes),
    }
}

/// 202, or 200 when the client preferred to wait and something was reached.
pub(super) fn command_answers(shapes: &mut Shapes, kind: &'static str) -> Vec<(u16, Response)> {
    let waited = answer(
        "The state that was reached while the client waited.",
        &["Content-Location", "ETag", "Preference-Applied"],
    );
    let accepted = answer(
        "Accepted: it is kept for certain and comes to an end that GET shows.",
        &["Location", "Retry-After", "Preference-Applied"],
    );
    let body = json_body(shapes.answer::<Accepted>(), examples::accepted(kind));
    vec![
        (200, with(waited, "application/json", booking_body(shapes))),
        (202, with(accepted, "application/json", body)),
    ]
}

fn document_parameters() -> Vec<Parameter> {
    let [expires, signature] = link();
    let tag = if_none_match("\"3f5a7c0b9d1e2f48\"");
    vec![booking(), expires, signature, tag]
}

fn document_answers(kind: &str) -> Vec<(u16, Response)> {
    let document = answer("The document.", &["ETag", "Content-Disposition"]);
    vec![
        (200, with(document, kind, Content::default())),
        (304, answer("The client has this document.", &["ETag"])),
    ]
}

fn booking_body(shapes: &mut Shapes) -> Content {
    json_body(shapes.answer::<BookingView>(), examples::booking())
}

pub(super) fn json_request<T: schemars::JsonSchema>(
    shapes: &mut Shapes,
    example: Value,
    is_required: bool,
) -> Body {
    let mut content = RequestBody::new();
    content.required = Some(if is_required {
        Required::True
    } else {
        Required::False
    });
    let body = json_body(shapes.request::<T>(), example);
    content
        .content
        .insert("application/json".to_owned(), body.into());
    Body {
        content,
        is_json: true,
    }
}

fn submission(shapes: &mut Shapes) -> Body {
    let mut body = json_request::<BookingRequest>(shapes, examples::submit(), true);
    let content = body.content.content.values_mut();
    for content in content.filter_map(|content| match content {
        RefOr::T(content) => Some(content),
        RefOr::Ref(_) => None,
    }) {
        content.example = None;
        for (name, summary, value) in [
            ("seats", "Two seats, paid at once", examples::submit()),
            (
                "places",
                "Places without numbers, paid later",
                examples::submit_places(),
            ),
        ] {
            let mut example = Example::new();
            example.summary = summary.to_owned();
            example.value = Some(value);
            content.examples.insert(name.to_owned(), RefOr::T(example));
        }
    }
    body
}

fn gateway_event(shapes: &mut Shapes) -> Body {
    let example = json!({
        "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
        "type": "payment_intent.succeeded",
        "livemode": false,
        "data": {"object": {"object": "payment_intent", "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa"}},
    });
    Body {
        is_json: false,
        ..json_request::<GatewayEvent>(shapes, example, true)
    }
}

pub(super) fn with(mut response: Response, kind: &str, content: Content) -> Response {
    response.content.insert(kind.to_owned(), content.into());
    response
}

/// Text that has no schema.
fn plain(example: Value) -> Content {
    let mut content = Content::default();
    content.example = Some(example);
    content
}

pub(super) fn booking() -> Parameter {
    id("The booking.", &examples::booking_id().to_string())
}

fn show() -> Parameter {
    id("The show.", &examples::show_id().to_string())
}

fn name() -> utoipa::openapi::ObjectBuilder {
    string().max_length(Some(64))
}
