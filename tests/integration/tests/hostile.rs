//! A partner with valid credentials and no good will. Every refusal stands beside a good call, so that a wall that
//! refuses everything fails, too.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

use boxoffice_contracts::partner::{PartnerId, broker};
use boxoffice_integration::{
    Roles, World, eventually,
    partner::{PartnerUser, Refusal, send},
    secs, wait_until,
};
use lapin::{
    BasicProperties, Connection, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicGetOptions, ExchangeBindOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
    },
    types::{AMQPValue, FieldTable, LongString},
};
use reqwest::Method;
use serde_json::{Value, json};

const KEY: &str = "booking.submit.v1";

/// What a hostile client tries, each on a channel of its own: a refusal closes it.
struct Intruder<'a> {
    connection: &'a Connection,
}

impl Intruder<'_> {
    async fn declare(&self, queue: &str, arguments: FieldTable) -> Result<(), Refusal> {
        let channel = self.connection.create_channel().await?;
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(queue.into(), options, arguments)
            .await?;
        Ok(())
    }

    async fn declare_exchange(&self, exchange: &str) -> Result<(), Refusal> {
        let channel = self.connection.create_channel().await?;
        let options = ExchangeDeclareOptions::default();
        channel
            .exchange_declare(
                exchange.into(),
                ExchangeKind::Topic,
                options,
                FieldTable::default(),
            )
            .await?;
        Ok(())
    }

    async fn bind(&self, queue: &str, exchange: &str) -> Result<(), Refusal> {
        let channel = self.connection.create_channel().await?;
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel
            .queue_bind(queue.into(), exchange.into(), "#".into(), options, none)
            .await?;
        Ok(())
    }

    async fn unbind(&self, queue: &str, exchange: &str) -> Result<(), Refusal> {
        let channel = self.connection.create_channel().await?;
        let none = FieldTable::default();
        channel
            .queue_unbind(queue.into(), exchange.into(), "#".into(), none)
            .await?;
        Ok(())
    }

    async fn bind_exchange(&self, destination: &str, source: &str) -> Result<(), Refusal> {
        let channel = self.connection.create_channel().await?;
        let (options, none) = (ExchangeBindOptions::default(), FieldTable::default());
        channel
            .exchange_bind(destination.into(), source.into(), "#".into(), options, none)
            .await?;
        Ok(())
    }

    async fn consume(&self, queue: &str) -> Result<(), Refusal> {
        let channel = self.connection.create_channel().await?;
        let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
        channel
            .basic_consume(queue.into(), "".into(), options, none)
            .await?;
        channel.close(200, "done".into()).await?;
        Ok(())
    }

    async fn get(&self, queue: &str) -> Result<(), Refusal> {
        let channel = self.connection.create_channel().await?;
        channel
            .basic_get(queue.into(), BasicGetOptions::default())
            .await?;
        channel.close(200, "done".into()).await?;
        Ok(())
    }

    async fn delete(&self, queue: &str) -> Result<(), Refusal> {
        let channel = self.connection.create_channel().await?;
        channel
            .queue_delete(queue.into(), QueueDeleteOptions::default())
            .await?;
        Ok(())
    }

    async fn purge(&self, queue: &str) -> Result<(), Refusal> {
        let channel = self.connection.create_channel().await?;
        channel
            .queue_purge(queue.into(), QueuePurgeOptions::default())
            .await?;
        Ok(())
    }

    async fn publish(
        &self,
        exchange: &str,
        key: &str,
        properties: BasicProperties,
    ) -> Result<bool, Refusal> {
        let channel = self.connection.create_channel().await?;
        send(&channel, exchange, key, properties, b"{}").await
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

/// Two partners whose ids begin alike, the first of them hostile.
async fn neighbours(world: &World) -> (PartnerUser, PartnerUser) {
    let id = world.partner_id("acme");
    let acme = world.add_partner(&id, json!({})).await;
    let other = world.add_partner(&format!("{id}-2"), json!({})).await;
    (acme, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_reaches_its_own_names_and_nothing_else() {
    let world = World::setup().start().await;
    let (acme, other) = neighbours(&world).await;
    let connection = acme.connect().await.unwrap();
    let try_to = Intruder {
        connection: &connection,
    };
    let none = FieldTable::default;

    // The good calls.
    let own = acme.name("out.mine");
    try_to.declare(&own, none()).await.unwrap();
    try_to.bind(&own, &acme.name("out")).await.unwrap();
    try_to.consume(&own).await.unwrap();
    try_to.consume(&acme.name("out.all")).await.unwrap();
    let sent = acme.publish(&connection, &acme.name("in"), KEY).await;
    assert_eq!(sent, Ok(true));
    try_to.delete(&own).await.unwrap();
    try_to.declare(&own, none()).await.unwrap();

    // Another vhost: the house's own, and the one that exists everywhere.
    let refusal = acme.connect_to(world.vhost_name()).await.err().unwrap();
    assert_eq!(refusal.code, 530, "{refusal:?}");
    assert!(refusal.text.contains("refused"), "{refusal:?}");
    let refusal = acme.connect_to("%2F").await.err().unwrap();
    assert_eq!(refusal.code, 530, "{refusal:?}");
    // The management API is not for partners.
    let url = format!("{}/api/queues", world.management_url());
    let mut url = reqwest::Url::parse(&url).unwrap();
    url.set_username(&acme.user).unwrap();
    url.set_password(Some(&acme.password)).unwrap();
    assert_eq!(reqwest::get(url).await.unwrap().status(), 401);

    // The neighbour, whose id begins as ours.
    for queue in ["in.all", "out.all"].map(|rest| other.name(rest)) {
        for refusal in [
            try_to.consume(&queue).await,
            try_to.get(&queue).await,
            try_to.delete(&queue).await,
            try_to.purge(&queue).await,
            try_to.bind(&queue, &acme.name("out")).await,
            try_to.declare(&queue, none()).await,
        ] {
            refusal.unwrap_err().is_access_to(&queue);
        }
    }
    let refused = try_to.declare(&other.name("out.spy"), none()).await;
    refused.unwrap_err().is_access_to(&other.name("out.spy"));
    let refused = try_to.bind(&own, &other.name("out")).await;
    refused.unwrap_err().is_access_to(&other.name("out"));
    for exchange in ["in", "out"].map(|rest| other.name(rest)) {
        let refused = try_to.publish(&exchange, KEY, acme.properties()).await;
        refused.unwrap_err().is_access_to(&exchange);
    }

    // Our own names that are not ours to change.
    let inbox = acme.name("in.all");
    for refusal in [
        try_to.consume(&inbox).await,
        try_to.get(&inbox).await,
        try_to.delete(&inbox).await,
        try_to.purge(&inbox).await,
        try_to.bind(&inbox, &acme.name("out")).await,
        try_to.unbind(&inbox, &acme.name("in")).await,
    ] {
        refusal.unwrap_err().is_access_to(&inbox);
    }
    let outbox = acme.name("out.all");
    for refusal in [
        try_to.delete(&outbox).await,
        try_to.bind(&outbox, &acme.name("out")).await,
        try_to.unbind(&outbox, &acme.name("out")).await,
        try_to.declare(&outbox, none()).await,
    ] {
        refusal.unwrap_err().is_access_to(&outbox);
    }
    let refused = try_to.bind(&own, &acme.name("in")).await;
    refused.unwrap_err().is_access_to(&acme.name("in"));
    let refused = try_to
        .publish(&acme.name("out"), "reply.x", acme.properties())
        .await;
    refused.unwrap_err().is_access_to(&acme.name("out"));

    // Names outside all prefixes, the broker's own exchanges, the way past every exchange.
    for queue in ["mine", "partner.out.x", "amq.gen-x", broker::DEAD] {
        let refused = try_to.declare(queue, none()).await;
        assert_eq!(refused.unwrap_err().code, 403, "{queue}");
    }
    for exchange in [acme.name("in.ex"), acme.name("ex"), "mine".to_owned()] {
        let refused = try_to.declare_exchange(&exchange).await;
        refused.unwrap_err().is_access_to(&exchange);
    }
    for exchange in ["amq.topic", "amq.direct", "amq.fanout", broker::DEAD] {
        let refused = try_to.publish(exchange, KEY, acme.properties()).await;
        assert_eq!(refused.unwrap_err().code, 403, "{exchange}");
        let refused = try_to.bind(&own, exchange).await;
        refused.unwrap_err().is_access_to(exchange);
    }
    for queue in [
        other.name("in.all"),
        other.name("out.all"),
        inbox.clone(),
        own.clone(),
    ] {
        let refused = try_to.publish("", &queue, acme.properties()).await;
        refused.unwrap_err().is_access_to("amq.default");
    }

    // Sideways: dead letters, and an exchange behind another.
    for exchange in [other.name("in"), other.name("out"), broker::DEAD.to_owned()] {
        let mut arguments = FieldTable::default();
        arguments.insert("x-dead-letter-exchange".into(), text(&exchange));
        let refused = try_to.declare(&acme.name("out.dead"), arguments).await;
        refused.unwrap_err().is_access_to(&exchange);
        let refused = try_to.bind_exchange(&exchange, &acme.name("out")).await;
        refused.unwrap_err().is_access_to(&exchange);
    }

    // Keys that are no kinds of a partner's.
    for key in [
        "reply.booking.submit.v1.accepted",
        "payment.capture.v1",
        "booking",
        "booking.submit.v1.x",
        "#",
        "",
    ] {
        let refused = try_to
            .publish(&acme.name("in"), key, acme.properties())
            .await;
        let refusal = refused.unwrap_err();
        assert_eq!(refusal.code, 403, "{key:?}: {refusal:?}");
    }

    // Under another's name. A message without one is the gate's to refuse.
    for name in [other.user.as_str(), "boxoffice", "guest"] {
        let forged = acme.properties().with_user_id(name.into());
        let refusal = try_to.publish(&acme.name("in"), KEY, forged).await;
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.code, 406, "{refusal:?}");
        assert!(refusal.text.contains("user_id"), "{refusal:?}");
    }

    // After all that the good calls are good, here and next door.
    let sent = acme.publish(&connection, &acme.name("in"), KEY).await;
    assert_eq!(sent, Ok(true));
    let next_door = other.connect().await.unwrap();
    let sent = other.publish(&next_door, &other.name("in"), KEY).await;
    assert_eq!(sent, Ok(true));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_channels_and_sizes_end_where_they_should() {
    let world = World::setup().start().await;
    let limits = json!({"connections_max": 2, "channels_max": 3});
    let acme = world.add_partner(&world.partner_id("acme"), limits).await;
    let other = world
        .add_partner(&world.partner_id("other"), json!({}))
        .await;
    let mut open = vec![acme.connect().await.unwrap(), acme.connect().await.unwrap()];
    // The broker counts a connection a moment after it let it in.
    let refusal = eventually("no more connections", secs(5), async || {
        match acme.connect().await {
            Err(refusal) => Ok(refusal),
            Ok(one) => Err(one.close(200, "done".into()).await),
        }
    })
    .await;
    assert_eq!(refusal.code, 530, "{refusal:?}");
    assert!(refusal.text.contains("limit"), "{refusal:?}");
    // The others' share is theirs.
    assert!(other.may_connect().await);

    let connection = open.pop().unwrap();
    let mut channels = Vec::new();
    let refusal = eventually("no more channels", secs(5), async || {
        match connection.create_channel().await {
            Ok(channel) if channels.len() < 20 => {
                channels.push(channel);
                Err(channels.len())
            }
            Ok(_) => panic!("20 channels were opened"),
            Err(error) => Ok(Refusal::from(error)),
        }
    })
    .await;
    assert!((3..=4).contains(&channels.len()), "{}", channels.len());
    assert_eq!(refusal.code, 530, "{refusal:?}");
    assert!(refusal.text.contains("limit"), "{refusal:?}");

    let connection = open.pop().unwrap();
    let channel = connection.create_channel().await.unwrap();
    let body = vec![b' '; 1024 * 1024 + 1];
    let refused = send(&channel, &acme.name("in"), KEY, acme.properties(), &body).await;
    let refusal = refused.unwrap_err();
    assert_eq!(refusal.code, 406, "{refusal:?}");
    assert!(refusal.text.contains("size"), "{refusal:?}");
    let sent = acme.publish(&connection, &acme.name("in"), KEY).await;
    assert_eq!(sent, Ok(true));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_passwords_live_during_a_rotation_and_never_three() {
    let world = World::setup().start().await;
    let id = world.partner_id("acme");
    let first = world.add_partner(&id, json!({})).await;
    let connection = first.connect().await.unwrap();

    let rotated = world
        .change_partner(&id, "rotate", json!({"overlap": "4s"}))
        .await;
    assert_eq!(rotated.status, 201);
    let second = world.user_of(&id, &rotated.body["credential"]);
    assert_eq!(
        (first.user.as_str(), second.user.as_str()),
        (format!("{id}.1").as_str(), format!("{id}.2").as_str())
    );
    assert_ne!(first.password, second.password);
    assert!(first.may_connect().await && second.may_connect().await);
    assert!(
        connection.status().connected(),
        "a rotation interrupts nobody"
    );
    let path = format!("/v1/partners/{id}/rotate");
    let third = world.order(&path, &json!({"reason": "again"})).await;
    assert_eq!(
        (third.status.as_u16(), third.code()),
        (409, "credentials_live")
    );

    // The old one ends by itself, its connection with it.
    wait_until("the end of the first password", secs(10), async || {
        !first.may_connect().await
    })
    .await;
    let refusal = first.connect().await.err().unwrap();
    refusal.is_access_to("Login was refused");
    wait_until("the end of its connection", secs(5), async || {
        !connection.status().connected()
    })
    .await;
    assert!(second.may_connect().await);
    let shown = world.partner_applied(&id).await;
    let live = |partner: &Value| -> Vec<bool> {
        let credentials = partner["credentials"].as_array().unwrap();
        credentials.iter().map(|one| one["live"] == true).collect()
    };
    assert_eq!(live(&shown), [false, true]);

    // Now a third may be made; the second is revoked at once instead of waiting.
    let rotated = world.change_partner(&id, "rotate", json!({})).await;
    let third = world.user_of(&id, &rotated.body["credential"]);
    let unknown = world
        .order(
            &format!("/v1/partners/{id}/revoke"),
            &json!({"serial": 9, "reason": "x"}),
        )
        .await;
    assert_eq!(unknown.body["errors"][0]["pointer"], "/serial");
    let connection = second.connect().await.unwrap();
    world
        .change_partner(&id, "revoke", json!({"serial": 2}))
        .await;
    assert!(!second.may_connect().await && third.may_connect().await);
    wait_until(
        "the end of the revoked one's connection",
        secs(5),
        async || !connection.status().connected(),
    )
    .await;

    // No password is anywhere: neither in the view, nor in the rows, nor in the audit.
    let rows = "SELECT CONCAT(password_hash, ' ') FROM partner_credentials \
                UNION ALL SELECT CONCAT(action, ' ', target, ' ', COALESCE(reason, ''), ' ', CAST(detail AS CHAR)) FROM audit";
    let mut kept = boxoffice_integration::books::texts(&world.db, rows).await;
    kept.push(world.partner(&id).await.to_string());
    for one in [&first, &second, &third] {
        assert!(kept.iter().all(|text| !text.contains(&one.password)));
    }
    let audit = kept
        .iter()
        .filter(|text| text.starts_with("partner."))
        .count();
    assert_eq!(audit, 4, "{kept:?}");
    world.finish().await;
}

/// Puts a reply into the partner's queue, as the gate does.
async fn reply(world: &World, partner: &PartnerUser) {
    let gate = world.gate().await;
    let channel = gate.create_channel().await.unwrap();
    let properties = BasicProperties::default().with_delivery_mode(2);
    let sent = send(
        &channel,
        &partner.name("out"),
        "reply.test",
        properties,
        b"{}",
    )
    .await;
    assert_eq!(sent, Ok(true));
    gate.close(200, "done".into()).await.unwrap();
}

/// Messages in a queue; `None` when it isn't there.
async fn length(world: &World, queue: &str) -> Option<u32> {
    let gate = world.gate().await;
    let channel = gate.create_channel().await.unwrap();
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = channel
        .queue_declare(queue.into(), passive, FieldTable::default())
        .await;
    let length = queue.ok().map(|queue| queue.message_count());
    let _ = gate.close(200, "done".into()).await;
    length
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_partner_reads_on_and_a_removed_one_is_gone() {
    let world = World::setup().start().await;
    let id = world.partner_id("acme");
    let acme = world.add_partner(&id, json!({})).await;
    let (inbox, outbox) = (acme.name("in"), acme.name("out.all"));
    let before = acme.connect().await.unwrap();
    assert_eq!(acme.publish(&before, &inbox, KEY).await, Ok(true));

    world.change_partner(&id, "suspend", json!({})).await;
    wait_until("the end of its connection", secs(5), async || {
        !before.status().connected()
    })
    .await;
    reply(&world, &acme).await;
    let connection = acme.connect().await.unwrap();
    let try_to = Intruder {
        connection: &connection,
    };
    let refused = acme.publish(&connection, &inbox, KEY).await;
    refused.unwrap_err().is_access_to(&inbox);
    let refused = try_to
        .declare(&acme.name("out.mine"), FieldTable::default())
        .await;
    refused.unwrap_err().is_access_to(&acme.name("out.mine"));
    let channel = connection.create_channel().await.unwrap();
    let read = channel
        .basic_get(outbox.as_str().into(), BasicGetOptions::default())
        .await
        .unwrap();
    assert!(read.is_some(), "what is there may be read");
    drop(channel);

    // Said twice it is one deed; and back.
    let version = world.partner(&id).await["version"].clone();
    let again = world.change_partner(&id, "suspend", json!({})).await;
    assert_eq!(again.body["version"], version);
    world.change_partner(&id, "resume", json!({})).await;
    let connection = acme.connect().await.unwrap();
    assert_eq!(acme.publish(&connection, &inbox, KEY).await, Ok(true));

    // Removed: gone at once, but nothing that is unread.
    reply(&world, &acme).await;
    world.change_partner(&id, "remove", json!({})).await;
    assert!(!acme.may_connect().await);
    wait_until("the end of its connection", secs(5), async || {
        !connection.status().connected()
    })
    .await;
    assert!(
        length(&world, &outbox).await.unwrap() > 0,
        "unread, so kept"
    );
    for (path, body) in [
        ("rotate", json!({"reason": "x"})),
        ("resume", json!({"reason": "x"})),
        ("limits", json!({"reason": "x", "burst": 1})),
    ] {
        let answer = world
            .order(&format!("/v1/partners/{id}/{path}"), &body)
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (409, "partner_removed"),
            "{path}"
        );
    }
    let taken = json!({"id": id, "name": "Another", "reason": "x"});
    assert_eq!(
        world.order("/v1/partners", &taken).await.code(),
        "partner_exists"
    );

    world
        .change_partner(&id, "remove", json!({"discard_unread": true}))
        .await;
    assert_eq!(length(&world, &outbox).await, None);
    assert_eq!(length(&world, &acme.name("in.all")).await, None);
    let left = world
        .manage(
            Method::GET,
            &format!("/api/exchanges/{}?columns=name", world.partners_vhost()),
            "",
        )
        .await;
    assert!(!left.contains(&id), "{left}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_at_the_broker_is_mended() {
    let world = World::setup()
        .setting("BOXOFFICE__PARTNERS__CHECK_SECS", "1")
        .start()
        .await;
    let id = world.partner_id("acme");
    let acme = world
        .add_partner(&id, json!({"queue_length_max": 77}))
        .await;
    let (v, user) = (world.partners_vhost(), &acme.user);
    let look = async |path: &str| -> Value {
        let text = world.manage(Method::GET, path, "").await;
        serde_json::from_str(&text).unwrap()
    };
    let permissions = format!("/api/permissions/{v}/{user}");
    let topics = format!("/api/topic-permissions/{v}/{user}");
    let policy = format!("/api/policies/{v}/partner.{id}.in");
    let limits = format!("/api/user-limits/{user}");
    let bindings = format!("/api/queues/{v}/{}/bindings", acme.name("in.all"));
    let account = format!("/api/users/{user}");
    let paths = [
        permissions.as_str(),
        &topics,
        &policy,
        &limits,
        &bindings,
        &account,
    ];
    let mut ordered = Vec::new();
    for path in paths {
        ordered.push(look(path).await);
    }
    assert_eq!(ordered[2]["definition"]["max-length"], 77);
    assert_eq!(ordered[2]["definition"]["overflow"], "reject-publish");

    // A person, in a hurry.
    let all = r#"{"configure":".*","write":".*","read":".*"}"#;
    world.manage(Method::PUT, &permissions, all).await;
    world.manage(Method::DELETE, &topics, "").await;
    let short = r#"{"pattern":".*","definition":{"max-length":1,"overflow":"drop-head"},"apply-to":"queues"}"#;
    world.manage(Method::PUT, &policy, short).await;
    world
        .manage(Method::DELETE, &format!("{limits}/max-channels"), "")
        .await;
    let binding = format!(
        "/api/bindings/{v}/e/{}/q/{}",
        acme.name("in"),
        acme.name("in.all")
    );
    world
        .manage(Method::DELETE, &format!("{binding}/booking.%23"), "")
        .await;
    world
        .manage(
            Method::PUT,
            &account,
            r#"{"password":"x","tags":"administrator"}"#,
        )
        .await;
    let house = format!("/api/permissions/{}/{user}", world.vhost_name());
    world.manage(Method::PUT, &house, all).await;
    eventually("everything as ordered", secs(20), async || {
        for (path, wanted) in paths.iter().zip(&ordered) {
            let seen = look(path).await;
            if seen != *wanted {
                return Err(format!("{path}: {seen}"));
            }
        }
        match world.manage(Method::GET, &house, "").await {
            answer if answer.contains("configure") => Err("rights in the house's vhost".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    assert_eq!(
        acme.connect_to(world.vhost_name())
            .await
            .err()
            .unwrap()
            .code,
        530
    );

    // Who may publish to an exchange may bind it behind another: that leads replies back in, and is undone.
    let connection = acme.connect().await.unwrap();
    let try_to = Intruder {
        connection: &connection,
    };
    try_to
        .bind_exchange(&acme.name("in"), &acme.name("out"))
        .await
        .unwrap();
    // And who may declare queues below `out` may declare exchanges of such names: they stand a moment.
    let mine = acme.name("out.ex");
    try_to.declare_exchange(&mine).await.unwrap();
    let sources = format!(
        "/api/exchanges/{v}/{}/bindings/destination",
        acme.name("in")
    );
    wait_until("no way from out to in", secs(10), async || {
        look(&sources).await == json!([])
    })
    .await;
    let exchanges = format!("/api/exchanges/{v}?columns=name");
    wait_until("no exchange of its own", secs(10), async || {
        !world
            .manage(Method::GET, &exchanges, "")
            .await
            .contains(&mine)
    })
    .await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_refused_and_nothing_that_was_taken_is_lost() {
    // Nobody reads what comes in: the gate is in `rest`, which is stopped.
    let mut world = World::setup()
        .roles(Roles::Apart(&[&["partners"]]))
        .start()
        .await;
    let id = world.partner_id("acme");
    let acme = world
        .add_partner(&id, json!({"queue_length_max": 20}))
        .await;
    world.process("rest").stop().await;
    let connection = acme.connect().await.unwrap();
    let mut taken = 0;
    let full = eventually("a full queue", secs(10), async || {
        match acme.publish(&connection, &acme.name("in"), KEY).await {
            Ok(true) => {
                taken += 1;
                Err(taken)
            }
            Ok(false) => Ok(()),
            Err(refusal) => panic!("{refusal:?}"),
        }
    });
    full.await;
    // The bound of a quorum queue is not exact.
    assert!((20..60).contains(&taken), "{taken}");
    assert_eq!(length(&world, &acme.name("in.all")).await, Some(taken));

    world
        .change_partner(&id, "limits", json!({"queue_length_max": 1000}))
        .await;
    assert!(
        connection.status().connected(),
        "another bound interrupts nobody"
    );
    wait_until("room again", secs(10), async || {
        acme.publish(&connection, &acme.name("in"), KEY).await == Ok(true)
    })
    .await;
    let partner: PartnerId = id.parse().unwrap();
    assert_eq!(
        length(&world, &broker::queue_in(&partner)).await,
        Some(taken + 1)
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_a_password_once_and_ends_with_what_the_broker_has() {
    let mut world = World::setup().start().await;
    let id = world.partner_id("acme");
    let venue = "no-such-venue";
    let mut run = |arguments: &[&str]| {
        let output = world
            .process("all")
            .command(&[&["partner"], arguments].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        (code, text(output.stdout), text(output.stderr))
    };
    let why = ["--reason", "a test", "--as", "grace"];
    let add = [&["add", &id, "--name", "Acme"], why.as_slice()].concat();

    let (code, _, said) = run(&[add.as_slice(), &["--venue", venue]].concat());
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("/venues/0: is the slug of no venue"),
        "{said}"
    );
    let (code, page, said) = run(&add);
    assert_eq!(code, 0, "{said}");
    let line = |name: &str| {
        let line = page.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name}: {page}"));
        line[name.len()..].trim().to_owned()
    };
    assert_eq!(line("publish to"), format!("partner.{id}.in"));
    assert_eq!(line("consume"), format!("partner.{id}.out.all"));
    let password = line("password");
    let (code, _, said) = run(&add);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("partner_exists"), "{said}");
    assert_eq!(run(&["show", "nobody"]).0, 4);

    let rotate = [
        &["rotate", &id, "--overlap", "1h", "--format", "json"],
        why.as_slice(),
    ]
    .concat();
    let (code, json, said) = run(&rotate);
    assert_eq!(code, 0, "{said}");
    let rotated: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rotated["partner"]["applied"], true);
    let (_, list, _) = run(&["list"]);
    assert!(list.contains(&id) && list.contains("as ordered"), "{list}");
    let (_, shown, _) = run(&["show", &id]);
    assert!(shown.contains("live until"), "{shown}");
    let (code, _, said) = run(&[&["suspend", &id], why.as_slice()].concat());
    assert_eq!(code, 0, "{said}");

    let second = world.user_of(&id, &rotated["credential"]);
    let first = json!({"user": format!("{id}.1"), "password": password});
    let first = world.user_of(&id, &first);
    for user in [&first, &second] {
        let connection = user.connect().await.unwrap();
        let refused = user.publish(&connection, &user.name("in"), KEY).await;
        refused.unwrap_err().is_access_to(&user.name("in"));
    }
    let deeds = "SELECT CONCAT(subject, ' ', role, ' ', action) FROM audit ORDER BY id";
    let deeds = boxoffice_integration::books::texts(&world.db, deeds).await;
    let wanted = ["partner.add", "partner.rotate", "partner.suspend"];
    assert_eq!(deeds, wanted.map(|deed| format!("grace admin {deed}")));
    let doctor = world.process("all").command(&["doctor"]);
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(said.contains("fine    partners: the vhost"), "{said}");
    world.finish().await;
}
