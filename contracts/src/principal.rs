//! Who asks, and what they may.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Tenant of customers that come through the house's own HTTP door.
pub const TENANT_HOUSE: &str = "house";

/// Who a booking belongs to: only the same tenant and subject see it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// `house`, or the id of the partner that sold it.
    #[schemars(length(min = 1, max = 32))]
    pub tenant: String,
    /// The caller within the tenant.
    #[schemars(length(min = 1, max = 64))]
    pub subject: String,
}

/// The one list of roles.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Books for themselves.
    Customer,
    /// Sells at the counter of a venue.
    Cashier,
    /// Runs a venue.
    Manager,
    /// Helps customers.
    Support,
    /// Sees the back office.
    Viewer,
    /// Mends what failed.
    Operator,
    /// A system of a partner.
    Partner,
    /// Configures.
    Admin,
}

impl Role {
    pub const ALL: [Self; 8] = [
        Self::Customer,
        Self::Cashier,
        Self::Manager,
        Self::Support,
        Self::Viewer,
        Self::Operator,
        Self::Partner,
        Self::Admin,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Cashier => "cashier",
            Self::Manager => "manager",
            Self::Support => "support",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Partner => "partner",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown role; use one of customer, cashier, manager, support, viewer, operator, partner, admin"
)]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownRole)
    }
}
