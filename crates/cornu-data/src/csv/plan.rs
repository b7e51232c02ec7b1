//! Which fields of a line are which columns, as pandas has it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cornu_array::{Error, Result, list, nearest};

use super::cells::Missing;
use super::lines::{Bad, Lines, Place, Shape};
use super::options::{ColumnKey, Csv, Header, IndexCol, ParseDates};
use super::types::Dtype;

/// A column to be read.
pub(super) struct Planned {
    /// Which field of each line it is.
    pub(super) field: usize,
    pub(super) name: String,
    pub(super) dtype: Option<Dtype>,
    pub(super) missing: Arc<Missing>,
    pub(super) dates: bool,
}

/// What is to be read, and where it begins.
pub(super) struct Plan {
    pub(super) columns: Vec<Planned>,
    /// Which of the columns has the labels of the rows, and whether it has a name.
    pub(super) index: Option<(usize, bool)>,
    pub(super) shape: Shape,
    pub(super) start: Option<Place>,
    /// Whether a line of names was taken for granted.
    pub(super) guessed_header: bool,
}

/// The first lines of a file.
struct Head {
    names: Option<Vec<String>>,
    /// Names that stand for none.
    unnamed: HashSet<String>,
    start: Option<Place>,
    /// How many fields the first row of values has, if there is one.
    fields: Option<usize>,
}

impl Head {
    fn read(csv: &Csv, lines: &mut Lines<'_>) -> Result<Head> {
        let row = match csv.header {
            Header::Auto if csv.names.is_none() => Some(0),
            Header::Row(row) => Some(row),
            _ => None,
        };
        let mut fields = Vec::new();
        let rows = lines.head(row.map_or(1, |row| row.saturating_add(2)), |lines, at, cells| {
            if Some(at) == row {
                refuse_unnamed(cells.iter().filter(|cell| cell.0 == cell.1).count(), "a name")?;
                fields = (0..cells.len()).map(|field| lines.field(cells, field)).collect::<Result<Vec<String>>>()?;
            }
            Ok(())
        })?;
        let Some(row) = row else {
            if rows.is_empty() && csv.names.is_none() {
                return Err(empty());
            }
            let fields = rows.first().map(|&(fields, _)| fields);
            return Ok(Head { names: None, unnamed: HashSet::new(), start: None, fields });
        };
        let Some(&(_, start)) = rows.get(row) else {
            return Err(if rows.is_empty() {
                empty()
            } else {
                Error::usage(format!("`header` needs a row below {}, the number of rows, got {row}", rows.len()))
            });
        };
        let (names, unnamed) = different(fields)?;
        let fields = rows.get(row + 1).map(|&(fields, _)| fields);
        Ok(Head { names: Some(names), unnamed, start: Some(start), fields })
    }
}

fn empty() -> Error {
    Error::data("the table is empty").help("the first line is to name the columns")
}

/// A spreadsheet leaves at most as many columns without a name as it is wide. More are no table, and each would take a
/// hundred times the memory of its comma; so would names that are made up for doubled ones.
fn refuse_unnamed(unnamed: usize, what: &str) -> Result<()> {
    const WIDEST: usize = 1 << 14;
    if unnamed <= WIDEST {
        return Ok(());
    }
    Err(Error::data(format!("the first line leaves {unnamed} columns without {what}, more than {WIDEST}"))
        .help("the first line is to name the columns; if there is no such line, say so by `Csv::new().header(None)`"))
}

/// The names, `Unnamed: 3` for one that is none, doubled ones with a number behind; and which are not in the file.
fn different(mut names: Vec<String>) -> Result<(Vec<String>, HashSet<String>)> {
    let empty: Vec<usize> = (0..names.len()).filter(|&at| names[at].is_empty()).collect();
    empty.iter().for_each(|&at| names[at] = format!("Unnamed: {at}"));
    let given: HashSet<&str> = names.iter().map(String::as_str).collect();
    refuse_unnamed(names.len() - given.len(), "a name of their own")?;
    let mut counts: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let mut changed = Vec::new();
    // Names of the file go before those that are made up.
    let named = (0..names.len()).filter(|at| empty.binary_search(at).is_err());
    for at in named.chain(empty.iter().copied()) {
        let old = &*names[at];
        let (mut count, mut new) = (counts.get(old).copied().unwrap_or(0), Cow::Borrowed(old));
        while count > 0 {
            counts.insert(Cow::Borrowed(old), count + 1);
            new = format!("{old}.{count}").into();
            count = if given.contains(&*new) { count + 1 } else { counts.get(&new).copied().unwrap_or(0) };
        }
        if let Cow::Owned(new) = &new {
            changed.push((at, new.clone()));
        }
        counts.insert(new, count + 1);
    }
    drop((given, counts));
    changed.into_iter().for_each(|(at, new)| names[at] = new);
    let unnamed = empty.iter().map(|&at| names[at].clone()).collect();
    Ok((names, unnamed))
}

impl Plan {
    pub(super) fn new(csv: &Csv, lines: &mut Lines<'_>, rows: usize) -> Result<Plan> {
        let mut head = Head::read(csv, lines)?;
        let named = head.names.is_some();
        let given = csv.names.clone().or(head.names.take());
        let passed = given.as_ref().map_or(head.fields.unwrap_or(0), Vec::len);
        let width = head.fields.map_or(passed, |fields| if csv.names.is_some() { fields.max(passed) } else { fields });
        let width = width.max(passed);
        let leading = if csv.index_col == IndexCol::Nowhere { 0 } else { width - passed };
        let leading = if has_fewer_names(csv, passed) { 0 } else { leading };
        if leading > 1 {
            let place = if named { "the line of names" } else { "the names that are given" };
            return Err(Error::data(format!("rows have {leading} fields more than {place}, which has {passed}"))
                .help("give a name to each column, as by `Csv::new().names([..])`"));
        }
        let names = given.unwrap_or_else(|| (0..passed).map(|at| at.to_string()).collect());
        if csv.names.is_some() {
            refuse_doubled(&names)?;
        }
        let columns = used(csv, names, leading, width)?;
        let general = csv.na_values.iter().filter(|(key, _)| key.is_none()).flat_map(|(_, words)| words);
        let general = Arc::new(Missing::new(csv.keep_default_na, general));
        let planned = |(field, name)| planned(csv, &general, field, name);
        let mut plan = Plan {
            shape: Shape {
                width: if csv.index_col == IndexCol::Nowhere { passed } else { width },
                rows,
                cut: csv.usecols.is_some(),
                beyond: if csv.index_col == IndexCol::Nowhere { width - passed } else { 0 },
                bad: bad_lines(csv)?,
            },
            columns: columns.into_iter().map(planned).collect::<Result<_>>()?,
            index: None,
            start: head.start,
            guessed_header: csv.header == Header::Auto && csv.names.is_none(),
        };
        plan.find_index(csv, leading, &head.unnamed)?;
        plan.mark_dates(csv)?;
        plan.check_keys(csv)?;
        Ok(plan)
    }

    fn position(&self, what: &str, key: &ColumnKey) -> Result<usize> {
        let names = || self.columns.iter().map(|column| &*column.name);
        match key {
            ColumnKey::Position(at) if *at < self.columns.len() => Ok(*at),
            ColumnKey::Position(at) => {
                let count = self.columns.len();
                Err(Error::usage(format!("`{what}` needs a position below {count}, the number of columns, got {at}")))
            }
            ColumnKey::Name(name) => {
                names().position(|known| known == name).ok_or_else(|| unknown(what, name, names()))
            }
        }
    }

    fn find_index(&mut self, csv: &Csv, leading: usize, unnamed: &HashSet<String>) -> Result<()> {
        self.index = match &csv.index_col {
            IndexCol::Auto | IndexCol::Column(ColumnKey::Position(0)) if leading == 1 => Some((0, false)),
            IndexCol::Column(_) if leading == 1 => {
                return Err(Error::data(
                    "rows have a field more than there are names, which has the labels of the rows",
                )
                .help("leave out `index_col`, or give a name to each column by `Csv::new().names([..])`"));
            }
            IndexCol::Column(key) => {
                let at = self.position("index_col", key)?;
                Some((at, !unnamed.contains(&self.columns[at].name) && (csv.names.is_some() || !self.bare(csv))))
            }
            _ => None,
        };
        Ok(())
    }

    /// Whether the columns are called by their numbers, for want of names.
    fn bare(&self, csv: &Csv) -> bool {
        csv.header == Header::None && csv.names.is_none()
    }

    fn mark_dates(&mut self, csv: &Csv) -> Result<()> {
        match &csv.parse_dates {
            ParseDates::Index(false) => {}
            ParseDates::Index(true) => {
                if let Some((index, _)) = self.index {
                    self.columns[index].dates = true;
                }
            }
            ParseDates::Columns(keys) => {
                for key in keys {
                    let at = self.position("parse_dates", key)?;
                    self.columns[at].dates = true;
                }
            }
        }
        Ok(())
    }

    /// Names in `dtype_of` and `na_values_of` that no column has are mistakes.
    fn check_keys(&self, csv: &Csv) -> Result<()> {
        let dtypes = csv.dtypes.iter().filter_map(|(key, _)| Some(("dtype_of", key.as_ref()?)));
        let words = csv.na_values.iter().filter_map(|(key, _)| Some(("na_values_of", key.as_ref()?)));
        for (what, key) in dtypes.chain(words) {
            if csv.usecols.is_none() && matches!(key, ColumnKey::Name(_)) {
                self.position(what, key)?;
            }
        }
        Ok(())
    }
}

/// Whether the names are those of the columns that are used, among others.
fn has_fewer_names(csv: &Csv, passed: usize) -> bool {
    csv.usecols.as_ref().is_some_and(|columns| columns.len() == passed)
}

fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> Error {
    let names: Vec<&str> = names.collect();
    let error = Error::usage(format!("`{what}`: no column `{name}`; the table has {}", list(&names)));
    match nearest(name, names) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

fn refuse_doubled(names: &[String]) -> Result<()> {
    let mut known = HashSet::new();
    match names.iter().find(|name| !known.insert(*name)) {
        Some(name) => Err(Error::usage(format!("`names` needs different names, got `{name}` twice"))),
        None => Ok(()),
    }
}

/// The columns that are asked for: which field each is, and its name. The labels of rows without a name are always.
fn used(csv: &Csv, names: Vec<String>, leading: usize, width: usize) -> Result<Vec<(usize, String)>> {
    let mut all: Vec<(usize, String)> = (0..leading).map(|field| (field, String::new())).collect();
    let Some(wanted) = &csv.usecols else {
        all.extend(names.into_iter().enumerate().map(|(at, name)| (leading + at, name)));
        return Ok(all);
    };
    let (mut fields, mut by_name) = (HashSet::new(), HashSet::new());
    for key in wanted {
        match key {
            ColumnKey::Position(at) if *at < width => drop(fields.insert(*at)),
            ColumnKey::Position(at) => {
                return Err(Error::usage(format!("`usecols` needs positions below {width}, got {at}")));
            }
            ColumnKey::Name(name) if names.contains(name) => drop(by_name.insert(name)),
            ColumnKey::Name(name) => return Err(unknown("usecols", name, names.iter().map(String::as_str))),
        }
    }
    // Names that are as many as the positions are theirs.
    let theirs = csv.names.is_some() || width > names.len();
    if theirs && by_name.is_empty() && fields.len() == names.len() {
        let mut fields: Vec<usize> = fields.into_iter().collect();
        fields.sort_unstable();
        return Ok(fields.into_iter().zip(names).collect());
    }
    let asked = |(at, name): &(usize, &String)| fields.contains(&(leading + at)) || by_name.contains(name);
    all.extend(names.iter().enumerate().filter(asked).map(|(at, name)| (leading + at, name.clone())));
    Ok(all)
}

fn planned(csv: &Csv, general: &Arc<Missing>, field: usize, name: String) -> Result<Planned> {
    let is = |key: &Option<ColumnKey>| match key {
        None => false,
        Some(ColumnKey::Name(own)) => *own == name,
        Some(ColumnKey::Position(at)) => *at == field,
    };
    let of_all = || csv.dtypes.iter().rev().find(|(key, _)| key.is_none());
    let dtype = csv.dtypes.iter().rev().find(|(key, _)| is(key)).or_else(of_all);
    let dtype = dtype.map(|(_, dtype)| Dtype::named(dtype)).transpose()?;
    let missing = if csv.na_values.iter().any(|(key, _)| is(key)) {
        let words = csv.na_values.iter().filter(|(key, _)| key.is_none() || is(key)).flat_map(|(_, words)| words);
        Arc::new(Missing::new(csv.keep_default_na, words))
    } else {
        Arc::clone(general)
    };
    Ok(Planned { field, name, dtype, missing, dates: false })
}

fn bad_lines(csv: &Csv) -> Result<Bad> {
    match &*csv.on_bad_lines {
        "error" => Ok(Bad::Refused),
        "warn" => Ok(Bad::Told),
        "skip" => Ok(Bad::Skipped),
        other => Err(Error::usage(format!("`on_bad_lines` needs `error`, `warn` or `skip`, got `{other}`"))),
    }
}
