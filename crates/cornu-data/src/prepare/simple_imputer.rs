//! What is missing filled in, column by column.

use cornu_array::{Code, Error, Result, Warning, list, tell};

use super::field::{fields, words};
use super::frame::Seen;
use super::robust_scaler::median;
use super::{Frame, Transformer, files, learnt, methods, stored};
use crate::{Column, Labels, Scalar, Table, Value, Values};

const CLASS: &str = "SimpleImputer";

words! {
    /// What is filled in where a value is missing.
    pub enum Strategy {
        /// The mean of the column.
        Mean = "mean",
        /// The median of the column.
        Median = "median",
        /// The value that occurs most often, of several the least; of text too.
        MostFrequent = "most_frequent",
        /// One value for all columns.
        Constant = "constant",
    }
}

/// Fills in what is missing, as scikit-learn's class of this name does.
///
/// ```
/// use cornu_data::{SimpleImputer, Strategy, Table};
///
/// let table = Table::from_csv_str("age,port\n22,S\n,C\n38,\n26,S\n")?;
/// let filled = SimpleImputer::new().strategy(Strategy::MostFrequent).fit_transform(&table)?;
/// assert_eq!(filled.to_string(), "    age port\n0  22.0    S\n1  22.0    C\n2  38.0    S\n3  26.0    S");
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// A column without any value is left out, with a warning. Tables of numbers become `float64`, of whole numbers alone
/// where the strategy gives such they stay so; beside text each column keeps its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct SimpleImputer {
    missing_values: Scalar,
    strategy: Strategy,
    fill_value: Option<Scalar>,
    add_indicator: bool,
    keep_empty_features: bool,
    learnt: Option<Learnt>,
}

#[derive(Clone, Debug, PartialEq)]
struct Learnt {
    seen: Seen,
    /// What each column is filled with; `null` where it has no values and is left out.
    statistics: Vec<Scalar>,
    /// The columns that an indicator tells of.
    indicator: Vec<usize>,
}

fields!(Learnt { seen, statistics, indicator } check |learnt| {
    let columns = learnt.seen.columns;
    if learnt.statistics.len() != columns || learnt.indicator.iter().any(|&column| column >= columns) {
        return Err(Error::file(format!("needs a statistic for each of {columns} columns, and indicators of these alone")));
    }
    Ok(())
});
fields!(SimpleImputer { missing_values, strategy, fill_value, add_indicator, keep_empty_features, learnt });
methods!(SimpleImputer inverse_table);
files!(SimpleImputer);

impl Default for SimpleImputer {
    fn default() -> Self {
        SimpleImputer {
            missing_values: Scalar::Missing,
            strategy: Strategy::Mean,
            fill_value: None,
            add_indicator: false,
            keep_empty_features: false,
            learnt: None,
        }
    }
}

impl SimpleImputer {
    /// Fills in means.
    pub fn new() -> Self {
        SimpleImputer::default()
    }

    /// What is filled in.
    #[must_use]
    pub fn strategy(self, strategy: Strategy) -> Self {
        SimpleImputer { strategy, ..self }
    }

    /// The value of [`Strategy::Constant`]; without it, 0 and for text `missing_value`.
    #[must_use]
    pub fn fill_value(self, value: impl Into<Scalar>) -> Self {
        SimpleImputer { fill_value: Some(value.into()), ..self }
    }

    /// Takes this value for missing instead of NaN and what is not there.
    #[must_use]
    pub fn missing_values(self, value: impl Into<Scalar>) -> Self {
        SimpleImputer { missing_values: value.into(), ..self }
    }

    /// Whether columns are added that say where something was missing, for those in which something was at the fit.
    #[must_use]
    pub fn add_indicator(self, add_indicator: bool) -> Self {
        SimpleImputer { add_indicator, ..self }
    }

    /// Whether columns without any value stay, filled with 0 or the constant.
    #[must_use]
    pub fn keep_empty_features(self, keep_empty_features: bool) -> Self {
        SimpleImputer { keep_empty_features, ..self }
    }

    /// What each column is filled with, once learnt; missing where it is left out.
    pub fn statistics(&self) -> Option<Vec<Scalar>> {
        self.learnt.as_ref().map(|learnt| learnt.statistics.clone())
    }

    /// What `transform` says on the standard error: the columns that are left out, since they had no values at the fit.
    pub fn warnings(&self) -> Vec<Warning> {
        let Some(learnt) = &self.learnt else { return Vec::new() };
        let names = learnt.seen.names();
        let left: Vec<&str> = (0..names.len()).filter(|&j| !learnt.keeps(j)).map(|j| names[j].as_str()).collect();
        let message = format!(
            "`{CLASS}` leaves out {}: no value was there at the fit; `keep_empty_features(true)` keeps them",
            list(&left)
        );
        if left.is_empty() { Vec::new() } else { vec![Warning::new(Code::ColumnLeftOut, message)] }
    }

    fn is_missing(&self, value: Value<'_>) -> bool {
        let sought = self.missing_values.as_value();
        if sought.is_missing() {
            return value.is_missing();
        }
        match (value, sought) {
            (Value::Text(value), Value::Text(sought)) => value == sought,
            _ => value.to_f64().is_some_and(|value| sought.to_f64() == Some(value)),
        }
    }

    fn mask(&self, values: &Values) -> Vec<bool> {
        values.iter().map(|value| self.is_missing(value)).collect()
    }

    /// What a column is filled with, given its values that are there.
    fn statistic(&self, values: &Values, mask: &[bool]) -> Result<Scalar> {
        let there: Vec<usize> = (0..values.len()).filter(|&row| !mask[row]).collect();
        if there.is_empty() && !self.keep_empty_features {
            return Ok(Scalar::Missing);
        }
        let zero = || if matches!(values, Values::Text(_)) { Scalar::from("missing_value") } else { Scalar::Int(0) };
        match self.strategy {
            Strategy::Constant => Ok(self.fill_value.clone().unwrap_or_else(zero)),
            _ if there.is_empty() => Ok(zero()),
            Strategy::MostFrequent => {
                let labels = Labels::of(&values.take(&there));
                let mut counts = vec![0usize; labels.count()];
                labels.codes().iter().for_each(|&code| counts[code] += 1);
                let most = counts.iter().copied().max().unwrap_or_default();
                Ok(counts
                    .iter()
                    .position(|&count| count == most)
                    .map_or(Scalar::Missing, |code| labels.class(code).into()))
            }
            Strategy::Mean | Strategy::Median => {
                let mut sorted: Vec<f64> = there.iter().filter_map(|&row| values.get(row).to_f64()).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                Ok(Scalar::from(median(&sorted)))
            }
        }
    }

    /// The means, summed as NumPy sums numbers that lie so.
    fn means(&self, x: &Frame<'_>, statistics: &mut [Scalar]) -> Result<()> {
        let matrix = x.borrowed().into_matrix(CLASS, self.missing_values.as_value().is_missing())?;
        let totals = matrix.sums(|_, x| if self.is_missing(Value::Float(x)) { [0.0, 0.0] } else { [x, 1.0] });
        for (statistic, [sum, count]) in statistics.iter_mut().zip(totals) {
            if count > 0.0 {
                *statistic = Scalar::Float(sum / count);
            }
        }
        Ok(())
    }

    /// Columns of numbers in the kind that they are filled in; others as they are.
    fn columns(&self, x: Frame<'_>) -> Result<Vec<Column>> {
        let table = x.into_table()?;
        let plain = |column: &Column| match column.values() {
            Values::Category(category) => column.with_values(category.plain()),
            _ => column.clone(),
        };
        let columns: Vec<Column> = table.columns().iter().map(plain).collect();
        if let Some(date) = columns.iter().find(|column| matches!(column.values(), Values::Date(_))) {
            return Err(Error::data(format!(
                "`{CLASS}` needs numbers or text, got moments in column `{}`",
                date.name()
            )));
        }
        let numbers = matches!(self.strategy, Strategy::Mean | Strategy::Median);
        if let Some(text) =
            columns.iter().find(|column| numbers && matches!(column.values(), Values::Text(_) | Values::Object(_)))
        {
            let strategy = if self.strategy == Strategy::Mean { "mean" } else { "median" };
            let help = "text is filled in by `Strategy::MostFrequent` or `Strategy::Constant`";
            return Err(text.text_error().help(help).context(format!("`{CLASS}` by {strategy}")));
        }
        let all = |test: fn(&Values) -> bool| columns.iter().all(|column| test(column.values()));
        let whole = !numbers && all(|values| matches!(values, Values::Int(_)));
        let single = all(|values| matches!(values, Values::Float32(_)));
        if whole || single || !numbers && !all(Values::is_numeric) {
            return Ok(columns);
        }
        let doubles = |column: Column| {
            let numbers = column.iter().map(|value| value.to_f64().unwrap_or(f64::NAN)).collect::<Vec<f64>>();
            if matches!(column.values(), Values::Float(_)) { column } else { column.with_values(numbers) }
        };
        Ok(columns.into_iter().map(doubles).collect())
    }

    fn check_fill(&self, columns: &[Column]) -> Result<()> {
        let (Some(fill), Strategy::Constant) = (&self.fill_value, self.strategy) else { return Ok(()) };
        match columns.iter().find(|column| !fits(column.values(), fill)) {
            Some(column) => {
                let (name, dtype) = (column.name(), column.dtype());
                let error =
                    Error::data(format!("`fill_value` needs to fit column `{name}` of {dtype}, got {}", fill.kind()));
                Err(error.help("fill columns of other kinds by others, in a `ColumnTransformer`"))
            }
            None => Ok(()),
        }
    }
}

impl Learnt {
    fn keeps(&self, column: usize) -> bool {
        !self.statistics[column].is_missing()
    }
}

impl Transformer for SimpleImputer {
    stored!(SimpleImputer);

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        if x.rows() == 0 || x.width() == 0 {
            let (rows, columns) = (x.rows(), x.width());
            return Err(Error::data(format!(
                "`{CLASS}` needs at least one row and one column, got [{rows},{columns}]"
            )));
        }
        let columns = self.columns(x.borrowed())?;
        self.check_fill(&columns)?;
        self.finite(&columns)?;
        let masks: Vec<Vec<bool>> = columns.iter().map(|column| self.mask(column.values())).collect();
        let statistics = columns.iter().zip(&masks).map(|(column, mask)| self.statistic(column.values(), mask));
        let mut statistics: Vec<Scalar> = statistics.collect::<Result<_>>()?;
        if self.strategy == Strategy::Mean {
            self.means(x, &mut statistics)?;
        }
        let indicator = (0..masks.len()).filter(|&j| self.add_indicator && masks[j].contains(&true)).collect();
        self.learnt = Some(Learnt { seen: Seen::of(x), statistics, indicator });
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        learnt.seen.check(CLASS, &x)?;
        self.warnings().iter().for_each(tell);
        let (rows, index) = (matches!(x, Frame::Rows(_)), x.index());
        let columns = self.columns(x)?;
        self.finite(&columns)?;
        let masks: Vec<Vec<bool>> = columns.iter().map(|column| self.mask(column.values())).collect();
        let numeric = columns.iter().all(|column| column.values().is_numeric());
        let mut made = Vec::with_capacity(columns.len());
        for (j, column) in columns.iter().enumerate().filter(|&(j, _)| learnt.keeps(j)) {
            made.push(column.with_values(filled(column, &masks[j], &learnt.statistics[j])?));
        }
        for &j in &learnt.indicator {
            let flags = match numeric {
                true => Values::Float(masks[j].iter().map(|&missing| missing.into()).collect()),
                false => Values::Bool(masks[j].clone()),
            };
            made.push(Column::new(format!("missingindicator_{}", columns[j].name()), flags));
        }
        Frame::from(Table::from_columns(made)?.with_index(index)).like(rows)
    }

    fn undo(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        if !self.add_indicator {
            let error = Error::usage(format!("`inverse_transform` of `{CLASS}` needs to know what was missing"));
            return Err(error.help("set `add_indicator(true)` before `fit`"));
        }
        super::frame::check_width(CLASS, self.feature_names_out(None)?.len(), &x)?;
        let index = x.index();
        let (table, names) = (x.into_table()?, learnt.seen.names());
        let mut kept = table.columns().iter();
        let flags = &table.columns()[table.columns().len() - learnt.indicator.len()..];
        let mut made = Vec::with_capacity(names.len());
        for (j, name) in names.into_iter().enumerate() {
            let flag = learnt.indicator.iter().position(|&other| other == j).map(|at| &flags[at]);
            let column = if learnt.keeps(j) { kept.next() } else { None };
            let value = |row: usize| match (column, flag) {
                (Some(column), flag) if flag.is_none_or(|flag| flag.values().get(row).to_f64() == Some(0.0)) => {
                    column.values().get(row)
                }
                // Of a column that was left out nothing is known.
                (None, Some(flag)) if flag.values().get(row).to_f64() == Some(0.0) => Value::Float(0.0),
                _ => self.missing_values.as_value(),
            };
            let values: Vec<Scalar> = (0..table.rows()).map(|row| value(row).into()).collect();
            made.push(Column::new(name, values));
        }
        Ok(Table::from_columns(made)?.with_index(index).into())
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        let names = learnt.seen.names_of(input)?;
        let kept = (0..names.len()).filter(|&j| learnt.keeps(j)).map(|j| names[j].clone());
        Ok(kept.chain(learnt.indicator.iter().map(|&j| format!("missingindicator_{}", names[j]))).collect())
    }
}

impl SimpleImputer {
    /// Refuses infinities, and NaN where something else stands for what is missing.
    fn finite(&self, columns: &[Column]) -> Result<()> {
        let nan = self.missing_values.as_value().is_missing();
        let bad = |value: Value<'_>| match value {
            Value::Float(value) => value.is_infinite() || value.is_nan() && !nan,
            _ => false,
        };
        for column in columns.iter().filter(|column| matches!(column.values(), Values::Float(_) | Values::Float32(_))) {
            if let Some(row) = column.iter().position(bad) {
                let (label, name) = (column.index().label(row), column.name());
                return Err(Error::data(format!(
                    "`{CLASS}` needs finite numbers, got another in row {label} of column `{name}`"
                )));
            }
        }
        Ok(())
    }
}

/// The values of a column, with another where one is missing.
fn filled(column: &Column, mask: &[bool], with: &Scalar) -> Result<Values> {
    let values = column.values();
    if !mask.contains(&true) {
        return Ok(values.clone());
    }
    if !fits(values, with) {
        let (name, dtype) = (column.name(), column.dtype());
        return Err(Error::data(format!("column `{name}` of {dtype} has gaps, in which {} has no place", with.kind()))
            .help("fill columns of other kinds by others, in a `ColumnTransformer`"));
    }
    let number = with.as_value().to_f64().unwrap_or(f64::NAN);
    Ok(match (values, with) {
        (Values::Float(values), _) => {
            Values::Float(values.iter().zip(mask).map(|(&value, &gap)| if gap { number } else { value }).collect())
        }
        (Values::Float32(values), _) => Values::Float32(
            values.iter().zip(mask).map(|(&value, &gap)| if gap { number as f32 } else { value }).collect(),
        ),
        (Values::Text(texts), Scalar::Text(with)) => {
            Values::Text(texts.iter().zip(mask).map(|(text, &gap)| if gap { Some(&**with) } else { text }).collect())
        }
        _ => {
            let scalar = |(value, &gap): (Value<'_>, &bool)| if gap { with.clone() } else { value.into() };
            values.iter().zip(mask).map(scalar).collect::<Vec<Scalar>>().into()
        }
    })
}

/// Whether a value can stand among those of a column, in place of what is missing.
fn fits(values: &Values, scalar: &Scalar) -> bool {
    match values {
        Values::Object(_) => true,
        Values::Text(_) => matches!(scalar, Scalar::Text(_)),
        Values::Truth(_) | Values::Bool(_) => matches!(scalar, Scalar::Bool(_)),
        Values::Int(_) => matches!(scalar, Scalar::Int(_) | Scalar::Bool(_)),
        Values::Float(_) | Values::Float32(_) => matches!(scalar, Scalar::Float(_) | Scalar::Int(_) | Scalar::Bool(_)),
        Values::Category(category) => fits(&category.categories, scalar),
        Values::Date(_) => matches!(scalar, Scalar::Date(_)),
    }
}
