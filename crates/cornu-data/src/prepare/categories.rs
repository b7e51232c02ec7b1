//! The categories of columns, and what category each cell is: what encoders share.

use cornu_array::{Error, Result};

use super::field::{Field, fields, not};
use super::frame::{Frame, Seen};
use crate::labels::{compare, find, gathered, shown};
use crate::{Labels, Value, Values};

/// Which categories are rare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Frequency {
    /// Those with fewer rows.
    Rows(usize),
    /// Those with a smaller share of the rows, between 0 and 1.
    Share(f64),
}

impl From<usize> for Frequency {
    fn from(rows: usize) -> Frequency {
        Frequency::Rows(rows)
    }
}

impl From<i32> for Frequency {
    fn from(rows: i32) -> Frequency {
        Frequency::Rows(usize::try_from(rows).unwrap_or(0))
    }
}

impl From<f64> for Frequency {
    fn from(share: f64) -> Frequency {
        Frequency::Share(share)
    }
}

impl Field for Frequency {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Frequency::Rows(rows) => rows.to_json(),
            Frequency::Share(share) => share.to_json(),
        }
    }

    fn from_json(json: &serde_json::Value) -> Result<Frequency> {
        match (json.as_u64(), json.as_f64()) {
            (Some(_), _) => usize::from_json(json).map(Frequency::Rows),
            (None, Some(share)) => Ok(Frequency::Share(share)),
            _ => Err(not("a number of rows or a share of them", json)),
        }
    }
}

/// How columns are divided into categories.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Choice {
    /// The categories of each column; without them, those that occur.
    pub(crate) categories: Option<Vec<Values>>,
    pub(crate) min_frequency: Option<Frequency>,
    pub(crate) max_categories: Option<usize>,
}

/// The categories of all columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Categories {
    pub(crate) seen: Seen,
    pub(crate) columns: Vec<Known>,
}

/// The categories of one column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) categories: Values,
    /// Those that are one group, in ascending order.
    pub(crate) infrequent: Vec<usize>,
}

fields!(Categories { seen, columns } check |categories| {
    let (needed, got) = (categories.seen.columns, categories.columns.len());
    if needed == got { Ok(()) } else { Err(Error::file(format!("needs categories of {needed} columns, got {got}"))) }
});
fields!(Known { categories, infrequent } check |known| {
    let places = known.infrequent.windows(2).all(|pair| pair[0] < pair[1]);
    if !places || known.infrequent.last().is_some_and(|&last| last >= known.categories.len()) {
        return Err(Error::file("`infrequent` needs places of categories, in ascending order"));
    }
    if Labels::of(&known.categories).count() != known.categories.len() {
        return Err(Error::file("`categories` needs different ones"));
    }
    Ok(())
});

/// What the group of rare categories is called.
pub(crate) const INFREQUENT: &str = "infrequent_sklearn";

impl Known {
    /// Whether the last category is what is missing.
    pub(crate) fn has_missing(&self) -> bool {
        self.categories.len().checked_sub(1).is_some_and(|last| self.categories.get(last).is_missing())
    }

    /// The number of groups: one for each category but the rare ones, which share the last.
    pub(crate) fn groups(&self) -> usize {
        self.categories.len() - self.infrequent.len() + usize::from(!self.infrequent.is_empty())
    }

    /// The group of a category.
    pub(crate) fn group(&self, category: usize) -> usize {
        match self.infrequent.binary_search(&category) {
            Ok(_) => self.groups() - 1,
            Err(before) => category - before,
        }
    }

    /// The group of the rare ones.
    pub(crate) fn infrequent_group(&self) -> Option<usize> {
        (!self.infrequent.is_empty()).then(|| self.groups() - 1)
    }

    /// The category that is alone in a group; `None` for that of the rare ones.
    pub(crate) fn alone(&self, group: usize) -> Option<Value<'_>> {
        let categories = (0..self.categories.len()).filter(|category| self.infrequent.binary_search(category).is_err());
        categories.into_iter().nth(group).map(|category| self.categories.get(category))
    }

    /// The names of the groups.
    pub(crate) fn names(&self) -> Vec<String> {
        let alone = (0..self.categories.len()).filter(|category| self.infrequent.binary_search(category).is_err());
        let names = alone.map(|category| name(self.categories.get(category)));
        names.chain(self.infrequent_group().map(|_| INFREQUENT.into())).collect()
    }

    /// The category of each value, where it is one of them.
    pub(crate) fn encode(&self, values: &Values) -> Vec<Option<usize>> {
        let (sorted, labels) = (Labels::of(&self.categories), Labels::of(values));
        let mut places = vec![0; sorted.count()];
        sorted.codes().iter().enumerate().for_each(|(category, &code)| places[code] = category);
        let known: Vec<Option<usize>> =
            labels.classes().iter().map(|class| find(sorted.classes(), class).map(|code| places[code])).collect();
        labels.codes().iter().map(|&code| known[code]).collect()
    }
}

/// A category as Python prints it within a name.
fn name(category: Value<'_>) -> String {
    if category.is_missing() { "nan".into() } else { crate::print::label(category) }
}

impl Choice {
    /// Learns the categories of each column.
    pub(crate) fn learn(
        &self,
        who: &str,
        x: &Frame<'_>,
        refuse_unknown: bool,
        missing_apart: bool,
    ) -> Result<Categories> {
        if x.rows() == 0 || x.width() == 0 {
            let (rows, columns) = (x.rows(), x.width());
            return Err(Error::data(format!("`{who}` needs at least one row and one column, got [{rows},{columns}]")));
        }
        if let Some(given) = self.categories.as_ref().filter(|given| given.len() != x.width()) {
            let (needed, got) = (x.width(), given.len());
            return Err(Error::usage(format!("`categories` needs a list for each of {needed} columns, got {got}")));
        }
        if matches!(self.min_frequency, Some(Frequency::Rows(0)))
            || self.max_categories == Some(0)
            || matches!(self.min_frequency, Some(Frequency::Share(share)) if !(share > 0.0 && share < 1.0))
        {
            return Err(Error::usage(
                "`min_frequency` needs rows from 1 up or a share between 0 and 1, `max_categories` 1 or more",
            ));
        }
        let names = x.names();
        let learn = |(j, values): (usize, std::borrow::Cow<'_, Values>)| {
            finite(who, &names[j], &values)?;
            let categories = match &self.categories {
                Some(given) => given_categories(&given[j], &values, &names[j])?,
                None => Labels::of(&values).classes().clone(),
            };
            let mut known = Known { categories, infrequent: Vec::new() };
            let codes = known.encode(&values);
            if let Some(row) = codes.iter().position(Option::is_none).filter(|_| refuse_unknown) {
                return Err(unknown(values.get(row), &names[j], "fit"));
            }
            known.infrequent = self.infrequent(&known, &codes, missing_apart);
            Ok(known)
        };
        let columns = x.values().into_iter().enumerate().map(learn).collect::<Result<_>>()?;
        Ok(Categories { seen: Seen::of(x), columns })
    }

    /// The rare categories; what is missing is not among them where it is a matter of its own.
    fn infrequent(&self, known: &Known, codes: &[Option<usize>], missing_apart: bool) -> Vec<usize> {
        let mut counts = vec![0usize; known.categories.len() - usize::from(missing_apart && known.has_missing())];
        for code in codes.iter().flatten().filter(|&&code| code < counts.len()).copied().collect::<Vec<_>>() {
            counts[code] += 1;
        }
        let mut rare: Vec<bool> = match self.min_frequency {
            Some(Frequency::Rows(rows)) => counts.iter().map(|&count| count < rows).collect(),
            Some(Frequency::Share(share)) => {
                counts.iter().map(|&count| (count as f64) < codes.len() as f64 * share).collect()
            }
            None => vec![false; counts.len()],
        };
        let groups = counts.len() - rare.iter().filter(|&&rare| rare).count() + 1;
        if let Some(most) = self.max_categories.filter(|&most| most < groups) {
            let mut order: Vec<usize> = (0..counts.len()).collect();
            order.sort_by_key(|&category| counts[category]);
            order[..counts.len() - (most - 1).min(counts.len())].iter().for_each(|&category| rare[category] = true);
        }
        (0..counts.len()).filter(|&category| rare[category]).collect()
    }
}

/// Infinite numbers are no categories.
fn finite(who: &str, name: &str, values: &Values) -> Result<()> {
    let infinite = |value| matches!(value, Value::Float(value) if value.is_infinite());
    match values.iter().position(infinite) {
        Some(row) => Err(Error::data(format!(
            "`{who}` needs finite numbers, got an infinite one in row {row} of column `{name}`"
        ))),
        None => Ok(()),
    }
}

/// The categories that were asked for, in the kind of the column.
fn given_categories(given: &Values, values: &Values, name: &str) -> Result<Values> {
    let fail = |message: String| Err(Error::usage(format!("`categories` of column `{name}` {message}")));
    let text = matches!(given, Values::Text(_));
    let column_text = matches!(values, Values::Text(_))
        || matches!(values, Values::Category(category) if matches!(*category.categories, Values::Text(_)));
    if text != column_text && !given.is_empty() {
        let (needed, got) = if column_text { ("text", "numbers") } else { ("numbers", "text") };
        return fail(format!("need to be {needed} as the column is, got {got}"));
    }
    if given.is_empty() {
        return fail("need to be at least one".into());
    }
    if let Some(place) = (0..given.len() - 1).find(|&place| given.get(place).is_missing()) {
        return fail(format!("need what is missing as the last one, got it at {place}"));
    }
    let labels = Labels::of(given);
    if labels.count() != given.len() {
        return fail("need to be different".into());
    }
    let sorted = (1..given.len()).all(|i| compare(given.get(i - 1), given.get(i)).is_lt());
    if !text && !sorted {
        return fail("need to be in ascending order, as numbers are".into());
    }
    gathered(|| given.iter())
}

/// A category that was not there.
pub(crate) fn unknown(category: Value<'_>, name: &str, when: &str) -> Error {
    let message = format!("unknown category {} in column `{name}` during {when}", shown(category));
    Error::data(message).help("fit on rows with every category, give `categories`, or choose `handle_unknown`")
}

impl Categories {
    /// The category of each cell, column by column.
    pub(crate) fn encode(&self, who: &str, x: &Frame<'_>) -> Result<Vec<Vec<Option<usize>>>> {
        self.seen.check(who, x)?;
        let names = x.names();
        let encode = |(j, values): (usize, std::borrow::Cow<'_, Values>)| {
            finite(who, &names[j], &values)?;
            Ok(self.columns[j].encode(&values))
        };
        x.values().into_iter().enumerate().map(encode).collect()
    }

    /// Refuses cells of no category.
    pub(crate) fn refuse_unknown(&self, x: &Frame<'_>, codes: &[Vec<Option<usize>>]) -> Result<()> {
        for (j, codes) in codes.iter().enumerate() {
            if let Some(row) = codes.iter().position(Option::is_none) {
                return Err(unknown(x.values()[j].get(row), &x.names()[j], "transform"));
            }
        }
        Ok(())
    }
}
