//! Each column to the transformer it needs, side by side.

use std::collections::HashSet;

use cornu_array::{Context, Error, Result};
use serde_json::Value as Json;

use super::columns::Columns;
use super::field::{Field, Object, fields};
use super::frame::Seen;
use super::{Frame, Transformer, files, learnt, methods};
use crate::{Column, Table};

const CLASS: &str = "ColumnTransformer";

/// What is done to some columns.
#[derive(Clone, Debug)]
pub enum Branch {
    /// They are left out.
    Drop,
    /// They stay as they are.
    Passthrough,
    /// A transformer changes them.
    Transformer(Box<dyn Transformer>),
}

impl<T: Transformer + 'static> From<T> for Branch {
    fn from(transformer: T) -> Branch {
        Branch::Transformer(Box::new(transformer))
    }
}

impl From<Box<dyn Transformer>> for Branch {
    fn from(transformer: Box<dyn Transformer>) -> Branch {
        Branch::Transformer(transformer)
    }
}

impl Field for Branch {
    fn to_json(&self) -> Json {
        match self {
            Branch::Drop => "drop".into(),
            Branch::Passthrough => "passthrough".into(),
            Branch::Transformer(transformer) => transformer.to_json(),
        }
    }

    fn from_json(json: &Json) -> Result<Branch> {
        match json.as_str() {
            Some("drop") => Ok(Branch::Drop),
            Some("passthrough") => Ok(Branch::Passthrough),
            _ => Box::from_json(json).map(Branch::Transformer),
        }
    }
}

/// Hands columns to transformers and puts what they make side by side, as scikit-learn's class of this name does.
///
/// ```
/// use cornu_data::{Branch, ColumnTransformer, OneHotEncoder, StandardScaler, Table};
///
/// let table = Table::from_csv_str("age,port,fare\n20,S,7\n40,C,9\n")?;
/// let mut prepare = ColumnTransformer::new()
///     .transformer("num", StandardScaler::new(), ["age"])
///     .transformer("cat", OneHotEncoder::new(), ["port"])
///     .remainder(Branch::Passthrough);
/// let x = prepare.fit_transform(&table)?;
/// assert_eq!(x.names(), ["num__age", "cat__port_C", "cat__port_S", "remainder__fare"]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// Columns that no part names are the remainder, which is left out unless [`remainder`](Self::remainder) says something
/// else. A table is taken apart by the names of its columns, whatever their order, and may have others.
#[derive(Clone, Debug)]
pub struct ColumnTransformer {
    parts: Vec<Part>,
    remainder: Branch,
    verbose_feature_names_out: bool,
    learnt: Option<Learnt>,
}

#[derive(Clone, Debug)]
struct Part {
    name: String,
    branch: Branch,
    columns: Columns,
}

/// What came out of the fit; the remainder is the last part.
#[derive(Clone, Debug)]
struct Learnt {
    seen: Seen,
    parts: Vec<Fitted>,
}

#[derive(Clone, Debug)]
struct Fitted {
    name: String,
    branch: Branch,
    places: Vec<usize>,
}

fields!(Part { name, branch, columns });
fields!(Fitted { name, branch, places });
fields!(Learnt { seen, parts } check |learnt| {
    let columns = learnt.seen.columns;
    match learnt.parts.iter().find(|part| part.places.iter().any(|&place| place >= columns)) {
        Some(part) => Err(Error::file(format!("`places` of `{}` needs places below {columns}", part.name))),
        None => Ok(()),
    }
});
methods!(ColumnTransformer);
files!(ColumnTransformer);

impl Field for ColumnTransformer {
    fn to_json(&self) -> Json {
        serde_json::json!({
            "transformers": self.parts.to_json(),
            "remainder": self.remainder.to_json(),
            "verbose_feature_names_out": self.verbose_feature_names_out,
            "learnt": self.learnt.to_json(),
        })
    }

    fn from_json(json: &Json) -> Result<Self> {
        let mut object = Object::of(json)?;
        let read = ColumnTransformer {
            parts: object.field("transformers")?,
            remainder: object.field("remainder")?,
            verbose_feature_names_out: object.field("verbose_feature_names_out")?,
            learnt: object.field("learnt")?,
        };
        object.finish()?;
        Ok(read)
    }
}

impl Default for ColumnTransformer {
    fn default() -> Self {
        ColumnTransformer { parts: Vec::new(), remainder: Branch::Drop, verbose_feature_names_out: true, learnt: None }
    }
}

impl ColumnTransformer {
    /// No parts yet.
    pub fn new() -> Self {
        ColumnTransformer::default()
    }

    /// Hands these columns (`"age"`, `["age", "fare"]`, `[0, 1]`, `make_column_selector("number")`) to a transformer, or
    /// to [`Branch::Drop`] or [`Branch::Passthrough`].
    #[must_use]
    pub fn transformer(mut self, name: impl Into<String>, to: impl Into<Branch>, columns: impl Into<Columns>) -> Self {
        self.parts.push(Part { name: name.into(), branch: to.into(), columns: columns.into() });
        self
    }

    /// What is done to the columns that no part names.
    #[must_use]
    pub fn remainder(self, remainder: impl Into<Branch>) -> Self {
        ColumnTransformer { remainder: remainder.into(), ..self }
    }

    /// Whether the name of the part stands before the names of its columns: `num__age`.
    #[must_use]
    pub fn verbose_feature_names_out(self, verbose: bool) -> Self {
        ColumnTransformer { verbose_feature_names_out: verbose, ..self }
    }

    /// The transformer of a part, as it was fitted.
    pub fn named_transformer(&self, name: &str) -> Option<&dyn Transformer> {
        let part = self.learnt.as_ref()?.parts.iter().find(|part| part.name == name)?;
        if let Branch::Transformer(transformer) = &part.branch { Some(&**transformer) } else { None }
    }

    fn check_names(&self) -> Result<()> {
        let mut names = HashSet::new();
        for Part { name, .. } in &self.parts {
            if name.contains("__") {
                return Err(Error::usage(format!("the name of a part has no `__` in it, got `{name}`")));
            }
            if !names.insert(name) {
                return Err(Error::usage(format!("the parts need different names, got `{name}` twice")));
            }
        }
        Ok(())
    }

    /// The places of the columns that each part works on, the remainder's last.
    fn places(&self, x: &Frame<'_>) -> Result<Vec<Vec<usize>>> {
        let places = |part: &Part| part.columns.places(x).context(format!("`{CLASS}`: `{}`", part.name));
        let mut all: Vec<Vec<usize>> = self.parts.iter().map(places).collect::<Result<_>>()?;
        let taken: HashSet<usize> = all.iter().flatten().copied().collect();
        all.push((0..x.width()).filter(|place| !taken.contains(place)).collect());
        Ok(all)
    }

    /// Where the columns of each part are now: by their names, if those of the fit and these have some.
    fn places_now(&self, learnt: &Learnt, x: &Frame<'_>) -> Result<Vec<Vec<usize>>> {
        let (Some(names), Frame::Table(table)) = (&learnt.seen.names, x) else {
            learnt.seen.check_width(CLASS, x)?;
            return Ok(learnt.parts.iter().map(|part| part.places.clone()).collect());
        };
        let now = table.names();
        let place = |&place: &usize| {
            let name = names[place].as_str();
            now.iter().position(|other| *other == name).map_or_else(|| table.column(name).map(|_| 0), Ok)
        };
        let places = |part: &Fitted| match part.branch {
            Branch::Drop => Ok(Vec::new()),
            _ => part.places.iter().map(place).collect::<Result<Vec<usize>>>(),
        };
        learnt.parts.iter().map(places).collect::<Result<_>>().context(format!("`{CLASS}`"))
    }

    /// The names that a part gives to what it makes.
    fn named(&self, learnt: &Learnt, part: &Fitted, input: Option<&[String]>) -> Result<Vec<String>> {
        let names = learnt.seen.names_of(input)?;
        let names: Vec<String> = part.places.iter().map(|&place| names[place].clone()).collect();
        let of_part = match &part.branch {
            Branch::Drop => Vec::new(),
            Branch::Passthrough => names,
            Branch::Transformer(_) if part.places.is_empty() => Vec::new(),
            Branch::Transformer(transformer) => transformer.feature_names_out(Some(&names))?,
        };
        let verbose = self.verbose_feature_names_out;
        Ok(of_part.into_iter().map(|name| if verbose { format!("{}__{name}", part.name) } else { name }).collect())
    }
}

/// Some columns of a table.
fn pick(table: &Table, places: &[usize]) -> Result<Table> {
    let columns = places.iter().map(|&place| table.columns()[place].clone()).collect();
    Ok(Table::from_columns(columns)?.with_index(table.index().clone()))
}

/// A column under another name.
fn renamed(column: &Column, name: String) -> Column {
    Column { name, ..column.clone() }
}

impl Transformer for ColumnTransformer {
    fn class(&self) -> &'static str {
        CLASS
    }

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        self.check_names()?;
        let places = self.places(x)?;
        let seen = Seen::of(x);
        let table = x.borrowed().into_table()?;
        let rest = ("remainder".to_owned(), self.remainder.clone());
        let branches = self.parts.iter().map(|part| (part.name.clone(), part.branch.clone())).chain([rest]);
        let mut parts = Vec::with_capacity(places.len());
        for ((name, mut branch), places) in branches.zip(places) {
            if let Branch::Transformer(transformer) = &mut branch
                && !places.is_empty()
            {
                let columns = pick(&table, &places)?;
                transformer.learn(&Frame::from(columns)).context(format!("`{CLASS}`: `{name}`"))?;
            }
            parts.push(Fitted { name, branch, places });
        }
        let learnt = Learnt { seen, parts };
        let mut names = HashSet::new();
        for part in &learnt.parts {
            if let Some(twice) = self.named(&learnt, part, None)?.into_iter().find(|name| !names.insert(name.clone())) {
                return Err(Error::usage(format!("`{CLASS}` makes the column `{twice}` twice"))
                    .help("`verbose_feature_names_out(true)` puts the name of the part before it"));
            }
        }
        self.learnt = Some(learnt);
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        let places = self.places_now(learnt, &x)?;
        let (rows, index) = (matches!(x, Frame::Rows(_)), x.index());
        let mut table = x.into_table()?;
        if learnt.seen.names.is_none() {
            // Parts were fitted on columns called by their places.
            table = table.with_names(learnt.seen.names())?;
        }
        let mut columns: Vec<Column> = Vec::new();
        for (part, places) in learnt.parts.iter().zip(places) {
            let of_part = match &part.branch {
                Branch::Drop => continue,
                _ if places.is_empty() => continue,
                Branch::Passthrough => pick(&table, &places)?,
                Branch::Transformer(transformer) => {
                    let made = transformer.apply(pick(&table, &places)?.into());
                    made.and_then(Frame::into_table).context(format!("`{CLASS}`: `{}`", part.name))?
                }
            };
            if of_part.rows() != table.rows() {
                let (name, needed, got) = (&part.name, table.rows(), of_part.rows());
                return Err(Error::data(format!("`{CLASS}`: `{name}` needs to keep {needed} rows, it made {got}")));
            }
            let names = self.named(learnt, part, None)?;
            columns.extend(of_part.columns().iter().zip(names).map(|(column, name)| renamed(column, name)));
        }
        Frame::from(Table::from_columns(columns)?.with_index(index)).like(rows)
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        let names: Vec<Vec<String>> =
            learnt.parts.iter().map(|part| self.named(learnt, part, input)).collect::<Result<_>>()?;
        Ok(names.concat())
    }

    fn config(&self) -> Json {
        Field::to_json(self)
    }

    fn check_storable(&self) -> Result<()> {
        let parts = self.parts.iter().map(|part| (part.name.as_str(), &part.branch));
        for (name, branch) in parts.chain([("remainder", &self.remainder)]) {
            if let Branch::Transformer(transformer) = branch {
                transformer.check_storable().context(format!("`{CLASS}`: `{name}`"))?;
            }
        }
        Ok(())
    }

    fn boxed(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}
