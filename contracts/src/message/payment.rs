//! Commands to the payments worker, and its answers to the saga.
//!
//! Gateway keys, methods and client secrets are columns of the attempt: they are in no message.

use crate::{BookingId, Code, Money, RefundId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! messages {
    ($($(#[$doc:meta])+ $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            pub booking_id: BookingId,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    )+};
}

messages! {
    /// Begins attempt number `attempt` of the booking; its row was written in the saga's transaction.
    Authorize { attempt: u16 }

    /// Asks the gateway what is true of the booking's intent.
    Reconcile {
        /// The attempt that the saga waits for.
        attempt: u16,
    }

    /// Takes the reserved funds.
    Capture {
        /// Number of the booking's intent, from 1.
        generation: u16,
        amount: Money,
    }

    /// Closes the intent; its row was marked `closing` in the saga's transaction.
    Void {
        /// Number of the booking's intent, from 1.
        generation: u16,
    }

    /// Gives money back. The id comes from the operation, so that an order repeated pays once.
    Refund { refund_id: RefundId, amount: Money }

    /// The gateway hinted at news about the booking's intent.
    Webhook {
        /// The gateway's event, kept in full in `webhook_events`.
        #[schemars(length(min = 1, max = 255))]
        event_id: String,
        #[schemars(length(min = 1, max = 255))]
        event_type: String,
    }

    /// Funds are reserved.
    Authorized {
        attempt: u16,
        /// What the gateway says can be captured; compared with the booking's total.
        amount: Money,
    }

    /// The customer must authenticate.
    ActionRequired { attempt: u16 }

    /// The attempt failed and reserved nothing.
    Declined { attempt: u16, code: Code }

    /// No answer: the outcome is open.
    Unknown { attempt: u16 }

    /// The funds are taken.
    Captured { generation: u16, amount: Money }

    /// The capture was refused for good.
    CaptureFailed { generation: u16, code: Code }

    /// The intent is closed and nothing was taken.
    Voided { generation: u16 }

    /// The money went back.
    Refunded { refund_id: RefundId, amount: Money }

    /// The refund was refused for good.
    RefundFailed { refund_id: RefundId, code: Code }

    /// A refund that nobody ordered here.
    RefundedOutside {
        /// Sum of what was refunded outside so far.
        amount: Money,
    }

    /// The cardholder disputes the charge.
    Disputed {}
}
