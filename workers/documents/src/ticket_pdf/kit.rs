//! The fonts of a document, cut down to its characters by printpdf and written as they stand in the file.
//!
//! Cutting and deflating them took half of the time of a document, and the bookings of a show need the same.

use lopdf::{Dictionary, Document, Object, ObjectId, ObjectStream};
use printpdf::{
    Mm, OffsetDateTime, Op, PdfConformance, PdfDocument, PdfDocumentInfo, PdfFontHandle,
    PdfMetadata, PdfPage, PdfResources, PdfSaveOptions, Pt, TextItem,
};

use super::alphabet::Alphabet;
use super::face::{Face, Fonts};
use super::objects::Objects;
use super::{deflate, slim};
use crate::RenderError;

/// The beginning of a file, and what its pages need to know of it.
pub(super) struct Kit {
    /// All objects of the fonts.
    pub objects: Objects,
    /// What the resources of a page say of the fonts.
    pub fonts: String,
    regular: Vec<u16>,
    bold: Vec<u16>,
}

impl Kit {
    /// A function of the alphabet: the same one at any time, in any process.
    pub(super) fn new(alphabet: &Alphabet, fonts: &Fonts) -> Result<Self, RenderError> {
        let mut file = cut(alphabet, fonts)?;
        let dictionary = keep_fonts(&mut file).map_err(unwritable)?;
        let regular = codes(&file, dictionary, &fonts.regular)?;
        let bold = codes(&file, dictionary, &fonts.bold)?;
        slim::fonts(&mut file);
        Ok(Self {
            objects: written(&file)?,
            fonts: format!("/Font {} 0 R", dictionary.0),
            regular,
            bold,
        })
    }

    /// The number of a character of the alphabet in the fonts of the file.
    pub(super) fn code(&self, face: &Face, c: char) -> u16 {
        let codes = if face.bold { &self.bold } else { &self.regular };
        let code = codes.get(usize::from(face.glyph(c)));
        code.copied().unwrap_or_default()
    }

    /// Bytes that it takes in memory, more or less.
    pub(super) fn len(&self) -> usize {
        self.objects.len() + 2 * (self.regular.len() + self.bold.len())
    }
}

/// A file of one page that shows every character of the alphabet.
fn cut(alphabet: &Alphabet, fonts: &Fonts) -> Result<Document, RenderError> {
    let mut ops = Vec::new();
    let mut resources = PdfResources::default();
    for (face, characters) in [
        (&fonts.regular, &alphabet.regular),
        (&fonts.bold, &alphabet.bold),
    ] {
        // Of characters that look alike and share a glyph, the last one is what is copied out of a page: better the
        // space than the one that does not break.
        let shown = characters.chars().rev().collect();
        let font = PdfFontHandle::External(face.id.clone());
        let items = vec![TextItem::Text(shown)];
        ops.extend([
            Op::SetFont {
                font,
                size: Pt(1.0),
            },
            Op::ShowText { items },
        ]);
        resources
            .fonts
            .map
            .insert(face.id.clone(), face.font.clone());
    }
    let document = PdfDocument {
        metadata: PdfMetadata {
            info: no_info()?,
            xmp: None,
        },
        resources,
        bookmarks: Default::default(),
        pages: vec![PdfPage::new(Mm(1.0), Mm(1.0), ops)],
    };
    let options = PdfSaveOptions {
        optimize: true,
        subset_fonts: true,
        secure: true,
        image_optimization: None,
    };
    Ok(document.to_lopdf_document(&options, &mut Vec::new()))
}

/// Leaves nothing but the dictionary of fonts and what belongs to it, numbered from 1.
fn keep_fonts(file: &mut Document) -> Result<ObjectId, lopdf::Error> {
    let page = file
        .page_iter()
        .next()
        .ok_or(lopdf::Error::PageNumberNotFound(1))?;
    let resources = file.get_dictionary(page)?.get(b"Resources")?;
    let resources = file.get_dictionary(resources.as_reference()?)?;
    let fonts = resources.get(b"Font")?.clone();
    file.trailer = Dictionary::from_iter([(FONTS, fonts)]);
    file.prune_objects();
    file.renumber_objects();
    file.trailer.get(FONTS.as_bytes())?.as_reference()
}

/// A name of ours, in the trailer of a file that nobody reads.
const FONTS: &str = "Fonts";

/// For each glyph of the face its number in the font of the file.
fn codes(file: &Document, fonts: ObjectId, face: &Face) -> Result<Vec<u16>, RenderError> {
    let map = map_of(file, fonts, face).map_err(unwritable)?;
    let entries = slim::entries(map)
        .ok_or_else(|| RenderError::Write("a font's map to Unicode is unknown".to_owned()))?;
    let mut codes = Vec::new();
    for (code, character) in entries {
        let glyph = usize::from(face.glyph(character));
        if codes.len() <= glyph {
            codes.resize(glyph + 1, 0);
        }
        codes[glyph] = code;
    }
    Ok(codes)
}

/// printpdf's map to Unicode of the face as it is cut down.
fn map_of<'a>(file: &'a Document, fonts: ObjectId, face: &Face) -> Result<&'a [u8], lopdf::Error> {
    let font = file.get_dictionary(fonts)?.get(face.name().as_bytes())?;
    let font = file.get_dictionary(font.as_reference()?)?;
    let map = font.get(b"ToUnicode")?.as_reference()?;
    Ok(&file.get_object(map)?.as_stream()?.content)
}

fn written(file: &Document) -> Result<Objects, RenderError> {
    let mut objects = Objects::new();
    for _ in &file.objects {
        objects.reserve();
    }
    let mut others = ObjectStream::builder().compression_level(0).build();
    let mut numbers = Vec::new();
    for (&(number, generation), object) in &file.objects {
        let id = number as usize;
        let Object::Stream(stream) = object else {
            let added = others.add_object((number, generation), object.clone());
            added.map_err(unwritable)?;
            numbers.push(id);
            continue;
        };
        let dictionary = match stream.dict.get(b"Length1") {
            Ok(_) => format!("/Length1 {}", stream.content.len()),
            Err(_) => String::new(),
        };
        let deflated = deflate::shared(&stream.content)?;
        let content = deflated.as_deref().unwrap_or(&stream.content);
        objects.stream_as(id, &dictionary, content, deflated.is_some());
    }
    let others = others.to_stream_object().map_err(unwritable)?;
    let first = others.dict.get(b"First").and_then(Object::as_i64);
    let first = first.map_err(unwritable)? as usize;
    objects.pack(&numbers, first, &others.content, deflate::shared)?;
    Ok(objects)
}

fn unwritable(error: lopdf::Error) -> RenderError {
    RenderError::Write(error.to_string())
}

/// Written out because its default asks the clock.
fn no_info() -> Result<PdfDocumentInfo, RenderError> {
    let epoch = OffsetDateTime::from_unix_timestamp(0)
        .map_err(|reason| RenderError::Write(reason.to_owned()))?;
    Ok(PdfDocumentInfo {
        trapped: false,
        version: 1,
        creation_date: epoch,
        modification_date: epoch,
        metadata_date: epoch,
        conformance: PdfConformance::default(),
        document_title: String::new(),
        author: String::new(),
        creator: String::new(),
        producer: String::new(),
        keywords: Vec::new(),
        subject: String::new(),
        identifier: String::new(),
    })
}
