//! Pages, fonts and codes put together into the bytes of a file.

use uuid::Uuid;

use super::canvas::{HEIGHT_MM, Mark, RIGHT};
use super::content::{self, code_name};
use super::deflate;
use super::kit::Kit;
use super::qr::QrImage;
use crate::{Language, RenderError};

/// What a reader shows about the file.
pub(super) struct Meta {
    pub title: String,
    pub author: String,
    pub language: Language,
    pub identity: String,
}

/// Pages as they were drawn.
pub(super) struct Drawn<'a> {
    /// Below each of the others.
    pub common: Vec<Mark<'a>>,
    pub pages: Vec<Vec<Mark<'a>>>,
}

/// The bytes follow from what is given, and from nothing else.
pub(super) fn write(
    meta: &Meta,
    kit: &Kit,
    drawn: &Drawn<'_>,
    codes: &[QrImage],
) -> Result<Vec<u8>, RenderError> {
    let mut objects = kit.objects.continued(BYTES_TYPICAL * (1 + codes.len()));
    let mut content = |marks: &[Mark<'_>]| -> Result<usize, RenderError> {
        let plain = content::write(marks, kit);
        let deflated = deflate::once(&plain)?;
        let content = deflated.as_deref().unwrap_or(&plain);
        Ok(objects.stream("", content, deflated.is_some()))
    };
    let common = content(&drawn.common)?;
    let own: Vec<usize> = drawn
        .pages
        .iter()
        .map(|page| content(page))
        .collect::<Result<_, _>>()?;
    let mut pictures = String::new();
    for (number, code) in codes.iter().enumerate() {
        let id = objects.stream(&image(code.side), &code.rows(), false);
        pictures.push_str(&format!("/{} {id} 0 R", code_name(number)));
    }

    let mut packed = Packed::default();
    let [catalog, info, tree, resources] = std::array::from_fn(|_| objects.reserve());
    packed.add(catalog, &catalog_of(meta, tree));
    packed.add(info, &info_of(meta));
    let fonts = &kit.fonts;
    packed.add(resources, &format!("<<{fonts}/XObject<<{pictures}>>>>"));
    let mut kids = String::new();
    let pages: Vec<(usize, usize)> = own
        .into_iter()
        .map(|own| (objects.reserve(), own))
        .collect();
    for (page, _) in &pages {
        kids.push_str(&format!("{page} 0 R "));
    }
    let (count, height) = (pages.len(), HEIGHT_MM * 72.0 / 25.4);
    packed.add(tree, &format!(
        "<</Type/Pages/Count {count}/Kids[{kids}]/MediaBox[0 0 {RIGHT} {height}]/Resources {resources} 0 R>>"
    ));
    for (page, own) in pages {
        packed.add(
            page,
            &format!("<</Type/Page/Parent {tree} 0 R/Contents[{common} 0 R {own} 0 R]>>"),
        );
    }
    let (first, plain) = packed.finish();
    objects.pack(&packed.numbers, first, plain.as_bytes(), deflate::once)?;

    let id = hex(Uuid::new_v5(&NAMESPACE, meta.identity.as_bytes()).as_bytes());
    Ok(objects.finish(&format!("/Root {catalog} 0 R/Info {info} 0 R/ID[{id}{id}]")))
}

/// Of what a page adds to the fonts.
const BYTES_TYPICAL: usize = 2 * 1024;
/// Names our documents, so that the identifier of a file follows from its booking.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d1c_5f0e_3b8a_5c4e_9f61_2a90_c4d7_e813);

/// An image of one bit per module: a tenth of the bytes of drawn squares, and sharper.
fn image(side: usize) -> String {
    format!(
        "/Type/XObject/Subtype/Image/Width {side}/Height {side}/ColorSpace/DeviceGray/BitsPerComponent 1"
    )
}

fn catalog_of(meta: &Meta, tree: usize) -> String {
    let language = meta.language.tag();
    // Scaling to fit would be harmless; shrinking four pages onto one would not be.
    format!(
        "<</Type/Catalog/Pages {tree} 0 R/PageLayout/OneColumn/PageMode/UseNone/Lang({language})\
         /ViewerPreferences<</DisplayDocTitle true/PrintScaling/None>>>>"
    )
}

/// Without dates: the same booking has the same bytes at any time.
fn info_of(meta: &Meta) -> String {
    let (title, author) = (utf16(&meta.title), utf16(&meta.author));
    format!("<</Title{title}/Author{author}/Producer(boxoffice)>>")
}

/// Objects that are no streams, one after the other.
#[derive(Default)]
struct Packed {
    numbers: Vec<usize>,
    table: String,
    objects: String,
}

impl Packed {
    fn add(&mut self, number: usize, object: &str) {
        self.numbers.push(number);
        self.table
            .push_str(&format!("{number} {} ", self.objects.len()));
        self.objects.push_str(object);
        self.objects.push('\n');
    }

    /// Where the first of them begins, behind their table, and all.
    fn finish(&self) -> (usize, String) {
        (self.table.len(), format!("{}{}", self.table, self.objects))
    }
}

fn utf16(text: &str) -> String {
    let units = [0xfeff_u16].into_iter().chain(text.encode_utf16());
    hex(&units.flat_map(u16::to_be_bytes).collect::<Vec<_>>())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len() + 2);
    text.push('<');
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(half.into(), 16));
        }
    }
    text.push('>');
    text
}
