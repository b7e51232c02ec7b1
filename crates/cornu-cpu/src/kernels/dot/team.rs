//! Dividing the blocks of one product among threads.

use std::ops::Range;

use crate::kernels::threads::{Threads, share};

/// The threads one call uses, and into how many parts it is divided for them.
pub(super) struct Team<'a> {
    threads: Option<&'a Threads>,
    parts: usize,
}

impl<'a> Team<'a> {
    /// At most `most_parts` parts, one for each thread.
    pub(super) fn new(threads: Option<&'a Threads>, most_parts: usize) -> Self {
        match threads {
            Some(threads) if most_parts > 1 => Team { threads: Some(threads), parts: threads.count().min(most_parts) },
            _ => Team { threads: None, parts: 1 },
        }
    }

    /// Calls `body` for shares that together are `0..blocks`.
    #[inline(always)]
    pub(super) fn split(&self, blocks: usize, body: impl Fn(Range<usize>) + Sync) {
        match self.threads {
            Some(threads) => {
                let parts = self.parts.min(blocks);
                threads.run(parts, &|part| body(share(blocks, part, parts)));
            }
            None => body(0..blocks),
        }
    }

    /// Calls `body` for shares of `rows` and `columns` that together are all their pairs. Each column of a share
    /// costs as much as `extra` rows more.
    #[inline(always)]
    pub(super) fn split_grid(
        &self,
        [rows, columns, extra]: [usize; 3],
        body: impl Fn(Range<usize>, Range<usize>) + Sync,
    ) {
        match self.threads {
            Some(threads) => {
                let (row_parts, column_parts) = divide(self.parts, rows, columns, extra);
                threads.run(row_parts * column_parts, &|part| {
                    let rows = share(rows, part / column_parts, row_parts);
                    body(rows, share(columns, part % column_parts, column_parts));
                });
            }
            None => body(0..rows, 0..columns),
        }
    }
}

/// Into how many parts rows and columns are divided: at most `parts` together, with the least work in the largest part
/// and then the most even in both directions.
fn divide(parts: usize, rows: usize, columns: usize, extra: usize) -> (usize, usize) {
    let cost = |&(row_parts, column_parts): &(usize, usize)| {
        let (height, width) = (rows.div_ceil(row_parts), columns.div_ceil(column_parts));
        ((height + extra) * width, height + width)
    };
    let choices = (1..=parts.min(rows)).map(|row_parts| (row_parts, (parts / row_parts).clamp(1, columns)));
    choices.min_by_key(cost).unwrap_or((1, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_part_is_small() {
        for (parts, rows, columns, extra, expected) in [
            (2, 3, 4, 0, (1, 2)),
            (2, 66, 4, 0, (2, 1)),
            (2, 4, 66, 0, (1, 2)),
            (2, 4, 25, 0, (2, 1)),
            (2, 4, 25, 2, (1, 2)),
            (4, 3, 1, 0, (3, 1)),
            (4, 10, 10, 0, (2, 2)),
            (8, 1, 1, 0, (1, 1)),
        ] {
            assert_eq!(divide(parts, rows, columns, extra), expected, "{parts} parts of {rows} by {columns}");
        }
    }
}
