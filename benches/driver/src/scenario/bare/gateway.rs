//! The calls that a booking makes.

use crate::{http::Http, place::Place};
use anyhow::Context as _;
use hyper::{StatusCode, body::Bytes};
use serde::Deserialize;
use uuid::Uuid;

const CONNECTIONS: usize = 64;

/// As Stripe understands it.
#[derive(Debug, Clone)]
pub(super) struct Gateway {
    http: Http,
    /// Without a slash at its end.
    url: String,
    secret: String,
}

#[derive(Debug, Deserialize)]
struct Intent {
    id: String,
}

impl Gateway {
    pub(super) fn of(place: &Place) -> anyhow::Result<Self> {
        let told = |name: &str| {
            let value = place.environment.get(name).cloned();
            value.with_context(|| format!("{name} is not told"))
        };
        Ok(Self {
            http: Http::new(CONNECTIONS),
            url: told("BOXOFFICE__GATEWAY__URL")?
                .trim_end_matches('/')
                .to_owned(),
            secret: told("BOXOFFICE__GATEWAY__SECRET_KEY")?,
        })
    }

    /// Creates an intent and authorises it, in two calls as the house does; returns its name.
    pub(super) async fn authorise(&self) -> anyhow::Result<String> {
        let form = "amount=2500&currency=eur&capture_method=manual&payment_method_types[]=card";
        let id = self.call("/v1/payment_intents", form).await?;
        self.call(
            &format!("/v1/payment_intents/{id}/confirm"),
            "payment_method=pm_card_visa",
        )
        .await
    }

    pub(super) async fn capture(&self, intent: &str) -> anyhow::Result<()> {
        let path = format!("/v1/payment_intents/{intent}/capture");
        self.call(&path, "amount_to_capture=2500").await?;
        Ok(())
    }

    async fn call(&self, path: &str, form: &'static str) -> anyhow::Result<String> {
        let url = format!("{}{path}", self.url);
        let key = Uuid::new_v4().to_string();
        let form = Bytes::from_static(form.as_bytes());
        let answer = self.http.post_form(&url, &self.secret, &key, form).await?;
        let answer = answer.require(StatusCode::OK)?;
        let intent: Intent = serde_json::from_slice(&answer.body).context("an intent")?;
        Ok(intent.id)
    }
}
