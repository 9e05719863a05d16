//! What printpdf writes more wordily than a reader needs.
//!
//! A ticket is sent by mail and fetched on the telephone: each of these saves a few hundred bytes of 14,000.

use std::fmt::Write as _;

use lopdf::{Document, Object, ObjectId, Stream};

/// Leaves out of fonts and their maps to Unicode what only other uses of a font need.
pub(super) fn fonts(file: &mut Document) {
    let named = |key: &[u8]| -> Vec<ObjectId> {
        let dictionaries = file
            .objects
            .values()
            .filter_map(|object| object.as_dict().ok());
        let references = dictionaries.filter_map(|dict| dict.get(key).ok()?.as_reference().ok());
        references.collect()
    };
    let (programs, maps) = (named(b"FontFile2"), named(b"ToUnicode"));
    change(file, &programs, bare_font);
    change(file, &maps, short_map);
}

/// Replaces the content of streams for which `shorter` has one.
fn change(file: &mut Document, streams: &[ObjectId], shorter: fn(&[u8]) -> Option<Vec<u8>>) {
    for id in streams {
        if let Some(Object::Stream(Stream { dict, content, .. })) = file.objects.get_mut(id)
            && !dict.has(b"Filter")
            && let Some(bytes) = shorter(content)
        {
            dict.set("Length", bytes.len() as i64);
            if dict.has(b"Length1") {
                dict.set("Length1", bytes.len() as i64);
            }
            *content = bytes;
        }
    }
}

/// What a reader needs of a font whose glyphs are chosen by number (ISO 32000-1, 9.9).
const TABLES: [&[u8; 4]; 9] = [
    b"cvt ", b"fpgm", b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp", b"prep",
];
const HEADER_BYTES: usize = 12;
const RECORD_BYTES: usize = 16;

/// The font without its names and its map of characters; `None` if it is not as it should be.
fn bare_font(font: &[u8]) -> Option<Vec<u8>> {
    let u16_at = |at: usize| Some(u16::from_be_bytes(*font.get(at..)?.first_chunk()?));
    let u32_at = |at: usize| Some(u32::from_be_bytes(*font.get(at..)?.first_chunk()?));
    let mut tables = Vec::new();
    for record in 0..usize::from(u16_at(4)?) {
        let at = HEADER_BYTES + record * RECORD_BYTES;
        let tag = font.get(at..at + 4)?;
        if TABLES.iter().any(|wanted| *wanted == tag) {
            let (start, len) = (u32_at(at + 8)? as usize, u32_at(at + 12)? as usize);
            tables.push((tag, u32_at(at + 4)?, font.get(start..start + len)?));
        }
    }
    let count = u16::try_from(tables.len())
        .ok()
        .filter(|&count| count > 0)?;
    let power = count.ilog2();
    let range = 16_u16 << power;
    let mut bare = font.get(..4)?.to_vec();
    for field in [count, range, power as u16, count * 16 - range] {
        bare.extend(field.to_be_bytes());
    }
    let mut start = HEADER_BYTES + tables.len() * RECORD_BYTES;
    for (tag, checksum, table) in &tables {
        bare.extend(*tag);
        bare.extend(checksum.to_be_bytes());
        bare.extend(u32::try_from(start).ok()?.to_be_bytes());
        bare.extend(u32::try_from(table.len()).ok()?.to_be_bytes());
        start += table.len().next_multiple_of(4);
    }
    for (_, _, table) in tables {
        bare.extend(table);
        bare.resize(bare.len().next_multiple_of(4), 0);
    }
    Some(bare)
}

/// Most entries of one block, and most codes of one range (Adobe technical note 5411).
const BLOCK_MAX: usize = 100;

/// Glyph numbers of a map and the character of each.
pub(super) fn entries(map: &[u8]) -> Option<Vec<(u16, char)>> {
    let characters = |(code, hex): (u16, &str)| {
        let hex = hex.strip_prefix('<')?.strip_suffix('>')?;
        let character = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
        Some((code, character))
    };
    lines(map)?.into_iter().map(characters).collect()
}

/// Glyph numbers of a map with what it says of them; `None` for another kind of map than the one that is known here.
fn lines(map: &[u8]) -> Option<Vec<(u16, &str)>> {
    let text = std::str::from_utf8(map).ok()?;
    let mut entries = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        match line {
            _ if line.ends_with("beginbfchar") => inside = true,
            "endbfchar" => inside = false,
            _ if line.ends_with("beginbfrange") => return None,
            _ if inside => {
                let (code, characters) = line.split_once(' ')?;
                let code = code.strip_prefix('<')?.strip_suffix('>')?;
                entries.push((u16::from_str_radix(code, 16).ok()?, characters));
            }
            _ => {}
        }
    }
    Some(entries)
}

/// The map of glyph numbers to characters in runs of numbers that follow each other.
fn short_map(map: &[u8]) -> Option<Vec<u8>> {
    let mut runs: Vec<(u16, Vec<&str>)> = Vec::new();
    for (code, characters) in lines(map)? {
        match runs.last_mut() {
            // A range stays within one high byte.
            Some((first, run))
                if usize::from(code) == usize::from(*first) + run.len()
                    && code >> 8 == *first >> 8 =>
            {
                run.push(characters);
            }
            _ => runs.push((code, vec![characters])),
        }
    }
    let mut short = String::from(
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapName /U def\n/CMapType 2 def\n\
         1 begincodespacerange\n<0000><FFFF>\nendcodespacerange\n",
    );
    for block in runs.chunks(BLOCK_MAX) {
        writeln!(short, "{} beginbfrange", block.len()).ok()?;
        for (first, run) in block {
            let last = usize::from(*first) + run.len() - 1;
            writeln!(short, "<{first:04X}><{last:04X}>[{}]", run.join(" ")).ok()?;
        }
        short.push_str("endbfrange\n");
    }
    short.push_str("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n");
    Some(short.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_written_in_runs() {
        let map = "x\n4 beginbfchar\n<0001> <0041>\n<0002> <0042>\n<0009> <D83D>\n<00ff> <0043>\nendbfchar\n\
                   1 beginbfchar\n<0100> <0044>\nendbfchar\n";
        let short = String::from_utf8(short_map(map.as_bytes()).unwrap()).unwrap();
        assert!(short.contains(
            "4 beginbfrange\n<0001><0002>[<0041> <0042>]\n<0009><0009>[<D83D>]\n<00FF><00FF>[<0043>]\n<0100><0100>[<0044>]\nendbfrange"
        ), "{short}");
        assert_eq!(
            entries(b"1 beginbfchar\n<0001> <20AC>\nendbfchar\n"),
            Some(vec![(1, '€')])
        );
        assert_eq!(short_map(b"1 beginbfchar\n<zz> <0041>\nendbfchar"), None);
        assert_eq!(short_map(b"1 beginbfrange"), None);
    }

    #[test]
    fn a_bare_font_has_its_outlines_and_no_names() {
        let font = include_bytes!("../../fonts/DejaVuSans.subset.ttf");
        let bare = bare_font(font).unwrap();
        assert!(bare.len() < font.len());
        let tags: Vec<&[u8]> = (0..usize::from(u16::from_be_bytes([bare[4], bare[5]])))
            .map(|i| &bare[12 + i * 16..][..4])
            .collect();
        assert_eq!(tags, [b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp"]);
        let at = |i: usize| u32::from_be_bytes(bare[i..i + 4].try_into().unwrap()) as usize;
        let (head, len) = (at(12 + 16 + 8), at(12 + 16 + 12));
        assert_eq!(
            bare[head + 12..head + 16],
            [0x5f, 0x0f, 0x3c, 0xf5],
            "head's magic number"
        );
        assert_eq!(len, 54);
        for broken in [&b""[..], b"\0\x01\0\0\0\x09", &font[..200]] {
            assert_eq!(bare_font(broken), None);
        }
    }
}
