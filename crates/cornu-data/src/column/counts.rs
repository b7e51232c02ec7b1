//! Distinct values, how often each occurs, and rows that occurred before.

use std::sync::Arc;

use super::Column;
use crate::{Index, Scalar, Value, Values, order};

/// How [`Column::value_counts_with`] counts.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    normalize: bool,
    sort: bool,
    ascending: bool,
    dropna: bool,
}

impl Default for Counts {
    fn default() -> Counts {
        Counts { normalize: false, sort: true, ascending: false, dropna: true }
    }
}

impl Counts {
    /// Counts of what is there, the largest first.
    pub fn new() -> Counts {
        Counts::default()
    }

    /// Shares of all that is counted instead of counts.
    #[must_use]
    pub fn normalize(self, normalize: bool) -> Counts {
        Counts { normalize, ..self }
    }

    /// Whether they are put in order; else they come as the values first appear.
    #[must_use]
    pub fn sort(self, sort: bool) -> Counts {
        Counts { sort, ..self }
    }

    /// The smallest first.
    #[must_use]
    pub fn ascending(self, ascending: bool) -> Counts {
        Counts { ascending, ..self }
    }

    /// Whether missing values are left out.
    #[must_use]
    pub fn dropna(self, dropna: bool) -> Counts {
        Counts { dropna, ..self }
    }
}

/// Which of equal rows is not one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The first of them.
    First,
    /// The last of them.
    Last,
    /// None.
    Neither,
}

impl Column {
    /// The distinct values, in the order of their first appearance.
    pub fn unique(&self) -> Vec<Value<'_>> {
        order::numbered(self.values()).1.into_iter().map(|row| self.values().get(row)).collect()
    }

    /// The number of distinct values that are not missing.
    pub fn nunique(&self) -> usize {
        self.unique().into_iter().filter(|value| !value.is_missing()).count()
    }

    /// How often each value occurs, the most frequent first; what is equally frequent, in the order of first appearance.
    ///
    /// ```
    /// # use cornu_data::Column;
    /// let counts = Column::new("sex", vec!["f", "m", "m"]).value_counts();
    /// assert_eq!(counts.to_string(), "sex\nm    2\nf    1\nName: count, dtype: int64");
    /// ```
    #[must_use]
    pub fn value_counts(&self) -> Column {
        self.value_counts_with(Counts::new())
    }

    /// How often each value occurs.
    #[must_use]
    pub fn value_counts_with(&self, how: Counts) -> Column {
        let (mut counts, mut labels) = match self.values() {
            Values::Category(category) => self.category_counts(category, how),
            values => {
                let (codes, firsts) = order::numbered(values);
                let mut counts = vec![0_i64; firsts.len()];
                codes.iter().for_each(|&code| counts[code as usize] += 1);
                (counts, values.take(&firsts))
            }
        };
        if how.dropna {
            let missing = labels.missing();
            let there: Vec<usize> = (0..missing.len()).filter(|&row| !missing[row]).collect();
            (counts, labels) = (there.iter().map(|&row| counts[row]).collect(), labels.take(&there));
        }
        let mut counts = Values::Int(counts);
        if how.sort {
            let order = order::argsort(&counts, !how.ascending, false);
            (counts, labels) = (counts.take(&order), labels.take(&order));
        }
        let mut name = "count";
        if let (true, Values::Int(whole)) = (how.normalize, &counts) {
            let all: i64 = whole.iter().sum();
            counts = Values::Float(whole.iter().map(|&count| count as f64 / all as f64).collect());
            name = "proportion";
        }
        let index = Index::new(labels).with_name(Some(self.name.clone()).filter(|name| !name.is_empty()));
        Column { index: Arc::new(index), ..Column::new(name, counts) }
    }

    /// Categories are counted in their order, those that do not occur too.
    fn category_counts(&self, category: &crate::Category, how: Counts) -> (Vec<i64>, Values) {
        let mut counts = vec![0_i64; category.categories.len()];
        let mut missing = 0;
        for code in &category.codes {
            *code.map_or(&mut missing, |code| &mut counts[code as usize]) += 1;
        }
        let mut codes: Vec<Option<u32>> = (0..counts.len() as u32).map(Some).collect();
        if missing > 0 && !how.dropna {
            counts.push(missing);
            codes.push(None);
        }
        (counts, Values::Category(category.with_codes(codes)))
    }

    /// The most frequent values in order: several, if they are equally frequent.
    #[must_use]
    pub fn mode(&self) -> Column {
        let (codes, firsts) = order::numbered(self.values());
        let mut counts = vec![0_usize; firsts.len()];
        codes.iter().for_each(|&code| counts[code as usize] += 1);
        let there = |code: &usize| !self.values().get(firsts[*code]).is_missing();
        let most = (0..firsts.len()).filter(there).map(|code| counts[code]).max();
        let rows: Vec<usize> = (0..firsts.len()).filter(there).filter(|&code| Some(counts[code]) == most).collect();
        let values = self.values().take(&rows.into_iter().map(|code| firsts[code]).collect::<Vec<_>>());
        Column::new(self.name.clone(), values.take(&order::argsort(&values, false, false)))
    }

    /// Which rows hold what another row held before: all but the first, the last, or none of the equal ones.
    #[must_use]
    pub fn duplicated(&self, keep: Keep) -> Column {
        self.with_values(Values::Bool(repeated(&order::numbered(self.values()).0, keep)))
    }

    /// The first row of each value.
    #[must_use]
    pub fn drop_duplicates(&self) -> Column {
        self.take_rows(&order::numbered(self.values()).1)
    }
}

/// Which of numbered rows have an equal one that is kept.
pub(crate) fn repeated(codes: &[u32], keep: Keep) -> Vec<bool> {
    let numbers = codes.iter().max().map_or(0, |most| *most as usize + 1);
    let mut repeated = vec![false; codes.len()];
    let mut seen: Vec<Option<usize>> = vec![None; numbers];
    let mut meet = |row: usize| {
        let code = codes[row] as usize;
        if let Some(before) = seen[code] {
            repeated[row] = true;
            repeated[before] |= keep == Keep::Neither;
        }
        seen[code] = Some(row);
    };
    match keep {
        Keep::Last => (0..codes.len()).rev().for_each(&mut meet),
        Keep::First | Keep::Neither => (0..codes.len()).for_each(&mut meet),
    }
    repeated
}

impl Column {
    /// The value at `position`, counted from 0.
    ///
    /// # Errors
    /// There must be so many rows.
    pub fn get(&self, position: usize) -> cornu_array::Result<Value<'_>> {
        super::check_positions(&[position], self.len()).map_err(|_| {
            let (name, rows) = (self.name(), self.len());
            cornu_array::Error::usage(format!("column `{name}` has {rows} rows, got position {position}"))
        })?;
        Ok(self.values().get(position))
    }

    /// One value of the column as it was counted.
    pub(crate) fn scalar(&self, row: usize) -> Scalar {
        self.values().get(row).into()
    }
}
