//! The house's limits and deadlines. Configuration: a demo and tests use seconds.

use serde::{Deserialize, Serialize};

/// All in seconds.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Attempts to pay while one hold lives.
    pub attempts_max: u16,
    /// No answer to an authorisation for so long: it is reconciled.
    pub authorize_answer_secs: u32,
    /// How long the customer may take for 3-D Secure; never past the hold's cap.
    pub action_secs: u32,
    /// First wait before a command is sent again; doubles up to `resend_max_secs`.
    pub resend_secs: u32,
    pub resend_max_secs: u32,
    /// How long a confirmed booking whose capture failed may be paid again.
    pub pay_again_secs: u32,
    /// The tickets count as complete after so long even without their document.
    pub document_wait_secs: u32,
    /// A refund that the gateway refused is ordered again after so long; meanwhile a person may act.
    pub refund_retry_secs: u32,
    /// A mail that has not ended after so long is ordered again: its order may be lost. More than the longest wait
    /// between two attempts to send one. No decision reads it.
    pub mail_wait_secs: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            authorize_answer_secs: 60,
            action_secs: 300,
            resend_secs: 15,
            resend_max_secs: 3600,
            pay_again_secs: 900,
            document_wait_secs: 60,
            refund_retry_secs: 86_400,
            mail_wait_secs: 900,
        }
    }
}
