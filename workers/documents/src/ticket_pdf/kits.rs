//! The fonts of documents rendered lately, for the next booking of the same show.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::alphabet::Alphabet;
use super::face::Fonts;
use super::kit::Kit;
use crate::RenderError;

/// Kits by alphabet; those that were not used for longest make room. A kit follows from its alphabet alone, so
/// documents have the same bytes whether their kit was here or not.
pub(super) struct Kits {
    bytes_max: usize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    kits: HashMap<Alphabet, Used>,
    bytes: usize,
    /// Counts uses.
    now: u64,
}

struct Used {
    kit: Arc<Kit>,
    last: u64,
}

/// Of all kits together: several hundred shows, in several languages.
pub(super) const BYTES_MAX: usize = 8 * 1024 * 1024;
/// A larger kit, of a document with a thousand different characters, would put many others out and is not kept.
const KIT_BYTES_MAX: usize = 64 * 1024;

impl Kits {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            known: Mutex::default(),
        }
    }

    /// The kit of the alphabet, made if it is not known. Whoever comes meanwhile makes the same one rather than wait.
    pub(super) fn get(&self, alphabet: Alphabet, fonts: &Fonts) -> Result<Arc<Kit>, RenderError> {
        if let Some(kit) = self.known().find(&alphabet) {
            return Ok(kit);
        }
        let kit = Arc::new(Kit::new(&alphabet, fonts)?);
        let bytes = bytes(&alphabet, &kit);
        if bytes <= self.bytes_max.min(KIT_BYTES_MAX) {
            self.known().keep(alphabet, &kit, bytes, self.bytes_max);
        }
        Ok(kit)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while it is held; and what is known would be right all the same.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(alphabet: &Alphabet, kit: &Kit) -> usize {
    kit.len() + alphabet.regular.len() + alphabet.bold.len()
}

impl Known {
    fn find(&mut self, alphabet: &Alphabet) -> Option<Arc<Kit>> {
        let used = self.kits.get_mut(alphabet)?;
        self.now += 1;
        used.last = self.now;
        Some(Arc::clone(&used.kit))
    }

    fn keep(&mut self, alphabet: Alphabet, kit: &Arc<Kit>, added: usize, bytes_max: usize) {
        if self.kits.contains_key(&alphabet) {
            return;
        }
        while self.bytes + added > bytes_max {
            let oldest = self.kits.iter().min_by_key(|(_, used)| used.last);
            let Some(oldest) = oldest.map(|(alphabet, _)| alphabet.clone()) else {
                return;
            };
            if let Some(gone) = self.kits.remove(&oldest) {
                self.bytes -= bytes(&oldest, &gone.kit);
            }
        }
        self.now += 1;
        let used = Used {
            kit: Arc::clone(kit),
            last: self.now,
        };
        self.bytes += added;
        self.kits.insert(alphabet, used);
    }
}

#[cfg(test)]
mod tests {
    use super::super::face::{Face, fonts};
    use super::*;

    fn alphabet(bold: &str) -> Alphabet {
        Alphabet {
            regular: "abc".to_owned(),
            bold: bold.to_owned(),
        }
    }

    #[test]
    fn a_known_kit_is_not_made_again_and_what_was_not_used_for_longest_goes() {
        let fonts = fonts().unwrap();
        let one = Kit::new(&alphabet("A"), fonts).unwrap();
        // Room for three of about the same size.
        let room = bytes(&alphabet("A"), &one) * 7 / 2;
        let known = Mutex::new(Known::default());
        let mut known = known.lock().unwrap();
        for letter in ["A", "B", "C"] {
            let kit = Arc::new(Kit::new(&alphabet(letter), fonts).unwrap());
            known.keep(alphabet(letter), &kit, bytes(&alphabet(letter), &kit), room);
        }
        assert!(known.find(&alphabet("A")).is_some());
        let kit = Arc::new(Kit::new(&alphabet("D"), fonts).unwrap());
        known.keep(alphabet("D"), &kit, bytes(&alphabet("D"), &kit), room);
        let left: Vec<bool> = ["A", "B", "C", "D"]
            .map(|letter| known.find(&alphabet(letter)).is_some())
            .into();
        assert_eq!(left, [true, false, true, true]);
        let sum: usize = known.kits.iter().map(|(a, used)| bytes(a, &used.kit)).sum();
        assert_eq!(sum, known.bytes);
        assert!(known.bytes <= room);
    }

    #[test]
    fn bytes_stay_bounded_whatever_is_rendered() {
        let (fonts, room) = (fonts().unwrap(), 200_000);
        let kits = Kits::new(room);
        for letter in ('A'..='Z').chain('a'..='z') {
            kits.get(alphabet(&letter.to_string()), fonts).unwrap();
            assert!(kits.known().bytes <= room);
        }
        assert!(kits.known().kits.len() > 10);
        let count = kits.known().kits.len();
        let every: String = ('!'..'\u{2600}').collect();
        let fits = |face: &Face| {
            let known = every.chars().filter(|&c| face.glyph(c) != 0);
            known.collect::<String>()
        };
        let large = Alphabet {
            regular: fits(&fonts.regular),
            bold: fits(&fonts.bold),
        };
        kits.get(large, fonts).unwrap();
        assert_eq!(kits.known().kits.len(), count, "too large to be kept");
    }
}
