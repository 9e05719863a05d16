//! The list of mails and their compiled templates.

use std::sync::OnceLock;

use handlebars::{Handlebars, TemplateError, no_escape};

use crate::{Language, RenderError};

/// The mails we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Template {
    /// Paid: the tickets are attached, or to be fetched.
    Confirmation,
    /// The hold ended without a payment.
    Expired,
    /// Money went back.
    Refunded,
    /// The bank declined.
    PaymentFailed,
    /// Money came after the hold had ended and the seats were gone.
    Apology,
    /// The payment did not complete, the seats are still held.
    PayAgain,
    /// The booking was cancelled.
    Cancelled,
}

impl Template {
    pub const ALL: [Template; 7] = [
        Template::Confirmation,
        Template::Expired,
        Template::Refunded,
        Template::PaymentFailed,
        Template::Apology,
        Template::PayAgain,
        Template::Cancelled,
    ];

    /// The name in files, messages and logs.
    pub fn name(self) -> &'static str {
        match self {
            Template::Confirmation => "confirmation",
            Template::Expired => "expired",
            Template::Refunded => "refunded",
            Template::PaymentFailed => "payment_failed",
            Template::Apology => "apology",
            Template::PayAgain => "pay_again",
            Template::Cancelled => "cancelled",
        }
    }

    /// The template of that name.
    pub fn from_name(name: &str) -> Option<Template> {
        Template::ALL
            .into_iter()
            .find(|template| template.name() == name)
    }

    /// Optional facts this mail cannot do without.
    pub(super) fn needs(self) -> &'static [&'static str] {
        match self {
            Template::Confirmation => &["tickets_url"],
            Template::Refunded | Template::Apology => &["refund"],
            Template::PayAgain => &["pay_url", "hold_until"],
            Template::Expired | Template::PaymentFailed | Template::Cancelled => &[],
        }
    }
}

/// One registry writes text as it is, the other escapes it for HTML.
pub(super) struct Registries {
    pub(super) plain: Handlebars<'static>,
    pub(super) html: Handlebars<'static>,
}

/// The compiled templates; compiling happens at the first call.
pub(super) fn registries() -> Result<&'static Registries, RenderError> {
    static REGISTRIES: OnceLock<Result<Registries, String>> = OnceLock::new();
    REGISTRIES
        .get_or_init(|| compile().map_err(|error| error.to_string()))
        .as_ref()
        .map_err(|reason| RenderError::Template {
            template: "all",
            reason: reason.clone(),
        })
}

fn compile() -> Result<Registries, TemplateError> {
    let mut plain = Handlebars::new();
    plain.set_strict_mode(true);
    plain.register_escape_fn(no_escape);
    let mut html = Handlebars::new();
    html.set_strict_mode(true);

    plain.register_partial("show", include_str!("../../templates/parts/show.text.hbs"))?;
    plain.register_partial(
        "seats",
        include_str!("../../templates/parts/seats.text.hbs"),
    )?;
    html.register_partial(
        "layout",
        include_str!("../../templates/parts/layout.html.hbs"),
    )?;
    html.register_partial("show", include_str!("../../templates/parts/show.html.hbs"))?;
    html.register_partial(
        "seats",
        include_str!("../../templates/parts/seats.html.hbs"),
    )?;
    html.register_partial(
        "button",
        include_str!("../../templates/parts/button.html.hbs"),
    )?;
    for template in Template::ALL {
        for language in Language::ALL {
            let name = |part: &str| format!("{}.{}.{part}", template.name(), language.tag());
            let source = source(template, language);
            plain.register_template_string(&name("subject"), source.subject)?;
            plain.register_template_string(&name("text"), source.text)?;
            html.register_template_string(&name("html"), source.html)?;
        }
    }
    Ok(Registries { plain, html })
}

struct Source {
    subject: &'static str,
    text: &'static str,
    html: &'static str,
}

macro_rules! source {
    ($name:literal) => {
        Source {
            subject: include_str!(concat!("../../templates/", $name, ".subject.hbs")),
            text: include_str!(concat!("../../templates/", $name, ".text.hbs")),
            html: include_str!(concat!("../../templates/", $name, ".html.hbs")),
        }
    };
}

/// Without a wildcard: a new mail or language does not compile until its files are there.
fn source(template: Template, language: Language) -> Source {
    match (template, language) {
        (Template::Confirmation, Language::En) => source!("confirmation.en"),
        (Template::Confirmation, Language::De) => source!("confirmation.de"),
        (Template::Expired, Language::En) => source!("expired.en"),
        (Template::Expired, Language::De) => source!("expired.de"),
        (Template::Refunded, Language::En) => source!("refunded.en"),
        (Template::Refunded, Language::De) => source!("refunded.de"),
        (Template::PaymentFailed, Language::En) => source!("payment_failed.en"),
        (Template::PaymentFailed, Language::De) => source!("payment_failed.de"),
        (Template::Apology, Language::En) => source!("apology.en"),
        (Template::Apology, Language::De) => source!("apology.de"),
        (Template::PayAgain, Language::En) => source!("pay_again.en"),
        (Template::PayAgain, Language::De) => source!("pay_again.de"),
        (Template::Cancelled, Language::En) => source!("cancelled.en"),
        (Template::Cancelled, Language::De) => source!("cancelled.de"),
    }
}
