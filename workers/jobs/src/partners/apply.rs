//! Brings the broker to what a partner's row says. Looks first, and changes only what differs.

use super::{
    Door,
    management::{ManagementError, part},
    things::{self, Thing, is_seen},
};
use boxoffice_contracts::partner::{
    PartnerId,
    broker::{self, Permissions},
};
use boxoffice_store::mysql::{
    partner_credentials::Credential,
    partners::{Partner, PartnerState},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What was done, in words for a log.
pub(super) type Done = Vec<String>;

/// Everything that a partner is to have now.
pub(super) struct Wish<'a> {
    pub partner: &'a Partner,
    pub live: Vec<Credential>,
    /// The partner changed since it was applied: who is connected may no longer be allowed what it does.
    pub is_news: bool,
    pub removal: Removal,
    /// Names of its own queues, when it may make no more.
    pub full: Option<&'a [String]>,
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
    // Rights first: a queue that can't be made must not keep a stolen password alive.
    drop_users(door, wish, &mut done).await?;
    // RabbitMQ 4.3 rules only topics of exchanges that are there.
    let (exchanges, others): (Vec<_>, Vec<_>) = things::places(door, wish.partner)
        .into_iter()
        .partition(|thing| thing.path.starts_with("/api/exchanges/"));
    for thing in &exchanges {
        ensure(door, thing, &mut done).await?;
    }
    for credential in &wish.live {
        let user = credential.user(&wish.partner.id);
        let things = things::user(door, wish.partner, credential, wish.full);
        // Wider rights than before interrupt nobody.
        if !(wish.is_news && wish.partner.state == PartnerState::Active) {
            disconnect_if_other_rights(door, wish.partner, &user, &things, &mut done).await?;
        }
        for thing in &things {
            ensure(door, thing, &mut done).await?;
        }
        drop_foreign_rights(door, &user, &mut done).await?;
    }
    for thing in &others {
        ensure(door, thing, &mut done).await?;
    }
    bind(door, &wish.partner.id, &mut done).await?;
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

/// Open channels remember rights that they used. The broker closes what a deleted user has open, at once; its list of
/// connections is seconds old, so closing them one by one would miss some. The user is made again after this.
async fn disconnect_if_other_rights(
    door: &Door,
    partner: &Partner,
    user: &str,
    things: &[Thing],
    done: &mut Done,
) -> Result<(), ManagementError> {
    let Some(rights) = things.last() else {
        return Ok(());
    };
    let seen = door.management.get(&rights.path).await?;
    let others = |mut seen: Value| {
        // Which of its own queues an active partner may make changes with their number: nothing that a channel
        // remembers of that is anybody else's.
        let may = seen["configure"].as_str().unwrap_or_default();
        if partner.state == PartnerState::Active && Permissions::is_own_configure(&partner.id, may)
        {
            seen["configure"] = rights.shows["configure"].clone();
        }
        !is_seen(&rights.shows, &seen)
    };
    if seen.is_some_and(others) {
        let path = format!("/api/users/{}", part(user));
        door.management.delete(&path).await?;
        done.push(format!("no connections of {user}"));
    }
    Ok(())
}

/// Deletes the users of credentials that don't live; the broker closes their connections.
async fn drop_users(door: &Door, wish: &Wish<'_>, done: &mut Done) -> Result<(), ManagementError> {
    let id = &wish.partner.id;
    let live: Vec<String> = wish.live.iter().map(|one| one.user(id)).collect();
    let is_over = |user: &str| is_user_of(user, id) && !live.iter().any(|one| one == user);
    let users = door.management.get("/api/users?columns=name").await?;
    let users = texts(&users.unwrap_or_default(), "name");
    for user in users.iter().filter(|user| is_over(user)) {
        let path = format!("/api/users/{}", part(user));
        if door.management.delete(&path).await? {
            done.push(format!("no user {user}"));
        }
    }
    Ok(())
}

fn is_user_of(user: &str, id: &PartnerId) -> bool {
    broker::of_user(user).is_some_and(|(owner, _)| owner == *id)
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

/// Names of the queues that partners made themselves, sorted.
pub(super) async fn own_queues(
    door: &Door,
) -> Result<BTreeMap<PartnerId, Vec<String>>, ManagementError> {
    // Newer brokers count nothing for it; older ones don't know the word.
    let path = format!(
        "/api/queues/{}?columns=name&disable_stats=true",
        part(&door.vhost)
    );
    let seen = door.management.get(&path).await?.unwrap_or_default();
    let mut own: BTreeMap<PartnerId, Vec<String>> = BTreeMap::new();
    for queue in texts(&seen, "name") {
        if let Some((id, _)) = broker::own_queue(&queue) {
            own.entry(id).or_default().push(queue);
        }
    }
    own.values_mut().for_each(|queues| queues.sort());
    Ok(own)
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
