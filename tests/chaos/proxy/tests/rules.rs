//! What happens to one message at its point, over the loopback.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

mod common;

use boxoffice_fault_proxy::{Act, Point, Rule};
use common::{Pair, got_reset, millis, nothing_comes, read, wait};
use std::time::Instant;
use tokio::{io::AsyncWriteExt, time::sleep};

const GREETING: &[u8] = b"AMQP\x00\x00\x09\x01";
const PUBLISH: u8 = 40;
const ACK: u8 = 80;

fn frame(kind: u8, channel: u8, payload: &[u8]) -> Vec<u8> {
    let size = u8::try_from(payload.len()).unwrap();
    [&[kind, 0, channel, 0, 0, 0, size], payload, &[0xce]].concat()
}

/// A method of class `basic`.
fn basic(channel: u8, method: u8) -> Vec<u8> {
    frame(1, channel, &[0, 60, 0, method, 1, 2, 3])
}

fn publish(channel: u8, body: &[u8]) -> Vec<u8> {
    [
        basic(channel, PUBLISH),
        frame(2, channel, b"header"),
        frame(3, channel, body),
    ]
    .concat()
}

/// The packets of a client of MySQL after its login.
fn query(text: &str) -> Vec<u8> {
    [
        &[u8::try_from(text.len()).unwrap() + 1, 0, 0, 0, 3],
        text.as_bytes(),
    ]
    .concat()
}

const LOGIN: &[u8] = &[2, 0, 0, 1, 0, 0];

async fn amqp() -> Pair {
    let mut pair = Pair::new().await;
    pair.client.write_all(GREETING).await.unwrap();
    read(&mut pair.server, 8).await;
    pair
}

async fn send(pair: &mut Pair, bytes: &[u8]) {
    pair.client.write_all(bytes).await.unwrap();
    assert_eq!(read(&mut pair.server, bytes.len()).await, bytes);
}

fn once(at: Point, act: Act) -> Rule {
    Rule { at, act, times: 1 }
}

#[tokio::test]
async fn a_confirm_is_dropped_and_the_publish_arrives() {
    let mut pair = amqp().await;
    let id = pair.proxy.arm(once(Point::AmqpConfirm, Act::Drop));
    send(&mut pair, &publish(1, b"order")).await;
    pair.server.write_all(&basic(1, ACK)).await.unwrap();
    nothing_comes(&mut pair.client).await;
    // The next one is as always: the rule is spent.
    pair.server.write_all(&basic(2, ACK)).await.unwrap();
    assert_eq!(
        read(&mut pair.client, basic(2, ACK).len()).await,
        basic(2, ACK)
    );
    let seen = pair.proxy.seen();
    assert_eq!(
        (
            pair.proxy.hits(id),
            seen.hits,
            seen.cut,
            seen.bytes_swallowed
        ),
        (1, 1, 0, basic(1, ACK).len() as u64)
    );
}

/// The content goes with its method, and other channels between are left alone.
#[tokio::test]
async fn a_publish_is_dropped_with_its_content() {
    let mut pair = amqp().await;
    pair.proxy.arm(once(Point::AmqpPublish, Act::Drop));
    let (method, content) = (
        basic(1, PUBLISH),
        [
            frame(2, 1, b"header"),
            frame(3, 1, b"part"),
            frame(3, 1, b"part"),
        ]
        .concat(),
    );
    let other = publish(2, b"other");
    let next = publish(1, b"next");
    for part in [&method, &other, &content, &next] {
        pair.client.write_all(part).await.unwrap();
    }
    let expected = [other, next].concat();
    assert_eq!(read(&mut pair.server, expected.len()).await, expected);
    assert_eq!(
        pair.proxy.seen().bytes_swallowed,
        (method.len() + content.len()) as u64
    );
}

#[tokio::test]
async fn a_message_is_held_and_so_is_what_follows() {
    let mut pair = amqp().await;
    pair.proxy
        .arm(once(Point::AmqpPublish, Act::Hold(millis(300))));
    let begun = Instant::now();
    let both = [publish(1, b"held"), basic(2, ACK)].concat();
    send(&mut pair, &both).await;
    assert!(begun.elapsed() >= millis(300), "{:?}", begun.elapsed());
    let begun = Instant::now();
    send(&mut pair, &publish(1, b"not held")).await;
    assert!(begun.elapsed() < millis(250), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_commit_arrives_and_nobody_learns_of_it() {
    let mut pair = Pair::new().await;
    // As the server does: it speaks first.
    pair.server
        .write_all(b"\x03\x00\x00\x00\x0a10")
        .await
        .unwrap();
    read(&mut pair.client, 7).await;
    send(&mut pair, LOGIN).await;
    let id = pair.proxy.arm(Rule {
        at: Point::MysqlCommit,
        act: Act::LoseAnswer,
        times: 2,
    });
    send(&mut pair, &query("BEGIN")).await;
    pair.server.write_all(b"begun").await.unwrap();
    read(&mut pair.client, 5).await;
    send(&mut pair, &query("COMMIT")).await;
    // It stands until the answer would have come.
    sleep(millis(50)).await;
    assert_eq!(pair.proxy.seen().cut, 0);
    pair.server.write_all(b"ok").await.unwrap();
    got_reset(&mut pair.client).await;
    got_reset(&mut pair.server).await;
    let seen = pair.proxy.seen();
    assert_eq!((seen.cut, seen.hits, seen.bytes_swallowed), (1, 1, 2));
    assert_eq!(pair.proxy.disarm(id), 1);
}

/// What else comes down isn't the answer, and isn't seen either.
#[tokio::test]
async fn the_answer_to_a_publish_is_its_confirm() {
    let mut pair = amqp().await;
    pair.proxy.arm(once(Point::AmqpPublish, Act::LoseAnswer));
    send(&mut pair, &publish(1, b"order")).await;
    pair.server.write_all(&frame(8, 0, b"")).await.unwrap();
    wait("swallowed", || pair.proxy.seen().bytes_swallowed == 8).await;
    nothing_comes(&mut pair.client).await;
    send(&mut pair, &publish(2, b"what follows still arrives")).await;
    pair.server.write_all(&basic(1, ACK)).await.unwrap();
    got_reset(&mut pair.client).await;
}

#[tokio::test]
async fn a_request_is_never_sent_or_its_answer_never_seen() {
    let capture = "POST /v1/payment_intents/pi_1/capture HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
    let mut pair = Pair::new().await;
    pair.proxy
        .arm(once(Point::Http("/capture".to_owned()), Act::Reset));
    send(&mut pair, b"GET /v1/payment_intents/pi_1 HTTP/1.1\r\n\r\n").await;
    pair.client.write_all(capture.as_bytes()).await.unwrap();
    got_reset(&mut pair.server).await;
    got_reset(&mut pair.client).await;

    pair.proxy
        .arm(once(Point::Http("/capture".to_owned()), Act::LoseAnswer));
    (pair.client, pair.server) = pair.another().await;
    send(&mut pair, capture.as_bytes()).await;
    pair.server
        .write_all(b"HTTP/1.1 200 OK\r\n\r\n")
        .await
        .unwrap();
    got_reset(&mut pair.client).await;
    assert_eq!(pair.proxy.seen().cut, 2);
}

#[tokio::test]
async fn what_was_disarmed_does_nothing() {
    let mut pair = amqp().await;
    pair.proxy.arm(once(Point::AmqpPublish, Act::Reset));
    let id = pair.proxy.arm(once(Point::AmqpPublish, Act::Drop));
    pair.proxy.disarm_all();
    send(&mut pair, &publish(1, b"order")).await;
    assert_eq!((pair.proxy.seen().hits, pair.proxy.disarm(id)), (0, 0));
}
