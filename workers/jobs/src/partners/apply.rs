//! Brings the broker to what a partner's row says. Looks first, and changes only what differs.

use super::{
    Door,
    management::{ManagementError, part},
    things::{self, Thing, is_seen},
};
use boxoffice_contracts::partner::{PartnerId, broker};
use boxoffice_store::mysql::{
    partner_credentials::Credential,
    partners::{Partner, PartnerState},
};
use serde_json::{Value, json};

/// What was done, in words for a log.
pub(super) type Done = Vec<String>;

/// Everything that a partner is to have now.
pub(super) struct Wish<'a> {
    pub partner: &'a Partner,
    pub live: Vec<Credential>,
    /// The partner changed since it was applied: who is connected may no longer be allowed what it does.
    pub is_news: bool,
    pub removal: Removal,
}

/// How much of a removed partner's queues may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// It may still be written to, or the count of messages be old.
    NotYet,
    /// Those that are empty.
    Empty,
    /// All, with what is unread.
    All,
}

/// What all partners share; and the gate's user, when it has one of its own.
pub(super) async fn house(door: &Door) -> Result<Done, ManagementError> {
    let mut done = Done::new();
    if let Some(gate) = &door.gate {
        let path = format!("/api/users/{}", part(&gate.user));
        let seen = door.management.get(&path).await?.unwrap_or_default();
        let hash = seen["password_hash"].as_str().unwrap_or_default();
        if !boxoffice_store::broker_password::matches(hash, &gate.password) {
            door.management.put(&path, &gate.hashed()).await?;
            done.push(format!("user {}", gate.user));
        }
    }
    for thing in things::house(door) {
        ensure(door, &thing, &mut done).await?;
    }
    Ok(done)
}

pub(super) async fn partner(door: &Door, wish: &Wish<'_>) -> Result<Done, ManagementError> {
    let mut done = Done::new();
    if wish.partner.state == PartnerState::Removed {
        drop_users(door, wish, &mut done).await?;
        take_away(door, &wish.partner.id, wish.removal, &mut done).await?;
        return Ok(done);
    }
    for thing in things::places(door, wish.partner) {
        ensure(door, &thing, &mut done).await?;
    }
    bind(door, &wish.partner.id, &mut done).await?;
    for credential in &wish.live {
        for thing in things::user(door, wish.partner, credential) {
            ensure(door, &thing, &mut done).await?;
        }
        drop_foreign_rights(door, &credential.user(&wish.partner.id), &mut done).await?;
    }
    drop_users(door, wish, &mut done).await?;
    if wish.is_news && wish.partner.state == PartnerState::Suspended {
        // Rights are remembered by channels that are open.
        let is_its = |user: &str| is_user_of(user, &wish.partner.id);
        close_connections(door, is_its, &mut done).await?;
    }
    Ok(done)
}

async fn ensure(door: &Door, thing: &Thing, done: &mut Done) -> Result<(), ManagementError> {
    let seen_at = thing.seen_at.as_ref().unwrap_or(&thing.path);
    let seen = door.management.get(seen_at).await?;
    if seen.is_some_and(|seen| is_seen(&thing.shows, &seen)) {
        return Ok(());
    }
    door.management.put(&thing.path, &thing.body).await?;
    done.push(thing.what.clone());
    Ok(())
}

/// Binds what is to be bound, and unbinds what would lead anything else into the way in.
async fn bind(door: &Door, id: &PartnerId, done: &mut Done) -> Result<(), ManagementError> {
    let v = part(&door.vhost);
    for (exchange, queue, keys) in things::bindings(id) {
        let path = format!("/api/bindings/{v}/e/{}/q/{}", part(&exchange), part(&queue));
        let seen = door.management.get(&path).await?.unwrap_or_default();
        let seen = texts(&seen, "routing_key");
        for key in keys.iter().filter(|key| !seen.contains(key)) {
            let body = json!({"routing_key": key, "arguments": {}});
            door.management.post(&path, &body).await?;
            done.push(format!("binding of {queue} to {exchange} by {key}"));
        }
        for key in seen.iter().filter(|key| !keys.contains(key)) {
            door.management
                .delete(&format!("{path}/{}", part(key)))
                .await?;
            done.push(format!("no binding of {queue} to {exchange} by {key}"));
        }
    }
    // Rights to declare are by name, not by kind: whoever may make queues may make exchanges so named.
    let ours = [broker::exchange_in(id), broker::exchange_out(id)];
    let prefix = format!("partner.{id}.");
    let path = format!("/api/exchanges/{v}?columns=name");
    let seen = door.management.get(&path).await?.unwrap_or_default();
    for exchange in texts(&seen, "name") {
        if exchange.starts_with(&prefix) && !ours.contains(&exchange) {
            let path = format!("/api/exchanges/{v}/{}", part(&exchange));
            door.management.delete(&path).await?;
            done.push(format!("no exchange {exchange}"));
        }
    }
    // Whoever may publish to an exchange may also bind it behind another one that it may read: its own way out.
    let exchange = part(&broker::exchange_in(id));
    let path = format!("/api/exchanges/{v}/{exchange}/bindings/destination");
    let seen = door.management.get(&path).await?.unwrap_or_default();
    for binding in seen.as_array().into_iter().flatten() {
        let text = |name: &str| binding[name].as_str().unwrap_or_default();
        let (source, key) = (text("source"), text("properties_key"));
        let path = format!(
            "/api/bindings/{v}/e/{}/e/{exchange}/{}",
            part(source),
            part(key)
        );
        door.management.delete(&path).await?;
        done.push(format!("no binding of {exchange} to {source}"));
    }
    Ok(())
}

/// A partner's user has rights in the partners' vhost only.
async fn drop_foreign_rights(
    door: &Door,
    user: &str,
    done: &mut Done,
) -> Result<(), ManagementError> {
    let path = format!("/api/users/{}/permissions", part(user));
    let seen = door.management.get(&path).await?.unwrap_or_default();
    for vhost in texts(&seen, "vhost")
        .iter()
        .filter(|vhost| **vhost != door.vhost)
    {
        let path = format!("/api/permissions/{}/{}", part(vhost), part(user));
        door.management.delete(&path).await?;
        done.push(format!("no permissions of {user} in {vhost}"));
    }
    Ok(())
}

/// Deletes the users of credentials that don't live, and closes their connections.
async fn drop_users(door: &Door, wish: &Wish<'_>, done: &mut Done) -> Result<(), ManagementError> {
    let id = &wish.partner.id;
    let live: Vec<String> = wish.live.iter().map(|one| one.user(id)).collect();
    let is_over = |user: &str| is_user_of(user, id) && !live.iter().any(|one| one == user);
    let users = door.management.get("/api/users?columns=name").await?;
    let users = texts(&users.unwrap_or_default(), "name");
    let over: Vec<&String> = users.iter().filter(|user| is_over(user)).collect();
    for user in &over {
        let path = format!("/api/users/{}", part(user));
        if door.management.delete(&path).await? {
            done.push(format!("no user {user}"));
        }
    }
    if wish.is_news || !over.is_empty() {
        close_connections(door, is_over, done).await?;
    }
    Ok(())
}

fn is_user_of(user: &str, id: &PartnerId) -> bool {
    broker::of_user(user).is_some_and(|(owner, _)| owner == *id)
}

async fn close_connections(
    door: &Door,
    mut concerns: impl FnMut(&str) -> bool,
    done: &mut Done,
) -> Result<(), ManagementError> {
    let path = format!(
        "/api/vhosts/{}/connections?columns=name,user",
        part(&door.vhost)
    );
    let seen = door.management.get(&path).await?.unwrap_or_default();
    for connection in seen.as_array().into_iter().flatten() {
        let text = |name: &str| connection[name].as_str().unwrap_or_default();
        if concerns(text("user")) {
            let path = format!("/api/connections/{}", part(text("name")));
            door.management.delete(&path).await?;
            done.push(format!("no connection of {}", text("user")));
        }
    }
    Ok(())
}

/// What a removed partner leaves: its way in at once, queues when they may go, and then the rest.
async fn take_away(
    door: &Door,
    id: &PartnerId,
    removal: Removal,
    done: &mut Done,
) -> Result<(), ManagementError> {
    let v = part(&door.vhost);
    let exchange = async |name: String, done: &mut Done| {
        let path = format!("/api/exchanges/{v}/{}", part(&name));
        if door.management.delete(&path).await? {
            done.push(format!("no exchange {name}"));
        }
        Ok::<(), ManagementError>(())
    };
    exchange(broker::exchange_in(id), done).await?;
    if removal == Removal::NotYet {
        return Ok(());
    }
    let mut kept = 0;
    for (queue, messages) in queues_of(door, id).await? {
        // An unknown count is no empty queue.
        if removal == Removal::All || messages == Some(0) {
            let path = format!("/api/queues/{v}/{}", part(&queue));
            door.management.delete(&path).await?;
            done.push(format!("no queue {queue}"));
        } else {
            kept += 1;
        }
    }
    if kept == 0 {
        exchange(broker::exchange_out(id), done).await?;
        let name = things::policy_name(id);
        let path = format!("/api/policies/{v}/{}", part(&name));
        if door.management.delete(&path).await? {
            done.push(format!("no policy {name}"));
        }
    }
    Ok(())
}

/// The partner's queues, its own ones too, with the messages in them as the broker counted last.
async fn queues_of(
    door: &Door,
    id: &PartnerId,
) -> Result<Vec<(String, Option<u64>)>, ManagementError> {
    let path = format!("/api/queues/{}?columns=name,messages", part(&door.vhost));
    let seen = door.management.get(&path).await?.unwrap_or_default();
    let prefix = format!("partner.{id}.");
    let queues = seen.as_array().into_iter().flatten();
    let queues = queues.filter_map(|queue| {
        let name = queue["name"].as_str()?;
        name.starts_with(&prefix)
            .then(|| (name.to_owned(), queue["messages"].as_u64()))
    });
    Ok(queues.collect())
}

/// One text field of each object of a list.
fn texts(list: &Value, name: &str) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item[name].as_str().map(str::to_owned))
        .collect()
}
