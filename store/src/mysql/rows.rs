//! Statements about many rows, in few shapes.
//!
//! A statement with another number of rows is another prepared statement: a server keeps 16,382 of them in all, and
//! closing one costs (see the runtime's pool). So rows go out in portions of powers of two, a few at once, and lists of
//! keys are padded up to the next one.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, Insert, sea_query::OnConflict};

/// Rows of one statement at most.
const PORTION_MAX: usize = 128;
/// So few have a statement of their own: most batches of a house that is not behind.
const FEW: usize = 8;

/// Inserts rows in their order.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn insert<A: ActiveModelTrait>(
    db: &impl ConnectionTrait,
    rows: impl IntoIterator<Item = A>,
    conflict: Option<OnConflict>,
) -> Result<(), DbErr> {
    let mut rows: Vec<A> = rows.into_iter().collect();
    while !rows.is_empty() {
        let rest = rows.split_off(portion(rows.len()));
        let mut statement = Insert::many(rows);
        if let Some(conflict) = &conflict {
            statement = statement.on_conflict(conflict.clone());
        }
        statement.exec_without_returning(db).await?;
        rows = rest;
    }
    Ok(())
}

/// All of a few, else the largest power of two that is not above `rows`, within the limit.
fn portion(rows: usize) -> usize {
    match rows.checked_ilog2() {
        Some(log) if rows > FEW => (1 << log).min(PORTION_MAX),
        Some(_) | None => rows,
    }
}

/// The keys, the last one repeated up to the next power of two: for a list in which repetition means nothing.
pub(crate) fn padded<T: Clone>(keys: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut keys: Vec<T> = keys.into_iter().collect();
    if let Some(last) = keys.last().cloned() {
        keys.resize(keys.len().next_power_of_two(), last);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn any_number_of_rows_goes_out_in_few_shapes() {
        let mut shapes = BTreeSet::new();
        for rows in 0..1000 {
            let (mut left, mut sizes) = (rows, Vec::new());
            while left > 0 {
                sizes.push(portion(left));
                left -= portion(left);
            }
            assert_eq!(sizes.iter().sum::<usize>(), rows);
            shapes.extend(sizes);
        }
        let few = 1..=FEW;
        assert!(shapes.into_iter().eq(few.chain([16, 32, 64, PORTION_MAX])));
        assert_eq!((portion(0), portion(7), portion(9)), (0, 7, 8));
    }

    #[test]
    fn padding_repeats_only_what_is_there() {
        assert_eq!(padded([1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(padded([1, 2]), [1, 2]);
        assert_eq!(padded::<u8>([]), [0; 0]);
    }
}
