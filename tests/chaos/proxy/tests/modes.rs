//! What a link does as a whole, over the loopback: what each mode promises, seen from both ends.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: what fails here fails the test"
)]

mod common;

use boxoffice_fault_proxy::{Flow, Mode, Proxy};
use common::{Pair, SOON, got_reset, millis, nothing_comes, read, wait};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn everything_flows_and_is_counted() {
    let Pair {
        proxy,
        mut client,
        mut server,
        ..
    } = Pair::new().await;
    client.write_all(b"question").await.unwrap();
    assert_eq!(read(&mut server, 8).await, b"question");
    server.write_all(b"an answer").await.unwrap();
    assert_eq!(read(&mut client, 9).await, b"an answer");
    let seen = proxy.seen();
    assert_eq!(
        (seen.connections, seen.bytes_up, seen.bytes_down, seen.cut),
        (1, 8, 9, 0)
    );
}

#[tokio::test]
async fn what_ends_in_order_ends_in_order() {
    let Pair {
        proxy,
        mut client,
        mut server,
        ..
    } = Pair::new().await;
    client.write_all(b"last words").await.unwrap();
    client.shutdown().await.unwrap();
    let mut words = Vec::new();
    server.read_to_end(&mut words).await.unwrap();
    assert_eq!(words, b"last words");
    // The other half lives on.
    server.write_all(b"heard").await.unwrap();
    drop(server);
    words.clear();
    client.read_to_end(&mut words).await.unwrap();
    assert_eq!((words.as_slice(), proxy.seen().cut), (&b"heard"[..], 0));
}

#[tokio::test]
async fn a_side_that_breaks_breaks_the_other() {
    let Pair {
        proxy,
        client,
        mut server,
        ..
    } = Pair::new().await;
    client.set_zero_linger().unwrap();
    drop(client);
    got_reset(&mut server).await;
    assert_eq!(proxy.seen().cut, 0, "it wasn't the proxy");
}

#[tokio::test]
async fn in_a_black_hole_bytes_are_late_not_lost() {
    for flow in [Flow::Up, Flow::Down, Flow::Both] {
        let Pair {
            proxy,
            mut client,
            mut server,
            ..
        } = Pair::new().await;
        proxy.set(Mode::Blackhole(flow));
        client.write_all(b"upwards").await.unwrap();
        server.write_all(b"down").await.unwrap();
        let (up, down) = (flow.covers(Flow::Up), flow.covers(Flow::Down));
        let expected = 7 * u64::from(up) + 4 * u64::from(down);
        wait("held", || proxy.seen().bytes_held == expected).await;
        if up {
            nothing_comes(&mut server).await;
        } else {
            assert_eq!(read(&mut server, 7).await, b"upwards");
        }
        if down {
            nothing_comes(&mut client).await;
        } else {
            assert_eq!(read(&mut client, 4).await, b"down");
        }
        proxy.set(Mode::Pass);
        if up {
            assert_eq!(read(&mut server, 7).await, b"upwards");
        }
        if down {
            assert_eq!(read(&mut client, 4).await, b"down");
        }
        assert_eq!(proxy.seen().cut, 0);
    }
}

/// The end of a stream is a packet too.
#[tokio::test]
async fn in_a_black_hole_nobody_hears_of_an_end() {
    let Pair {
        proxy,
        client,
        mut server,
        ..
    } = Pair::new().await;
    proxy.set(Mode::Blackhole(Flow::Both));
    drop(client);
    nothing_comes(&mut server).await;
    proxy.set(Mode::Pass);
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_new_connection_waits_in_a_black_hole() {
    let pair = Pair::new().await;
    pair.proxy.set(Mode::Blackhole(Flow::Both));
    let mut client = pair.connect().await;
    client.write_all(b"hello").await.unwrap();
    assert!(
        tokio::time::timeout(millis(100), pair.listener.accept())
            .await
            .is_err()
    );
    pair.proxy.set(Mode::Pass);
    let (mut server, _) = tokio::time::timeout(SOON, pair.listener.accept())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read(&mut server, 5).await, b"hello");
}

#[tokio::test]
async fn delayed_pieces_come_late_and_in_order() {
    let Pair {
        proxy,
        mut client,
        mut server,
        ..
    } = Pair::new().await;
    proxy.set(Mode::Delay {
        flow: Flow::Up,
        delay: millis(200),
        jitter: millis(150),
    });
    let begun = Instant::now();
    for byte in 0..50_u8 {
        client.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let first = read(&mut server, 4).await;
    assert!(begun.elapsed() >= millis(50), "{:?}", begun.elapsed());
    let rest = read(&mut server, 46).await;
    // All are on their way at once: not one delay after the other.
    assert!(begun.elapsed() < millis(2_000), "{:?}", begun.elapsed());
    assert_eq!([first, rest].concat(), (0..50).collect::<Vec<u8>>());
    // The other direction isn't meant.
    let begun = Instant::now();
    server.write_all(b"four").await.unwrap();
    read(&mut client, 4).await;
    assert!(begun.elapsed() < millis(150), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_delay_ends_when_it_is_taken_back() {
    let Pair {
        proxy,
        mut client,
        mut server,
        ..
    } = Pair::new().await;
    proxy.set(Mode::Delay {
        flow: Flow::Both,
        delay: millis(60_000),
        jitter: millis(0),
    });
    client.write_all(b"four").await.unwrap();
    wait("held", || proxy.seen().bytes_held == 4).await;
    proxy.set(Mode::Pass);
    assert_eq!(read(&mut server, 4).await, b"four");
}

#[tokio::test]
async fn a_throttled_link_takes_its_time() {
    let Pair {
        proxy,
        mut client,
        mut server,
        ..
    } = Pair::new().await;
    proxy.set(Mode::Throttle {
        flow: Flow::Down,
        bytes_per_sec: 10_000,
    });
    let begun = Instant::now();
    server.write_all(&[7; 5_000]).await.unwrap();
    assert_eq!(read(&mut client, 5_000).await, [7; 5_000]);
    let took = begun.elapsed();
    assert!(took >= millis(400) && took < millis(3_000), "{took:?}");
    let begun = Instant::now();
    client.write_all(&[7; 5_000]).await.unwrap();
    read(&mut server, 5_000).await;
    assert!(
        begun.elapsed() < millis(300),
        "the other direction: {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_connection_is_cut_after_so_many_bytes() {
    let mut pair = Pair::new().await;
    pair.client.write_all(b"before").await.unwrap();
    assert_eq!(read(&mut pair.server, 6).await, b"before");
    pair.proxy.set(Mode::CutAfter {
        flow: Flow::Up,
        bytes: 3,
    });
    pair.server
        .write_all(b"any number downwards")
        .await
        .unwrap();
    read(&mut pair.client, 20).await;
    pair.client.write_all(b"abcdef").await.unwrap();
    assert_eq!(read(&mut pair.server, 3).await, b"abc");
    got_reset(&mut pair.server).await;
    got_reset(&mut pair.client).await;
    // So is the next one, from its own first byte.
    let (mut client, mut server) = pair.another().await;
    client.write_all(b"abcdef").await.unwrap();
    assert_eq!(read(&mut server, 3).await, b"abc");
    got_reset(&mut server).await;
    assert_eq!(pair.proxy.seen().cut, 2);
}

#[tokio::test]
async fn every_connection_is_reset_and_every_new_one() {
    let mut pair = Pair::new().await;
    pair.proxy.set(Mode::Reset);
    got_reset(&mut pair.client).await;
    got_reset(&mut pair.server).await;
    let mut late = pair.connect().await;
    got_reset(&mut late).await;
    assert_eq!(pair.proxy.seen().cut, 2);
    pair.proxy.set(Mode::Pass);
    let (mut client, mut server) = pair.another().await;
    client.write_all(b"four").await.unwrap();
    read(&mut server, 4).await;
}

#[tokio::test]
async fn however_short_a_reset_is_no_connection_outlives_it() {
    let mut pair = Pair::new().await;
    pair.proxy.set(Mode::Reset);
    pair.proxy.set(Mode::Pass);
    got_reset(&mut pair.client).await;
    assert_eq!(pair.proxy.seen().cut, 1);
}

#[tokio::test]
async fn half_a_connection_ends_and_the_other_half_lives() {
    for (flow, up) in [(Flow::Up, true), (Flow::Down, false)] {
        let Pair {
            proxy,
            mut client,
            mut server,
            ..
        } = Pair::new().await;
        proxy.set(Mode::HalfClose(flow));
        let (ended, living) = if up {
            (&mut server, &mut client)
        } else {
            (&mut client, &mut server)
        };
        assert_eq!(ended.read(&mut [0]).await.unwrap(), 0);
        ended.write_all(b"still here").await.unwrap();
        assert_eq!(read(living, 10).await, b"still here");
        proxy.set(Mode::Pass);
        living.write_all(b"nobody hears").await.unwrap();
        wait("swallowed", || proxy.seen().bytes_swallowed == 12).await;
        ended.shutdown().await.unwrap();
        assert_eq!(living.read(&mut [0]).await.unwrap(), 0);
        living.shutdown().await.unwrap();
        wait("counted once", || proxy.seen().cut == 1).await;
    }
}

#[tokio::test]
async fn a_proxy_that_is_gone_resets_what_it_carried() {
    let Pair {
        proxy,
        mut client,
        mut server,
        listener,
    } = Pair::new().await;
    drop(proxy);
    got_reset(&mut client).await;
    got_reset(&mut server).await;
    // Nobody is behind this one.
    let address = listener.local_addr().unwrap();
    drop(listener);
    let proxy = Proxy::start(address.to_string()).await;
    let mut client = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
    got_reset(&mut client).await;
    assert_eq!(
        proxy.seen().cut,
        0,
        "refused by the server, not by the proxy"
    );
}
