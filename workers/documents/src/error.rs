//! Why a document could not be made. Every one of these is a fault of the facts or of the
//! program, never of the moment: trying again with the same facts fails again.

/// A document that cannot be rendered from these facts.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("a booking without tickets has no document")]
    NoTickets,
    #[error("{count} tickets in one document, at most {max} are rendered")]
    TooManyTickets { count: usize, max: usize },
    #[error("the code of ticket {serial} has {len} bytes, at most {max} stay readable in print")]
    CodeTooLong {
        serial: String,
        len: usize,
        max: usize,
    },
    #[error("the code of ticket {serial} cannot be drawn: {reason}")]
    Code { serial: String, reason: String },
    #[error("an embedded font cannot be read")]
    Font,
    #[error("the document cannot be written: {0}")]
    Write(String),
    #[error("template {template} needs the fact `{fact}`")]
    MissingFact {
        template: &'static str,
        fact: &'static str,
    },
    #[error("`{fact}` is not an http link")]
    NotALink { fact: &'static str },
    #[error("template {template}: {reason}")]
    Template {
        template: &'static str,
        reason: String,
    },
}
