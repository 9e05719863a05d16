//! Pages, fonts and codes put together into the bytes of a file.

use std::collections::BTreeMap;

use flate2::{Compress, Compression, FlushCompress};
use lopdf::{Dictionary, Object, StringFormat};
use printpdf::{
    DictItem, ExternalStream, ExternalXObject, OffsetDateTime, PdfConformance, PdfDocument,
    PdfDocumentInfo, PdfMetadata, PdfPage, PdfResources, PdfSaveOptions, Px, XObject,
};
use uuid::Uuid;

use super::face::Fonts;
use super::page::code_id;
use super::qr::QrImage;
use super::slim;
use crate::{Language, RenderError};

/// What a reader shows about the file.
pub(super) struct Meta {
    pub title: String,
    pub author: String,
    pub language: Language,
    pub identity: String,
}

/// Pages as they were drawn.
pub(super) struct Drawn {
    /// Below each of the others.
    pub common: PdfPage,
    pub pages: Vec<PdfPage>,
}

pub(super) fn write(
    meta: &Meta,
    fonts: &Fonts,
    drawn: Drawn,
    codes: &[QrImage],
) -> Result<Vec<u8>, RenderError> {
    let document = assemble(fonts, drawn, codes)?;
    let options = PdfSaveOptions {
        optimize: true,
        subset_fonts: true,
        secure: true,
        image_optimization: None,
    };
    let mut file = document.to_lopdf_document(&options, &mut Vec::new());
    slim::share_first_page(&mut file).map_err(unwritable)?;
    slim::fonts(&mut file);
    describe(&mut file, meta)?;
    compress(&mut file)?;
    let mut bytes = Vec::with_capacity(BYTES_TYPICAL);
    file.save_modern(&mut bytes)
        .map_err(|error| RenderError::Write(error.to_string()))?;
    Ok(bytes)
}

const BYTES_TYPICAL: usize = 24 * 1024;
/// Names our documents, so that the identifier of a file follows from its booking.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d1c_5f0e_3b8a_5c4e_9f61_2a90_c4d7_e813);

fn assemble(fonts: &Fonts, drawn: Drawn, codes: &[QrImage]) -> Result<PdfDocument, RenderError> {
    let mut document = PdfDocument {
        metadata: PdfMetadata {
            info: no_info()?,
            xmp: None,
        },
        resources: PdfResources::default(),
        bookmarks: Default::default(),
        pages: std::iter::once(drawn.common).chain(drawn.pages).collect(),
    };
    for face in [&fonts.regular, &fonts.bold] {
        document
            .resources
            .fonts
            .map
            .insert(face.id.clone(), face.font.clone());
    }
    for (index, code) in codes.iter().enumerate() {
        document
            .resources
            .xobjects
            .map
            .insert(code_id(index), XObject::External(image(code)));
    }
    Ok(document)
}

/// An image of one bit per module: a tenth of the bytes of drawn squares, and sharper.
fn image(code: &QrImage) -> ExternalXObject {
    let name = |name: &str| DictItem::Name(name.as_bytes().to_vec());
    let side = code.side as i64;
    let dict = BTreeMap::from([
        ("Type".to_owned(), name("XObject")),
        ("Subtype".to_owned(), name("Image")),
        ("Width".to_owned(), DictItem::Int(side)),
        ("Height".to_owned(), DictItem::Int(side)),
        ("ColorSpace".to_owned(), name("DeviceGray")),
        ("BitsPerComponent".to_owned(), DictItem::Int(1)),
    ]);
    ExternalXObject {
        stream: ExternalStream {
            dict,
            content: code.rows(),
            compress: false,
        },
        width: Some(Px(code.side)),
        height: Some(Px(code.side)),
        dpi: None,
    }
}

/// printpdf fills dates and identifiers from the clock and from chance; here they come from the
/// facts or are left out.
fn describe(file: &mut lopdf::Document, meta: &Meta) -> Result<(), RenderError> {
    file.version = "1.7".to_owned();
    let mut info = Dictionary::new();
    info.set("Title", utf16(&meta.title));
    info.set("Author", utf16(&meta.author));
    info.set("Producer", Object::string_literal("boxoffice"));
    let info_id = file.trailer.get(b"Info").and_then(Object::as_reference);
    file.set_object(info_id.map_err(unwritable)?, info);

    let id = Uuid::new_v5(&NAMESPACE, meta.identity.as_bytes())
        .into_bytes()
        .to_vec();
    let id = Object::String(id, StringFormat::Hexadecimal);
    file.trailer.set("ID", vec![id.clone(), id]);

    let mut preferences = Dictionary::new();
    preferences.set("DisplayDocTitle", true);
    // Scaling to fit would be harmless; shrinking four pages onto one would not be.
    preferences.set("PrintScaling", "None");
    let catalog = file.catalog_mut().map_err(unwritable)?;
    catalog.set("Lang", Object::string_literal(meta.language.tag()));
    catalog.set("ViewerPreferences", preferences);
    Ok(())
}

/// Deflates the streams with one compressor: its tables are larger than any ticket, and setting
/// them up for each stream costs more than the compression.
fn compress(file: &mut lopdf::Document) -> Result<(), RenderError> {
    let streams = file.objects.values().filter_map(|o| o.as_stream().ok());
    let bytes: usize = streams.map(|stream| stream.content.len()).sum();
    let level = if bytes > LARGE_BYTES {
        DEFLATE_LEVEL_LARGE
    } else {
        DEFLATE_LEVEL
    };
    let mut deflate = Compress::new(Compression::new(level), true);
    for object in file.objects.values_mut() {
        let Object::Stream(stream) = object else {
            continue;
        };
        if stream.content.len() < DEFLATE_BYTES_MIN || stream.dict.has(b"Filter") {
            continue;
        }
        deflate.reset();
        let mut deflated = Vec::with_capacity(stream.content.len() + 64);
        deflate
            .compress_vec(&stream.content, &mut deflated, FlushCompress::Finish)
            .map_err(|error| RenderError::Write(error.to_string()))?;
        stream.dict.set("Filter", "FlateDecode");
        stream.set_content(deflated);
    }
    Ok(())
}

/// Measured: 1 costs 3 kB a ticket, 6 a tenth of the pages per second, for 200 bytes.
const DEFLATE_LEVEL: u32 = 3;
/// For the few documents of many different characters, which would pass 16 kB: 400 bytes less.
const DEFLATE_LEVEL_LARGE: u32 = 9;
/// Bytes of all streams from which on a document of two pages may be larger than it should.
const LARGE_BYTES: usize = 17_000;
/// Below this, as for the picture of a code, nothing is gained.
const DEFLATE_BYTES_MIN: usize = 400;

fn unwritable(error: lopdf::Error) -> RenderError {
    RenderError::Write(error.to_string())
}

fn utf16(text: &str) -> Object {
    let bytes = [0xfeff_u16]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_be_bytes);
    Object::String(bytes.collect(), StringFormat::Hexadecimal)
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
