//! What a table is made of: rows, columns, types, missing values and memory, as `info()` of pandas tells it.

use cornu_array::pad::left;

use super::{Column, Index, Table, Value, Values, dates, print};

impl Table {
    /// The text that `info()` of pandas prints, ending in a line break: labels, columns with how many values are there and
    /// their types, and the memory that pandas needs for them.
    ///
    /// ```
    /// # use cornu_data::Table;
    /// let info = Table::from_csv_str("age,name\n31,ann\n,bob\n")?.info();
    /// assert!(info.contains(" 0   age     1 non-null      float64"));
    /// # Ok::<(), cornu_array::Error>(())
    /// ```
    pub fn info(&self) -> String {
        const MOST_COLUMNS: usize = 100;
        let mut lines = vec!["<class 'pandas.DataFrame'>".to_owned(), index_line(self.index())];
        let columns = self.columns().len();
        if columns == 0 {
            lines.push("Empty DataFrame\n".into());
            return lines.join("\n");
        }
        if columns > MOST_COLUMNS {
            let (first, last) = (self.columns()[0].name(), self.columns()[columns - 1].name());
            lines.push(format!("Columns: {columns} entries, {first} to {last}"));
        } else {
            lines.push(format!("Data columns (total {columns} columns):"));
            lines.extend(self.column_lines());
        }
        let mut dtypes: Vec<&str> = self.columns().iter().map(Column::dtype).collect();
        dtypes.sort_unstable();
        let counts = dtypes.chunk_by(|a, b| a == b).map(|same| format!("{}({})", same[0], same.len()));
        lines.push(format!("dtypes: {}", counts.collect::<Vec<_>>().join(", ")));
        lines.push(format!("memory usage: {}\n", self.memory()));
        lines.join("\n")
    }

    fn column_lines(&self) -> Vec<String> {
        /// Above so many rows nothing is counted.
        const MOST_ROWS: usize = 1_690_785;
        let counted = self.rows() <= MOST_ROWS;
        let row = |(place, column): (usize, &Column)| {
            let count = counted.then(|| format!("{} non-null", column.count()));
            [Some(format!(" {place}")), Some(column.name().into()), count, Some(column.dtype().into())]
        };
        let heads = [Some(" # "), Some("Column"), counted.then_some("Non-Null Count"), Some("Dtype")];
        let rules = heads.map(|head| head.map(|head| "-".repeat(head.len())));
        let mut rows = vec![heads.map(|head| head.map(str::to_owned)), rules];
        rows.extend(self.columns().iter().enumerate().map(row));
        let width = |place: usize| {
            rows.iter().filter_map(|row| row[place].as_ref()).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths = [0, 1, 2, 3].map(width);
        let line = |row: &[Option<String>; 4]| {
            let cells = row.iter().zip(widths).filter_map(|(cell, width)| cell.as_ref().map(|cell| left(cell, width)));
            cells.collect::<Vec<_>>().join("  ")
        };
        rows.iter().map(line).collect()
    }

    fn memory(&self) -> String {
        let labels = self.index().to_shared();
        let of_index = if is_range(self.index()) { 132 } else { bytes(&labels) };
        let objects = |values: &Values| values.dtype() == "object";
        let more = matches!(&*labels, Values::Text(_)) || objects(&labels);
        let more = more || self.columns().iter().any(|column| objects(column.values()));
        let mut size = (of_index + self.columns().iter().map(|column| bytes(column.values())).sum::<usize>()) as f64;
        let mut units = ["bytes", "KB", "MB", "GB", "TB", "PB"].into_iter();
        let mut unit = units.next().unwrap_or_default();
        while size >= 1024.0 && unit != "PB" {
            size /= 1024.0;
            unit = units.next().unwrap_or(unit);
        }
        format!("{size:.1}{} {unit}", if more { "+" } else { "" })
    }
}

/// Whether pandas keeps the labels as first, last and step.
fn is_range(index: &Index) -> bool {
    index.is_empty() && index.is_range() || index.steps().is_some()
}

fn index_line(index: &Index) -> String {
    let labels = index.to_shared();
    let class = match &*labels {
        _ if is_range(index) => "RangeIndex",
        Values::Date(_) => "DatetimeIndex",
        Values::Category(_) => "CategoricalIndex",
        _ => "Index",
    };
    let timed = matches!(&*labels, Values::Date(moments) if dates::detail(moments) > dates::Detail::Day);
    let text = |value: Value<'_>| match value {
        Value::Date(moment) => dates::text(moment, timed),
        _ if matches!(&*labels, Values::Date(_)) => "NaT".into(),
        value if value.is_missing() => "nan".into(),
        value => print::label(value),
    };
    let ends = match index.len() {
        0 => String::new(),
        rows => format!(", {} to {}", text(labels.get(0)), text(labels.get(rows - 1))),
    };
    format!("{class}: {} entries{ends}", index.len())
}

/// The memory that pandas needs for the values themselves; texts are counted as the addresses of their objects.
fn bytes(values: &Values) -> usize {
    match values {
        Values::Float32(values) => 4 * values.len(),
        Values::Bool(values) => values.len(),
        Values::Category(category) => {
            let code = match category.categories.len() {
                0..128 => 1,
                128..32_768 => 2,
                _ => 4,
            };
            code * category.codes.len() + bytes(&category.categories)
        }
        values => 8 * values.len(),
    }
}
