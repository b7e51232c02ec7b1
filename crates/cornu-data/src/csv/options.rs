//! How a file of separated values is to be read: pandas' options, under pandas' names.

use cornu_array::Verbose;

/// A column, by its name or by its position: `"age"`, `0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnKey {
    /// By its name.
    Name(String),
    /// By its position, from 0.
    Position(usize),
}

impl From<&str> for ColumnKey {
    fn from(name: &str) -> ColumnKey {
        ColumnKey::Name(name.into())
    }
}

impl From<String> for ColumnKey {
    fn from(name: String) -> ColumnKey {
        ColumnKey::Name(name)
    }
}

impl From<usize> for ColumnKey {
    fn from(position: usize) -> ColumnKey {
        ColumnKey::Position(position)
    }
}

/// Lines to leave out: the first ones, so many; or those with these numbers, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipRows {
    /// So many at the start.
    First(usize),
    /// Those with these numbers, in ascending order.
    These(Vec<u64>),
}

impl From<usize> for SkipRows {
    fn from(count: usize) -> SkipRows {
        SkipRows::First(count)
    }
}

impl From<Vec<u64>> for SkipRows {
    fn from(mut lines: Vec<u64>) -> SkipRows {
        lines.sort_unstable();
        SkipRows::These(lines)
    }
}

impl<const N: usize> From<[u64; N]> for SkipRows {
    fn from(lines: [u64; N]) -> SkipRows {
        lines.to_vec().into()
    }
}

/// Where the labels of the rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexCol {
    /// In the first column if rows have one field more than the line of names; else nowhere.
    Auto,
    /// Nowhere: fields beyond the names must be empty.
    Nowhere,
    /// In this column.
    Column(ColumnKey),
}

impl<T: Into<ColumnKey>> From<T> for IndexCol {
    fn from(column: T) -> IndexCol {
        IndexCol::Column(column.into())
    }
}

impl From<bool> for IndexCol {
    fn from(auto: bool) -> IndexCol {
        if auto { IndexCol::Auto } else { IndexCol::Nowhere }
    }
}

/// The line of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The first line, unless names are given; said if it looks like data.
    Auto,
    Row(usize),
    None,
}

/// Columns that hold dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseDates {
    /// The labels of the rows, or nothing.
    Index(bool),
    /// These columns.
    Columns(Vec<ColumnKey>),
}

impl From<bool> for ParseDates {
    fn from(index: bool) -> ParseDates {
        ParseDates::Index(index)
    }
}

impl<T: Into<ColumnKey>, const N: usize> From<[T; N]> for ParseDates {
    fn from(columns: [T; N]) -> ParseDates {
        ParseDates::Columns(columns.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<ColumnKey>> From<Vec<T>> for ParseDates {
    fn from(columns: Vec<T>) -> ParseDates {
        ParseDates::Columns(columns.into_iter().map(Into::into).collect())
    }
}

/// A reader of separated values, with the options of `pandas.read_csv` under their names.
///
/// ```
/// use cornu_data::Csv;
///
/// let text = "# prices\nday;price\n2024-05-31;1,50\n2024-06-01;?\n";
/// let csv = Csv::new().sep(';').decimal(',').comment('#').na_values(["?"]).parse_dates(["day"]);
/// let table = csv.from_str(text)?;
/// assert_eq!(table.columns().iter().map(|c| c.dtype()).collect::<Vec<_>>(), ["datetime64[us]", "float64"]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// A column is of whole numbers, numbers, `true` and `false`, or text, whichever fits all its values. Missing values are
/// those of pandas (nothing, `NA`, `NaN`, `null`, …). What is not said and was found out (the separator, a line of names
/// that looks like data) is said on the standard error.
#[derive(Clone, Debug)]
pub struct Csv {
    pub(super) sep: Option<String>,
    pub(super) header: Header,
    pub(super) names: Option<Vec<String>>,
    pub(super) index_col: IndexCol,
    pub(super) usecols: Option<Vec<ColumnKey>>,
    /// Of all columns where there is no key.
    pub(super) dtypes: Vec<(Option<ColumnKey>, String)>,
    pub(super) nrows: Option<usize>,
    pub(super) skiprows: SkipRows,
    pub(super) skipfooter: usize,
    pub(super) comment: Option<char>,
    pub(super) na_values: Vec<(Option<ColumnKey>, Vec<String>)>,
    pub(super) keep_default_na: bool,
    pub(super) decimal: Option<char>,
    pub(super) thousands: Option<char>,
    pub(super) encoding: String,
    pub(super) quotechar: char,
    pub(super) doublequote: bool,
    pub(super) escapechar: Option<char>,
    pub(super) skipinitialspace: bool,
    pub(super) true_values: Vec<String>,
    pub(super) false_values: Vec<String>,
    pub(super) parse_dates: ParseDates,
    pub(super) date_format: Option<String>,
    pub(super) dayfirst: bool,
    pub(super) compression: Option<String>,
    pub(super) on_bad_lines: String,
    pub(super) skip_blank_lines: bool,
    pub(super) silent: bool,
}

impl Default for Csv {
    fn default() -> Csv {
        Csv {
            sep: None,
            header: Header::Auto,
            names: None,
            index_col: IndexCol::Auto,
            usecols: None,
            dtypes: Vec::new(),
            nrows: None,
            skiprows: SkipRows::First(0),
            skipfooter: 0,
            comment: None,
            na_values: Vec::new(),
            keep_default_na: true,
            decimal: None,
            thousands: None,
            encoding: "utf-8".into(),
            quotechar: '"',
            doublequote: true,
            escapechar: None,
            skipinitialspace: false,
            true_values: Vec::new(),
            false_values: Vec::new(),
            parse_dates: ParseDates::Index(false),
            date_format: None,
            dayfirst: false,
            compression: Some("infer".into()),
            on_bad_lines: "error".into(),
            skip_blank_lines: true,
            silent: false,
        }
    }
}

fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Vec<String> {
    texts.into_iter().map(Into::into).collect()
}

impl Csv {
    /// Commas between the values, names in the first line; another separator is found out.
    pub fn new() -> Csv {
        Csv::default()
    }

    /// What separates the values: one character, or `r"\s+"` for any number of spaces and tabs. Found out among commas,
    /// semicolons, tabs and bars if it is not said, together with decimal commas.
    #[must_use]
    pub fn sep(self, sep: impl Into<String>) -> Csv {
        Csv { sep: Some(sep.into()), ..self }
    }

    /// The line with the names, counted from 0 without lines that are skipped; what is before it is left out. `None`:
    /// there is none, and the columns are called `0`, `1`, `2`, … or as [`Csv::names`] says.
    #[must_use]
    pub fn header(self, row: impl Into<Option<usize>>) -> Csv {
        Csv { header: row.into().map_or(Header::None, Header::Row), ..self }
    }

    /// The names of the columns; there is no line with them, unless [`Csv::header`] says which one they replace.
    #[must_use]
    pub fn names<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Csv {
        Csv { names: Some(texts(names)), ..self }
    }

    /// The column with the labels of the rows, by name or by position among the columns that are read; `false`: none,
    /// even if rows have more fields than there are names.
    #[must_use]
    pub fn index_col(self, column: impl Into<IndexCol>) -> Csv {
        Csv { index_col: column.into(), ..self }
    }

    /// The columns to read, by names or positions; their order stays that of the file.
    #[must_use]
    pub fn usecols<T: Into<ColumnKey>>(self, columns: impl IntoIterator<Item = T>) -> Csv {
        Csv { usecols: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// The type of all columns: `float64`, `float32`, `int64`, `bool`, `str` or `category`.
    #[must_use]
    pub fn dtype(self, dtype: impl Into<String>) -> Csv {
        self.typed(None, dtype.into())
    }

    /// The type of one column: `dtype_of("zip", "str")`. It goes before that of all columns.
    #[must_use]
    pub fn dtype_of(self, column: impl Into<ColumnKey>, dtype: impl Into<String>) -> Csv {
        self.typed(Some(column.into()), dtype.into())
    }

    fn typed(mut self, key: Option<ColumnKey>, dtype: String) -> Csv {
        self.dtypes.push((key, dtype));
        self
    }

    /// How many rows to read at most.
    #[must_use]
    pub fn nrows(self, rows: usize) -> Csv {
        Csv { nrows: Some(rows), ..self }
    }

    /// Lines to leave out: so many at the start (`2`), or those with these numbers, from 0 (`[0, 2]`).
    #[must_use]
    pub fn skiprows(self, rows: impl Into<SkipRows>) -> Csv {
        Csv { skiprows: rows.into(), ..self }
    }

    /// How many lines at the end to leave out, such as totals.
    #[must_use]
    pub fn skipfooter(self, rows: usize) -> Csv {
        Csv { skipfooter: rows, ..self }
    }

    /// The character that begins a remark, which ends with its line.
    #[must_use]
    pub fn comment(self, mark: char) -> Csv {
        Csv { comment: Some(mark), ..self }
    }

    /// More words for a missing value, in all columns.
    #[must_use]
    pub fn na_values<T: Into<String>>(mut self, words: impl IntoIterator<Item = T>) -> Csv {
        self.na_values.push((None, texts(words)));
        self
    }

    /// More words for a missing value in one column: `na_values_of("age", ["0"])`.
    #[must_use]
    pub fn na_values_of<T: Into<String>>(
        mut self,
        column: impl Into<ColumnKey>,
        words: impl IntoIterator<Item = T>,
    ) -> Csv {
        self.na_values.push((Some(column.into()), texts(words)));
        self
    }

    /// Whether pandas' words for a missing value (nothing, `NA`, `NaN`, …) count beside [`Csv::na_values`]. They do
    /// unless this says `false`.
    #[must_use]
    pub fn keep_default_na(self, keep: bool) -> Csv {
        Csv { keep_default_na: keep, ..self }
    }

    /// The decimal point.
    #[must_use]
    pub fn decimal(self, mark: char) -> Csv {
        Csv { decimal: Some(mark), ..self }
    }

    /// What stands between the thousands of a number.
    #[must_use]
    pub fn thousands(self, mark: char) -> Csv {
        Csv { thousands: Some(mark), ..self }
    }

    /// How the text is encoded: `utf-8`, `utf-8-sig`, `latin-1`, `cp1252`, `utf-16` (`-le`, `-be`), or another of
    /// Python's names for one of these.
    #[must_use]
    pub fn encoding(self, name: impl Into<String>) -> Csv {
        Csv { encoding: name.into(), ..self }
    }

    /// What encloses a value with separators or line breaks in it: `"` unless this says otherwise.
    #[must_use]
    pub fn quotechar(self, mark: char) -> Csv {
        Csv { quotechar: mark, ..self }
    }

    /// Whether two quotation marks inside a quoted value stand for one, as is usual.
    #[must_use]
    pub fn doublequote(self, doubled: bool) -> Csv {
        Csv { doublequote: doubled, ..self }
    }

    /// The character that takes the meaning from the next one.
    #[must_use]
    pub fn escapechar(self, mark: char) -> Csv {
        Csv { escapechar: Some(mark), ..self }
    }

    /// Whether spaces behind a separator are left out.
    #[must_use]
    pub fn skipinitialspace(self, skip: bool) -> Csv {
        Csv { skipinitialspace: skip, ..self }
    }

    /// More words for true, beside `True` in any case.
    #[must_use]
    pub fn true_values<T: Into<String>>(self, words: impl IntoIterator<Item = T>) -> Csv {
        Csv { true_values: texts(words), ..self }
    }

    /// More words for false, beside `False` in any case.
    #[must_use]
    pub fn false_values<T: Into<String>>(self, words: impl IntoIterator<Item = T>) -> Csv {
        Csv { false_values: texts(words), ..self }
    }

    /// Columns of dates, by names or positions; `true`: the labels of the rows. A column with a value that is no date
    /// of the form of the first one stays text.
    #[must_use]
    pub fn parse_dates(self, columns: impl Into<ParseDates>) -> Csv {
        Csv { parse_dates: columns.into(), ..self }
    }

    /// The form of the dates, as `%d.%m.%Y %H:%M`; else that of the first one.
    #[must_use]
    pub fn date_format(self, format: impl Into<String>) -> Csv {
        Csv { date_format: Some(format.into()), ..self }
    }

    /// Whether `1/2/2024` is in February.
    #[must_use]
    pub fn dayfirst(self, first: bool) -> Csv {
        Csv { dayfirst: first, ..self }
    }

    /// How the file is packed: `"infer"` from its first bytes, `"gzip"`, `"zip"` (one file in it), or `None`.
    #[must_use]
    pub fn compression(self, method: impl Into<Option<&'static str>>) -> Csv {
        Csv { compression: method.into().map(Into::into), ..self }
    }

    /// What becomes of a line with too many fields: `"error"`; `"warn"`, which leaves it out and says so; `"skip"`.
    #[must_use]
    pub fn on_bad_lines(self, action: impl Into<String>) -> Csv {
        Csv { on_bad_lines: action.into(), ..self }
    }

    /// Whether lines with nothing but spaces are left out, as they are unless this says `false`: rows of missing values.
    #[must_use]
    pub fn skip_blank_lines(self, skip: bool) -> Csv {
        Csv { skip_blank_lines: skip, ..self }
    }

    /// Whether what was found out is said on the standard error; 0: it is not.
    #[must_use]
    pub fn verbose(self, verbose: impl Into<Verbose>) -> Csv {
        Csv { silent: verbose.into() == Verbose::Silent, ..self }
    }
}
