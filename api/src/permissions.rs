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
    ReadDescription,
    ReadDocs,
    ReadDocsFile,
    ListCodes,
    ReadCode,
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

/// Support and admins cancel on behalf of the house: everything goes back.
const CANCELLERS: &[(Role, Scope)] = &[
    (Customer, Own),
    (Cashier, Own),
    (Manager, Own),
    (Support, Tenant),
    (Partner, Own),
    (Admin, Tenant),
];

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
    route(Verb::Get, "/openapi.json", Action::ReadDescription, Access::Public, false),
    route(Verb::Get, "/docs", Action::ReadDocs, Access::Public, false),
    route(Verb::Get, "/docs/{file}", Action::ReadDocsFile, Access::Public, false),
    route(Verb::Get, "/problems", Action::ListCodes, Access::Public, false),
    route(Verb::Get, "/problems/{code}", Action::ReadCode, Access::Public, false),
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
ReadDescription yes       yes       yes       yes       yes       yes       yes       yes       yes
ReadDocs        yes       yes       yes       yes       yes       yes       yes       yes       yes
ReadDocsFile    yes       yes       yes       yes       yes       yes       yes       yes       yes
ListCodes       yes       yes       yes       yes       yes       yes       yes       yes       yes
ReadCode        yes       yes       yes       yes       yes       yes       yes       yes       yes
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
