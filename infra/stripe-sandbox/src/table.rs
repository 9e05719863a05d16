//! Rows in the order they came, found by id in one step.

use std::collections::HashMap;

/// A row that knows its name.
pub(crate) trait Row {
    fn id(&self) -> &str;
}

#[derive(Debug)]
pub(crate) struct Table<T> {
    rows: Vec<T>,
    places: HashMap<String, usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<T: Row> Table<T> {
    /// Adds the row, or replaces the one of the same id; answers its place.
    pub(crate) fn put(&mut self, row: T) -> usize {
        if let Some(&place) = self.places.get(row.id()) {
            self.rows[place] = row;
            return place;
        }
        let place = self.rows.len();
        self.places.insert(row.id().to_owned(), place);
        self.rows.push(row);
        place
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.places.get(id).map(|&place| &self.rows[place])
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<(usize, &mut T)> {
        let &place = self.places.get(id)?;
        Some((place, &mut self.rows[place]))
    }

    pub(crate) fn at(&self, place: usize) -> Option<&T> {
        self.rows.get(place)
    }

    pub(crate) fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = &T> {
        self.rows.iter()
    }

    /// Everything older than `after`, newest first; everything at all without it.
    pub(crate) fn newest_first(&self, after: Option<&str>) -> impl Iterator<Item = &T> {
        let end = match after {
            Some(id) => self.place(id).unwrap_or(0),
            None => self.rows.len(),
        };
        self.rows[..end].iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Row for (&'static str, u8) {
        fn id(&self) -> &str {
            self.0
        }
    }

    #[test]
    fn a_row_keeps_its_place_when_it_is_replaced() {
        let mut table = Table::default();
        for row in [("a", 1), ("b", 2), ("c", 3), ("a", 4)] {
            table.put(row);
        }
        assert_eq!(table.get("a"), Some(&("a", 4)));
        let page: Vec<_> = table.newest_first(Some("c")).collect();
        assert_eq!(page, [&("b", 2), &("a", 4)]);
    }
}
