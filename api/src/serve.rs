//! The connections: how many, how large their heads, how long they may be silent.

mod heads;

use axum::{Router, body::Body, extract::ConnectInfo};
use heads::Heads;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioTimer, server::graceful::GracefulShutdown};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use url::Url;

/// What a client may cost before it has asked for anything.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionConfig {
    /// Open at once; one more waits to be accepted.
    pub open_max: usize,
    /// Request line and headers together; a larger head is answered 431.
    pub head_bytes_max: usize,
    /// Header lines of a request.
    pub headers_max: usize,
    /// For the head of a request, the pause before it included: who is silent for longer is hung up on.
    pub head_timeout_ms: u64,
}

/// The HTTP library needs so much.
pub(crate) const HEAD_BYTES_MIN: usize = 8 * 1024;
/// When the process has no file handles left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            open_max: 12_000,
            head_bytes_max: 16 * 1024,
            headers_max: 64,
            head_timeout_ms: 30_000,
        }
    }
}

/// Serves until told to stop; then ends idle connections, and the others when their answer is out.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    config: ConnectionConfig,
    public_url: Url,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(config.open_max));
    let graceful = GracefulShutdown::new();
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.head_timeout_ms))
        .max_buf_size(config.head_bytes_max)
        .max_headers(config.headers_max);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small answers must not wait for company.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let connection = graceful.watch(connection(
            &protocol,
            Heads::new(stream, public_url.clone()),
            peer,
            routes.clone(),
        ));
        tokio::spawn(async move {
            let _place = place;
            // Who breaks off or sends rubbish ends only this.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

fn connection(
    protocol: &http1::Builder,
    stream: Heads,
    peer: SocketAddr,
    routes: Router,
) -> http1::Connection<
    Heads,
    impl hyper::service::Service<
        Request<Incoming>,
        Response = axum::response::Response,
        Error = std::convert::Infallible,
        Future: Send,
    > + Send
    + use<>,
> {
    let answer = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.clone().oneshot(request)
    });
    protocol.serve_connection(stream, answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    struct Server {
        address: SocketAddr,
        stop: CancellationToken,
        running: tokio::task::JoinHandle<()>,
    }

    async fn server(config: ConnectionConfig) -> Server {
        let routes = Router::new()
            .route(
                "/",
                get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string()),
            )
            .route(
                "/slow",
                get(async || {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    "done"
                }),
            );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let url = Url::parse("https://tickets.example").unwrap();
        let running = tokio::spawn(serve(listener, routes, config, url, stop.clone()));
        Server {
            address,
            stop,
            running,
        }
    }

    /// Everything until the server hangs up.
    async fn send(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let reading = stream.read_to_string(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(5), reading)
            .await
            .expect("the server hangs up");
        answer
    }

    const CLOSE: &str = "host: x\r\nconnection: close\r\n";

    #[tokio::test]
    async fn a_head_has_a_size_a_number_of_lines_and_a_time() {
        let server = server(ConnectionConfig {
            head_timeout_ms: 200,
            head_bytes_max: HEAD_BYTES_MIN,
            headers_max: 8,
            ..ConnectionConfig::default()
        })
        .await;
        let get = format!("GET / HTTP/1.1\r\n{CLOSE}");
        let fine = send(server.address, &format!("{get}\r\n")).await;
        assert!(
            fine.starts_with("HTTP/1.1 200") && fine.ends_with("127.0.0.1"),
            "{fine}"
        );
        let large = format!("{get}x-large: {}\r\n\r\n", "x".repeat(20_000));
        let answer = send(server.address, &large).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        let many = format!("{get}{}\r\n", "x-many: 1\r\n".repeat(20));
        let answer = send(server.address, &many).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        // Whatever is refused here says why as everything else does.
        let long = format!("GET /{} HTTP/1.1\r\n{CLOSE}\r\n", "x".repeat(70_000));
        for (text, status, code) in [
            (large.as_str(), 431, "head_too_large"),
            (many.as_str(), 431, "head_too_large"),
            ("GET / HTTP/9.9\r\n\r\n", 400, "head_malformed"),
            ("rubbish\r\n\r\n", 400, "head_malformed"),
            (long.as_str(), 431, "head_too_large"),
        ] {
            let answer = send(server.address, text).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            assert!(
                head.contains("content-type: application/problem+json"),
                "{head}"
            );
            assert!(
                head.contains("connection: close") && head.contains("x-request-id: "),
                "{head}"
            );
            assert!(
                head.contains(&format!("content-length: {}", body.len())),
                "{head}"
            );
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["code"], code, "{body}");
            assert_eq!(body["status"], status, "{body}");
        }
        // Never finished: hung up on, at the latest after the time.
        let answer = send(server.address, &get).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
        server.stop.cancel();
        server.running.await.unwrap();
    }

    #[tokio::test]
    async fn one_connection_more_waits_and_an_answer_in_work_is_finished_at_the_end() {
        let server = server(ConnectionConfig {
            open_max: 1,
            ..ConnectionConfig::default()
        })
        .await;
        let slow = tokio::spawn(send(
            server.address,
            "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n",
        ));
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut second = TcpStream::connect(server.address).await.unwrap();
        second
            .write_all(format!("GET / HTTP/1.1\r\n{CLOSE}\r\n").as_bytes())
            .await
            .unwrap();
        let mut byte = [0];
        let early = tokio::time::timeout(Duration::from_millis(100), second.read(&mut byte)).await;
        assert!(early.is_err(), "the second is not served beside the first");
        server.stop.cancel();
        assert!(slow.await.unwrap().ends_with("done"));
        server.running.await.unwrap();
    }
}
