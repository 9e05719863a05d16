//! Reading the codes of a document back: what a scanner would see, without a camera.
//!
//! A code of ours is a picture of one bit per module, so nothing has to be found or corrected. What was read is drawn
//! again and compared module by module: a scanner reads what this reads.

use super::qr::QrImage;
use crate::base45::ALPHABET;
use lopdf::{Document, Object, ObjectId, Stream};

/// Why a document's codes can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CodesError {
    #[error("the document cannot be read: {0}")]
    Unreadable(#[from] lopdf::Error),
    #[error("page {0} has no code")]
    NoCode(u32),
    #[error("the code of page {page}: {why}")]
    Broken { page: u32, why: &'static str },
}

/// The texts of the codes, in the order of the pages.
///
/// # Errors
/// When it is no document of ours, or a code is damaged.
pub fn read(pdf: &[u8]) -> Result<Vec<String>, CodesError> {
    let file = Document::load_mem(pdf)?;
    let pages = file.get_pages().into_iter();
    pages
        .map(|(page, id)| {
            let picture = picture(&file, id)?.ok_or(CodesError::NoCode(page))?;
            decode(&picture).map_err(|why| CodesError::Broken { page, why })
        })
        .collect()
}

/// The one picture with a bit per module that the page draws.
fn picture(file: &Document, page: ObjectId) -> Result<Option<Picture>, lopdf::Error> {
    let content = file.get_and_decode_page_content(page)?;
    let (own, inherited) = file.get_page_resources(page)?;
    let inherited = inherited
        .iter()
        .filter_map(|id| file.get_dictionary(*id).ok());
    for resources in own.into_iter().chain(inherited) {
        let Ok(pictures) = file.get_dict_in_dict(resources, b"XObject") else {
            continue;
        };
        for drawn in content.operations.iter().filter(|op| op.operator == "Do") {
            let name = drawn.operands.first().and_then(|name| name.as_name().ok());
            let object = name.and_then(|name| pictures.get(name).ok());
            let object = object.and_then(|object| object.as_reference().ok());
            let Some(stream) = object.and_then(|id| file.get_object(id).ok()) else {
                continue;
            };
            if let Some(picture) = stream.as_stream().ok().and_then(Picture::of) {
                return Ok(Some(picture));
            }
        }
    }
    Ok(None)
}

/// Rows of bits padded to bytes, 1 for light.
struct Picture {
    side: usize,
    rows: Vec<u8>,
}

impl Picture {
    fn of(stream: &Stream) -> Option<Self> {
        let number = |name: &[u8]| stream.dict.get(name).and_then(Object::as_i64).ok();
        let (width, height) = (number(b"Width")?, number(b"Height")?);
        if number(b"BitsPerComponent") != Some(1) || width != height {
            return None;
        }
        let side = usize::try_from(width).ok()?;
        let rows = stream.get_plain_content().ok()?;
        (rows.len() >= side * side.div_ceil(8)).then_some(Self { side, rows })
    }

    fn is_dark(&self, row: usize, column: usize) -> bool {
        self.rows[row * self.side.div_ceil(8) + column / 8] & (0x80 >> (column % 8)) == 0
    }
}

/// Codes have one length and so one version: 7, with medium correction.
const SIDE: usize = 45;
const BLOCKS: usize = 4;
const BLOCK_DATA: usize = 31;
const CODEWORDS: usize = 196;
/// The level and the mask, XORed with this, are drawn beside the upper left finder.
const FORMAT_MASK: u16 = 0x5412;

fn decode(picture: &Picture) -> Result<String, &'static str> {
    if picture.side != SIDE {
        return Err("is of another size than ours");
    }
    let mut format = 0;
    let around = (0..6)
        .map(|column| (8, column))
        .chain([(8, 7), (8, 8), (7, 8)])
        .chain((0..6).rev().map(|row| (row, 8)));
    for (row, column) in around {
        format = format << 1 | u16::from(picture.is_dark(row, column));
    }
    let mask = ((format ^ FORMAT_MASK) >> 10 & 7) as u8;
    let codewords = codewords(picture, mask);
    let data: Vec<u8> = (0..BLOCKS)
        .flat_map(|block| (0..BLOCK_DATA).map(move |place| place * BLOCKS + block))
        .map(|place| codewords[place])
        .collect();
    let text = text(&data).ok_or("is not text of ours")?;
    let drawn = QrImage::of(text.as_bytes()).map_err(|_refused| "can't be drawn again")?;
    let stride = SIDE * SIDE.div_ceil(8);
    if drawn.side != SIDE || drawn.rows()[..stride] != picture.rows[..stride] {
        return Err("is damaged");
    }
    Ok(text)
}

/// All codewords, in the order in which they are drawn: two columns at a time from the right, up and down in turns.
fn codewords(picture: &Picture, mask: u8) -> Vec<u8> {
    let mut bits = Vec::with_capacity(CODEWORDS * 8);
    let mut upwards = true;
    let rights = (7..SIDE).rev().step_by(2).chain([5, 3, 1]);
    for right in rights {
        for step in 0..SIDE {
            let row = if upwards { SIDE - 1 - step } else { step };
            for column in [right, right - 1] {
                if !is_fixed(row, column) {
                    bits.push(picture.is_dark(row, column) ^ is_masked(mask, row, column));
                }
            }
        }
        upwards = !upwards;
    }
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    bits.chunks_exact(8).take(CODEWORDS).map(byte).collect()
}

/// Finders, timing, alignment, format and version.
fn is_fixed(row: usize, column: usize) -> bool {
    const FAR: usize = SIDE - 8;
    let finder = (row < 9 && !(9..FAR).contains(&column)) || (row >= FAR && column < 9);
    let timing = row == 6 || column == 6;
    let version = |a: usize, b: usize| a < 6 && (SIDE - 11..SIDE - 8).contains(&b);
    let near = |at: usize, centre: usize| at.abs_diff(centre) <= 2;
    let centres = [(6, 22), (22, 6), (22, 22), (22, 38), (38, 22), (38, 38)];
    let alignment = centres
        .iter()
        .any(|(r, c)| near(row, *r) && near(column, *c));
    finder || timing || version(row, column) || version(column, row) || alignment
}

fn is_masked(mask: u8, row: usize, column: usize) -> bool {
    let product = row * column;
    match mask {
        0 => (row + column).is_multiple_of(2),
        1 => row.is_multiple_of(2),
        2 => column.is_multiple_of(3),
        3 => (row + column).is_multiple_of(3),
        4 => (row / 2 + column / 3).is_multiple_of(2),
        5 => product % 2 + product % 3 == 0,
        6 => (product % 2 + product % 3).is_multiple_of(2),
        _ => ((row + column) % 2 + product % 3).is_multiple_of(2),
    }
}

/// Modes of the only segment.
const ALPHANUMERIC: usize = 0b0010;
const BYTES: usize = 0b0100;

fn text(data: &[u8]) -> Option<String> {
    let mut place = 0;
    let mut take = |count: usize| {
        let mut bits = (place..place + count).map(|at| Some(data.get(at / 8)? >> (7 - at % 8) & 1));
        place += count;
        bits.try_fold(0, |sum, bit| Some(sum << 1 | usize::from(bit?)))
    };
    let letter = |value: usize| ALPHABET.get(value).copied();
    let mut text = Vec::new();
    match take(4)? {
        ALPHANUMERIC => {
            let count = take(9)?;
            for _ in 0..count / 2 {
                let pair = take(11)?;
                text.extend([letter(pair / 45)?, letter(pair % 45)?]);
            }
            if !count.is_multiple_of(2) {
                text.push(letter(take(6)?)?);
            }
        }
        BYTES => {
            for _ in 0..take(8)? {
                text.push(u8::try_from(take(8)?).ok()?);
            }
        }
        _ => return None,
    }
    String::from_utf8(text).ok()
}
