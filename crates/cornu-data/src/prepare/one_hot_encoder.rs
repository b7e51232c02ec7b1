//! Categories as columns of zeros and ones.

use cornu_array::room::room;
use cornu_array::{AN_ARRAY, Code, Error, Result, Warning, list, tell};

use super::categories::{Categories, Choice, Frequency, INFREQUENT, Known};
use super::field::{Field, fields, words};
use super::frame::check_width;
use super::{Frame, Transformer, files, learnt, methods, stored};
use crate::labels::{gathered, shown};
use crate::{Column, Scalar, Table, Value, Values};

const CLASS: &str = "OneHotEncoder";

words! {
    /// What a [`OneHotEncoder`] does with categories it has not seen.
    pub enum HandleUnknown {
        /// Refuses them.
        Error = "error",
        /// Gives them zeros in every column.
        Ignore = "ignore",
        /// Takes them for rare ones, if there are such; else zeros.
        InfrequentIfExist = "infrequent_if_exist",
        /// As [`HandleUnknown::InfrequentIfExist`], with a warning.
        Warn = "warn",
    }
}

/// The category of each column that has no column of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum DropCategory {
    /// The first.
    First,
    /// The first of two; none of more.
    IfBinary,
    /// One for each column.
    These(Vec<Scalar>),
}

impl Field for DropCategory {
    fn to_json(&self) -> serde_json::Value {
        match self {
            DropCategory::First => "first".into(),
            DropCategory::IfBinary => "if_binary".into(),
            DropCategory::These(categories) => categories.to_json(),
        }
    }

    fn from_json(json: &serde_json::Value) -> Result<DropCategory> {
        match json.as_str() {
            Some("first") => Ok(DropCategory::First),
            Some("if_binary") => Ok(DropCategory::IfBinary),
            _ => Vec::from_json(json).map(DropCategory::These),
        }
    }
}

/// Turns the categories of each column into columns of zeros with a one, as scikit-learn's class of this name does.
///
/// ```
/// use cornu_data::{OneHotEncoder, Table};
///
/// let table = Table::new([("port", vec!["S", "C", "S"])])?;
/// let mut encoder = OneHotEncoder::new();
/// assert_eq!(encoder.fit_transform(&table)?.to_string(), "   port_C  port_S\n0     0.0     1.0\n1     1.0     0.0\n2     0.0     1.0");
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// What is missing is a category, the last. There is no sparse output: columns hold zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct OneHotEncoder {
    choice: Choice,
    drop: Option<DropCategory>,
    handle_unknown: HandleUnknown,
    learnt: Option<Learnt>,
}

#[derive(Clone, Debug, PartialEq)]
struct Learnt {
    categories: Categories,
    /// Of each column the group that has no column.
    drop: Vec<Option<usize>>,
}

fields!(Learnt { categories, drop } check |learnt| {
    let known = &learnt.categories.columns;
    let fits = |(drop, known): (&Option<usize>, &Known)| drop.is_none_or(|group| group < known.groups());
    if learnt.drop.len() != known.len() || !learnt.drop.iter().zip(known).all(fits) {
        return Err(Error::file("`drop` needs a group of the categories for each column, or `null`"));
    }
    Ok(())
});

/// The settings of a file, side by side.
struct Flat {
    categories: Option<Vec<Values>>,
    drop: Option<DropCategory>,
    handle_unknown: HandleUnknown,
    min_frequency: Option<Frequency>,
    max_categories: Option<usize>,
    learnt: Option<Learnt>,
}

fields!(Flat { categories, drop, handle_unknown, min_frequency, max_categories, learnt });
methods!(OneHotEncoder inverse_table);
files!(OneHotEncoder);

impl Field for OneHotEncoder {
    fn to_json(&self) -> serde_json::Value {
        let OneHotEncoder { choice, drop, handle_unknown, learnt } = self.clone();
        let Choice { categories, min_frequency, max_categories } = choice;
        Flat { categories, drop, handle_unknown, min_frequency, max_categories, learnt }.to_json()
    }

    fn from_json(json: &serde_json::Value) -> Result<Self> {
        let Flat { categories, drop, handle_unknown, min_frequency, max_categories, learnt } = Flat::from_json(json)?;
        let choice = Choice { categories, min_frequency, max_categories };
        Ok(OneHotEncoder { choice, drop, handle_unknown, learnt })
    }
}

impl Default for OneHotEncoder {
    fn default() -> Self {
        let choice = Choice::default();
        OneHotEncoder { choice, drop: None, handle_unknown: HandleUnknown::Error, learnt: None }
    }
}

impl OneHotEncoder {
    /// An encoder of the categories that occur.
    pub fn new() -> Self {
        OneHotEncoder::default()
    }

    /// The categories of each column, in the order of their columns; numbers must ascend, what is missing comes last.
    #[must_use]
    pub fn categories<V: Into<Values>>(mut self, categories: impl IntoIterator<Item = V>) -> Self {
        self.choice.categories = Some(categories.into_iter().map(Into::into).collect());
        self
    }

    /// The categories that get no column.
    #[must_use]
    pub fn drop(self, drop: DropCategory) -> Self {
        OneHotEncoder { drop: Some(drop), ..self }
    }

    /// What is done with categories that were not there at the fit.
    #[must_use]
    pub fn handle_unknown(self, handle_unknown: HandleUnknown) -> Self {
        OneHotEncoder { handle_unknown, ..self }
    }

    /// Categories with fewer rows (`10`), or a smaller share of them (`0.1`), get one column together.
    #[must_use]
    pub fn min_frequency(mut self, rows: impl Into<Frequency>) -> Self {
        self.choice.min_frequency = Some(rows.into());
        self
    }

    /// At most so many columns of each: the rarest categories share the last one.
    #[must_use]
    pub fn max_categories(mut self, count: usize) -> Self {
        self.choice.max_categories = Some(count);
        self
    }

    /// The categories of each column, once learnt.
    pub fn categories_out(&self) -> Option<Vec<&Values>> {
        Some(self.learnt.as_ref()?.categories.columns.iter().map(|known| &known.categories).collect())
    }

    /// The group of each column that is dropped.
    fn dropped(&self, learnt: &Categories) -> Result<Vec<Option<usize>>> {
        let these = match &self.drop {
            None => return Ok(vec![None; learnt.columns.len()]),
            Some(DropCategory::First) => return Ok(vec![Some(0); learnt.columns.len()]),
            Some(DropCategory::IfBinary) => {
                return Ok(learnt.columns.iter().map(|known| (known.groups() == 2).then_some(0)).collect());
            }
            Some(DropCategory::These(these)) => these,
        };
        if these.len() != learnt.columns.len() {
            let (needed, got) = (learnt.columns.len(), these.len());
            return Err(Error::usage(format!("`drop` needs a category for each of {needed} columns, got {got}")));
        }
        let place = |((known, category), name): ((&Known, &Scalar), String)| {
            let value = category.as_value();
            let places = gathered(|| std::iter::once(value)).map(|one| known.encode(&one));
            match places.ok().and_then(|places| places.first().copied().flatten()) {
                Some(place) if known.infrequent.binary_search(&place).is_ok() => {
                    let message = format!("`drop` needs a category of column `{name}` that is not infrequent");
                    Err(Error::usage(format!("{message}, got {}", shown(value))))
                }
                Some(place) => Ok(Some(known.group(place))),
                None => Err(Error::usage(format!("`drop` needs a category of column `{name}`, got {}", shown(value)))),
            }
        };
        learnt.columns.iter().zip(these).zip(learnt.seen.names()).map(place).collect()
    }

    /// The group of a cell that no category of the fit is like.
    fn unknown_group(&self, known: &Known) -> Option<usize> {
        let infrequent = matches!(self.handle_unknown, HandleUnknown::InfrequentIfExist | HandleUnknown::Warn);
        known.infrequent_group().filter(|_| infrequent)
    }

    fn tell_unknown(&self, names: &[String], codes: &[Vec<Option<usize>>]) {
        let said = self.handle_unknown == HandleUnknown::Warn || self.drop.is_some();
        let has = |(name, codes): (&'_ String, &Vec<Option<usize>>)| codes.contains(&None).then(|| name.clone());
        let unknown: Vec<String> = names.iter().zip(codes).filter_map(has).collect();
        if said && !unknown.is_empty() {
            let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
            let become_ = if self.handle_unknown == HandleUnknown::Ignore {
                "zeros"
            } else {
                "the infrequent category, or zeros"
            };
            let message = format!("categories that were not there at the fit become {become_}, in {}", list(&names));
            tell(Warning::new(Code::UnknownCategories, message));
        }
    }
}

impl Transformer for OneHotEncoder {
    stored!(OneHotEncoder);

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        let categories = self.choice.learn(CLASS, x, self.handle_unknown == HandleUnknown::Error, false)?;
        let drop = self.dropped(&categories)?;
        self.learnt = Some(Learnt { categories, drop });
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        let codes = learnt.categories.encode(CLASS, &x)?;
        if self.handle_unknown == HandleUnknown::Error {
            learnt.categories.refuse_unknown(&x, &codes)?;
        }
        let names = self.feature_names_out(None)?;
        self.tell_unknown(&x.names(), &codes);
        room::<f64>(AN_ARRAY, &[names.len(), x.rows()])?;
        let mut made: Vec<Vec<f64>> = vec![vec![0.0; x.rows()]; names.len()];
        let mut start = 0;
        for ((known, codes), &drop) in learnt.categories.columns.iter().zip(&codes).zip(&learnt.drop) {
            let groups: Vec<usize> = (0..known.categories.len()).map(|category| known.group(category)).collect();
            let unknown = self.unknown_group(known);
            for (row, code) in codes.iter().enumerate() {
                let Some(group) = code.map_or(unknown, |code| Some(groups[code])) else { continue };
                if drop != Some(group) {
                    made[start + group - usize::from(drop.is_some_and(|drop| group > drop))][row] = 1.0;
                }
            }
            start += known.groups() - usize::from(drop.is_some());
        }
        let columns = names.into_iter().zip(made).map(|(name, values)| Column::new(name, values)).collect();
        Frame::from(Table::from_columns(columns)?.with_index(x.index())).like(matches!(x, Frame::Rows(_)))
    }

    fn undo(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        check_width(CLASS, self.feature_names_out(None)?.len(), &x)?;
        let index = x.index();
        let matrix = x.into_matrix(CLASS, false)?;
        let all: Vec<Vec<f64>> = (0..matrix.width()).map(|j| matrix.column(j)).collect();
        let (mut start, mut columns) = (0, Vec::new());
        for ((known, &drop), name) in
            learnt.categories.columns.iter().zip(&learnt.drop).zip(learnt.categories.seen.names())
        {
            let width = known.groups() - usize::from(drop.is_some());
            let cells = &all[start..start + width];
            let groups = (0..matrix.rows()).map(|row| self.group_of(known, drop, cells, row));
            let groups = groups.collect::<Result<Vec<Option<usize>>>>()?;
            let value = |group: &Option<usize>| match group {
                Some(group) if Some(*group) == known.infrequent_group() => Value::Text(INFREQUENT),
                Some(group) => known.alone(*group).unwrap_or(Value::Missing),
                None => Value::Missing,
            };
            columns.push(Column::new(name, groups.iter().map(|group| value(group).into()).collect::<Vec<Scalar>>()));
            start += width;
        }
        Ok(Table::from_columns(columns)?.with_index(index).into())
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        let mut names = Vec::new();
        for ((known, drop), feature) in
            learnt.categories.columns.iter().zip(&learnt.drop).zip(learnt.categories.seen.names_of(input)?)
        {
            let groups = known.names().into_iter().enumerate().filter(|(group, _)| Some(*group) != *drop);
            names.extend(groups.map(|(_, category)| format!("{feature}_{category}")));
        }
        Ok(names)
    }
}

impl OneHotEncoder {
    /// The group of the greatest cell of a row; that of no ones is the dropped one, if there is.
    fn group_of(&self, known: &Known, drop: Option<usize>, cells: &[Vec<f64>], row: usize) -> Result<Option<usize>> {
        let zeros = cells.iter().map(|cells| cells[row]).sum::<f64>() == 0.0;
        if cells.is_empty() || zeros && drop.is_some() {
            return Ok(drop);
        }
        if zeros {
            let lost = match self.handle_unknown {
                HandleUnknown::Error => true,
                HandleUnknown::Ignore => false,
                HandleUnknown::InfrequentIfExist | HandleUnknown::Warn => known.infrequent_group().is_some(),
            };
            let message = || Error::data(format!("row {row} has no category: all of its cells are zero"));
            return if lost { Err(message().help("set `drop` or `handle_unknown` before `fit`")) } else { Ok(None) };
        }
        let best = (1..cells.len()).fold(0, |best, i| if cells[i][row] > cells[best][row] { i } else { best });
        Ok(Some(best + usize::from(drop.is_some_and(|drop| best >= drop))))
    }
}
