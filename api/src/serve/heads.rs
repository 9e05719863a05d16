//! Heads of requests that the HTTP library refuses by itself.
//!
//! hyper answers what it can't parse before any service of ours is asked, with an empty body and without a hook. Its
//! answer passes through here on its way out, is recognised, and leaves as the problem document that every other
//! refusal is. An answer of ours carries `x-request-id`, so it is never taken for one of these. Where earlier answers
//! of the connection are still being written, hyper's own leaves as it is: an empty body with the right status.

use crate::{Problem, bookings::put, layers::REQUEST_ID};
use axum::http::header;
use boxoffice_contracts::Code;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::net::TcpStream;
use url::Url;

/// A connection on which the library's own refusals leave as ours.
pub(super) struct Heads {
    stream: TokioIo<TcpStream>,
    public_url: Url,
    /// What goes out in place of what the library wrote.
    instead: Vec<u8>,
    gone: usize,
}

impl Heads {
    pub(super) fn new(stream: TcpStream, public_url: Url) -> Self {
        Self {
            stream: TokioIo::new(stream),
            public_url,
            instead: Vec::new(),
            gone: 0,
        }
    }

    /// Writes what is due instead.
    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.gone < self.instead.len() {
            let rest = &self.instead[self.gone..];
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.gone += written,
            }
        }
        self.instead.clear();
        self.gone = 0;
        Poll::Ready(Ok(()))
    }

    /// Whether the library refuses; then its answer counts as written.
    fn takes(&mut self, written: &[u8]) -> bool {
        match refusal(written) {
            Some(code) => {
                self.instead = answer(code, &self.public_url);
                true
            }
            None => false,
        }
    }
}

/// The code of an answer that the library made up itself.
fn refusal(written: &[u8]) -> Option<Code> {
    let code = match written.get(..12)?.strip_prefix(b"HTTP/1.")?.get(2..)? {
        b"400" => Code::HeadMalformed,
        b"414" => Code::UriTooLong,
        b"431" => Code::HeadTooLarge,
        _ => return None,
    };
    let head = std::str::from_utf8(written.strip_suffix(b"\r\n\r\n")?).ok()?;
    let has = |name: &str| {
        let names = head.lines().filter_map(|line| line.split_once(':'));
        names
            .into_iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    (!has(REQUEST_ID.as_str()) && !has(header::CONTENT_TYPE.as_str())).then_some(code)
}

/// The whole answer as it goes over the wire. The path is not known: what was sent is no request.
fn answer(code: Code, public_url: &Url) -> Vec<u8> {
    let trace = uuid::Uuid::new_v4().simple().to_string();
    tracing::info!(
        http.status = code.http_status(),
        trace.id = trace,
        "the head of a request was refused"
    );
    let problem = Problem::new(code);
    let body = problem.body(public_url, "/", &trace);
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = problem.render(public_url, "/", &trace);
    put(&mut response, REQUEST_ID, &trace);
    put(&mut response, header::CONNECTION, "close");
    put(&mut response, header::CACHE_CONTROL, "no-store");
    put(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(
        &mut response,
        header::CONTENT_LENGTH,
        &body.len().to_string(),
    );
    let mut wire = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        wire.extend_from_slice(name.as_str().as_bytes());
        wire.extend_from_slice(b": ");
        wire.extend_from_slice(value.as_bytes());
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"\r\n");
    wire.extend_from_slice(&body);
    wire
}

impl Read for Heads {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Heads {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(context))?;
        if self.takes(buffer) {
            return Poll::Ready(Ok(buffer.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(context))?;
        if let [first] = buffers
            && self.takes(first)
        {
            return Poll::Ready(Ok(first.len()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_library_made_up_is_taken_for_it() {
        let own = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(refusal(own), Some(Code::HeadTooLarge));
        let old = b"HTTP/1.0 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(refusal(old), Some(Code::HeadMalformed));
        for ours in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\nX-Request-Id: 7\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno",
            b"HTTP/1.1 400",
            b"400",
            b"",
        ] {
            assert_eq!(refusal(ours), None, "{}", ours.escape_ascii());
        }
    }
}
