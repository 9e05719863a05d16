//! The bank's 3-D Secure page, for people; and its two buttons, for tests.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::app::App;
use crate::calls::{by_hand, error_response};
use crate::errors::ApiError;
use crate::form::Form;
use crate::operations::Operation;
use crate::records::{Intent, Status};

pub(crate) async fn challenge(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    match app.ledger().intents.get(&id) {
        Some(intent) => Html(page(intent)).into_response(),
        None => (
            StatusCode::NOT_FOUND,
            Html(layout("<p>There is no such payment.</p>")),
        )
            .into_response(),
    }
}

/// `complete` or `fail`. A browser goes back to the shop, everything else gets the intent as JSON.
pub(crate) async fn answer(
    State(app): State<Arc<App>>,
    Path((id, answer)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let passed = match answer.as_str() {
        "complete" => true,
        "fail" => false,
        _ => return error_response(&ApiError::no_such("answer", &answer, None)),
    };
    let operation = Operation::Authenticate {
        id: id.clone(),
        passed,
    };
    let response = by_hand(&app, &operation, Form::default());
    let browser = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if !browser {
        return response;
    }
    let ledger = app.ledger();
    match ledger.intents.get(&id) {
        Some(intent) => match way_back(intent, passed) {
            Some(url) => Redirect::to(&url).into_response(),
            None => Redirect::to(&format!("/sandbox/3ds/{id}")).into_response(),
        },
        None => response,
    }
}

/// Stripe adds these three parameters to the shop's return address.
fn way_back(intent: &Intent, passed: bool) -> Option<String> {
    let mut url = url::Url::parse(intent.return_url.as_deref()?).ok()?;
    url.query_pairs_mut()
        .append_pair("payment_intent", &intent.id)
        .append_pair("payment_intent_client_secret", &intent.client_secret)
        .append_pair(
            "redirect_status",
            if passed { "succeeded" } else { "failed" },
        );
    Some(url.into())
}

fn page(intent: &Intent) -> String {
    let amount = format!(
        "{}.{:02} {}",
        intent.amount / 100,
        intent.amount % 100,
        intent.currency.to_uppercase()
    );
    let what = escaped(intent.description.as_deref().unwrap_or("your purchase"));
    let id = escaped(&intent.id);
    if intent.status != Status::RequiresAction {
        let status = intent.status.as_str();
        return layout(&format!(
            "<p>Nothing to do: the payment is <b>{status}</b>.</p>"
        ));
    }
    layout(&format!(
        r#"<p>Pay <b>{amount}</b> for {what}?</p>
<form method="post" action="/sandbox/3ds/{id}/complete"><button class="yes">Complete</button></form>
<form method="post" action="/sandbox/3ds/{id}/fail"><button>Fail</button></form>
<p><small>{id}</small></p>"#
    ))
}

fn layout(content: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>3-D Secure test page</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem; color: #1a1f36 }}
form {{ display: inline-block; margin-right: .75rem }}
button {{ font: inherit; padding: .6rem 1.4rem; border: 1px solid #697386; border-radius: .4rem; background: #fff; cursor: pointer }}
button.yes {{ background: #1f5f3f; border-color: #1f5f3f; color: #fff }}
</style></head>
<body><h1>Your bank asks</h1>
{content}
<p><small>Sandbox: no bank, no money.</small></p></body></html>"#
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::CaptureMethod;

    #[test]
    fn the_page_shows_the_amount_and_no_markup_of_others() {
        let mut intent = Intent::new(2505, "eur", CaptureMethod::Manual, 0);
        intent.description = Some("<script>".into());
        let card = Some("pm_card_authenticationRequired");
        let back = Some("https://shop.example/done?x=1");
        intent.confirm(card, back, String::new(), 0).unwrap();
        let html = page(&intent);
        assert!(html.contains("25.05 EUR") && html.contains("&lt;script&gt;"));
        assert!(html.contains(&format!("/sandbox/3ds/{}/fail", intent.id)));
        let url = way_back(&intent, true).unwrap();
        assert!(
            url.contains("x=1&payment_intent=pi_") && url.ends_with("redirect_status=succeeded")
        );
    }
}
