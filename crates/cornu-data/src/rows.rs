//! How rows are chosen: at random, or by the order of columns.

use cornu_array::{Error, Result};

use super::{Column, ColumnNames, Table, Values, order, random};

/// What [`Table::sample`] draws.
///
/// ```
/// use cornu_data::{Sample, Table, Values};
///
/// let table = Table::new([("a", Values::from(vec![10, 11, 12, 13]))])?;
/// let shuffled = table.sample(Sample::frac(1.0).random_state(42))?;
/// assert_eq!(shuffled["a"].values(), &Values::from(vec![11, 13, 10, 12]));
/// assert_eq!(table.sample(2)?.rows(), 2);
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    share: Share,
    random_state: Option<u32>,
    replace: bool,
    ignore_index: bool,
}

#[derive(Clone, Copy, Debug)]
enum Share {
    Rows(usize),
    Part(f64),
}

impl From<usize> for Sample {
    fn from(rows: usize) -> Sample {
        Sample::n(rows)
    }
}

impl Sample {
    fn of(share: Share) -> Sample {
        Sample { share, random_state: None, replace: false, ignore_index: false }
    }

    /// So many rows.
    pub fn n(rows: usize) -> Sample {
        Sample::of(Share::Rows(rows))
    }

    /// That part of the rows; 1.0 puts all of them in random order.
    pub fn frac(part: f64) -> Sample {
        Sample::of(Share::Part(part))
    }

    /// The seed of NumPy's generator, for the rows that pandas draws; without one, that of this process draws.
    #[must_use]
    pub fn random_state(self, seed: u32) -> Sample {
        Sample { random_state: Some(seed), ..self }
    }

    /// Whether a row may be drawn more than once.
    #[must_use]
    pub fn replace(self, replace: bool) -> Sample {
        Sample { replace, ..self }
    }

    /// Whether the rows are labelled anew: 0, 1, 2, ….
    #[must_use]
    pub fn ignore_index(self, ignore_index: bool) -> Sample {
        Sample { ignore_index, ..self }
    }

    pub(crate) fn ignores_index(self) -> bool {
        self.ignore_index
    }

    /// The rows that are drawn of so many.
    pub(crate) fn rows(self, all: usize) -> Result<Vec<usize>> {
        let rows = match self.share {
            Share::Rows(rows) => rows,
            Share::Part(part) if part >= 0.0 && part.is_finite() => (part * all as f64).round_ties_even() as usize,
            Share::Part(part) => {
                return Err(Error::usage(format!("`sample` needs a part of the rows of at least 0, got {part}")));
            }
        };
        if rows > all && !self.replace {
            return Err(Error::usage(format!("`sample` needs at most the {all} rows there are, got {rows}"))
                .help("`replace(true)` lets a row be drawn more than once"));
        }
        if rows > 0 && all == 0 {
            return Err(Error::usage("`sample` needs a row to draw, the table has none"));
        }
        cornu_array::room::room::<usize>("the sample", &[rows])?;
        random::with_generator(self.random_state, |random| {
            if self.replace {
                (0..rows).map(|_| random.randint(0, all as i64).map(|row| row as usize)).collect()
            } else {
                random.choice(all, rows)
            }
        })
    }
}

/// The order of rows: by which columns, which way.
///
/// ```
/// use cornu_data::{SortBy, Table};
///
/// let table = Table::from_csv_str("name,age\nann,31\nbob,58\neve,31\n")?;
/// let sorted = table.sort_values(SortBy::new(["age", "name"]).ascending([false, true]))?;
/// assert_eq!(sorted["name"].unique().len(), 3);
/// assert_eq!(sorted.to_string(), "  name  age\n1  bob   58\n0  ann   31\n2  eve   31");
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SortBy {
    names: Vec<String>,
    descending: bool,
    ascending: Vec<bool>,
    na_first: bool,
    ignore_index: bool,
}

impl<N: ColumnNames> From<N> for SortBy {
    fn from(names: N) -> SortBy {
        SortBy::new(names)
    }
}

impl SortBy {
    /// By these columns: rows with equal values in the first by the second, and so on, the least first.
    pub fn new(names: impl ColumnNames) -> SortBy {
        SortBy { names: names.into_names(), ..SortBy::default() }
    }

    /// The greatest first.
    #[must_use]
    pub fn descending(self) -> SortBy {
        SortBy { descending: true, ..self }
    }

    /// For each column whether the least come first.
    #[must_use]
    pub fn ascending(self, ascending: impl IntoIterator<Item = bool>) -> SortBy {
        SortBy { ascending: ascending.into_iter().collect(), ..self }
    }

    /// Missing values come first instead of last.
    #[must_use]
    pub fn na_first(self) -> SortBy {
        SortBy { na_first: true, ..self }
    }

    /// Whether the rows are labelled anew: 0, 1, 2, ….
    #[must_use]
    pub fn ignore_index(self, ignore_index: bool) -> SortBy {
        SortBy { ignore_index, ..self }
    }

    /// The rows in the order of these columns.
    pub(crate) fn order(&self, columns: &[&Values]) -> Vec<usize> {
        let way = |place: usize| self.ascending.get(place).map_or(self.descending, |ascending| !ascending);
        let columns: Vec<(&Values, bool)> = columns.iter().enumerate().map(|(i, &values)| (values, way(i))).collect();
        order::argsort_by(&columns, self.na_first)
    }

    pub(crate) fn finished(&self, column: Column) -> Column {
        if self.ignore_index { column.reset_index() } else { column }
    }
}

impl Table {
    /// Rows at random: those that pandas draws for the same seed. Of all rows, a shuffled table.
    ///
    /// # Errors
    /// Without `replace`, no more rows can be drawn than there are.
    pub fn sample(&self, how: impl Into<Sample>) -> Result<Table> {
        let how = how.into();
        let sampled = self.take_unchecked(&how.rows(self.rows())?);
        Ok(if how.ignore_index { sampled.renumbered() } else { sampled })
    }

    /// The rows in the order of a column, or of several: `sort_values("age")`. Rows that are equal there stay in the order
    /// they have, as `kind="stable"` of pandas keeps them; missing values come last.
    ///
    /// # Errors
    /// The table must have the columns.
    pub fn sort_values(&self, by: impl Into<SortBy>) -> Result<Table> {
        let by = by.into();
        if !by.ascending.is_empty() && by.ascending.len() != by.names.len() {
            let (names, ways) = (by.names.len(), by.ascending.len());
            return Err(Error::usage(format!("`ascending` needs {names} values, one for each column, got {ways}"))
                .help("`descending()` turns all columns around"));
        }
        let columns = by.names.iter().map(|name| Ok(self.column(name)?.values())).collect::<Result<Vec<_>>>()?;
        if columns.is_empty() {
            return Ok(self.clone());
        }
        let sorted = self.take_unchecked(&by.order(&columns));
        Ok(if by.ignore_index { sorted.renumbered() } else { sorted })
    }

    /// The rows in the order of their labels.
    #[must_use]
    pub fn sort_index(&self) -> Table {
        self.sort_index_with(&SortBy::default())
    }

    /// The rows in the order of their labels; the names of `how` do not count.
    #[must_use]
    pub fn sort_index_with(&self, how: &SortBy) -> Table {
        let sorted = self.take_unchecked(&how.order(&[&self.index().to_shared()]));
        if how.ignore_index { sorted.renumbered() } else { sorted }
    }
}
