//! HTTP/1.1: the request line of every request of a connection, which is found by the length of the one before.

use super::{NotThis, Parser, Piece, take};
use crate::rules::Point;

/// A head longer than this is none that a server would take.
const HEAD_MAX: usize = 64 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";
const LINE_END: &[u8] = b"\r\n";

#[derive(Debug, Default)]
pub(crate) enum Requests {
    #[default]
    Head,
    /// So many bytes are left of the body, and then another chunk or another request.
    Body { left: usize, chunked: bool },
    /// The size of the next chunk.
    Chunk,
    /// After the last chunk: lines up to an empty one.
    Trailer,
}

impl Parser for Requests {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Piece>, NotThis> {
        match *self {
            Self::Head => self.head(bytes),
            Self::Body {
                left: 0,
                chunked: false,
            } => {
                *self = Self::Head;
                self.head(bytes)
            }
            Self::Body { left, chunked } => {
                // As a whole, so that a body is the same piece however it was read.
                let Some(body) = take(bytes, left) else {
                    return Ok(None);
                };
                *self = if chunked { Self::Chunk } else { Self::Head };
                Ok(Some(Piece::more(body)))
            }
            Self::Chunk => {
                let Some(line) = line(bytes)? else {
                    return Ok(None);
                };
                let size = std::str::from_utf8(&line).ok().and_then(|line| {
                    let size = line.split(';').next()?.trim();
                    usize::from_str_radix(size, 16).ok()
                });
                *self = match size.ok_or(NotThis)? {
                    0 => Self::Trailer,
                    size => Self::Body {
                        left: size + LINE_END.len(),
                        chunked: true,
                    },
                };
                Ok(Some(Piece::more(line)))
            }
            Self::Trailer => {
                let Some(line) = line(bytes)? else {
                    return Ok(None);
                };
                if line == LINE_END {
                    *self = Self::Head;
                }
                Ok(Some(Piece::more(line)))
            }
        }
    }
}

impl Requests {
    fn head(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Piece>, NotThis> {
        // Whoever says something else first waits for an answer to that one line.
        let first = bytes
            .windows(LINE_END.len())
            .position(|window| window == LINE_END);
        if first.is_some_and(|end| !is_request(&bytes[..end])) {
            return Err(NotThis);
        }
        let Some(head) = through(bytes, HEAD_END)? else {
            return Ok(None);
        };
        let (request, chunked, length) = match read(&head) {
            Some(read) => read,
            None => {
                bytes.splice(..0, head);
                return Err(NotThis);
            }
        };
        *self = if chunked {
            Self::Chunk
        } else {
            Self::Body {
                left: length,
                chunked: false,
            }
        };
        Ok(Some(Piece::head(head, Some(Point::Http(request)))))
    }
}

fn is_request(line: &[u8]) -> bool {
    line.windows(8).any(|window| window == b" HTTP/1.")
}

/// `METHOD /path?query`, whether the body comes in chunks, and its length otherwise.
fn read(head: &[u8]) -> Option<(String, bool, usize)> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let (request, _version) = lines.next()?.rsplit_once(' ')?;
    let (mut chunked, mut length) = (false, 0);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding")
            && value.to_ascii_lowercase().contains("chunked");
    }
    Some((request.to_owned(), chunked, length))
}

fn line(bytes: &mut Vec<u8>) -> Result<Option<Vec<u8>>, NotThis> {
    through(bytes, LINE_END)
}

/// Everything up to and with this end.
fn through(bytes: &mut Vec<u8>, end: &[u8]) -> Result<Option<Vec<u8>>, NotThis> {
    match bytes.windows(end.len()).position(|window| window == end) {
        Some(at) => Ok(take(bytes, at + end.len())),
        None if bytes.len() > HEAD_MAX => Err(NotThis),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mode::Flow,
        parse::tests::{cut, cut_anyhow},
    };

    #[test]
    fn every_request_of_a_connection_is_found() {
        let stream = b"POST /v1/payment_intents HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\nPOST / HTTP/1.1\n\
            GET /v1/refunds?limit=3 HTTP/1.1\r\n\r\n\
            POST /v1/pi/capture HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6;x=1\r\nGET /\r\r\n0\r\nA: b\r\n\r\n\
            DELETE /last HTTP/1.1\r\n\r\n";
        let pieces = cut_anyhow(Flow::Up, None, stream);
        let requests: Vec<_> = pieces
            .iter()
            .filter_map(|piece| piece.point.clone())
            .collect();
        let expected = [
            "POST /v1/payment_intents",
            "GET /v1/refunds?limit=3",
            "POST /v1/pi/capture",
            "DELETE /last",
        ];
        assert_eq!(requests, expected.map(|line| Point::Http(line.to_owned())));
        assert_eq!(
            pieces
                .iter()
                .flat_map(|piece| piece.bytes.clone())
                .collect::<Vec<_>>(),
            stream
        );
        assert!(
            pieces
                .iter()
                .all(|piece| piece.head == piece.point.is_some())
        );
    }

    #[test]
    fn mail_is_no_request_and_flows_by() {
        // SMTP begins with a word too, but its lines don't end in an empty one before somebody answers.
        let pieces = cut(Flow::Up, None, &[b"EHLO here\r\n"]);
        assert_eq!(pieces[0].bytes, b"EHLO here\r\n");
        let pieces = cut(Flow::Up, None, &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]);
        assert!(pieces.iter().all(|piece| piece.point.is_none()));
    }
}
