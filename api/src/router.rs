//! The routes. Paths, methods and roles are the lines of [`ROUTES`]; here each meets its handler.

use crate::{
    AppState, Problem,
    backoffice::quarantine,
    bookings, catalogue, commands, contracts, cors, docs, documents, follow, layers, openapi,
    permissions::{Action, ROUTES, Route, Verb},
    seats, shows, ticket_keys, timeline, webhooks,
};
use axum::{
    Router,
    handler::Handler,
    middleware::from_fn_with_state,
    routing::{MethodRouter, get, post},
};
use boxoffice_contracts::Code;

/// Everything that is served on the public port.
pub fn router(state: AppState) -> Router {
    let mut router = Router::new();
    for line in ROUTES {
        let door = from_fn_with_state((state.clone(), line), layers::admit);
        router = router.route(line.path, handler(line).route_layer(door));
    }
    let cors = cors::layer(&state.config.cors_origins);
    let router = router
        .fallback(async || Problem::new(Code::NotFound))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed))
        .layer(from_fn_with_state(state.clone(), layers::surround))
        .with_state(state);
    match cors {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

fn handler(line: &Route) -> MethodRouter<AppState> {
    match line.action {
        Action::ReadAsyncApi => on(line.verb, contracts::asyncapi),
        Action::ReadSchema => on(line.verb, contracts::schema),
        Action::SubmitBooking => on(line.verb, bookings::submit),
        Action::ReadBooking => on(line.verb, bookings::read),
        Action::FollowBooking => on(line.verb, follow::events),
        Action::PayBooking => on(line.verb, commands::pay),
        Action::CancelBooking => on(line.verb, commands::cancel),
        Action::ReadTickets => on(line.verb, documents::tickets_pdf),
        Action::ReadCalendar => on(line.verb, documents::tickets_ics),
        Action::ReadTimeline => on(line.verb, timeline::read),
        Action::ReadKeys => on(line.verb, ticket_keys::list),
        Action::ListShows => on(line.verb, shows::list),
        Action::ReadShow => on(line.verb, shows::read),
        Action::ReadSeats => on(line.verb, seats::map),
        Action::ReceiveWebhook => on(line.verb, webhooks::stripe),
        Action::ReadDescription => on(line.verb, openapi::read),
        Action::ReadDocs => on(line.verb, docs::page),
        Action::ReadDocsFile => on(line.verb, docs::file),
        Action::ListCodes => on(line.verb, catalogue::list),
        Action::ReadCode => on(line.verb, catalogue::read),
        Action::ListOwnQuarantine => on(line.verb, quarantine::own),
        Action::ListQuarantine => on(line.verb, quarantine::list),
        Action::ReadQuarantine => on(line.verb, quarantine::read),
        Action::ReleaseQuarantined => on(line.verb, quarantine::release),
        Action::RejectQuarantined => on(line.verb, quarantine::reject),
    }
}

fn on<H: Handler<T, AppState>, T: 'static>(verb: Verb, handler: H) -> MethodRouter<AppState> {
    match verb {
        Verb::Get => get(handler),
        Verb::Post => post(handler),
    }
}
