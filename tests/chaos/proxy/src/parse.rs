//! Cutting a stream into messages, however the reads fall.

mod amqp;
mod http;
mod mysql;

use crate::{mode::Flow, rules::Point};
use std::sync::OnceLock;

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Amqp,
    Mysql,
    Http,
    /// No points are known in it.
    Other,
}

impl Protocol {
    /// So many bytes of a client tell. Nobody waits for an answer to fewer.
    const TELLING: usize = 4;

    /// A client of MySQL speaks second: its first packet has the number 1, where the driver of MongoDB has the
    /// highest byte of a length. What begins as a word is HTTP, or SMTP, in whose lines there is no request.
    fn of(first: &[u8]) -> Self {
        match first {
            b"AMQP" => Self::Amqp,
            [.., 1] => Self::Mysql,
            word if word
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || *byte == b' ') =>
            {
                Self::Http
            }
            _ => Self::Other,
        }
    }
}

/// A part of the stream that is forwarded, or not, as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// What begins here, if it is something that rules know.
    pub(crate) point: Option<Point>,
    /// Whether a message begins here; else it goes on, on its channel.
    pub(crate) head: bool,
    pub(crate) channel: u16,
}

impl Piece {
    fn head(bytes: Vec<u8>, point: Option<Point>) -> Self {
        Self {
            bytes,
            point,
            head: true,
            channel: 0,
        }
    }

    fn more(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            point: None,
            head: false,
            channel: 0,
        }
    }
}

/// Takes the next piece off the front of what is there. `Ok(None)`: more is needed; `Err`: this isn't what it was
/// taken for, and flows on uncut.
pub(crate) trait Parser: Send {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Piece>, NotThis>;
}

/// The stream is not of this protocol, or not any more, as when TLS begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotThis;

/// Cuts one direction of a connection.
pub(crate) struct Splitter {
    flow: Flow,
    waiting: Vec<u8>,
    state: State,
}

enum State {
    Unknown,
    Cutting(Box<dyn Parser>),
    Uncut,
}

impl Splitter {
    pub(crate) fn new(flow: Flow) -> Self {
        Self {
            flow,
            waiting: Vec::new(),
            state: State::Unknown,
        }
    }

    /// What is whole by now.
    pub(crate) fn push(&mut self, bytes: &[u8], protocol: &OnceLock<Protocol>) -> Vec<Piece> {
        self.waiting.extend_from_slice(bytes);
        if matches!(self.state, State::Unknown) {
            let known = match self.flow {
                Flow::Up => self
                    .waiting
                    .get(..Protocol::TELLING)
                    .map(|first| *protocol.get_or_init(|| Protocol::of(first))),
                // The server was asked in this protocol, or speaks first.
                _ => protocol.get().copied(),
            };
            let Some(known) = known else {
                return if self.flow == Flow::Up {
                    Vec::new()
                } else {
                    self.uncut()
                };
            };
            self.state = match (known, self.flow) {
                (Protocol::Amqp, flow) => State::Cutting(Box::new(amqp::Frames::new(flow))),
                (Protocol::Mysql, Flow::Up) => State::Cutting(Box::new(mysql::Packets::default())),
                (Protocol::Http, Flow::Up) => State::Cutting(Box::new(http::Requests::default())),
                _ => State::Uncut,
            };
        }
        let mut pieces = Vec::new();
        while let State::Cutting(parser) = &mut self.state {
            match parser.next(&mut self.waiting) {
                Ok(Some(piece)) => pieces.push(piece),
                Ok(None) => return pieces,
                Err(NotThis) => self.state = State::Uncut,
            }
        }
        pieces.extend(self.uncut());
        pieces
    }

    fn uncut(&mut self) -> Vec<Piece> {
        let bytes = self.rest();
        if bytes.is_empty() {
            Vec::new()
        } else {
            vec![Piece::head(bytes, None)]
        }
    }

    /// What was kept back for a whole message that will never be one.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.waiting)
    }
}

/// The first `count` bytes, if they are there.
fn take(bytes: &mut Vec<u8>, count: usize) -> Option<Vec<u8>> {
    (bytes.len() >= count).then(|| bytes.drain(..count).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The pieces of a stream, read in the given parts.
    pub(crate) fn cut(flow: Flow, protocol: Option<Protocol>, parts: &[&[u8]]) -> Vec<Piece> {
        let known = OnceLock::new();
        if let Some(protocol) = protocol {
            known.set(protocol).unwrap();
        }
        let mut splitter = Splitter::new(flow);
        parts
            .iter()
            .flat_map(|part| splitter.push(part, &known))
            .collect()
    }

    /// Cuts the stream whole, at every byte, and byte by byte; the pieces must be the same.
    pub(crate) fn cut_anyhow(flow: Flow, protocol: Option<Protocol>, stream: &[u8]) -> Vec<Piece> {
        let whole = cut(flow, protocol, &[stream]);
        for at in 0..=stream.len() {
            assert_eq!(
                whole,
                cut(flow, protocol, &[&stream[..at], &stream[at..]]),
                "split at {at}"
            );
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(whole, cut(flow, protocol, &bytes), "byte by byte");
        whole
    }

    #[test]
    fn the_first_bytes_tell() {
        assert_eq!(Protocol::of(b"AMQP"), Protocol::Amqp);
        assert_eq!(Protocol::of(&[85, 0, 0, 1]), Protocol::Mysql);
        assert_eq!(Protocol::of(b"POST"), Protocol::Http);
        assert_eq!(Protocol::of(b"GET "), Protocol::Http);
        assert_eq!(Protocol::of(&[60, 1, 0, 0]), Protocol::Other);
    }

    #[test]
    fn what_is_not_known_flows_by() {
        let pieces = cut(Flow::Up, None, &[&[60, 1], &[0, 0, 5], b"rest"]);
        let bytes: Vec<&[u8]> = pieces.iter().map(|piece| piece.bytes.as_slice()).collect();
        assert_eq!(bytes, [&[60, 1, 0, 0, 5][..], b"rest"]);
        // A server that speaks first isn't kept waiting.
        assert_eq!(cut(Flow::Down, None, &[b"2", b"20"]).len(), 2);
    }
}
