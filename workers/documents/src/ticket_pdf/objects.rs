//! The bytes of a file, object by object (ISO 32000-1, 7.5).

use crate::RenderError;

/// Where an object is.
#[derive(Clone, Copy)]
enum Place {
    /// It is not written yet.
    Reserved,
    Offset(usize),
    /// Inside of another, as the one of this number.
    Inside {
        container: usize,
        index: usize,
    },
}

/// A file that is being written. Objects are numbered from 1.
pub(super) struct Objects {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// The bytes above 127 tell programs that it is no text.
const HEADER: &[u8] = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n";

impl Objects {
    pub(super) fn new() -> Self {
        Self {
            bytes: HEADER.to_vec(),
            places: Vec::new(),
        }
    }

    /// The same so far, to be continued by so many bytes.
    pub(super) fn continued(&self, more: usize) -> Self {
        let mut bytes = Vec::with_capacity(self.bytes.len() + more);
        bytes.extend(&self.bytes);
        Self {
            bytes,
            places: self.places.clone(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The number of an object that is written later.
    pub(super) fn reserve(&mut self) -> usize {
        self.places.push(Place::Reserved);
        self.places.len()
    }

    /// Writes a stream; `dictionary` says what it is, beside its length and filter.
    pub(super) fn stream(&mut self, dictionary: &str, content: &[u8], deflated: bool) -> usize {
        let id = self.reserve();
        self.stream_as(id, dictionary, content, deflated);
        id
    }

    pub(super) fn stream_as(
        &mut self,
        id: usize,
        dictionary: &str,
        content: &[u8],
        deflated: bool,
    ) {
        self.place(id, Place::Offset(self.bytes.len()));
        let filter = if deflated { "/Filter/FlateDecode" } else { "" };
        let length = content.len();
        let head = format!("{id} 0 obj\n<<{dictionary}{filter}/Length {length}>>stream\n");
        self.bytes.extend(head.as_bytes());
        self.bytes.extend(content);
        self.bytes.extend(b"\nendstream\nendobj\n");
    }

    /// Writes objects that are no streams into one that is: their numbers, and in `content` from `first` on what they
    /// say, after a table of where.
    pub(super) fn pack(
        &mut self,
        numbers: &[usize],
        first: usize,
        content: &[u8],
        deflate: impl Fn(&[u8]) -> Result<Option<Vec<u8>>, RenderError>,
    ) -> Result<(), RenderError> {
        let container = self.reserve();
        for (index, number) in numbers.iter().enumerate() {
            self.place(*number, Place::Inside { container, index });
        }
        let dictionary = format!("/Type/ObjStm/N {}/First {first}", numbers.len());
        let deflated = deflate(content)?;
        let content = deflated.as_deref().unwrap_or(content);
        self.stream_as(container, &dictionary, content, deflated.is_some());
        Ok(())
    }

    /// Writes where everything is, and the end.
    pub(super) fn finish(mut self, trailer: &str) -> Vec<u8> {
        let id = self.reserve();
        let start = self.bytes.len();
        self.place(id, Place::Offset(start));
        // Object 0 is the head of a list of free ones that has no other.
        let mut table = vec![0, 0, 0, 0, 0, 0xff, 0xff];
        for place in &self.places {
            let (kind, at, index) = match *place {
                Place::Reserved => (0, 0, 0),
                Place::Offset(at) => (1, at, 0),
                Place::Inside { container, index } => (2, container, index),
            };
            table.push(kind);
            table.extend((at as u32).to_be_bytes());
            table.extend((index as u16).to_be_bytes());
        }
        let size = self.places.len() + 1;
        let dictionary = format!("/Type/XRef/W[1 4 2]/Size {size}{trailer}");
        self.stream_as(id, &dictionary, &table, false);
        let end = format!("startxref\n{start}\n%%EOF\n");
        self.bytes.extend(end.as_bytes());
        self.bytes
    }

    fn place(&mut self, id: usize, place: Place) {
        if let Some(known) = self.places.get_mut(id - 1) {
            *known = place;
        }
    }
}
