//! What is in each column, in a few numbers: count, mean, spread and quartiles; of text the most frequent value.

use std::sync::Arc;

use cornu_array::{Error, Result};

use super::{Column, ColumnNames, Index, NAT, Scalar, Table, Values, stats};

/// Which columns [`Table::describe_with`] looks at, and which quantiles it shows.
#[derive(Clone, Debug)]
pub struct Describe {
    include: Option<Vec<String>>,
    all: bool,
    percentiles: Vec<f64>,
}

impl Default for Describe {
    fn default() -> Describe {
        Describe { include: None, all: false, percentiles: vec![0.25, 0.5, 0.75] }
    }
}

impl Describe {
    /// Columns of numbers and dates, or all if there is none of these; quartiles.
    pub fn new() -> Describe {
        Describe::default()
    }

    /// Every column (`include="all"`).
    #[must_use]
    pub fn include_all(self) -> Describe {
        Describe { all: true, ..self }
    }

    /// The columns of these types, by pandas' names; `number` is every type of numbers.
    #[must_use]
    pub fn include(self, dtypes: impl ColumnNames) -> Describe {
        Describe { include: Some(dtypes.into_names()), ..self }
    }

    /// Shares from 0 to 1, of which the quantiles are shown.
    #[must_use]
    pub fn percentiles(self, shares: impl IntoIterator<Item = f64>) -> Describe {
        let mut percentiles: Vec<f64> = shares.into_iter().collect();
        percentiles.sort_by(f64::total_cmp);
        Describe { percentiles, ..self }
    }

    fn check(&self) -> Result<()> {
        if let Some(share) = self.percentiles.iter().find(|share| !(0.0..=1.0).contains(*share)) {
            return Err(Error::usage(format!("`describe` needs percentiles from 0 to 1, got {share}")));
        }
        match self.percentiles.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Error::usage(format!("`describe` needs different percentiles, got {} twice", pair[0]))),
            None => Ok(()),
        }
    }
}

impl Table {
    /// Of each column of numbers: how many are not missing, their mean and standard deviation (with one degree of
    /// freedom taken off), least, quartiles (between two values: linear) and greatest. Of dates the same; of a table
    /// without either: how many are not missing, how many different ones there are, and the most frequent.
    ///
    /// # Errors
    /// There must be a column.
    pub fn describe(&self) -> Result<Table> {
        self.describe_with(&Describe::new())
    }

    /// The same of chosen columns.
    ///
    /// ```
    /// # use cornu_data::{Describe, Table};
    /// let table = Table::from_csv_str("age,sex\n31,f\n58,m\n7,m\n")?;
    /// let described = table.describe_with(&Describe::new().include_all())?;
    /// assert_eq!(described["sex"].get(2)?, cornu_data::Value::Text("m"));
    /// # Ok::<(), cornu_array::Error>(())
    /// ```
    ///
    /// # Errors
    /// There must be such a column; percentiles are from 0 to 1, all different.
    pub fn describe_with(&self, how: &Describe) -> Result<Table> {
        how.check()?;
        let moment = |column: &Column| matches!(column.values(), Values::Date(_));
        let number = |column: &Column| column.values().is_numeric() && !matches!(column.values(), Values::Bool(_));
        let chosen = match &how.include {
            _ if how.all => self.clone(),
            Some(dtypes) => self.select_dtypes(dtypes)?,
            None if self.columns().iter().any(|column| number(column) || moment(column)) => {
                self.only(|column| number(column) || moment(column))
            }
            None => self.clone(),
        };
        if chosen.columns().is_empty() {
            return Err(Error::data("`describe` needs a column of the chosen types, got none"));
        }
        let summaries: Vec<Column> = chosen.columns().iter().map(|column| summary(column, &how.percentiles)).collect();
        let labels = common_labels(&summaries);
        let index = Arc::new(Index::new(labels));
        let columns = summaries.iter().map(|summary| summary.aligned(&index)).collect::<Result<_>>()?;
        Table::from_columns(columns)
    }
}

impl Column {
    /// Count, mean, spread and quartiles of numbers; of text the most frequent value. See [`Table::describe`].
    #[must_use]
    pub fn describe(&self) -> Column {
        summary(self, &Describe::new().percentiles)
    }

    /// The same with other quantiles.
    ///
    /// # Errors
    /// Percentiles are from 0 to 1, all different.
    pub fn describe_with(&self, how: &Describe) -> Result<Column> {
        how.check()?;
        Ok(summary(self, &how.percentiles))
    }
}

/// The labels of all summaries, the shortest first.
fn common_labels(summaries: &[Column]) -> Values {
    let mut order: Vec<&Column> = summaries.iter().collect();
    order.sort_by_key(|summary| summary.len());
    let mut labels: Vec<String> = Vec::new();
    for summary in order {
        for row in 0..summary.len() {
            let label = summary.index().label(row);
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    labels.into()
}

fn summary(column: &Column, percentiles: &[f64]) -> Column {
    let (labels, values) = match column.values() {
        Values::Bool(_) => of_words(column),
        Values::Date(moments) => of_moments(moments, percentiles),
        values if values.is_numeric() => of_numbers(column, percentiles),
        _ => of_words(column),
    };
    Column { index: Arc::new(Index::new(labels)), ..Column::new(column.name(), values) }
}

fn of_numbers(column: &Column, percentiles: &[f64]) -> (Vec<String>, Values) {
    let values = column.values();
    let end = |greatest| stats::extreme(values, greatest).and_then(|row| values.get(row).to_f64()).unwrap_or(f64::NAN);
    let or_nan = |statistic: Option<f64>| statistic.unwrap_or(f64::NAN);
    let mut all = vec![stats::count(values) as f64, or_nan(stats::mean(values)), or_nan(stats::deviation(values, 1))];
    all.push(end(false));
    all.extend(stats::quantiles(values, percentiles).unwrap_or_default());
    all.push(end(true));
    let labels = ["count", "mean", "std", "min"].map(String::from).into_iter();
    (labels.chain(formatted(percentiles)).chain(["max".into()]).collect(), Values::Float(all))
}

fn of_moments(moments: &[i64], percentiles: &[f64]) -> (Vec<String>, Values) {
    let there = Values::Int(moments.iter().copied().filter(|&moment| moment != NAT).collect());
    let moment = |value: f64| if value.is_nan() { Scalar::Date(NAT) } else { Scalar::Date(value as i64) };
    let end =
        |greatest| stats::extreme(&there, greatest).map_or(f64::NAN, |row| there.get(row).to_f64().unwrap_or(0.0));
    let mut all = vec![Scalar::from(there.len()), moment(stats::mean(&there).unwrap_or(f64::NAN)), moment(end(false))];
    all.extend(stats::quantiles(&there, percentiles).unwrap_or_default().into_iter().map(moment));
    all.push(moment(end(true)));
    let labels = ["count", "mean", "min"].map(String::from).into_iter();
    (labels.chain(formatted(percentiles)).chain(["max".into()]).collect(), Values::Object(all))
}

fn of_words(column: &Column) -> (Vec<String>, Values) {
    let counts = column.value_counts();
    let occurring = |row: &usize| counts.values().get(*row).to_f64() != Some(0.0);
    let unique = (0..counts.len()).filter(occurring).count();
    let (count, unique) = (Scalar::from(column.count()), Scalar::from(unique));
    let values = match counts.is_empty() || unique == Scalar::Int(0) {
        true => Values::Object(vec![count, unique, Scalar::Missing, Scalar::Missing]),
        false => vec![count, unique, counts.index().get(0).into(), counts.scalar(0)].into(),
    };
    (["count", "unique", "top", "freq"].map(String::from).into(), values)
}

/// Shares as per cent, with as many decimals as tell them apart.
fn formatted(percentiles: &[f64]) -> Vec<String> {
    let percents: Vec<f64> = percentiles.iter().map(|share| 100.0 * share).collect();
    let ends = [percents.first().copied(), percents.last().map(|last| 100.0 - last)];
    let steps = percents.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    let least = ends.into_iter().flatten().filter(|&end| end > 0.0).chain(steps).fold(f64::INFINITY, f64::min);
    let decimals = (-least.log10().floor()).clamp(1.0, 17.0) as i32;
    let scale = 10_f64.powi(decimals);
    let text = |&percent: &f64| {
        let rounded = (percent * scale).round_ties_even() / scale;
        let whole = rounded.trunc();
        if (whole - percent).abs() <= 1e-8 + 1e-5 * percent.abs() {
            format!("{}%", percent.round_ties_even())
        } else {
            format!("{}%", cornu_array::numbers::repr(rounded))
        }
    };
    percents.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn missing_values_and_text_are_left_out() {
        let table = Table::from_csv_str("a,b,c,d\n1,x,,4\n,y,,4\n4,z,,4\n").unwrap().describe().unwrap();
        assert_eq!(table.names(), ["a", "c", "d"]);
        let column = |name: &str| table.column(name).unwrap().iter().filter_map(Value::to_f64).collect::<Vec<_>>();
        assert_eq!(column("a"), [2.0, 2.5, 4.5_f64.sqrt(), 1.0, 1.75, 2.5, 3.25, 4.0]);
        assert!(column("c")[1..].iter().all(|value| value.is_nan()) && column("c")[0] == 0.0);
        assert_eq!(column("d"), [3.0, 4.0, 0.0, 4.0, 4.0, 4.0, 4.0, 4.0]);
        let text = Table::from_csv_str("b\nx\n").unwrap().describe().unwrap();
        assert_eq!(text.to_string(), "        b\ncount   1\nunique  1\ntop     x\nfreq    1");
        assert!(text.drop("b").unwrap().describe().is_err());
    }

    #[test]
    fn shares_are_told_apart() {
        let shares = |shares: &[f64]| formatted(shares).join(" ");
        assert_eq!(shares(&[0.01999, 0.02001, 0.5, 0.666666, 0.9999]), "1.999% 2.001% 50% 66.667% 99.99%");
        assert_eq!(shares(&[0.0, 0.1, 1.0]), "0% 10% 100%");
    }
}
