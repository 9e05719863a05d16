//! Where in a document a byte stands, found without building the document.

/// The containers that are open, and what of each is being read.
#[derive(Debug, Default)]
pub(super) struct Place<'a> {
    levels: Vec<Level<'a>>,
}

#[derive(Debug)]
enum Level<'a> {
    /// Index of the element.
    List(usize),
    /// The key as it is written, with its quotes; none before it was read.
    Object(Option<&'a [u8]>),
}

impl<'a> Place<'a> {
    /// Reads to the end of the bytes and tells where that is; an error where nesting passes `depth_max`.
    pub(super) fn walk(bytes: &'a [u8], depth_max: usize) -> Result<Self, Self> {
        let mut place = Self::default();
        // A text in an object is a key until its colon was seen.
        let mut at_key = false;
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'"' => {
                    let end = end_of_text(bytes, at);
                    if at_key && let Some(Level::Object(key)) = place.levels.last_mut() {
                        *key = Some(&bytes[at..end]);
                    }
                    at = end;
                    continue;
                }
                open @ (b'{' | b'[') => {
                    if place.levels.len() == depth_max {
                        return Err(place);
                    }
                    at_key = open == b'{';
                    place.levels.push(if at_key {
                        Level::Object(None)
                    } else {
                        Level::List(0)
                    });
                }
                b'}' | b']' => {
                    place.levels.pop();
                    at_key = false;
                }
                b':' => at_key = false,
                b',' => match place.levels.last_mut() {
                    Some(Level::List(index)) => *index += 1,
                    Some(Level::Object(key)) => {
                        *key = None;
                        at_key = true;
                    }
                    None => {}
                },
                _ => {}
            }
            at += 1;
        }
        Ok(place)
    }

    /// RFC 6901.
    pub(super) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for level in &self.levels {
            let token = match level {
                Level::List(index) => index.to_string(),
                // Too long to be repeated: the object that it stands in must do.
                Level::Object(Some(key)) if key.len() > super::node::NAME_BYTES_MAX => break,
                Level::Object(Some(key)) => serde_json::from_slice::<String>(key)
                    .unwrap_or_else(|_unfinished| String::from_utf8_lossy(key).into_owned()),
                Level::Object(None) => break,
            };
            pointer.push('/');
            pointer.push_str(&super::node::escape(&token));
        }
        pointer
    }
}

/// The first byte after a text that begins at `start`.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}
