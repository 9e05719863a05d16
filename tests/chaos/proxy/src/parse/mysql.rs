//! MySQL's client: packets of `length(3, little-endian) number(1) payload`. A command has the number 0.
//!
//! sqlx sends `BEGIN`, `COMMIT` and `ROLLBACK` as `COM_QUERY` with their text; everything with parameters goes by
//! `COM_STMT_PREPARE` and `COM_STMT_EXECUTE`, of which no point is known.

use super::{NotThis, Parser, Piece, take};
use crate::rules::Point;

const HEAD: usize = 4;
const COM_QUERY: u8 = 3;
/// The client's first packet is this short when it asks for TLS; then comes what nobody can read.
const TLS_REQUEST: usize = 32;
const CLIENT_SSL: u8 = 0x08;

#[derive(Debug, Default)]
pub(crate) struct Packets {
    greeted: bool,
}

fn point(payload: &[u8]) -> Option<Point> {
    let (COM_QUERY, text) = payload
        .split_first()
        .map(|(command, text)| (*command, text))?
    else {
        return None;
    };
    let text = std::str::from_utf8(text).ok()?.trim().trim_end_matches(';');
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("BEGIN")
        || text
            .get(..17)
            .is_some_and(|start| start.eq_ignore_ascii_case("START TRANSACTION"))
    {
        Some(Point::MysqlBegin)
    } else if is("COMMIT") {
        Some(Point::MysqlCommit)
    } else {
        None
    }
}

impl Parser for Packets {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Piece>, NotThis> {
        let &[l1, l2, l3, number, ..] = bytes.as_slice() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes([l1, l2, l3, 0]) as usize;
        let Some(packet) = take(bytes, HEAD + length) else {
            return Ok(None);
        };
        let payload = &packet[HEAD..];
        if !self.greeted {
            self.greeted = true;
            if length == TLS_REQUEST && payload[1] & CLIENT_SSL != 0 {
                // The request itself goes on as well.
                let rest = std::mem::replace(bytes, packet);
                bytes.extend(rest);
                return Err(NotThis);
            }
        }
        let head = number == 0;
        let point = if head { point(payload) } else { None };
        Ok(Some(Piece {
            bytes: packet,
            point,
            head,
            channel: 0,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mode::Flow,
        parse::tests::{cut, cut_anyhow},
    };

    fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[length, 0, 0, number], payload].concat()
    }

    fn query(text: &str) -> Vec<u8> {
        packet(0, &[&[COM_QUERY], text.as_bytes()].concat())
    }

    #[test]
    fn transactions_begin_and_end_in_clear() {
        let login = packet(1, b"\x0d\xa6\x3a\x00 not a request for TLS, but a login");
        let prepared = packet(0, b"\x16COMMIT");
        let stream = [
            login,
            query("BEGIN"),
            query("SELECT 'COMMIT'"),
            prepared,
            query("commit;"),
            query("START TRANSACTION READ ONLY"),
        ]
        .concat();
        let points: Vec<_> = cut_anyhow(Flow::Up, None, &stream)
            .into_iter()
            .map(|piece| piece.point)
            .collect();
        let expected = [
            None,
            Some(Point::MysqlBegin),
            None,
            None,
            Some(Point::MysqlCommit),
            Some(Point::MysqlBegin),
        ];
        assert_eq!(points, expected);
    }

    #[test]
    fn after_a_request_for_tls_nothing_is_read() {
        let mut request = [0_u8; TLS_REQUEST];
        request[1] = CLIENT_SSL;
        let stream = [packet(1, &request), query("COMMIT")].concat();
        let pieces = cut(Flow::Up, None, &[&stream, &query("COMMIT")]);
        assert!(pieces.iter().all(|piece| piece.point.is_none()));
        assert_eq!(pieces[0].bytes, stream);
    }
}
