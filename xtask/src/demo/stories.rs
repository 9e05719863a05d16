//! Five customers: one pays, one is declined first, one must authenticate, one forgets, one cancels.

use anyhow::{Context as _, Result, bail};
use boxoffice_contracts::Instant;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

use super::{
    Place,
    client::{Client, label},
    headline,
};
use crate::ui;

/// Who all the tickets are for.
const CUSTOMER: &str = "ada@example.org";

pub(crate) fn tell(place: &Place) -> Result<()> {
    let token = place.tokens(&format!("demo-{}", uuid::Uuid::new_v4().simple()), 1)?;
    let client = Client::new(&place.api, token.first().context("no token")?);
    let evening = show(&client, |show| {
        show["hall"] == "Astor 1" && can_be_cancelled(show) && seats(&client, show) >= 20
    })
    .context("no show in the cinema is on sale; `cargo xtask up` loads them")?;

    headline("Two seats, paid by card");
    let location = submit(
        &client,
        &evening,
        &pair(&client, &evening, 0)?,
        Some("pm_card_visa"),
    )?;
    let paid = follow(&client, &location, "completed")?;
    ui::line(&format!("  {}", total(&paid)));
    tickets(place, &client, &paid)?;
    mail(place, &paid)?;

    headline("A declined card, then another");
    let seats = pair(&client, &evening, 1)?;
    let location = submit(&client, &evening, &seats, Some("pm_card_chargeDeclined"))?;
    let held = reach(&client, &location, |state| {
        state["status"] == "held" && state["code"].is_string()
    })?;
    pay(&client, &held, "pm_card_visa")?;
    follow(&client, &location, "completed")?;

    headline("A card that wants 3-D Secure");
    let seats = pair(&client, &evening, 2)?;
    let location = submit(
        &client,
        &evening,
        &seats,
        Some("pm_card_authenticationRequired"),
    )?;
    let asked = reach(&client, &location, |state| {
        state["payment"]["action_url"].is_string()
    })?;
    let url = asked["payment"]["action_url"]
        .as_str()
        .context("no action_url")?;
    ui::line(&format!("  the customer is sent to {url}"));
    let page = url.split('?').next().unwrap_or(url);
    ureq::post(&format!("{page}/complete"))
        .send_empty()
        .context("the 3-D Secure page")?;
    ui::line("  and passes");
    follow(&client, &location, "completed")?;

    headline("A seat and two standing places in one booking");
    mixed(&client)?;

    headline("A hold that is forgotten");
    let brief = show(&client, |show| {
        show["slug"]
            .as_str()
            .is_some_and(|slug| slug.starts_with("brief-hold"))
    })
    .context("no show `brief-hold`")?;
    let location = submit(&client, &brief, &pair(&client, &brief, 0)?[..1], None)?;
    follow(&client, &location, "expired")?;

    headline("A cancellation with refund");
    let key = key();
    let id = paid["id"].as_str().context("no id")?;
    client
        .post(
            &format!("/v1/bookings/{id}/cancel"),
            &key,
            &json!({"reason": "ill"}),
        )?
        .accepted()?;
    let is_refused = |state: &Value| {
        let operations = state["operations"].as_array();
        let refused =
            |operation: &Value| operation["kind"] == "cancel" && operation["outcome"] == "refused";
        operations.is_some_and(|all| all.iter().any(refused))
    };
    let refunded = reach(&client, &format!("/v1/bookings/{id}"), |state| {
        state["status"] == "refunded" || is_refused(state)
    })?;
    if is_refused(&refunded) {
        bail!("the cancellation was refused: {}", refunded["operations"]);
    }
    ui::line(&format!("  {} went back", money(&refunded["refunded"])));
    Ok(())
}

/// The club sells places without numbers, and some with.
fn mixed(client: &Client) -> Result<()> {
    let night = show(client, |show| show["hall"] == "Club")
        .context("no show in the club is on sale; `cargo xtask up` loads them")?;
    let seat = free_seats(client, &night)?
        .pop()
        .context("the balcony is full")?;
    let mut order = order(&night["id"], &[&seat], Some("pm_card_visa"));
    if let Some(positions) = order["positions"].as_array_mut() {
        positions.push(json!({"category": "Standing", "count": 2}));
    }
    let film = night["film"]["title"].as_str().unwrap_or("?");
    ui::line(&format!("  {film}: {seat} and 2 × Standing"));
    let answer = client.post("/v1/bookings", &key(), &order)?;
    ui::line(&format!("  {} {}", answer.status, label(&answer.body)));
    let paid = follow(client, &answer.accepted()?, "completed")?;
    ui::line(&format!("  {}", total(&paid)));
    Ok(())
}

fn key() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The first show that is on sale and fits.
pub(crate) fn show(client: &Client, fits: impl Fn(&Value) -> bool) -> Option<Value> {
    let mut cursor = String::new();
    loop {
        let page = client
            .get(&format!("/v1/shows?limit=100{cursor}"))
            .ok()?
            .body;
        let on_sale = |show: &&Value| show["sales"]["open"] == true;
        if let Some(show) = page["shows"]
            .as_array()?
            .iter()
            .filter(on_sale)
            .find(|show| fits(show))
        {
            return Some(show.clone());
        }
        cursor = format!("&cursor={}", page["next_cursor"].as_str()?);
    }
}

/// Ids of the seats that nobody has, in the order of the hall.
pub(crate) fn free_seats(client: &Client, show: &Value) -> Result<Vec<String>> {
    let id = show["id"].as_str().context("a show without id")?;
    let map = client.get(&format!("/v1/shows/{id}/seats"))?.body;
    let seats = map["seats"].as_array().context("no seat map")?;
    let free = seats.iter().filter(|seat| seat["state"] == "free");
    Ok(free
        .filter_map(|seat| seat["seat_id"].as_str().map(str::to_owned))
        .collect())
}

/// For longer than the stories take.
#[expect(
    clippy::disallowed_methods,
    reason = "a customer looks at the clock on the wall"
)]
fn can_be_cancelled(show: &Value) -> bool {
    let until = serde_json::from_value::<Instant>(show["sales"]["cancel_until"].clone());
    let soon = Instant::from(SystemTime::now() + Duration::from_secs(300));
    until.is_ok_and(|until| until > soon)
}

fn seats(client: &Client, show: &Value) -> usize {
    free_seats(client, show).map_or(0, |seats| seats.len())
}

/// Two free seats beyond the middle of the hall; another customer gets others, as the map is a moment old.
fn pair(client: &Client, show: &Value, customer: usize) -> Result<Vec<String>> {
    let free = free_seats(client, show)?;
    let from = (free.len() / 2 + 8 * customer).min(free.len().saturating_sub(2));
    let pair: Vec<String> = free.into_iter().skip(from).take(2).collect();
    if pair.is_empty() {
        bail!("the show is sold out");
    }
    Ok(pair)
}

/// The body of a submit.
pub(crate) fn order(show: &Value, seats: &[impl AsRef<str>], method: Option<&str>) -> Value {
    let positions: Vec<Value> = seats
        .iter()
        .map(|seat| json!({"seat_id": seat.as_ref()}))
        .collect();
    let mut order = json!({
        "show_id": show,
        "positions": positions,
        "customer": {"email": CUSTOMER, "name": "Ada Byron", "locale": "en"},
    });
    if let Some(method) = method {
        order["payment"] = json!({ "method": method });
    }
    order
}

fn submit(client: &Client, show: &Value, seats: &[String], method: Option<&str>) -> Result<String> {
    let film = show["film"]["title"].as_str().unwrap_or("?");
    ui::line(&format!(
        "  {film}, {}: {}",
        show["starts_at_local"].as_str().unwrap_or("?"),
        seats.join(" and ")
    ));
    let answer = client.post("/v1/bookings", &key(), &order(&show["id"], seats, method))?;
    ui::line(&format!("  {} {}", answer.status, label(&answer.body)));
    answer.accepted()
}

fn pay(client: &Client, booking: &Value, method: &str) -> Result<()> {
    let id = booking["id"].as_str().context("no id")?;
    let answer = client.post(
        &format!("/v1/bookings/{id}/payment"),
        &key(),
        &json!({ "method": method }),
    )?;
    if answer.status != 202 && answer.status != 200 {
        bail!("the API answered {}: {}", answer.status, answer.body);
    }
    Ok(())
}

fn follow(client: &Client, location: &str, until: &str) -> Result<Value> {
    reach(client, location, |state| state["status"] == until)
}

/// Follows the booking to what is expected of it; an end before that is an error.
fn reach(client: &Client, location: &str, expected: impl Fn(&Value) -> bool) -> Result<Value> {
    let ended = |state: &Value| {
        let status = state["status"].as_str().unwrap_or_default();
        [
            "rejected",
            "expired",
            "payment_failed",
            "cancelled",
            "refunded",
        ]
        .contains(&status)
    };
    let state = client.follow(location, say, |state| expected(state) || ended(state))?;
    if !expected(&state) {
        bail!("it ended {}", label(&state));
    }
    Ok(state)
}

fn say(state: &Value) {
    ui::line(&format!("  → {}", label(state)));
}

fn total(booking: &Value) -> String {
    let seats = booking["positions"].as_array().map_or(0, Vec::len);
    format!(
        "booking {}: {seats} places, {}",
        booking["reference"].as_str().unwrap_or("?"),
        money(&booking["captured"])
    )
}

fn money(money: &Value) -> String {
    serde_json::from_value::<boxoffice_contracts::Money>(money.clone())
        .map_or_else(|_| money.to_string(), |money| money.to_string())
}

fn tickets(place: &Place, client: &Client, booking: &Value) -> Result<()> {
    let id = booking["id"].as_str().context("no id")?;
    let pdf = client.download(&format!("/v1/bookings/{id}/tickets.pdf"))?;
    let path = place.folder.join(format!("tickets-{id}.pdf"));
    std::fs::write(&path, &pdf)?;
    ui::line(&format!(
        "  tickets: {} ({} bytes)",
        path.display(),
        pdf.len()
    ));
    Ok(())
}

/// The mail is sent after the tickets are made: it is waited for, with a deadline.
fn mail(place: &Place, booking: &Value) -> Result<()> {
    let Some(catcher) = &place.mail else {
        return Ok(());
    };
    let id = booking["id"].as_str().context("no id")?;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while std::time::Instant::now() < deadline {
        let found: Value = ureq::get(&format!("{catcher}/api/messages?to={CUSTOMER}&limit=200"))
            .call()?
            .body_mut()
            .read_json()?;
        // The id of a mail begins with that of its booking.
        let ours = |message: &&Value| {
            message["message_id"]
                .as_str()
                .is_some_and(|of| of.starts_with(id))
        };
        if let Some(message) = found.as_array().into_iter().flatten().find(ours) {
            let (number, subject) = (message["id"].as_str(), message["subject"].as_str());
            ui::line(&format!("  mail: {catcher}/mail/{}", number.unwrap_or("?")));
            ui::line(&format!("        {}", subject.unwrap_or("?")));
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    bail!("no mail about {id} arrived within 20 s");
}
