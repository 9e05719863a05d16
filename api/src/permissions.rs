//! Every route and who may use it: one table. The router is built from it, so a route that is not here
//! does not exist, and a role that is not in a line is refused.

use crate::auth::{Caller, Principal};
use boxoffice_contracts::Role;
use boxoffice_store::mysql::status::Reach;

/// What a route does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    ReadAsyncApi,
    ReadSchema,
    SubmitBooking,
    ReadBooking,
    FollowBooking,
    PayBooking,
    CancelBooking,
    ReadTickets,
    ReadCalendar,
    ReadTimeline,
    ReadKeys,
    ListShows,
    ReadShow,
    ReadSeats,
    ReceiveWebhook,
    ReadPartnerCredit,
    SetPartnerCredit,
    ListPartners,
    ReadPartner,
    AddPartner,
    RotatePartner,
    RevokePartner,
    SuspendPartner,
    ResumePartner,
    RemovePartner,
    LimitPartner,
    ListQueues,
    QueueHistory,
    PauseQueue,
    ResumeQueue,
    DrainQueue,
    SetPrefetch,
    ListWorkers,
    PauseWorker,
    ResumeWorker,
    DrainWorker,
    ListAlerts,
    AckAlert,
    ReadDescription,
    ReadDocs,
    ReadDocsFile,
    ListCodes,
    ReadCode,
    FindBookings,
    ReadStory,
    ListStuck,
    MendBooking,
    ListAudit,
    ExportAudit,
    SearchParked,
    GroupParked,
    ArchiveParked,
    RestoreParked,
    ListRetries,
    CreateRetry,
    ReadRetry,
    StartRetry,
    PauseRetry,
    ResumeRetry,
    CancelRetry,
    ReadParked,
    EditParked,
    ListProposals,
    ApproveProposal,
    RefuseProposal,
    ReadPartnerKind,
    RecoverEvents,
    AskSnapshot,
    ListOwnQuarantine,
    ListQuarantine,
    ReadQuarantine,
    ReleaseQuarantined,
    RejectQuarantined,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    Get,
    Post,
}

/// Whose bookings a role reaches on a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Their own: same tenant and subject.
    Own,
    /// Those of the venue that the token names.
    Venue,
    /// All of the tenant's.
    Tenant,
}

#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// Anybody, without a token.
    Public,
    /// Whoever can sign the body.
    Signed,
    /// Holders of these roles.
    Roles(&'static [(Role, Scope)]),
    /// The same, and whoever holds a link that we signed.
    RolesOrLink(&'static [(Role, Scope)]),
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub verb: Verb,
    pub path: &'static str,
    pub action: Action,
    pub access: Access,
    /// May wait for news beyond the usual timeout.
    pub waits: bool,
}

use Role::{Admin, Cashier, Customer, Manager, Operator, Partner, Support, Viewer};
use Scope::{Own, Tenant, Venue};

/// Those who sell or buy: what they submit is their own.
const SELLERS: &[(Role, Scope)] = &[
    (Customer, Own),
    (Cashier, Own),
    (Manager, Own),
    (Partner, Own),
];

const READERS: &[(Role, Scope)] = &[
    (Customer, Own),
    (Cashier, Tenant),
    (Manager, Venue),
    (Support, Tenant),
    (Viewer, Tenant),
    (Operator, Tenant),
    (Partner, Own),
    (Admin, Tenant),
];

/// Those who answer for bookings: what happened to one, step by step.
const STAFF: &[(Role, Scope)] = &[
    (Manager, Venue),
    (Support, Tenant),
    (Viewer, Tenant),
    (Operator, Tenant),
    (Admin, Tenant),
];

/// Those who configure.
const ADMINS: &[(Role, Scope)] = &[(Admin, Tenant)];
/// Those who mend bookings by hand; support only their tickets and mail.
const MENDERS: &[(Role, Scope)] = &[(Support, Tenant), (Operator, Tenant), (Admin, Tenant)];
/// Those who see queues, workers and alerts.
const QUEUE_VIEWERS: &[(Role, Scope)] = &[(Viewer, Tenant), (Operator, Tenant), (Admin, Tenant)];

/// Those who hold them.
const QUEUE_OPERATORS: &[(Role, Scope)] = &[(Operator, Tenant), (Admin, Tenant)];
/// Those who watch over what failed, and over who did what about it.
const SEES_PARKED: &[(Role, Scope)] = &[(Viewer, Tenant), (Operator, Tenant), (Admin, Tenant)];

/// Those who mend it.
const MENDS_PARKED: &[(Role, Scope)] = &[(Operator, Tenant), (Admin, Tenant)];
/// A partner's own things.
const PARTNERS: &[(Role, Scope)] = &[(Partner, Own)];

/// Support and admins cancel on behalf of the house: everything goes back.
const CANCELLERS: &[(Role, Scope)] = &[
    (Customer, Own),
    (Cashier, Own),
    (Manager, Own),
    (Support, Tenant),
    (Partner, Own),
    (Admin, Tenant),
];

/// Who sees what partners are and may; and who decides it.
const PARTNER_VIEWERS: &[(Role, Scope)] = &[(Viewer, Tenant), (Operator, Tenant), (Admin, Tenant)];
const PARTNER_ADMINS: &[(Role, Scope)] = &[(Admin, Tenant)];
/// Quarantine: the partner sees its own, staff see all, and some of them end it.
const PARTNER_ITSELF: &[(Role, Scope)] = &[(Partner, Own)];
const QUARANTINE_VIEWERS: &[(Role, Scope)] =
    &[(Viewer, Tenant), (Operator, Tenant), (Admin, Tenant)];
const QUARANTINE_MENDERS: &[(Role, Scope)] = &[(Operator, Tenant), (Admin, Tenant)];

#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    route(Verb::Get, "/asyncapi.yaml", Action::ReadAsyncApi, Access::Public, false),
    route(Verb::Get, "/schemas/{file}", Action::ReadSchema, Access::Public, false),
    route(Verb::Post, "/v1/bookings", Action::SubmitBooking, Access::Roles(SELLERS), true),
    route(Verb::Get, "/v1/bookings/{id}", Action::ReadBooking, Access::Roles(READERS), true),
    route(Verb::Get, "/v1/bookings/{id}/events", Action::FollowBooking, Access::Roles(READERS), true),
    route(Verb::Post, "/v1/bookings/{id}/payment", Action::PayBooking, Access::Roles(SELLERS), true),
    route(Verb::Post, "/v1/bookings/{id}/cancel", Action::CancelBooking, Access::Roles(CANCELLERS), true),
    route(Verb::Get, "/v1/bookings/{id}/tickets.pdf", Action::ReadTickets, Access::RolesOrLink(SELLERS), false),
    route(Verb::Get, "/v1/bookings/{id}/tickets.ics", Action::ReadCalendar, Access::RolesOrLink(SELLERS), false),
    route(Verb::Get, "/v1/bookings/{id}/timeline", Action::ReadTimeline, Access::Roles(STAFF), false),
    route(Verb::Get, "/v1/keys", Action::ReadKeys, Access::Public, false),
    route(Verb::Get, "/v1/shows", Action::ListShows, Access::Public, false),
    route(Verb::Get, "/v1/shows/{id}", Action::ReadShow, Access::Public, false),
    route(Verb::Get, "/v1/shows/{id}/seats", Action::ReadSeats, Access::Public, false),
    route(Verb::Post, "/v1/webhooks/stripe", Action::ReceiveWebhook, Access::Signed, false),
    route(Verb::Get, "/v1/partners/{id}/credit", Action::ReadPartnerCredit, Access::Roles(ADMINS), false),
    route(Verb::Post, "/v1/partners/{id}/credit", Action::SetPartnerCredit, Access::Roles(ADMINS), false),
    route(Verb::Get, "/v1/partners", Action::ListPartners, Access::Roles(PARTNER_VIEWERS), false),
    route(Verb::Get, "/v1/partners/{id}", Action::ReadPartner, Access::Roles(PARTNER_VIEWERS), false),
    route(Verb::Post, "/v1/partners", Action::AddPartner, Access::Roles(PARTNER_ADMINS), false),
    route(Verb::Post, "/v1/partners/{id}/rotate", Action::RotatePartner, Access::Roles(PARTNER_ADMINS), false),
    route(Verb::Post, "/v1/partners/{id}/revoke", Action::RevokePartner, Access::Roles(PARTNER_ADMINS), false),
    route(Verb::Post, "/v1/partners/{id}/suspend", Action::SuspendPartner, Access::Roles(PARTNER_ADMINS), false),
    route(Verb::Post, "/v1/partners/{id}/resume", Action::ResumePartner, Access::Roles(PARTNER_ADMINS), false),
    route(Verb::Post, "/v1/partners/{id}/remove", Action::RemovePartner, Access::Roles(PARTNER_ADMINS), false),
    route(Verb::Post, "/v1/partners/{id}/limits", Action::LimitPartner, Access::Roles(PARTNER_ADMINS), false),
    route(Verb::Get, "/v1/backoffice/queues", Action::ListQueues, Access::Roles(QUEUE_VIEWERS), false),
    route(Verb::Get, "/v1/backoffice/queues/{name}/history", Action::QueueHistory, Access::Roles(QUEUE_VIEWERS), false),
    route(Verb::Post, "/v1/backoffice/queues/{name}/pause", Action::PauseQueue, Access::Roles(QUEUE_OPERATORS), false),
    route(Verb::Post, "/v1/backoffice/queues/{name}/resume", Action::ResumeQueue, Access::Roles(QUEUE_OPERATORS), false),
    route(Verb::Post, "/v1/backoffice/queues/{name}/drain", Action::DrainQueue, Access::Roles(QUEUE_OPERATORS), false),
    route(Verb::Post, "/v1/backoffice/queues/{name}/prefetch", Action::SetPrefetch, Access::Roles(QUEUE_OPERATORS), false),
    route(Verb::Get, "/v1/backoffice/workers", Action::ListWorkers, Access::Roles(QUEUE_VIEWERS), false),
    route(Verb::Post, "/v1/backoffice/workers/{role}/pause", Action::PauseWorker, Access::Roles(QUEUE_OPERATORS), false),
    route(Verb::Post, "/v1/backoffice/workers/{role}/resume", Action::ResumeWorker, Access::Roles(QUEUE_OPERATORS), false),
    route(Verb::Post, "/v1/backoffice/workers/{role}/drain", Action::DrainWorker, Access::Roles(QUEUE_OPERATORS), false),
    route(Verb::Get, "/v1/backoffice/alerts", Action::ListAlerts, Access::Roles(QUEUE_VIEWERS), false),
    route(Verb::Post, "/v1/backoffice/alerts/{key}/acknowledge", Action::AckAlert, Access::Roles(QUEUE_OPERATORS), false),
    route(Verb::Get, "/openapi.json", Action::ReadDescription, Access::Public, false),
    route(Verb::Get, "/docs", Action::ReadDocs, Access::Public, false),
    route(Verb::Get, "/docs/{file}", Action::ReadDocsFile, Access::Public, false),
    route(Verb::Get, "/problems", Action::ListCodes, Access::Public, false),
    route(Verb::Get, "/problems/{code}", Action::ReadCode, Access::Public, false),
    route(Verb::Get, "/v1/backoffice/bookings", Action::FindBookings, Access::Roles(STAFF), false),
    route(Verb::Get, "/v1/backoffice/bookings/{id}", Action::ReadStory, Access::Roles(STAFF), false),
    route(Verb::Get, "/v1/backoffice/stuck", Action::ListStuck, Access::Roles(STAFF), false),
    route(Verb::Post, "/v1/backoffice/bookings/{id}/actions", Action::MendBooking, Access::Roles(MENDERS), true),
    route(Verb::Get, "/v1/backoffice/audit", Action::ListAudit, Access::Roles(SEES_PARKED), false),
    route(Verb::Get, "/v1/backoffice/audit/export", Action::ExportAudit, Access::Roles(SEES_PARKED), false),
    route(Verb::Get, "/v1/backoffice/parked", Action::SearchParked, Access::Roles(SEES_PARKED), false),
    route(Verb::Get, "/v1/backoffice/parked/groups", Action::GroupParked, Access::Roles(SEES_PARKED), false),
    route(Verb::Post, "/v1/backoffice/parked/archive", Action::ArchiveParked, Access::Roles(MENDS_PARKED), false),
    route(Verb::Post, "/v1/backoffice/parked/restore", Action::RestoreParked, Access::Roles(MENDS_PARKED), false),
    route(Verb::Get, "/v1/backoffice/parked/retries", Action::ListRetries, Access::Roles(SEES_PARKED), false),
    route(Verb::Post, "/v1/backoffice/parked/retries", Action::CreateRetry, Access::Roles(MENDS_PARKED), false),
    route(Verb::Get, "/v1/backoffice/parked/retries/{id}", Action::ReadRetry, Access::Roles(SEES_PARKED), false),
    route(Verb::Post, "/v1/backoffice/parked/retries/{id}/start", Action::StartRetry, Access::Roles(MENDS_PARKED), false),
    route(Verb::Post, "/v1/backoffice/parked/retries/{id}/pause", Action::PauseRetry, Access::Roles(MENDS_PARKED), false),
    route(Verb::Post, "/v1/backoffice/parked/retries/{id}/resume", Action::ResumeRetry, Access::Roles(MENDS_PARKED), false),
    route(Verb::Post, "/v1/backoffice/parked/retries/{id}/cancel", Action::CancelRetry, Access::Roles(MENDS_PARKED), false),
    route(Verb::Get, "/v1/backoffice/parked/{queue}/{message_id}", Action::ReadParked, Access::Roles(SEES_PARKED), false),
    route(Verb::Post, "/v1/backoffice/parked/{queue}/{message_id}/edit", Action::EditParked, Access::Roles(MENDS_PARKED), false),
    route(Verb::Get, "/v1/backoffice/proposals", Action::ListProposals, Access::Roles(SEES_PARKED), false),
    route(Verb::Post, "/v1/backoffice/proposals/{id}/approve", Action::ApproveProposal, Access::Roles(MENDS_PARKED), false),
    route(Verb::Post, "/v1/backoffice/proposals/{id}/refuse", Action::RefuseProposal, Access::Roles(MENDS_PARKED), false),
    route(Verb::Get, "/schemas/partner/{file}", Action::ReadPartnerKind, Access::Public, false),
    route(Verb::Get, "/v1/partner/events", Action::RecoverEvents, Access::Roles(PARTNERS), false),
    route(Verb::Post, "/v1/partner/snapshot", Action::AskSnapshot, Access::Roles(PARTNERS), false),
    route(Verb::Get, "/v1/partner/quarantine", Action::ListOwnQuarantine, Access::Roles(PARTNER_ITSELF), false),
    route(Verb::Get, "/v1/backoffice/quarantine", Action::ListQuarantine, Access::Roles(QUARANTINE_VIEWERS), false),
    route(Verb::Get, "/v1/backoffice/quarantine/{id}", Action::ReadQuarantine, Access::Roles(QUARANTINE_VIEWERS), false),
    route(Verb::Post, "/v1/backoffice/quarantine/{id}/release", Action::ReleaseQuarantined, Access::Roles(QUARANTINE_MENDERS), false),
    route(Verb::Post, "/v1/backoffice/quarantine/{id}/reject", Action::RejectQuarantined, Access::Roles(QUARANTINE_MENDERS), false),
];

const fn route(
    verb: Verb,
    path: &'static str,
    action: Action,
    access: Access,
    waits: bool,
) -> Route {
    Route {
        verb,
        path,
        action,
        access,
        waits,
    }
}

impl Verb {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl Scope {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Venue => "venue",
            Self::Tenant => "tenant",
        }
    }
}

impl Access {
    /// What the principal reaches through this route, if they may use it at all.
    #[must_use]
    pub fn admit(self, principal: Principal) -> Option<Caller> {
        let (Self::Roles(lines) | Self::RolesOrLink(lines)) = self else {
            return None;
        };
        let scope = lines.iter().find(|(role, _)| *role == principal.role)?.1;
        let reach = match scope {
            Scope::Own => Reach::Owned(principal.owner.clone()),
            Scope::Venue => Reach::Venue {
                tenant: principal.owner.tenant.clone(),
                venue: principal.venue?,
            },
            Scope::Tenant => Reach::Tenant(principal.owner.tenant.clone()),
        };
        Some(Caller { principal, reach })
    }
}

#[cfg(test)]
#[path = "permissions/matrix_tests.rs"]
mod matrix_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    /// The matrix as a person checks it. A change here is a change of who may do what.
    const MATRIX: &str = "\
Action          anybody   customer  cashier   manager   support   viewer    operator  partner   admin
ReadAsyncApi    yes       yes       yes       yes       yes       yes       yes       yes       yes
ReadSchema      yes       yes       yes       yes       yes       yes       yes       yes       yes
SubmitBooking   -         Own       Own       Own       -         -         -         Own       -
ReadBooking     -         Own       Tenant    Venue     Tenant    Tenant    Tenant    Own       Tenant
FollowBooking   -         Own       Tenant    Venue     Tenant    Tenant    Tenant    Own       Tenant
PayBooking      -         Own       Own       Own       -         -         -         Own       -
CancelBooking   -         Own       Own       Own       Tenant    -         -         Own       Tenant
ReadTickets     link      Own       Own       Own       -         -         -         Own       -
ReadCalendar    link      Own       Own       Own       -         -         -         Own       -
ReadTimeline    -         -         -         Venue     Tenant    Tenant    Tenant    -         Tenant
ReadKeys        yes       yes       yes       yes       yes       yes       yes       yes       yes
ListShows       yes       yes       yes       yes       yes       yes       yes       yes       yes
ReadShow        yes       yes       yes       yes       yes       yes       yes       yes       yes
ReadSeats       yes       yes       yes       yes       yes       yes       yes       yes       yes
ReceiveWebhook  signed    signed    signed    signed    signed    signed    signed    signed    signed
ReadPartnerCredit-         -         -         -         -         -         -         -         Tenant
SetPartnerCredit-         -         -         -         -         -         -         -         Tenant
ListPartners    -         -         -         -         -         Tenant    Tenant    -         Tenant
ReadPartner     -         -         -         -         -         Tenant    Tenant    -         Tenant
AddPartner      -         -         -         -         -         -         -         -         Tenant
RotatePartner   -         -         -         -         -         -         -         -         Tenant
RevokePartner   -         -         -         -         -         -         -         -         Tenant
SuspendPartner  -         -         -         -         -         -         -         -         Tenant
ResumePartner   -         -         -         -         -         -         -         -         Tenant
RemovePartner   -         -         -         -         -         -         -         -         Tenant
LimitPartner    -         -         -         -         -         -         -         -         Tenant
ListQueues      -         -         -         -         -         Tenant    Tenant    -         Tenant
QueueHistory    -         -         -         -         -         Tenant    Tenant    -         Tenant
PauseQueue      -         -         -         -         -         -         Tenant    -         Tenant
ResumeQueue     -         -         -         -         -         -         Tenant    -         Tenant
DrainQueue      -         -         -         -         -         -         Tenant    -         Tenant
SetPrefetch     -         -         -         -         -         -         Tenant    -         Tenant
ListWorkers     -         -         -         -         -         Tenant    Tenant    -         Tenant
PauseWorker     -         -         -         -         -         -         Tenant    -         Tenant
ResumeWorker    -         -         -         -         -         -         Tenant    -         Tenant
DrainWorker     -         -         -         -         -         -         Tenant    -         Tenant
ListAlerts      -         -         -         -         -         Tenant    Tenant    -         Tenant
AckAlert        -         -         -         -         -         -         Tenant    -         Tenant
ReadDescription yes       yes       yes       yes       yes       yes       yes       yes       yes
ReadDocs        yes       yes       yes       yes       yes       yes       yes       yes       yes
ReadDocsFile    yes       yes       yes       yes       yes       yes       yes       yes       yes
ListCodes       yes       yes       yes       yes       yes       yes       yes       yes       yes
ReadCode        yes       yes       yes       yes       yes       yes       yes       yes       yes
FindBookings    -         -         -         Venue     Tenant    Tenant    Tenant    -         Tenant
ReadStory       -         -         -         Venue     Tenant    Tenant    Tenant    -         Tenant
ListStuck       -         -         -         Venue     Tenant    Tenant    Tenant    -         Tenant
MendBooking     -         -         -         -         Tenant    -         Tenant    -         Tenant
ListAudit       -         -         -         -         -         Tenant    Tenant    -         Tenant
ExportAudit     -         -         -         -         -         Tenant    Tenant    -         Tenant
SearchParked    -         -         -         -         -         Tenant    Tenant    -         Tenant
GroupParked     -         -         -         -         -         Tenant    Tenant    -         Tenant
ArchiveParked   -         -         -         -         -         -         Tenant    -         Tenant
RestoreParked   -         -         -         -         -         -         Tenant    -         Tenant
ListRetries     -         -         -         -         -         Tenant    Tenant    -         Tenant
CreateRetry     -         -         -         -         -         -         Tenant    -         Tenant
ReadRetry       -         -         -         -         -         Tenant    Tenant    -         Tenant
StartRetry      -         -         -         -         -         -         Tenant    -         Tenant
PauseRetry      -         -         -         -         -         -         Tenant    -         Tenant
ResumeRetry     -         -         -         -         -         -         Tenant    -         Tenant
CancelRetry     -         -         -         -         -         -         Tenant    -         Tenant
ReadParked      -         -         -         -         -         Tenant    Tenant    -         Tenant
EditParked      -         -         -         -         -         -         Tenant    -         Tenant
ListProposals   -         -         -         -         -         Tenant    Tenant    -         Tenant
ApproveProposal -         -         -         -         -         -         Tenant    -         Tenant
RefuseProposal  -         -         -         -         -         -         Tenant    -         Tenant
ReadPartnerKind yes       yes       yes       yes       yes       yes       yes       yes       yes
RecoverEvents   -         -         -         -         -         -         -         Own       -
AskSnapshot     -         -         -         -         -         -         -         Own       -
ListOwnQuarantine-         -         -         -         -         -         -         Own       -
ListQuarantine  -         -         -         -         -         Tenant    Tenant    -         Tenant
ReadQuarantine  -         -         -         -         -         Tenant    Tenant    -         Tenant
ReleaseQuarantined-         -         -         -         -         -         Tenant    -         Tenant
RejectQuarantined-         -         -         -         -         -         Tenant    -         Tenant
";

    #[test]
    fn the_table_is_the_one_that_was_agreed() {
        let mut text = format!("{:16}{:10}", "Action", "anybody");
        for role in Role::ALL {
            write!(text, "{:10}", role.as_str()).unwrap();
        }
        text = text.trim_end().to_owned() + "\n";
        for route in ROUTES {
            let mut line = format!("{:16}", format!("{:?}", route.action));
            for role in std::iter::once(None).chain(Role::ALL.map(Some)) {
                let cell = match (route.access, role) {
                    (Access::Public, _) => "yes".to_owned(),
                    (Access::Signed, _) => "signed".to_owned(),
                    (Access::Roles(_), None) => "-".to_owned(),
                    (Access::RolesOrLink(_), None) => "link".to_owned(),
                    (Access::Roles(lines) | Access::RolesOrLink(lines), Some(role)) => lines
                        .iter()
                        .find(|(named, _)| *named == role)
                        .map_or("-".to_owned(), |(_, scope)| format!("{scope:?}")),
                };
                write!(line, "{cell:10}").unwrap();
            }
            text += line.trim_end();
            text.push('\n');
        }
        assert_eq!(text, MATRIX, "\n{text}");
    }
}
