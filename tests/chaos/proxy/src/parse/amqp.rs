//! AMQP 0-9-1: `type(1) channel(2) size(4) payload end(1)` after the client's eight bytes of greeting.

use super::{NotThis, Parser, Piece, take};
use crate::{mode::Flow, rules::Point};

const GREETING: usize = 8;
const HEAD: usize = 7;
const FRAME_END: u8 = 0xce;
const METHOD: u8 = 1;
/// Far above what anybody negotiates (RabbitMQ offers 131,072).
const SIZE_MAX: usize = 16 << 20;

/// Class `basic`, and its methods.
const PUBLISH: [u8; 4] = [0x00, 0x3c, 0x00, 0x28];
const RETURN: [u8; 4] = [0x00, 0x3c, 0x00, 0x32];
const DELIVER: [u8; 4] = [0x00, 0x3c, 0x00, 0x3c];
const ACK: [u8; 4] = [0x00, 0x3c, 0x00, 0x50];
const NACK: [u8; 4] = [0x00, 0x3c, 0x00, 0x78];

/// One piece per frame. Content headers and bodies go on with the method of their channel: no other method comes
/// between them there.
pub(crate) struct Frames {
    flow: Flow,
    greeted: bool,
}

impl Frames {
    pub(crate) fn new(flow: Flow) -> Self {
        // The server answers a greeting that it doesn't like with its own, and closes; else it has none.
        Self {
            flow,
            greeted: flow == Flow::Down,
        }
    }

    fn point(&self, method: &[u8]) -> Option<Point> {
        let id: [u8; 4] = method.get(..4)?.try_into().ok()?;
        match (self.flow, id) {
            (Flow::Up, PUBLISH) => Some(Point::AmqpPublish),
            (Flow::Up, ACK) => Some(Point::AmqpClientAck),
            (Flow::Down, DELIVER) => Some(Point::AmqpDeliver),
            (Flow::Down, RETURN) => Some(Point::AmqpReturn),
            (Flow::Down, ACK) => Some(Point::AmqpConfirm),
            (Flow::Down, NACK) => Some(Point::AmqpNack),
            _ => None,
        }
    }
}

impl Parser for Frames {
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Piece>, NotThis> {
        if !self.greeted {
            let Some(greeting) = take(bytes, GREETING) else {
                return Ok(None);
            };
            self.greeted = true;
            return Ok(Some(Piece::head(greeting, None)));
        }
        let &[kind, c1, c2, s1, s2, s3, s4, ..] = bytes.as_slice() else {
            return Ok(None);
        };
        let size = u32::from_be_bytes([s1, s2, s3, s4]) as usize;
        if size > SIZE_MAX {
            return Err(NotThis);
        }
        let whole = HEAD + size + 1;
        if bytes.get(whole - 1).is_some_and(|end| *end != FRAME_END) {
            return Err(NotThis);
        }
        let Some(frame) = take(bytes, whole) else {
            return Ok(None);
        };
        let head = kind == METHOD;
        let point = if head {
            self.point(&frame[HEAD..HEAD + size])
        } else {
            None
        };
        // A heartbeat is on channel 0, which has no content that it could belong to.
        Ok(Some(Piece {
            bytes: frame,
            point,
            head,
            channel: u16::from_be_bytes([c1, c2]),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{
        Protocol,
        tests::{cut, cut_anyhow},
    };

    fn frame(kind: u8, channel: u8, payload: &[u8]) -> Vec<u8> {
        let size = u8::try_from(payload.len()).unwrap();
        [&[kind, 0, channel, 0, 0, 0, size], payload, &[FRAME_END]].concat()
    }

    fn method(channel: u8, id: [u8; 4]) -> Vec<u8> {
        frame(METHOD, channel, &[&id[..], b"\x00\x00arguments"].concat())
    }

    #[test]
    fn methods_are_known_by_their_numbers_and_direction() {
        let up = [
            b"AMQP\x00\x00\x09\x01".to_vec(),
            method(1, PUBLISH),
            frame(2, 1, b"header"),
            frame(3, 1, b"\xcebody"),
            method(2, ACK),
            frame(8, 0, b""),
        ]
        .concat();
        let pieces = cut_anyhow(Flow::Up, None, &up);
        let points: Vec<_> = pieces
            .iter()
            .map(|piece| (piece.channel, piece.head, piece.point.clone()))
            .collect();
        let expected = [
            (0, true, None),
            (1, true, Some(Point::AmqpPublish)),
            (1, false, None),
            (1, false, None),
            (2, true, Some(Point::AmqpClientAck)),
            (0, false, None),
        ];
        assert_eq!(points, expected);
        assert_eq!(
            pieces
                .iter()
                .flat_map(|piece| piece.bytes.clone())
                .collect::<Vec<_>>(),
            up
        );

        let down = [DELIVER, RETURN, ACK, NACK, PUBLISH]
            .map(|id| method(7, id))
            .concat();
        let points: Vec<_> = cut_anyhow(Flow::Down, Some(Protocol::Amqp), &down)
            .into_iter()
            .map(|piece| piece.point)
            .collect();
        let expected = [
            Some(Point::AmqpDeliver),
            Some(Point::AmqpReturn),
            Some(Point::AmqpConfirm),
            Some(Point::AmqpNack),
            None,
        ];
        assert_eq!(points, expected);
    }

    #[test]
    fn what_is_no_frame_flows_by() {
        let mut stream = [b"AMQP\x00\x00\x09\x01".to_vec(), method(1, PUBLISH)].concat();
        *stream.last_mut().unwrap() = 0;
        let pieces = cut(Flow::Up, None, &[&stream, b"more"]);
        assert!(pieces.iter().all(|piece| piece.point.is_none()));
        assert_eq!(
            pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>(),
            stream.len() + 4
        );
    }
}
