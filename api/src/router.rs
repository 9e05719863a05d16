//! The routes. Paths, methods and roles are the lines of [`ROUTES`]; here each meets its handler.

use crate::{
    AppState, Problem,
    backoffice::{self, holds, partners, retries},
    bookings, catalogue, commands, contracts, cors, docs, documents, follow, layers, openapi,
    partner,
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
use boxoffice_store::mysql::{partners::PartnerState, retries::Order};

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
        Action::ReadPartnerCredit => on(line.verb, backoffice::credit::read),
        Action::SetPartnerCredit => on(line.verb, backoffice::credit::set),
        Action::ListPartners => on(line.verb, backoffice::partners::list),
        Action::ReadPartner => on(line.verb, backoffice::partners::read),
        Action::AddPartner => on(line.verb, backoffice::partners::add),
        Action::RotatePartner => on(line.verb, backoffice::partners::rotate),
        Action::RevokePartner => on(line.verb, backoffice::partners::revoke),
        Action::SuspendPartner => on(line.verb, partners::mover(PartnerState::Suspended)),
        Action::ResumePartner => on(line.verb, partners::mover(PartnerState::Active)),
        Action::RemovePartner => on(line.verb, backoffice::partners::remove),
        Action::LimitPartner => on(line.verb, backoffice::partners::limits),
        Action::ListQueues => on(line.verb, backoffice::queues::list),
        Action::QueueHistory => on(line.verb, backoffice::queues::history),
        Action::PauseQueue => on(line.verb, holds::handler(holds::queue, holds::pause)),
        Action::ResumeQueue => on(line.verb, holds::handler(holds::queue, holds::resume)),
        Action::DrainQueue => on(line.verb, holds::handler(holds::queue, holds::drain)),
        Action::SetPrefetch => on(line.verb, backoffice::prefetch::set),
        Action::ListWorkers => on(line.verb, backoffice::workers::list),
        Action::PauseWorker => on(line.verb, holds::handler(holds::role, holds::pause)),
        Action::ResumeWorker => on(line.verb, holds::handler(holds::role, holds::resume)),
        Action::DrainWorker => on(line.verb, holds::handler(holds::role, holds::drain)),
        Action::ListAlerts => on(line.verb, backoffice::alerts::list),
        Action::AckAlert => on(line.verb, backoffice::alerts::acknowledge),
        Action::ReadDescription => on(line.verb, openapi::read),
        Action::ReadDocs => on(line.verb, docs::page),
        Action::ReadDocsFile => on(line.verb, docs::file),
        Action::ListCodes => on(line.verb, catalogue::list),
        Action::ReadCode => on(line.verb, catalogue::read),
        Action::FindBookings => on(line.verb, backoffice::find),
        Action::ReadStory => on(line.verb, backoffice::read),
        Action::ListStuck => on(line.verb, backoffice::stuck),
        Action::MendBooking => on(line.verb, backoffice::order),
        Action::ListAudit => on(line.verb, backoffice::audit::list),
        Action::ExportAudit => on(line.verb, backoffice::audit::export),
        Action::SearchParked => on(line.verb, backoffice::parked::search),
        Action::GroupParked => on(line.verb, backoffice::parked::list_groups),
        Action::ArchiveParked => on(line.verb, backoffice::parked::archive),
        Action::RestoreParked => on(line.verb, backoffice::parked::restore),
        Action::ListRetries => on(line.verb, backoffice::retries::list_all),
        Action::CreateRetry => on(line.verb, backoffice::retries::create),
        Action::ReadRetry => on(line.verb, backoffice::retries::read),
        Action::StartRetry => on(line.verb, retries::orderer(Order::Start)),
        Action::PauseRetry => on(line.verb, retries::orderer(Order::Pause)),
        Action::ResumeRetry => on(line.verb, retries::orderer(Order::Resume)),
        Action::CancelRetry => on(line.verb, retries::orderer(Order::Cancel)),
        Action::ReadParked => on(line.verb, backoffice::parked::show),
        Action::EditParked => on(line.verb, backoffice::edit::edit),
        Action::ListProposals => on(line.verb, backoffice::proposals::list),
        Action::ApproveProposal => on(line.verb, backoffice::proposals::approve),
        Action::RefuseProposal => on(line.verb, backoffice::proposals::refuse),
        Action::ReadPartnerKind => on(line.verb, contracts::partner_schema),
        Action::RecoverEvents => on(line.verb, partner::events),
        Action::AskSnapshot => on(line.verb, partner::snapshot),
        Action::ListOwnQuarantine => on(line.verb, backoffice::quarantine::own),
        Action::ListQuarantine => on(line.verb, backoffice::quarantine::list),
        Action::ReadQuarantine => on(line.verb, backoffice::quarantine::read),
        Action::ReleaseQuarantined => on(line.verb, backoffice::quarantine::release),
        Action::RejectQuarantined => on(line.verb, backoffice::quarantine::reject),
    }
}

fn on<H: Handler<T, AppState>, T: 'static>(verb: Verb, handler: H) -> MethodRouter<AppState> {
    match verb {
        Verb::Get => get(handler),
        Verb::Post => post(handler),
    }
}
