//! The mails of the box office: facts and a template in, subject, text and HTML out.
//!
//! All templates are compiled in and registered strictly: a name that no fact answers to is an
//! error, not a hole in the mail. Text and subject are written as they are, HTML is escaped.

mod facts;
mod templates;

/// The picture in the head of every HTML part, a PNG of 96 by 96 pixels: goes along as [`LOGO_CONTENT_ID`].
pub const LOGO_PNG: &[u8] = include_bytes!("../images/logo.png");
/// What the HTML calls it by; it says nothing, so nothing is missed where pictures are blocked.
pub const LOGO_CONTENT_ID: &str = "logo@boxoffice";

pub use facts::{MailFacts, MailSeat};
pub use templates::Template;

use serde_json::json;

use crate::{Language, RenderError, clean_text};

/// A mail without its sender, recipient and attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailParts {
    /// One line, fit for a header.
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Renders a mail.
///
/// Facts may come from customers: they are reduced to one clean line each, so that no name can
/// add a header, a line to the text or an element to the HTML.
pub fn render(
    template: Template,
    language: Language,
    facts: &MailFacts,
) -> Result<MailParts, RenderError> {
    facts.check(template)?;
    let context = json!({ "facts": facts.cleaned() });
    let registries = templates::registries()?;
    let part = |registry: &handlebars::Handlebars<'_>, part: &str| {
        let name = format!("{}.{}.{part}", template.name(), language.tag());
        registry
            .render(&name, &context)
            .map_err(|error| RenderError::Template {
                template: template.name(),
                reason: error.to_string(),
            })
    };
    Ok(MailParts {
        subject: clean_text::line(&part(&registries.plain, "subject")?, SUBJECT_CHARS_MAX),
        text: part(&registries.plain, "text")?,
        html: part(&registries.html, "html")?,
    })
}

const SUBJECT_CHARS_MAX: usize = 200;
